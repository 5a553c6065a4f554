"""Count the networks that a ledger's rows name and file each row's cost: what needs no config of this repository.

papertally count --path FOLDER
"""

from __future__ import annotations

import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from papertally.command import CommandError, guard, told
from papertally.conventions.axes import Conventions
from papertally.counting import arguments
from papertally.counting.evidence import filed_in, network_costs
from papertally.evidence.checksum import file_computed
from papertally.evidence.io import remove_others, write_json_atomic
from papertally.evidence.provenance import snapshot
from papertally.evidence.revision import CODE_ROOT
from papertally.evidence.schema import Rules, formed
from papertally.ledger.load import Ledger, load_ledger


def rules(conventions: Conventions) -> dict[str, Any]:
    """Return the conventions that have a name as the report prints them; how they count, where it is a ledger's own."""
    found = {
        "schema": 1,
        "kind": "rules",
        "default": conventions.default,
        "rules": {name: member.statement for name, member in conventions.members.items()},
    }
    return formed(Rules, {**found, "counting": {name: m.counting for name, m in conventions.members.items()}})


def file_costs(
    ledger: Ledger,
    root: Path,
    folder: Path,
    shown: str,
    where: Mapping[str, Any],
    configured: Mapping[str, dict[str, Any]] | None = None,
    also: str = "",
) -> int:
    """File every cost of a ledger and return the exit code: 1 where a network that a row names cannot be counted.

    root: the ledger's folder; folder: of its evidence, and shown: how that is called; where: code revision and
    environment; configured: what was counted otherwise, by row; also: what else gives a row a network, in words.
    Raises CommandError where no row has one.
    """
    found = dict(configured or {})
    named, faults = network_costs(ledger, root, where)
    found |= {row: evidence for row, evidence in named.items() if row not in found}
    if not found and not faults:
        raise CommandError(f"{root.name}: no row names a network; add `network: timm:NAME` to a row{also}")
    new = [row for row in sorted(found) if file_computed(folder / f"{row}.json", found[row])]
    write_json_atomic(folder / "rules.json", rules(ledger.conventions))
    gone = remove_others(folder, {*found, *(row for row, _ in faults), "rules"})
    print(f"{shown}: {len(found)} rows; {told(new, gone)}")
    for row in sorted(named):
        if unknown := named[row]["unknown"]:
            print(f"warning: {row}: operators that no rule counts: {', '.join(unknown)}", file=sys.stderr)
    without = [row.id for row in ledger.rows.values() if row.id not in found and not row.same_as]
    if named and (left := [row for row in without if row not in dict(faults)]):
        print(f"no network is named for {len(left)} rows: {', '.join(left[:6])}{', ...' if len(left) > 6 else ''}")
    for row, fault in faults:
        print(f"error: {row}: {fault}", file=sys.stderr)
    return 1 if faults else 0


def main(argv: list[str] | None = None) -> int:
    """Write FOLDER/results/cost/."""
    paper, folder, shown = filed_in(arguments.count().parse_args(argv).path, "cost")
    return file_costs(load_ledger(paper.folder), paper.folder, folder, shown, snapshot(CODE_ROOT))


if __name__ == "__main__":
    raise SystemExit(guard(main))
