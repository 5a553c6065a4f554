"""From grids to a ledger's files: columns, rows, marks, units and what could not be read, each with its line."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from papertally.ledger.table_schema import unfit
from papertally.quantities.columns import SHARES, is_cost, stem
from papertally.quantities.printed import ABSENT, is_absent, kind_of, own_unit, parse_printed
from papertally.tables.grid import Grid, Piece, headless, lone, numeric, split_beside, split_stacked, with_heads
from papertally.tables.heads import read_head
from papertally.tables.infer_columns import Col, Measured, Unread
from papertally.tables.normalize import marks_of, quoted, slug
from papertally.tables.vocabulary import INPUTS


@dataclass
class Written:
    """Hold one table's YAML and what it left unread.

    rows: labels and cells by id, to find rows that repeat; shape: how many rows and columns were read; labels: which
    columns became labels, and why.
    """

    id: str
    text: str
    cells: int
    unread: list[Unread]
    rows: dict[str, tuple[tuple[str, ...], tuple[str, ...], tuple[str, ...]]]
    margins: dict[str, tuple[object, str]]
    file: str = ""
    line: int = 0
    shape: tuple[int, int] = (0, 0)
    labels: tuple[str, ...] = ()


class Table(Measured):
    """Read one grid into a table of the ledger NAME, numbered as its caption says."""

    def __init__(self, grid: Grid, name: str, number: str, task: str, metric: str, source: str) -> None:
        super().__init__(grid, task, metric)
        self.name, self.number, self.source = name, number, source
        self._repeats: dict[str, int] = {}
        #: Has the document measured columns without a single text? Then a converter loses cells.
        self.doubtful = False

    @property
    def emptied(self) -> bool:
        """Tell whether a column of a known measure is empty from top to bottom, as when a converter drops formulas."""
        return not self.grid.sure and len(self.lines) > 1 and any(not self.texts(c.at) for c in self.columns)

    def write(self, others: dict[str, tuple[str, tuple[str, ...]]]) -> Written | None:
        """Return the table as YAML; None where it prints no number. others: rows of earlier tables."""
        if not self.columns or not self.lines:
            return None
        heads = [read_head([row[c].text for row in self.heads]).title for c in self.labels]
        grouped = [lone(row) for row in self.body]
        groups = any(grouped) and any(not g for g in grouped)
        labels = ["Group", *heads] if groups else heads
        rows: list[str] = []
        out: dict[str, tuple[tuple[str, ...], tuple[str, ...], tuple[str, ...]]] = {}
        group, count = "", 0
        kinds = tuple(c.name for c in self.columns)
        for row in self.body:
            if said := lone(row):
                group = said
                continue
            said_labels, marks = [], []
            for c in self.labels:
                label, more = marks_of(row[c].text)
                said_labels.append(label)
                marks += more
            if groups:
                said_labels.insert(0, group)
            cells, bold = [], []
            row_id = self._id(said_labels, out)
            for col in self.columns:
                piece = row[col.at]
                cells.append(self._cell(piece, row_id, col))
                if piece.bold and not is_absent(cells[-1]):
                    bold.append(col.name)
            if all(cell == ABSENT for cell in cells) and not any(row[c.at].text for c in self.columns):
                self.unread.append(Unread(" | ".join(said_labels), row[0].line, "the row has no number"))
                continue
            count += sum(not is_absent(cell) for cell in cells)
            lines = [f"  - id: {row_id}", f"    labels: [{', '.join(map(quoted, said_labels))}]"]
            if marks:
                lines.append(f"    marks: [{', '.join(map(quoted, marks))}]")
            lines.append(f"    cells: [{', '.join(map(quoted, cells))}]")
            if (size := self._input(row)) is not None:
                lines.append(f"    input: [3, {size[0]}, {size[1]}]")
            if bold:
                lines.append(f"    bold: [{', '.join(bold)}]")
            key = repr((said_labels[groups:], kinds, tuple(cells)))
            if key in others and sum(not is_absent(c) for c in cells) > 1:
                lines.append(f"    same_as: {others[key][0]}  # the same labels and numbers")
            elif group == "" or not groups:
                others.setdefault(key, (row_id, kinds))
            rows += lines
            out[row_id] = (tuple(said_labels), kinds, tuple(cells))
        if not count:
            return None
        text = self._text(labels, rows)
        unread = [replace(entry, file=entry.file or self.grid.file) for entry in self.unread]
        return Written(
            self.number,
            text,
            count,
            unread,
            out,
            self._margins(),
            file=self.source,
            line=self.grid.line,
            shape=(len(out), len(self.columns)),
            labels=tuple(self.label_reasons.values()),
        )

    def _input(self, row: Sequence[Piece]) -> tuple[int, int] | None:
        """Return the (height, width) that a row prints under a head like "resolution", where costs are printed."""
        if not any(stem(c.name) == "madds" for c in self.columns):
            return None
        for c in self.labels:
            title = read_head([line[c].text for line in self.heads]).title
            sides = re.fullmatch(r"(\d{2,4})(?:\s?[x×*]\s?(\d{2,4})|²)?\s?(?:px|pixels)?", row[c].text)
            if sides and INPUTS.fullmatch(title.strip()) and 16 <= int(sides[1]) <= 8192:
                return int(sides[1]), int(sides[2] or sides[1])
        return None

    def _id(self, labels: Sequence[str], taken: Mapping[str, Any]) -> str:
        base = f"{self.name}_t{self.number.lower()}_" + (slug(" ".join(labels), 48) or "row")
        found = base
        while found in taken:
            self._repeats[base] = n = self._repeats.get(base, 1) + 1
            found = f"{base}_{n}"
        return found

    def _cell(self, piece: Piece, row: str, col: Col) -> str:
        text = piece.text.strip()
        if piece.fault and piece.fault.startswith("its row"):
            self.unread.append(Unread(text, piece.line, piece.fault, row, col.name))
            return "?"
        if not text and self.doubtful:
            why = "the cell is empty: write –, or what is printed there, which a converter may have lost"
            self.unread.append(Unread("(empty)", piece.line, why, row, col.name))
            return "?"
        if not text:
            return ABSENT
        if is_absent(text):
            return text
        try:
            if piece.fault:
                raise ValueError(f"; {piece.fault}")
            parse_printed(text, str(col.keys.get("unit", "")) or ("MB" if stem(col.name) == "size" else ""))
            if fault := unfit(col.name, text):
                raise ValueError(fault)
            own, usual = own_unit(text), self.kind(col)
            if kind_of(own) != usual and not (own == "" and "unit" in col.keys):
                kinds = {"": "no unit", "time": "a unit of time", "bytes": "a unit of memory"}
                raise ValueError(f"; most of the column is in {kinds.get(usual, usual)}; write it so")
        except ValueError as error:
            self.unread.append(Unread(text, piece.line, str(error).partition("; ")[2] or str(error), row, col.name))
            return "?"
        return text

    def _margins(self) -> dict[str, tuple[object, str]]:
        out: dict[str, tuple[object, str]] = {}
        for col in self.columns:
            if is_cost(col.name):
                continue
            values = [parse_printed(t).value for t in self.texts(col.at) if numeric(t)]
            share = stem(col.name) in SHARES or col.keys.get("unit") == "%"
            if share and values:
                out[col.name] = (0.005 if max(values) <= 1 else 0.5, "half a point")
            else:
                out[col.name] = ("2%", "a fiftieth of the number")
        return out

    def _text(self, labels: Sequence[str], rows: Sequence[str]) -> str:
        caption = self.grid.caption or f"Table of {self.source}, line {self.grid.line}"
        lines = [
            f"# Read from {self.source}, line {self.grid.line}: cells as printed, rows and columns in printed order."
        ]
        lines += ["# Its decimal commas are written as points."] if self.commas else []
        lines += [f"# mend: {remark}" for remark in self.remarks]
        lines += ["schema: 1", f'id: "{self.number}"', f"title: {quoted(caption)}", f"task: {self.task}"]
        lines += [f"labels: [{', '.join(map(quoted, labels))}]", "columns:"]
        for col in self.columns:
            keys = [f"name: {col.name}"]
            for key, value in col.keys.items():
                if isinstance(value, list):
                    keys.append(f"{key}: [{', '.join(map(str, value))}]")
                else:
                    keys.append(f"{key}: {value if key == 'better' else quoted(str(value))}")
            remark = f"  # {'; '.join(col.remarks)}" if col.remarks else ""
            lines.append(f"  - {{{', '.join(keys)}}}{remark}")
        lines += ["rows:", *rows]
        if self.unread:
            lines.append("# mend: write what stands there into the cell (a ? now), and remove its entry.")
            lines.append("unread:")
            for entry in self.unread:
                keys = [f"row: {entry.row}"] if entry.row else []
                keys += [f"column: {entry.column}"] if entry.column else []
                keys += [f"text: {quoted(entry.text)}", f"at: {quoted(f'{self.source}:{entry.line}')}"]
                keys.append(f"why: {quoted(entry.why)}")
                lines.append(f"  - {{{', '.join(keys)}}}")
        return "\n".join(lines) + "\n"


def numbers_of(grids: Sequence[Grid]) -> list[str]:
    """Return the tables' numbers: as their captions say, others in order behind them."""
    said = [re.search(r"\btab(?:le|\.)\s*([A-Z]?\d{1,4}[a-z]?)\b", g.caption, re.I) for g in grids]
    out: list[str] = []
    taken = {m[1] for m in said if m}
    free = (str(n) for n in range(1, 10**4) if str(n) not in taken)
    for match in said:
        number = match[1] if match and match[1] not in out else next(free)
        out.append(number)
    return out


