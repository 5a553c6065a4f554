"""Say which ways of counting give printed costs: of one network, or of every column of a ledger.

python -m pipelines conventions --network timm:mobilenetv2_100 --input 3,224,224 --params 3.5M --madds 300M
python -m pipelines conventions --ledger NAME          (or --path FOLDER: a ledger's folder that lies elsewhere)

A network is timm:NAME, torchvision:NAME, module:package.function(settings), a .pt2 or an .onnx file. --module
package:factory is short for module: with no settings; add the folder that holds a package of yours to PYTHONPATH. Exit
0 where some convention gives every printed number (of a ledger: one a column), 3 where none does.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from papertally.command import CommandError, guard
from papertally.conventions.axes import Conventions, any_paper
from papertally.conventions.search import Cost, Printed, Search, nearest, power_of, search, values_of, words
from papertally.counting import arguments
from papertally.counting.evidence import measured
from papertally.counting.names import Measured, Size, measure, own_folder
from papertally.evidence.read import read_evidence
from papertally.ledger.load import Cell, Ledger, Row, load_ledger
from papertally.ledger.paper import Paper
from papertally.ledger.validation_messages import one_line
from papertally.quantities.columns import stem
from papertally.quantities.printed import parse_printed, plain

OK, NOT_REPRODUCED = 0, 3
COLUMNS = ("params", "madds")


@dataclass(frozen=True)
class Reached:
    """Hold one convention, what it gives, and whether that prints as the printed number."""

    convention: dict[str, str]
    value: int
    holds: bool


def cost_of(found: Measured) -> Cost:
    """Return a measured network's cost as conventions weigh it."""
    return Cost(found.counted.params, found.counted.parts, found.counted.terms)


def reached(found: Search) -> list[Reached]:
    """Return every convention of a search over one cell, the simplest first."""
    order = sorted(np.ndindex(*found.satisfied.shape), key=lambda at: (sum(i > 0 for i in at), at))
    return [Reached(found.convention(at), found.value(0, at), bool(found.truths[0][at])) for at in order]


def told(what: str, printed: str, found: Search, shown: int = 12) -> list[str]:
    """Return what the conventions make of one printed number, a line each."""
    every = reached(found)
    hits = [f for f in every if f.holds]
    if not hits:
        value, interval = nearest(found, 0), found.cells[0].interval
        off = (value - interval.value) / interval.place
        text = f"nearest {value:,}, {plain(round(off, 2))} units of the last place off"
        return [f"{what} {printed}: none of {len(every)} conventions gives it", f"  {text}"]
    lines = [f"{what} {printed}: {len(hits)} of {len(every)} conventions give it"]
    if 1 < len(hits) < len(every) and found.shared:
        lines.append(f"  all of these: {words(found.shared)}")
    lines += [f"  {f.value:,}  {words(f.convention, what)}" for f in hits[:shown]]
    return lines + ([f"  and {len(hits) - shown} more; --json lists all"] if len(hits) > shown else [])


def one(args: argparse.Namespace) -> int:
    """Answer for one network."""
    try:
        size = [int(n) for n in args.input.split(",")] if args.input else None
        given = {k: parse_printed(getattr(args, k)) for k in COLUMNS if getattr(args, k)}
    except ValueError as error:
        raise CommandError(f"{error}; write numbers as 3,224,224 and 2.6M") from None
    if size and min(size) < 1:
        raise CommandError(f"--input {args.input}: sizes are above 0")
    name = args.network or f"module:{args.module}"
    found = measure(name, size or ([3, 224, 224] if args.module else None), own_folder(name))
    cost, conventions = cost_of(found), any_paper()
    searches = {
        what: search(what, [Printed(what, interval, power_of(getattr(args, what)))], [cost], conventions)
        for what, interval in given.items()
    }
    if args.json:
        everything: dict[str, Any] = {what: [asdict(f) for f in reached(s)] for what, s in searches.items()}
        print(json.dumps(everything, indent=1))
    else:
        for note in found.notes:
            print(note)
        if found.counted.unknown:
            print(
                f"operators that no rule counts: {', '.join(found.counted.unknown)}; the work is more than is counted"
            )
        for what, s in searches.items():
            print("\n".join(told(what, getattr(args, what), s)))
        for what in COLUMNS if not searches else ():
            values = values_of(cost, what, conventions)
            print(
                f"{what}: {values.min():,} to {values.max():,}; give --{what} to see which conventions print a number"
            )
    return OK if all(s.best for s in searches.values()) else NOT_REPRODUCED


# a whole ledger


@dataclass(frozen=True)
class Column:
    """Hold a ledger's column, of all tables or of one: its search (None where nothing of it is counted).

    printed: its numbers by row; left: why rows are not counted.
    """

    name: str
    found: Search | None
    printed: dict[str, str]
    left: dict[str, str]
    table: str = ""

    @property
    def whole(self) -> bool:
        """Tell whether one convention gives every counted number."""
        return self.found is not None and self.found.best == len(self.found.cells)


#: A row's costs by the input that a column states; None: the row's own.
Known = dict[str, dict[Size | None, Cost]]


def costs(ledger: Ledger, paper: Paper) -> tuple[Known, dict[str, str]]:
    """Return (costs by row and input, why others have none): networks that rows name, counted now, else as filed."""
    filed = read_evidence(paper.root, results=paper.results, fingerprints=paper.fingerprints).cost
    out: Known = {}
    why: dict[str, str] = {}
    counted = measured(ledger, paper.folder)
    for row in ledger.rows.values():
        if row.same_as:
            continue
        if not row.network:
            if row.id in filed:
                values = filed[row.id].values
                out[row.id] = {None: Cost(values.params, values.parts, values.terms)}
            else:
                why[row.id] = "no network is named"
            continue
        found = counted[row.id]
        if isinstance(found, CommandError):
            why[row.id] = str(found)
        elif unknown := found[None].counted.unknown:
            why[row.id] = f"operators that no rule counts: {', '.join(unknown)}"
        else:
            out[row.id] = {size: cost_of(one) for size, one in found.items()}
    return out, why


