"""Enter what a run made elsewhere is said to have reached: shown beside the cells, never judged.

python -m pipelines evidence new --row t2_micronet_m1 --metric top1=59.2 --metric top5=80.9 --seed 0 --source "a letter"
"""

from __future__ import annotations

import argparse
import sys

from papertally.ledger.load import LedgerError
from papertally.ledger.validation_messages import one_line, whole_number
from pipelines.common import guard
from pipelines.training.reported import metric_faults, said, trained_columns, write_reported
from report.rows import find_row


def main(argv: list[str] | None = None) -> int:
    """Enter reported values; names every fault at once."""
    parser = argparse.ArgumentParser(prog="micronet evidence", description="Enter what a run made elsewhere reached.")
    verbs = parser.add_subparsers(dest="verb", required=True)
    add = verbs.add_parser("new", help="file reported values of a row: shown beside its cells, never judged")
    add.add_argument("--row", required=True, help="row id, of any ledger")
    add.add_argument("--metric", action="append", default=[], metavar="NAME=VALUE", help="a column of the row's table")
    add.add_argument("--seed", default=None, help="where it is known")
    add.add_argument("--epochs", default=None, help="where they are known")
    add.add_argument("--source", default="", help="who says so: a paper, a page, a letter")
    args = parser.parse_args(argv)
    faults: list[str] = []
    row, values = None, dict[str, float]()
    try:
        row = find_row(args.row)
        values, faults = metric_faults(args.metric, trained_columns(row))
    except LedgerError as error:
        faults = [f"--row {args.row}: {error}"]
    if not args.metric:
        faults.append("--metric: none given; write --metric top1=71.9")
    seed, epochs = whole_number("seed", args.seed, 0, faults), whole_number("epochs", args.epochs, 1, faults)
    if faults or row is None:
        for fault in faults:
            print(f"error: {one_line(fault)}", file=sys.stderr)
        return 1
    source = {"source": args.source or "not told"}
    command = f"python -m pipelines evidence new --row {row.id} " + " ".join(f"--metric {m}" for m in args.metric)
    path = write_reported(row, values, seed=seed, epochs=epochs, source=source, command=command)
    return said(row, values, path)


if __name__ == "__main__":
    raise SystemExit(guard(main))
