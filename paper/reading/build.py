"""From grids to a ledger's files: columns, rows, marks, units and what could not be read, each with its line."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from decimal import Decimal
from typing import Any

from paper.columns import SHARES, is_cost, stem, usual_better
from paper.printed import ABSENT, BYTES, dimension, is_absent, kind_of, own_unit, parse_printed, split_printed
from paper.reading.grid import Grid, Piece, decimal_points, lone, numeric, split_beside, with_heads
from paper.reading.heads import Head, read_head
from paper.reading.shape import is_link, marks_of, quoted, slug, split_slashes, transposed
from paper.reading.words import INPUTS
from paper.table_schema import unfit

#: Trained metrics of each task, to tell a table's from its columns.
TASK_OF = (
    ("classification", ("top1", "top5", "err1", "err5")), ("segmentation", ("miou", "iou", "f1_dice", "pq")),
    ("detection", ("AP", "AP50", "AP75", "APS", "APM", "APL", "AR")), ("pose", ("pck", "nme")),
    ("generation", ("fid", "kid", "is")), ("restoration", ("psnr", "ssim", "lpips")),
    ("language", ("bleu", "ppl", "rouge")), ("speech", ("wer", "cer")),
    ("regression", ("mae", "mse", "rmse", "epe", "r2")),
    ("control", ("reward",)), ("classification", ("acc", "err", "ece")),
)  # fmt: skip


@dataclass
class Col:
    """Hold a measured column on its way into the ledger: its place in the grid, name, keys, and remarks."""

    at: int
    head: Head
    name: str
    keys: dict[str, object] = field(default_factory=dict)
    remarks: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class Unread:
    """Hold what could not be read, with its line in the source."""

    text: str
    line: int
    why: str
    row: str = ""
    column: str = ""


@dataclass
class Written:
    """Hold one table's YAML and what it left unread; rows: labels and cells by id, to find rows that repeat."""

    id: str
    text: str
    cells: int
    unread: list[Unread]
    rows: dict[str, tuple[tuple[str, ...], tuple[str, ...], tuple[str, ...]]]
    margins: dict[str, tuple[object, str]]


