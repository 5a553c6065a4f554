"""Enter what a run reached as evidence of a ledger anywhere: one command, every fault at once.

papertally enter --path FOLDER --row mine_t1_small --metric top1=71.9 --metric top5=90.4 --seed 0
papertally enter --path FOLDER --row mine_t1_small --metric latency=12.4ms --device "Pixel 1" --source "a log"
papertally enter --path FOLDER --row mine_t1_small --from-log scalars.json --epoch best --seed 0
papertally enter --path FOLDER --from-table results.csv             # names: row,seed,top1,top5

Of a trainer's log (evidence/import_logs) the last evaluation counts, or with --epoch best the best one by the
table's first column that is logged. A name that only the log has for a column: --column acc_a=val/accuracy;
of a share of 1 in a table of percentages: --column top1='val_acc*100'. Its names: --list.
Written under FOLDER/results/paper/. No stage of this project wrote it, so it is called reported, not reproduced.
"""

from __future__ import annotations

import argparse
import csv
import math
import re
import sys
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from papertally.evidence.checksum import digest
from papertally.evidence.import_logs import Target, read_log, read_records
from papertally.evidence.import_logs.columns import names_of
from papertally.evidence.io import EvidenceError, write_json_atomic
from papertally.evidence.schema import TrainingEvidence, formed
from papertally.ledger.entries import Table
from papertally.ledger.load import LedgerError, load_ledger
from papertally.ledger.paper import Paper
from papertally.ledger.validation_messages import one_line, whole_number
from papertally.quantities.columns import SHARES, is_cost, stem

OK, BROKEN = 0, 1
_METRIC = re.compile(r"(?P<name>[^=]+)=\s*(?P<number>[-+]?\d+(?:\.\d+)?(?:[eE][-+]?\d+)?)\s*(?P<unit>\S*)")


def metrics(texts: list[str], table: Table, typed: bool = True) -> tuple[dict[str, float], dict[str, str], list[str]]:
    """Return (value by column, unit by measured column, every fault) of texts NAME=VALUE or NAME=VALUEUNIT.

    typed: by a person, whose 0.719 in a column of percentages is more likely a share of 1.
    """
    values: dict[str, float] = {}
    units: dict[str, str] = {}
    faults = []
    for text in texts:
        found = _METRIC.fullmatch(text.strip())
        if text.partition("=")[2].strip().lower().lstrip("+-") in ("nan", "inf", "infinity"):
            faults.append(f"--metric {text}: is not finite: a run that diverged has no result")
            continue
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
            value = values[name] = float(found["number"])
            if about.kind == "measured":
                units[name] = found["unit"] or about.unit or ""
            elif about.unit == "%" and not 0 <= value <= 100:
                faults.append(f"--metric {text}: is no percentage; write 71.9 for 71.9 %")
            elif typed and about.unit == "%" and not found["unit"] and 0 < value <= 1:
                mend = f"write 71.9 for 71.9 %, or {name}={value:g}% if it is that"
                faults.append(f"--metric {text}: looks like a share of 1; {mend}")
            if not math.isfinite(value):
                faults.append(f"--metric {text}: is not finite: a run that diverged has no result")
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


def target(name: str, table: Table) -> Target:
    """Return the unit that a table prints a column in, and which way it is better."""
    column = table.column(name)
    printed = max((row.cells[name].value for row in table.rows if row.cells[name].numeric), default=100)
    if column.unit == "%":
        return Target(name, "percent", column.sign)
    if not (column.share and stem(name) in SHARES):
        return Target(name, "plain", column.sign)
    return Target(name, "fraction" if printed <= 1 else "percent", column.sign)


def logged(path: Path, epoch: str, names: dict[str, str], table: Table) -> Logged:
    """Return what a log says of a table's trained columns. Raises EvidenceError.

    A share that the table prints as a fraction of one is given as one.
    """
    trained = [c for c in table.columns if table.column(c).kind == "trained"]
    if not trained:
        raise EvidenceError(f"--from-log {path}: table {table.id} has no trained column; measurements: --metric")
    log = read_log(path, [target(c, table) for c in trained], names)
    for note in log.notes:
        print(f"warning: {one_line(note)}", file=sys.stderr)
    first = next(c for c in trained if any(c in values for _, values in log.epochs))
    _, values, about = log.taken(path, epoch, first)
    return Logged(values, about, log.trained)


def show_names(path: Path | None) -> int:
    """Print what a log is and the names in it that could be meant; returns the exit code."""
    try:
        if path is None:
            raise EvidenceError("--list: no log given; write --from-log FILE")
        log = read_records(path)
    except EvidenceError as error:
        print(f"error: {one_line(str(error))}", file=sys.stderr)
        return BROKEN
    print(f"{path}: {log.form}")
    for name in names_of(log):
        print(name)
    return OK