def _rows_of(grid: Grid) -> str:
    """Return a table's head and its rows' names, for a reader to find it by."""
    head = " | ".join(dict.fromkeys(p.text for p in grid.rows[0] if p.text))
    names = ", ".join(dict.fromkeys(next((p.text for p in row if p.text), "") for row in grid.rows[1:]))
    return f"{head[:160]}: {names[:240]}"


def write_tables(
    grids: Sequence[Grid], name: str, task: str, metric: str, source: str
) -> tuple[list[Written], list[Unread]]:
    """Return every table that prints numbers, and those that could not be read as tables."""
    grids = [part for grid in grids for part in split_stacked(grid)]
    bare: list[Grid] = []
    whole: list[Grid] = []
    for grid in grids:
        if headless(grid) or len(grid.rows) < 2:
            bare.append(grid)
        else:
            whole += split_beside(with_heads(grid))
    numbers = numbers_of(whole)
    others: dict[str, tuple[str, tuple[str, ...]]] = {}
    written: list[Written] = []
    lost = [
        Unread(
            _rows_of(g),
            g.line,
            f"{len(g.rows)} rows without a head: write their columns' names above them",
            file=g.file,
        )
        for g in bare
    ]
    tables = [
        Table(grid, name, number, task, metric, grid.file or source)
        for grid, number in zip(whole, numbers, strict=True)
    ]
    doubtful = any(table.emptied for table in tables)
    for grid, table in zip(whole, tables, strict=True):
        if fault := next((p.fault for row in grid.rows[: grid.heads] for p in row if p.fault), ""):
            lost.append(Unread(_rows_of(grid), grid.line, f"in its head, {fault}", file=grid.file))
            continue
        table.doubtful = doubtful and not grid.sure
        found = table.write(others)
        if found is None:
            why = "a table in which no column is known to be measured; --metric names what they measure"
            lost.append(Unread(_rows_of(grid), grid.line, why, file=grid.file))
        else:
            written.append(found)
    return written, lost
