"""Validate a ledger and list what it holds.

papertally ledger FOLDER          validate everything and print the counts
papertally ledger FOLDER rows     list the row ids
papertally ledger FOLDER claims   list the statements
"""

from __future__ import annotations

import argparse
import sys

from papertally.ledger.load import LedgerError, add_ledger_arguments, load_ledger
from papertally.ledger.paper import ledger_folder
from papertally.output import run


def main(argv: list[str] | None = None) -> int:
    """Validate the ledger; returns 1 with one line on stderr where it is malformed."""
    argv = sys.argv[1:] if argv is None else argv
    parser = argparse.ArgumentParser(
        prog="papertally ledger",
        description="Validate a ledger and list what it holds.",
    )
    parser.add_argument("what", nargs="?", choices=("counts", "rows", "claims"), default="counts")
    add_ledger_arguments(parser)
    args = parser.parse_args(argv)
    what = args.what
    try:
        ledger = load_ledger(ledger_folder(args.path))
    except LedgerError as error:
        for fault in error.faults:
            print(f"error: {fault}", file=sys.stderr)
        return 1
    if what == "rows":
        for row in ledger.rows.values():
            label = " ".join(filter(None, (*row.labels, *row.marks)))
            print(f"{row.id:28} Table {row.table:3} row {row.number:2}  {label}")
    elif what == "claims":
        for claim in ledger.claims:
            print(f"{claim.id:36} {claim.section:12} {claim.statement}")
    else:
        cells = sum(1 for _ in ledger.cells())
        print(
            f"{ledger.cited}: {len(ledger.tables)} tables, {len(ledger.rows)} rows, {cells} printed numbers, "
            f"{len(ledger.claims)} claims, {len(ledger.issues)} known issues"
        )
    return 0


if __name__ == "__main__":
    raise SystemExit(run(main))
