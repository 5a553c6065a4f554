"""Check the ledger and list what it holds.

python -m paper            validate everything and print the counts
python -m paper rows       list the row ids
python -m paper claims     list the claims
python -m paper check      check the printed numbers against each other (--help: its options and exit codes)
python -m paper new        write a ledger from printed tables (--help)
python -m paper --ledger NAME ...   of another paper's ledger, paper/NAME
python -m paper --path FOLDER ...   of a ledger anywhere
"""

from __future__ import annotations

import argparse
import sys

from paper.ledger import LedgerError, add_ledger_arguments, folder_of, load_ledger
from paper.output import run


def main(argv: list[str] | None = None) -> int:
    """Validate the ledger; returns 1 with one line on stderr where it is malformed."""
    argv = sys.argv[1:] if argv is None else argv
    if argv[:1] == ["new"]:
        from paper.reading.command import main as new

        return new(argv[1:])
    if argv[:1] == ["check"]:
        from paper.checks.command import main as check  # the rest needs no checks

        return check(argv[1:])
    parser = argparse.ArgumentParser(
        prog="python -m paper", description="Validate the ledger and list what it holds.",
        epilog="python -m paper check --help: check the printed numbers against each other",
    )  # fmt: skip
    parser.add_argument("what", nargs="?", choices=("counts", "rows", "claims"), default="counts")
    add_ledger_arguments(parser)
    args = parser.parse_args(argv)
    what = args.what
    try:
        ledger = load_ledger(folder_of(args.ledger, args.path))
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
