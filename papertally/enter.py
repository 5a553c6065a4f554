"""Enter what a run reached as evidence of a ledger anywhere: one command, every fault at once.

papertally enter --path FOLDER --row mine_t1_small --metric top1=71.9 --metric top5=90.4 --seed 0
papertally enter --path FOLDER --row mine_t1_small --metric latency=12.4ms --device "Pixel 1" --source "a log"
papertally enter --path FOLDER --row mine_t1_small --from-log scalars.json --epoch best --seed 0

Of a log of mmengine or timm (evidence/logs.py) the last evaluation counts, or with --epoch best the best one by the
table's first column that is logged. A name that the log has for a column and nobody else: --column acc_a=val/accuracy.
Written under FOLDER/results/paper/. No stage of this project wrote it, so it is called reported, not reproduced.
"""

from __future__ import annotations

import argparse
import re
import sys
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from papertally.evidence.checksum import digest
from papertally.evidence.io import EvidenceError, write_json_atomic
from papertally.evidence.logs import read_log
from papertally.evidence.schema import TrainingEvidence, formed
from papertally.ledger.entries import Table
from papertally.ledger.load import LedgerError, load_ledger
from papertally.ledger.paper import Paper
from papertally.ledger.validation_messages import one_line, whole_number
from papertally.quantities.columns import is_cost

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


@dataclass(frozen=True)
class Logged:
    """Hold what a log gives for a table's columns, in the columns' own units, and what is stated of the log."""

    values: dict[str, float] = field(default_factory=dict)
    about: dict[str, Any] = field(default_factory=dict)
    epochs: int | None = None


def named(texts: Sequence[str], table: Table) -> tuple[dict[str, str], list[str]]:
    """Return (a log's metric by column, every fault) of texts COLUMN=NAME."""
    out: dict[str, str] = {}
    faults = []
    for text in texts:
        column, equals, name = (part.strip() for part in text.partition("="))
        if not equals or not name:
            faults.append(f"--column {text}: write COLUMN=NAME, the name that the log has for it")
        elif column not in table.columns:
            faults.append(f"--column {column}: no such column of table {table.id}; it has {', '.join(table.columns)}")
        else:
            out[column] = name
    return out, faults


def logged(path: Path, epoch: str, names: dict[str, str], table: Table) -> Logged:
    """Return what a log says of a table's trained columns. Raises EvidenceError.

    A share that the table prints as a fraction of one is given as one.
    """
    trained = [c for c in table.columns if table.column(c).kind == "trained"]
    if not trained:
        raise EvidenceError(f"--from-log {path}: table {table.id} has no trained column; measurements: --metric")
    log = read_log(path, trained, names)
    if missing := [c for c in names if not any(c in values for _, values in log.epochs)]:
        raise EvidenceError(f"--column {missing[0]}={names[missing[0]]}: {path} logs no such metric; mend the name")
    first = next(c for c in trained if any(c in values for _, values in log.epochs))
    _, found, about = log.taken(path, epoch, first)
    values = {}
    for column, value in found.items():
        numbers = [row.cells[column].value for row in table.rows if row.cells[column].numeric]
        fraction = table.column(column).share and table.column(column).unit != "%" and max(numbers, default=100) <= 1
        values[column] = round(value / 100, 8) if fraction and column not in names else value
    return Logged(values, about, log.trained)


def main(argv: list[str]) -> int:
    """Write one run's evidence; returns 0, or 1 with every fault on a line of its own."""
    parser = argparse.ArgumentParser(
        prog="papertally enter", description="Enter what a run reached.",
        epilog=(__doc__ or "").partition("\n\n")[2], formatter_class=argparse.RawDescriptionHelpFormatter,
    )  # fmt: skip
    parser.add_argument("--path", type=Path, required=True, metavar="FOLDER", help="the ledger's folder")
    parser.add_argument("--row", required=True, help="row id")
    parser.add_argument("--metric", action="append", default=[], metavar="NAME=VALUE", help="a column of its table")
    parser.add_argument(
        "--from-log", type=Path, metavar="FILE", help="a log of mmengine (JSON or text) or timm's summary.csv"
    )
    parser.add_argument("--epoch", choices=("last", "best"), default="last", help="which evaluation of the log counts")
    parser.add_argument(
        "--column", action="append", default=[], metavar="COLUMN=NAME", help="what the log calls a column"
    )
    parser.add_argument("--seed", help="where it is known")
    parser.add_argument("--epochs", help="where they are known")
    parser.add_argument("--device", default="", help="what measured it")
    parser.add_argument("--data", default="", help="the test set's name")
    parser.add_argument("--source", default="", help="who says so: a log, a page, a letter")
    args = parser.parse_args(argv)
    faults: list[str] = []
    values: dict[str, float] = {}
    units: dict[str, str] = {}
    table_id, log = "", Logged()
    try:
        paper = Paper.at(args.path)
        ledger = load_ledger(paper.folder)
        table = ledger.tables[ledger.row(args.row).table]
        table_id = table.id
        values, units, faults = metrics(args.metric, table)
        names, more = named(args.column, table)
        faults += more
        if args.from_log and not more:
            log = logged(args.from_log, args.epoch, names, table)
            faults += [f"--metric {c}: stands in the log, too; keep one" for c in log.values if c in values]
            checked, _, wrong = metrics([f"{c}={v!r}" for c, v in log.values.items()], table)
            faults += [fault.replace("--metric", f"{args.from_log}:", 1) for fault in wrong]
            values = {**checked, **values}
    except LedgerError as error:
        faults = list(error.faults)
    except EvidenceError as error:
        faults.append(str(error))
    if not (args.metric or args.from_log):
        faults.append("--metric: none given; write --metric top1=71.9, or --from-log FILE")
    if args.column and not args.from_log:
        faults.append("--column: names what a log calls a column; give --from-log FILE")
    seed, epochs = whole_number("seed", args.seed, 0, faults), whole_number("epochs", args.epochs, 1, faults)
    if faults or not table_id:
        for fault in faults:
            print(f"error: {one_line(fault)}", file=sys.stderr)
        return BROKEN
    command = f"papertally enter --row {args.row}" + "".join(f" --metric {m}" for m in args.metric)
    if args.from_log:
        command += f" --from-log {args.from_log.name} --epoch {args.epoch}"
        command += "".join(f" --column {c}" for c in args.column)
    source = {"source": args.source or log.about.get("log", "not told"), **log.about}
    evidence = formed(TrainingEvidence, {
        "schema": 2, "kind": "training", "profile": "paper", "row": args.row, "seed": seed, "values": values,
        "config": "", "fingerprint": {}, "params": source,
        "data": {"name": args.data or "not told", "pin": "not seen"}, "code_revision": "unknown (made elsewhere)",
        "environment": {"device": args.device} if args.device else {},
        "epochs": log.epochs if epochs is None else epochs, "duration_s": 0.0,
        "command": command, "origin": "reported", "units": units,
    })  # fmt: skip
    name = f"s{seed}" if seed is not None else digest({"values": values, "source": args.source})[:8]
    path = paper.results / "paper" / f"{args.row}.{name}.json"
    if path.exists():
        print(f"error: {path}: is there already; delete it, or give another seed", file=sys.stderr)
        return BROKEN
    write_json_atomic(path, evidence)
    print(f"{args.row}: {', '.join(f'{k} {v:g}' for k, v in values.items())}: {path}")
    return OK