def of_cell(known: Known, row: Row, cell: Cell) -> Cost | None:
    """Return the cost that a cell prints, or None where it is not counted at the cell's input."""
    return known.get(row.id, {}).get(cell.about.input) if cell.about.counted else None


def columns(ledger: Ledger, known: Known, why: dict[str, str], conventions: Conventions) -> list[Column]:
    """Return what conventions make of every column of params and MAdds, over all tables."""
    names = dict.fromkeys(c for t in ledger.tables.values() for c in t.columns if stem(c) in COLUMNS)
    out = []
    for column in sorted(names, key=lambda name: COLUMNS.index(stem(name))):
        cells = [
            (row, cell)
            for row, cell in ledger.cells()
            if cell.column == column and ledger.root(row.id, column) == (row.id, column)
        ]
        if cells:
            out.append(_column(column, cells, known, why, conventions))
        tables = list(dict.fromkeys(row.table for row, _ in cells))
        if len(tables) > 1 and not out[-1].whole:  # tables may have been counted in ways of their own
            for table in tables:
                mine = [(row, cell) for row, cell in cells if row.table == table and of_cell(known, row, cell)]
                if len(mine) > 1:
                    out.append(_column(column, mine, known, {}, conventions, table))
    return out


def _column(
    column: str,
    cells: list[tuple[Row, Cell]],
    known: Known,
    why: dict[str, str],
    conventions: Conventions,
    table: str = "",
) -> Column:
    counted = [(row.id, cell, cost) for row, cell in cells if (cost := of_cell(known, row, cell)) is not None]
    printed = [Printed(row, cell.interval, power_of(cell.printed, cell.unit)) for row, cell, _ in counted]
    found = search(column, printed, [cost for *_, cost in counted], conventions) if counted else None
    told = {row for row, *_ in counted}
    left = {row.id: _why_not(row, cell, why) for row, cell in cells if row.id not in told}
    return Column(column, found, {row: cell.printed for row, cell, _ in counted}, left, table)


def _why_not(row: Row, cell: Cell, why: dict[str, str]) -> str:
    if row.id not in why and not cell.about.counted:
        return f"at which input is not said; add `input_size` to the column {cell.column}"
    return why.get(row.id, "not counted")


def explained(column: Column) -> list[str]:
    """Return a column's answer, a line each."""
    found, lines = column.found, []
    if found is None:
        lines.append(f"{column.name}: nothing of it is counted")
    else:
        where = f"{column.name}, table {column.table}" if column.table else column.name
        lines.append(
            f"{where}: one convention gives {found.best} of {len(found.cells)} counted numbers (of random ones "
            f"{found.chance:.1f}); {found.ties:,} of {found.conventions:,} conventions do"
        )
        lines.append(f"  the simplest: {words(found.convention(found.simplest), column.name)}")
        if found.ties > 1 and found.shared:
            lines.append(f"  all of these: {words(found.shared)}")
        given = set(found.given(found.simplest))
        for i, cell in enumerate(found.cells):
            if cell.name not in given:
                never = "; no convention gives it" if cell.name in found.never else ""
                value = found.value(i, found.simplest)
                lines.append(f"  not given: {cell.name}, printed {column.printed[cell.name]}, counted {value:,}{never}")
    by_reason: dict[str, list[str]] = {}
    for row, reason in column.left.items():
        by_reason.setdefault(reason, []).append(row)
    lines += [f"  not counted: {', '.join(rows)}: {reason}" for reason, rows in by_reason.items()]
    return lines


def whole(args: argparse.Namespace) -> int:
    """Answer for every column of a ledger."""
    paper = Paper.at(args.path)
    folder, ledger = paper.folder, load_ledger(paper.folder)
    conventions = ledger.conventions if ledger.conventions.open else any_paper()
    known, why = costs(ledger, paper)
    found = columns(ledger, known, why, conventions)
    if not found:
        raise CommandError(one_line(f"{folder.name}: no table prints params or madds; nothing to explain"))
    if args.json:
        print(json.dumps([as_json(column) for column in found], indent=1))
    else:
        print("\n".join(line for column in found for line in explained(column)))
    return OK if all(c.whole for c in found if not c.table) else NOT_REPRODUCED


def as_json(column: Column) -> dict[str, Any]:
    """Return a column's answer as data."""
    found = column.found
    if found is None:
        return {"column": column.name, "table": column.table, "counted": 0, "not_counted": column.left}
    return {
        "column": column.name,
        "table": column.table,
        "counted": len(found.cells),
        "given": found.best,
        "ties": found.ties,
        "conventions": found.conventions,
        "chance": found.chance,
        "simplest": found.convention(found.simplest),
        "shared": found.shared,
        "rows_given": found.given(found.simplest),
        "never_given": found.never,
        "not_counted": column.left,
    }


def main(argv: Sequence[str] | None = None) -> int:
    """Print which conventions reach the printed numbers; returns 0, or 3 where none reaches one of them."""
    args = arguments.conventions().parse_args(argv)
    return one(args) if args.network or args.module else whole(args)


if __name__ == "__main__":
    raise SystemExit(guard(main))
