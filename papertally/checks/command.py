"""papertally check: what a ledger's own numbers say about each other.

Exit code 0: nothing is impossible. 3: something is. 1: malformed input.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections import Counter
from pathlib import Path

from papertally.checks import ALARMS, SEVERITIES, Document, Finding, about, run
from papertally.checks.transcription import TEXT
from papertally.ledger.load import LedgerError, add_ledger_arguments, load_ledger
from papertally.ledger.paper import ledger_folder

OK, BROKEN, IMPOSSIBLE = 0, 1, 3


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="papertally check",
        description="Check a ledger's numbers against each other, and against the paper's text where it is given.",
        epilog="exit code: 0 where nothing is impossible, 3 where something is, 1 for malformed input",
    )
    add_ledger_arguments(parser)
    parser.add_argument("--text", type=Path, metavar="FILE", help="the paper's text: what `new --from` takes")
    parser.add_argument("--only", nargs="+", default=[], metavar="CHECK", choices=about(), help="some checks only")
    parser.add_argument("--json", action="store_true", help="print findings as JSON")
    parser.add_argument("--all", action="store_true", help="print what passed and what is not applicable, too")
    parser.add_argument("--list", action="store_true", help="list the checks and leave")
    return parser


def read_text(path: Path) -> Document:
    """Return a paper's text, read as `new` reads it. Raises LedgerError naming the file."""
    from papertally.checks.text import document_of
    from papertally.tables.documents import read_source

    return document_of(read_source(path))


def show(found: list[Finding], everything: bool) -> None:
    """Print findings, the worst first, and how many of each severity there are."""
    for finding in found:
        if everything or finding.severity in ALARMS:
            print(f"{finding.severity}: {finding.check}: {finding.subject}: {finding.arithmetic}")
    counts = Counter(f.severity for f in found)
    print(", ".join(f"{counts[s]} {s}" for s in SEVERITIES))


def main(argv: list[str] | None = None) -> int:
    """Run the checks; returns 0, 3 (something is impossible) or 1 with one line on stderr (malformed input)."""
    args = _parser().parse_args(argv)
    if args.list:
        for name, what in about().items():
            print(f"{name:18} {what}")
        return OK
    try:
        if not args.text and (needing := [name for name in args.only if name in TEXT.about]):
            raise LedgerError(f"{needing[0]} needs the paper's text; give --text FILE")
        ledger = load_ledger(ledger_folder(args.path))
        document = read_text(args.text) if args.text else None
        found = run(ledger, args.only, document=document)
    except LedgerError as error:
        for fault in error.faults:
            print(f"error: {fault}", file=sys.stderr)
        return BROKEN
    if args.json:
        where = {"arxiv": ledger.arxiv} if ledger.arxiv else {"source": ledger.source}
        told = {"schema": 1, **where, "checks": [f.as_json() for f in found]}
        print(json.dumps(told, indent=1, ensure_ascii=False))
    else:
        show(found, args.all)
    return IMPOSSIBLE if any(f.severity == "impossible" for f in found) else OK
