"""Enter what a run reached as evidence of a ledger anywhere: one command, every fault at once.

python -m report enter --path FOLDER --row mine_t1_small --metric top1=71.9 --metric top5=90.4 --seed 0
python -m report enter --path FOLDER --row mine_t1_small --metric latency=12.4ms --device "Pixel 1" --source "a log"

Written under FOLDER/results/paper/. No stage of this project wrote it, so it is called reported, not reproduced.
"""

from __future__ import annotations

import argparse
import re
import sys
from pathlib import Path

from evidence.forms import TrainingEvidence, formed
from evidence.io import write_json_atomic
from evidence.seal import digest
from paper.columns import is_cost
from paper.entries import Table
from paper.faults import one_line, whole_number
from paper.ledger import LedgerError, folder_of, load_ledger

OK, BROKEN = 0, 1
_METRIC = re.compile(r"(?P<name>[^=]+)=\s*(?P<number>[-+]?\d+(?:\.\d+)?(?:[eE][-+]?\d+)?)\s*(?P<unit>\S*)")


def metrics(texts: list[str], table: Table) -> tuple[dict[str, float], dict[str, str], list[str]]:
    """Return (value by column, unit by measured column, every fault) of texts NAME=VALUE or NAME=VALUEUNIT."""
    values: dict[str, float] = {}
    units: dict[str, str] = {}
    faults = []
    for text in texts:
        found = _METRIC.fullmatch(text.strip())
        name = found["name"].strip() if found else text.partition("=")[0]
        about = table.about.get(name)
        if not found:
            faults.append(f"--metric {text}: write NAME=VALUE, with a point: top1=71.9")
        elif name not in table.columns or about is None:
            faults.append(f"--metric {name}: no such column of table {table.id}; it has {', '.join(table.columns)}")
        elif is_cost(name):
            faults.append(f"--metric {name}: is counted; name the row's `network` and run `pipelines cost --path`")
        elif name in values:
            faults.append(f"--metric {name}: stands twice; keep one")
        elif about.kind == "measured" and not (found["unit"] or about.unit):
            faults.append(f"--metric {text}: a measurement needs its unit: {name}=12.4ms")
        elif about.kind != "measured" and found["unit"] not in ("", "%", about.unit or ""):
            faults.append(f"--metric {text}: is in {about.unit or 'percent'}; write the number alone")
        else:
            values[name] = float(found["number"])
            if about.kind == "measured":
                units[name] = found["unit"] or about.unit or ""
            elif about.unit == "%" and not 0 <= values[name] <= 100:
                faults.append(f"--metric {text}: is no percentage; write 71.9 for 71.9 %")
    return values, units, faults


def main(argv: list[str]) -> int:
    """Write one run's evidence; returns 0, or 1 with every fault on a line of its own."""
    parser = argparse.ArgumentParser(prog="python -m report enter", description="Enter what a run reached.")
    parser.add_argument("--path", type=Path, required=True, metavar="FOLDER", help="the ledger's folder")
    parser.add_argument("--row", required=True, help="row id")
    parser.add_argument("--metric", action="append", default=[], metavar="NAME=VALUE", help="a column of its table")
    parser.add_argument("--seed", help="where it is known")
    parser.add_argument("--epochs", help="where they are known")
    parser.add_argument("--device", default="", help="what measured it")
    parser.add_argument("--data", default="", help="the test set's name")
    parser.add_argument("--source", default="", help="who says so: a log, a page, a letter")
    args = parser.parse_args(argv)
    faults: list[str] = []
    values: dict[str, float] = {}
    units: dict[str, str] = {}
    folder, table_id = args.path, ""
    try:
        folder = folder_of(path=args.path)
        ledger = load_ledger(folder)
        table = ledger.tables[ledger.row(args.row).table]
        table_id = table.id
        values, units, faults = metrics(args.metric, table)
    except LedgerError as error:
        faults = list(error.faults)
    if not args.metric:
        faults.append("--metric: none given; write --metric top1=71.9")
    seed, epochs = whole_number("seed", args.seed, 0, faults), whole_number("epochs", args.epochs, 1, faults)
    if faults or not table_id:
        for fault in faults:
            print(f"error: {one_line(fault)}", file=sys.stderr)
        return BROKEN
    command = f"python -m report enter --row {args.row} " + " ".join(f"--metric {m}" for m in args.metric)
    evidence = formed(TrainingEvidence, {
        "schema": 2, "kind": "training", "profile": "paper", "row": args.row, "seed": seed, "values": values,
        "config": "", "fingerprint": {}, "params": {"source": args.source or "not told"},
        "data": {"name": args.data or "not told", "pin": "not seen"}, "code_revision": "unknown (made elsewhere)",
        "environment": {"device": args.device} if args.device else {}, "epochs": epochs, "duration_s": 0.0,
        "command": command, "origin": "reported", "units": units,
    })  # fmt: skip
    name = f"s{seed}" if seed is not None else digest({"values": values, "source": args.source})[:8]
    path = folder / "results/paper" / f"{args.row}.{name}.json"
    if path.exists():
        print(f"error: {path}: is there already; delete it, or give another seed", file=sys.stderr)
        return BROKEN
    write_json_atomic(path, evidence)
    print(f"{args.row}: {', '.join(f'{k} {v:g}' for k, v in values.items())}: {path}")
    return OK