class Table:
    """Read one grid. metric: what columns of unknown heads measure, where the caller says it."""

    def __init__(self, grid: Grid, name: str, number: str, task: str, metric: str, source: str) -> None:
        grid, self.commas = decimal_points(transposed(with_heads(grid)))
        self.grid = split_slashes(grid)
        self.name, self.number, self.source, self.metric = name, number, source, metric
        self.heads = self.grid.rows[: self.grid.heads]
        self.body = self.grid.rows[self.grid.heads or 0 :]
        self.lines = [row for row in self.body if not lone(row)]
        self.labels: list[int] = []
        self.columns: list[Col] = []
        self.remarks: list[str] = []
        self.unread: list[Unread] = []
        self._divide()
        self.task = task or self._task()

    def _texts(self, c: int) -> list[str]:
        return [row[c].text for row in self.lines if row[c].text]

    def _share(self, c: int) -> float:
        said = [t for t in self._texts(c) if not is_absent(t)]
        return sum(numeric(t) for t in said) / len(said) if said else 0.0

    def _timed(self, c: int, head: Head) -> Head:
        """Return a head that only names a device as a latency's, where its cells are in units of time."""
        units = {own_unit(t) for t in self._texts(c) if numeric(t)}
        if head.measures or not units or not all(dimension(unit) == "time" for unit in units):
            return head
        return replace(head, measures="latency", device=head.title, suffix=head.suffix or head.title, setting=False)

    def _divide(self) -> None:
        """Tell which columns are labels and which are measured."""
        found: list[tuple[int, Head]] = []
        for c in range(self.grid.width):
            head = self._timed(c, read_head([row[c].text for row in self.heads]))
            share, texts = self._share(c), [t for t in self._texts(c) if not is_absent(t)]
            if c and not head.measures and texts and all(map(is_link, texts)):
                continue  # downloads
            if not texts and not head.measures:
                if head.title and c:
                    self.unread.append(Unread(head.title, self.grid.line, "the column is empty"))
                continue
            if c == 0 and not (head.measures and share == 1.0 and self.grid.width > 2 and self._share(1) < 0.5):
                self.labels.append(c)
                continue
            led = 2 * sum(bool(re.match(r"[-−+≈~<>≤≥]?\s?[.\d]", t)) for t in texts) > len(texts)
            if head.measures and (share >= 0.34 or not texts or led):
                found.append((c, head))
                continue
            measured = head.average or any(re.search(r"\d\.\d|±", t) for t in texts)
            uncertain = 2 * sum("±" in t for t in texts) > len(texts)  # no setting has a spread
            uncertain = uncertain or (measured and bool(head.dataset))
            if share >= 0.5 and (self.metric or measured) and (uncertain or not head.setting):
                found.append((c, head))
                continue
            self.labels.append(c)
            if head.measures and any(re.search(r"\d", t) for t in texts):
                why = "most cells are no numbers, so that the column was taken for a label"
                self.unread.append(Unread(head.title, self.grid.line, why))
            if share >= 0.5 and not head.setting:
                self.remarks.append(
                    f"{head.title or f'column {c + 1}'}: taken for a label; name it under columns if it is measured"
                )
        if not self.labels:
            self.labels = [found.pop(0)[0]] if len(found) > 1 else []
        self._name(found)

    def _name(self, found: Sequence[tuple[int, Head]]) -> None:
        many = Counter(head.measures for _, head in found)
        taken: set[str] = set()
        errors = self._errors(found)
        for c, head in found:
            base, remarks = head.measures or self.metric, []
            if not base:
                base = "value"
                remarks.append("mend: what is measured is not said; better: which way?")
            if base in ("top1", "top5") and errors:
                base = {"top1": "err1", "top5": "err5"}[base]
                remarks.append("error rates: Top-5 is below Top-1")
            suffix = slug(head.suffix or head.title, 24) if many[head.measures] > 1 or not head.measures else ""
            suffix = "" if suffix == slug(base) else suffix
            name = f"{base}_{suffix}" if suffix else base
            n = 2
            while name in taken:
                name, n = "_".join(filter(None, (base, suffix, str(n)))), n + 1
            taken.add(name)
            col = Col(c, head, name, remarks=remarks)
            self._keys(col)
            self.columns.append(col)
        self._means()

    def _errors(self, found: Sequence[tuple[int, Head]]) -> bool:
        """Tell whether columns called Top-1 and Top-5 hold error rates: the second is below the first in every row."""
        by: dict[str, int] = {}
        for c, head in found:
            by.setdefault(head.measures, c)
        if "top1" not in by or "top5" not in by:
            return False
        pairs = [(row[by["top1"]].text, row[by["top5"]].text) for row in self.lines]
        values = [(parse_printed(a).value, parse_printed(b).value) for a, b in pairs if numeric(a) and numeric(b)]
        return bool(values) and all(five < one for one, five in values)

    def _keys(self, col: Col) -> None:
        head, keys = col.head, col.keys
        keys["title"] = head.title
        texts = [t for t in self._texts(col.at) if numeric(t)]
        own = set(map(own_unit, texts))
        unit = head.unit
        if unit:
            try:
                for text in texts:
                    parse_printed(text, unit)
                if is_cost(col.name) and stem(col.name) != "size" and (unit in BYTES or unit == "%"):
                    raise ValueError
            except ValueError:
                col.remarks.append(f"mend: the head's unit {unit} does not fit its cells; add it by hand")
                unit = ""
        if unit:
            keys["unit"] = unit
        elif is_cost(col.name) and stem(col.name) != "size" and "" in own:
            small = [t for t in texts if not split_printed(t)["unit"] and abs(parse_printed(t).value) < 10_000]
            if small:
                why = f"no unit is printed: {small[0]} of what? add unit: M, G or K to the column"
                self.unread.append(Unread(small[0], self.grid.line, why, column=col.name))
        if head.better:
            keys["better"] = head.better
        elif usual_better(col.name) is None:
            keys["better"] = "unknown"
        if head.dataset and not is_cost(col.name):
            keys["dataset"] = head.dataset
        if head.device:
            keys["device"] = head.device
        if head.input and stem(col.name) == "madds":
            keys["input_size"] = [3, *head.input]

    def _kind(self, col: Col) -> str:
        """Return the dimension that most of a column's numbers are in."""
        kinds = Counter(kind_of(own_unit(t)) for t in self._texts(col.at) if numeric(t))
        unit = str(col.keys.get("unit", "")) or ("MB" if stem(col.name) == "size" else "")
        return kind_of(unit) if unit else kinds.most_common(1)[0][0] if kinds else ""

    def _means(self) -> None:
        """Tell which column is the mean of others, where most rows say so."""
        for col in self.columns:
            if not col.head.average:
                continue
            parent = col.head.suffix
            others = [o for o in self.columns if o is not col and not o.head.average and stem(o.name) == stem(col.name)]
            hits = total = 0
            for row in self.lines:
                cells = [row[o.at].text for o in others]
                if not others or not numeric(row[col.at].text) or not all(map(numeric, cells)):
                    continue
                parts = [parse_printed(t) for t in cells]
                mean = sum((p.value for p in parts), Decimal(0)) / len(parts)
                room = (
                    sum((p.place for p in parts), Decimal(0)) / len(parts) / 2
                    + parse_printed(row[col.at].text).place / 2
                )
                total += 1
                hits += abs(mean - parse_printed(row[col.at].text).value) <= room
            if total and 2 * hits > total and len(others) > 1:
                col.keys["mean_of"] = [o.name for o in others]
            elif total:
                col.remarks.append(f"mend: no plain mean of the other columns{' of ' + parent if parent else ''}")

    def _task(self) -> str:
        names = {stem(c.name) for c in self.columns} | {c.name for c in self.columns}
        return next((task for task, known in TASK_OF if names & set(known)), "other")

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
        return Written(self.number, text, count, self.unread, out, self._margins())

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
        found, n = base, 2
        while found in taken:
            found, n = f"{base}_{n}", n + 1
        return found

    def _cell(self, piece: Piece, row: str, col: Col) -> str:
        text = piece.text.strip()
        if not text:
            return ABSENT
        if is_absent(text):
            return text
        try:
            parse_printed(text, str(col.keys.get("unit", "")) or ("MB" if stem(col.name) == "size" else ""))
            if fault := unfit(col.name, text):
                raise ValueError(fault)
            own, usual = own_unit(text), self._kind(col)
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
            values = [parse_printed(t).value for t in self._texts(col.at) if numeric(t)]
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


def write_tables(
    grids: Sequence[Grid], name: str, task: str, metric: str, source: str
) -> tuple[list[Written], list[Unread]]:
    """Return every table that prints numbers, and those that could not be read as tables."""
    whole = [part for grid in grids for part in split_beside(with_heads(grid))]
    numbers = numbers_of(whole)
    others: dict[str, tuple[str, tuple[str, ...]]] = {}
    written, lost = [], []
    for grid, number in zip(whole, numbers, strict=True):
        table = Table(grid, name, number, task, metric, source)
        found = table.write(others)
        if found is None:
            head = " | ".join(dict.fromkeys(p.text for p in grid.rows[0] if p.text))
            lost.append(Unread(head, grid.line, "a table in which no column is known to be measured"))
        else:
            written.append(found)
    return written, lost
