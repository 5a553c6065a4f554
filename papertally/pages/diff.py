"""Compare two reports: which verdicts changed, how many by kind, and whether that is worse.

python -m report diff OLD.json NEW.json [--markdown] [--fail-on worse|any|never]

Worse: a verdict that was reproduced, close or consistent is so no more. Exit 3 then, 0 else, 1 for a broken file.
"""

from __future__ import annotations

import argparse
import sys
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from papertally.evidence.io import read_json
from papertally.ledger.validation_messages import one_line
from papertally.verdicts import verdicts
from papertally.verdicts.baseline import SMALL_SCALE

ABSENT = "absent"
#: Verdicts of reports of schema 1 alone, where a cost within 2 % was `close`.
OLD = ("close",)
OK, BROKEN, GATED = 0, 1, 3


@dataclass(frozen=True)
class Change:
    """Hold a cell or claim whose verdict changed."""

    kind: str
    name: str
    before: str
    after: str

    @property
    def worse(self) -> bool:
        """Tell whether a verdict that passed no longer does."""
        passed = (*verdicts.PASSED, *OLD, "complete")
        return self.before in passed and self.after not in passed


def verdict_map(path: Path) -> dict[tuple[str, str], str]:
    """Return a report.json's verdicts by kind and name. Raises ValueError naming the file and the mend."""
    try:
        data = read_json(path)
        found = {("cell", f"{c['row_id']}.{c['column']}"): c["verdict"] for c in data["cells"]}
        found |= {("claim", c["id"]): c["verdict"] for c in data["claims"]}
        found |= _small_scale(data)
    except OSError as error:
        raise ValueError(f"{path}: {error.strerror}; write it with `python -m report`") from None
    except (ValueError, KeyError, TypeError) as error:
        fault = f"{path}: is no report.json ({one_line(repr(error))})"
        raise ValueError(f"{fault}; write it anew with `python -m report`") from None
    if unknown := sorted({str(v) for v in found.values()} - {*verdicts.VERDICTS, *OLD, *SMALL_SCALE}):
        raise ValueError(f"{path}: unknown verdict {unknown[0]!r}; write it anew with `python -m report`")
    return found


def _small_scale(data: Mapping[str, Any]) -> dict[tuple[str, str], str]:
    """Return what each protocol on small data says of each order, and whether registered tables have all their runs.

    A report from before the protocols stood side by side has the registered orders alone.
    """
    found = {}
    registered = data.get("registered") or {"tables": []}
    for table in registered["tables"]:
        found["registered table", table["table"]] = (
            "complete" if table["of"] and table["have"] == table["of"] else "incomplete"
        )
        for order in table["orders"]:
            name = f"{table['table']} {order['higher']} > {order['lower']} (registered)"
            found["order", name] = order["verdict"]
    for order in (data.get("small_scale") or {"orders": []})["orders"]:
        for protocol in order["protocols"]:
            name = f"{order['table']} {order['higher']} > {order['lower']} ({protocol['id']})"
            found["order", name] = protocol["verdict"]
    return found


def compare(old: Mapping[tuple[str, str], str], new: Mapping[tuple[str, str], str]) -> list[Change]:
    """Return every change, worse ones first; what one side lacks is `absent` there."""
    keys = [*old, *(k for k in new if k not in old)]
    changes = [Change(*key, old.get(key, ABSENT), new.get(key, ABSENT)) for key in keys]
    return sorted((c for c in changes if c.before != c.after), key=lambda c: not c.worse)


def sentences(changes: list[Change]) -> list[str]:
    """Return the changes counted: "2 cells went from reproduced to differs"."""
    counts = Counter((c.kind, c.before, c.after) for c in changes)
    return [
        f"{n} {kind}{'s' if n > 1 else ''} went from {before} to {after}" for (kind, before, after), n in counts.items()
    ]


def markdown(changes: list[Change]) -> str:
    """Return the changes for a pull request."""
    from papertally.pages.render import markdown_escape as md

    if not changes:
        return "No verdict changed.\n"
    out = [f"- {'⚠️ ' if any(c.worse for c in changes if line_of(c) in s) else ''}{s}" for s in sentences(changes)]
    out += ["", "| What | Before | Now |", "|---|---|---|"]
    out += [f"| {c.kind} `{md(c.name)}` | {md(c.before)} | **{md(c.after)}** |" for c in changes]
    return "\n".join(out) + "\n"


def line_of(change: Change) -> str:
    """Return the end of the sentence that counts a change."""
    return f"went from {change.before} to {change.after}"


def main(argv: list[str]) -> int:
    """Print what changed; returns 0, 1 (a broken file) or 3 (gated)."""
    parser = argparse.ArgumentParser(prog="python -m report diff", description="Compare two reports' verdicts.")
    parser.add_argument("old", type=Path, help="a report.json")
    parser.add_argument("new", type=Path, help="a later one")
    parser.add_argument("--markdown", action="store_true", help="for a pull request")
    parser.add_argument("--fail-on", choices=("worse", "any", "never"), default="worse", help="what exits with 3")
    args = parser.parse_args(argv)
    try:
        changes = compare(verdict_map(args.old), verdict_map(args.new))
    except ValueError as error:
        print(f"error: {error}", file=sys.stderr)
        return BROKEN
    if args.markdown:
        print(markdown(changes), end="")
    else:
        for line in sentences(changes) or ["no verdict changed"]:
            print(line)
        for c in changes:
            print(f"  {'worse: ' if c.worse else ''}{c.kind} {c.name}: {c.before} -> {c.after}")
    gated = {"worse": any(c.worse for c in changes), "any": bool(changes), "never": False}[args.fail_on]
    return GATED if gated else OK