def main(argv: list[str]) -> int:
    """Write one run's evidence; returns 0, or 1 with every fault on a line of its own."""
    parser = argparse.ArgumentParser(
        prog="papertally enter",
        description="Enter what a run reached.",
        epilog=(__doc__ or "").partition("\n\n")[2],
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--path", type=Path, required=True, metavar="FOLDER", help="the ledger's folder")
    parser.add_argument("--row", help="row id")
    parser.add_argument("--list", action="store_true", help="show the names in the log that could be meant, and end")
    parser.add_argument("--metric", action="append", default=[], metavar="NAME=VALUE", help="a column of its table")
    parser.add_argument("--from-log", type=Path, metavar="FILE", help="a trainer's log, or a CSV with named columns")
    parser.add_argument("--epoch", choices=("last", "best"), default="last", help="which evaluation of the log counts")
    parser.add_argument(
        "--column", action="append", default=[], metavar="COLUMN=NAME", help="what the log calls a column"
    )
    parser.add_argument("--seed", help="where it is known")
    parser.add_argument("--epochs", help="where they are known")
    parser.add_argument("--device", default="", help="what measured it")
    parser.add_argument("--data", default="", help="the test set's name")
    parser.add_argument("--source", default="", help="who says so: a log, a page, a letter")
    parser.add_argument(
        "--from-table", type=Path, metavar="FILE", help="a CSV with the columns row, seed (where known) and metrics"
    )
    args = parser.parse_args(argv)
    if args.list:
        return show_names(args.from_log)
    if args.from_table:
        if args.row or args.metric or args.from_log or args.seed:
            parser.error("--from-table: its lines have rows, seeds and metrics; give it alone")
        return enter_table(args.from_table, args)
    if not args.row:
        parser.error("--row: none given; write the id of a row")
    faults, ready = prepare(args)
    return write_all(faults, [ready] if ready else [])


def write_all(faults: Sequence[str], ready: Sequence[Prepared]) -> int:
    """Write every run's evidence, or none where there is a fault; returns the exit code."""
    for fault in faults:
        print(f"error: {one_line(fault)}", file=sys.stderr)
    if faults:
        return BROKEN
    for run in ready:
        write_json_atomic(run.path, run.evidence)
        print(f"{run.row}: {', '.join(f'{k} {v:g}' for k, v in run.values.items())}: {run.path}")
    return OK


def enter_table(path: Path, args: argparse.Namespace) -> int:
    """Enter a CSV of rows, seeds and metrics: every line or, where one is at fault, none; returns the exit code."""
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            reader = csv.DictReader(file, restkey="", strict=True)
            head = [name.strip() for name in reader.fieldnames or []]
            lines = [(reader.line_num, dict(zip(head, line.values(), strict=False)), "" in line) for line in reader]
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        return write_all([f"{path}: cannot be read ({getattr(error, 'strerror', None) or error}); give a CSV"], [])
    if "row" not in head or len(set(head)) < len(head):
        return write_all([f"{path}:1: its names are to be row, seed (where known) and metrics, each once"], [])
    faults = [] if lines else [f"{path}: has no line under its names"]
    ready: list[Prepared] = []
    for number, cells, more in lines:
        told = {name: (value or "").strip() for name, value in cells.items()}
        if more or any(value is None for value in cells.values()):
            faults.append(f"{path}:{number}: has not as many values as names; mend the line")
            continue
        metrics_of = [f"{name}={value}" for name, value in told.items() if name not in ("row", "seed") and value]
        one = argparse.Namespace(**{**vars(args), "row": told["row"], "seed": told.get("seed") or None})
        one.metric, one.source = metrics_of, args.source or path.name
        wrong, run = prepare(one)
        faults += [f"{path}:{number}: {fault}" for fault in wrong]
        if run and any(run.path == other.path for other in ready):
            faults.append(f"{path}:{number}: row and seed stand there twice; keep one, or give each its seed")
        ready += [run] if run else []
    return write_all(faults, ready)


@dataclass(frozen=True, kw_only=True)
class Prepared:
    """Hold one run's evidence that is ready to be written."""

    row: str
    values: dict[str, float]
    path: Path
    evidence: dict[str, Any]


def prepare(args: argparse.Namespace) -> tuple[list[str], Prepared | None]:
    """Return (every fault, the evidence that the arguments make where there is none)."""
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
            checked, _, wrong = metrics([f"{c}={v!r}" for c, v in log.values.items()], table, False)
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
        return faults, None
    command = f"papertally enter --row {args.row}" + "".join(f" --metric {m}" for m in args.metric)
    if args.from_log:
        command += f" --from-log {args.from_log.name} --epoch {args.epoch}"
        command += "".join(f" --column {c}" for c in args.column)
    source = {"source": args.source or log.about.get("log", "not told"), **log.about}
    evidence = formed(
        TrainingEvidence,
        {
            "schema": 2,
            "kind": "training",
            "profile": "paper",
            "row": args.row,
            "seed": seed,
            "values": values,
            "config": "",
            "fingerprint": {},
            "params": source,
            "data": {"name": args.data or "not told", "pin": "not seen"},
            "code_revision": "unknown (made elsewhere)",
            "environment": {"device": args.device} if args.device else {},
            "epochs": log.epochs if epochs is None else epochs,
            "duration_s": 0.0,
            "command": command,
            "origin": "reported",
            "units": units,
        },
    )
    name = f"s{seed}" if seed is not None else digest({"values": values, "source": args.source})[:8]
    path = paper.results / "paper" / f"{args.row}.{name}.json"
    if path.exists():
        return [f"{path}: is there already; delete it, or give another seed"], None
    return [], Prepared(row=args.row, values=values, path=path, evidence=evidence)
