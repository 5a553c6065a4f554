"""Which columns of a grid are labels and which are measured; what these measure, their names, units and keys."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from decimal import Decimal

from papertally.quantities.columns import is_cost, stem, usual_better
from papertally.quantities.printed import BYTES, dimension, is_absent, kind_of, own_unit, parse_printed, split_printed
from papertally.tables.grid import Grid, decimal_points, lone, numeric, with_heads
from papertally.tables.heads import Head, read_head
from papertally.tables.normalize import is_link, slug, split_slashes, transposed
from papertally.tables.vocabulary import CHOSEN

#: Several numbers in one cell, as a converter leaves columns that it did not part.
_SEVERAL = re.compile(r"(?:[-−–]?\d+\.\d+%?|\([-+−–]?\d+\.\d+\)|[-–])(?:\s+\S*\d\S*){1,12}")
#: Trained metrics of each task, to tell a table's from its columns.
TASK_OF = (
    ("classification", ("top1", "top5", "err1", "err5")),
    ("segmentation", ("miou", "iou", "f1_dice", "pq")),
    ("detection", ("AP", "AP50", "AP75", "APS", "APM", "APL", "AR")),
    ("pose", ("pck", "nme")),
    ("generation", ("fid", "kid", "is")),
    ("restoration", ("psnr", "ssim", "lpips")),
    ("language", ("bleu", "ppl", "rouge")),
    ("speech", ("wer", "cer")),
    ("regression", ("mae", "mse", "rmse", "epe", "r2")),
    ("control", ("reward",)),
    ("classification", ("acc", "err", "ece")),
)


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
    file: str = ""


class Measured:
    """Tell a grid's measured columns from its labels. metric: what columns of unknown heads measure, if it is said."""

    def __init__(self, grid: Grid, task: str, metric: str) -> None:
        grid, self.commas = decimal_points(transposed(with_heads(grid)))
        self.grid = split_slashes(grid)
        self.metric = metric
        self.heads = self.grid.rows[: self.grid.heads]
        self.body = self.grid.rows[self.grid.heads or 0 :]
        self.lines = [row for row in self.body if not lone(row)]
        self.labels: list[int] = []
        self.label_reasons: dict[int, str] = {}
        self.columns: list[Col] = []
        self.remarks: list[str] = []
        self.unread: list[Unread] = []
        self._kinds: dict[tuple[int, str], str] = {}
        self._divide()
        self.task = task or self._task()

    def texts(self, c: int) -> list[str]:
        """Return what stands in a column's cells, empty ones left out."""
        return [row[c].text for row in self.lines if row[c].text]

    def _share(self, c: int) -> float:
        said = [t for t in self.texts(c) if not is_absent(t)]
        return sum(numeric(t) for t in said) / len(said) if said else 0.0

    def _timed(self, c: int, head: Head) -> Head:
        """Return a head that only names a device as a latency's, where its cells are in units of time."""
        units = {own_unit(t) for t in self.texts(c) if numeric(t)}
        if not head.measures and units and all(dimension(unit) == "bytes" for unit in units):
            return replace(head, measures="size", suffix=head.suffix or head.title, setting=False)
        if head.measures or not units or not all(dimension(unit) == "time" for unit in units):
            return head
        return replace(head, measures="latency", device=head.title, suffix=head.suffix or head.title, setting=False)

    def _divide(self) -> None:
        """Tell which columns are labels and which are measured."""
        found: list[tuple[int, Head]] = []
        for c in range(self.grid.width):
            head = self._timed(c, read_head([row[c].text for row in self.heads]))
            share, texts = self._share(c), [t for t in self.texts(c) if not is_absent(t)]
            if c and not head.measures and texts and all(map(is_link, texts)):
                continue  # downloads
            if not texts and not head.measures:
                if head.title and c:
                    self.unread.append(Unread(head.title, self.grid.line, "the column is empty"))
                continue
            if c == 0 and not (head.measures and share == 1.0 and self.grid.width > 2 and self._share(1) < 0.5):
                self._label(c, head, "it names the rows")
                continue
            led = 2 * sum(bool(re.match(r"[-−+≈~<>≤≥]?\s?[.\d]", t)) for t in texts) > len(texts)
            if head.measures and (share >= 0.34 or not texts or led):
                found.append((c, head))
                continue
            measured = head.average or any(re.search(r"\d\.\d|±", t) for t in texts)
            uncertain = 2 * sum("±" in t for t in texts) > len(texts)  # no setting has a spread
            uncertain = uncertain or (measured and bool(head.dataset))
            # decimals in most cells and no letters are measured, but for what is known to be chosen so
            places = sum(bool(re.fullmatch(r"[-−+]?\d*\.\d+%?", t)) for t in texts)
            uncertain = uncertain or (2 * places > len(texts) and share > 0.9 and not CHOSEN.search(head.title))
            if share >= 0.5 and (self.metric or measured) and (uncertain or not head.setting):
                found.append((c, head))
                continue
            numbers = share >= 0.5 and texts
            why = "its head names a setting" if head.setting else "its head is of no known measure"
            self._label(c, head, why if numbers else "its cells are words")
            several = [row[c] for row in self.lines if _SEVERAL.fullmatch(row[c].text)]
            if 2 * len(several) >= len(texts) > 0 and not (head.measures or head.setting):
                why = "its cells hold several numbers each: part them into columns"
                said = f"{head.title}: {', '.join(p.text for p in several)}"
                self.unread.append(Unread(said[:300], several[0].line, why))
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

    def _label(self, c: int, head: Head, why: str) -> None:
        self.labels.append(c)
        self.label_reasons[c] = f"{head.title or f'column {c + 1}'} ({why})"

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
        texts = [t for t in self.texts(col.at) if numeric(t)]
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

    def kind(self, col: Col) -> str:
        """Return the dimension that most of a column's numbers are in, counted once a column."""
        at = (col.at, str(col.keys.get("unit", "")))
        if at not in self._kinds:
            self._kinds[at] = self._usual_kind(col)
        return self._kinds[at]

    def _usual_kind(self, col: Col) -> str:
        kinds = Counter(kind_of(own_unit(t)) for t in self.texts(col.at) if numeric(t))
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
