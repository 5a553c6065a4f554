"""A printed table as a grid of texts: what every reader of a format gives."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from papertally.quantities.printed import is_absent, parse_printed
from papertally.tables.vocabulary import SETTING

#: No printed table is larger; beyond it a span is a slip.
MOST = 2000


@dataclass(frozen=True)
class Piece:
    """Hold one cell's plain text; part: it continues a cell that spans columns or rows.

    fault: why what it prints is not sure, or "".
    """

    text: str
    line: int
    bold: bool = False
    part: bool = False
    fault: str = ""


@dataclass(frozen=True)
class Grid:
    """Hold one table: its rows all of one width.

    heads: how many rows are its head, None where the markup says none; file: where it stands, of many files;
    sure: an empty cell is printed so, and was not lost by a converter.
    """

    rows: tuple[tuple[Piece, ...], ...]
    line: int
    caption: str = ""
    heads: int | None = None
    file: str = ""
    sure: bool = False

    @property
    def width(self) -> int:
        """Return how many columns there are."""
        return len(self.rows[0]) if self.rows else 0


@dataclass
class Spanned:
    """Hold a cell as markup has it, with how many columns and rows it spans."""

    text: str
    line: int
    bold: bool = False
    columns: int = 1
    rows: int = 1
    fault: str = ""


@dataclass
class Builder:
    """Lay spanned cells out row by row; a later cell gives way to one that spans from above."""

    rows: list[list[Piece]] = field(default_factory=list)
    below: dict[tuple[int, int], Piece] = field(default_factory=dict)

    def add(self, cells: Sequence[Spanned], hollow: bool = False) -> None:
        """Add a row. hollow: cells under a row span are written, empty (LaTeX), not left out (HTML)."""
        at = len(self.rows)
        line: list[Piece] = []
        queue = list(cells)
        while queue or (at, len(line)) in self.below:
            column = len(line)
            if (at, column) in self.below:
                line.append(self.below.pop((at, column)))
                if hollow and queue:
                    queue[0].columns -= 1
                    if queue[0].columns < 1:
                        queue.pop(0)
                continue
            cell = queue.pop(0)
            for i in range(min(max(cell.columns, 1), MOST)):
                line.append(Piece(cell.text, cell.line, cell.bold, i > 0, cell.fault))
                for down in range(1, min(max(cell.rows, 1), MOST)):
                    self.below[at + down, column + i] = Piece(cell.text, cell.line, cell.bold, True, cell.fault)
        self.rows.append(line)

    def grid(self, line: int, caption: str = "", heads: int | None = None, sure: bool = False) -> Grid | None:
        """Return the table, short rows filled with blanks; None for one without two columns and rows.

        sure: short rows lack cells at their end; else those whose cells fit another column are marked.
        """
        rows = [row for row in self.rows if row]
        width = max((len(row) for row in rows), default=0)
        if width < 2 or len(rows) < 2:
            return None
        if not sure and any(len(row) < width for row in rows):
            rows = _checked(rows, width)
        filled = tuple((*row, *[Piece("", row[0].line)] * (width - len(row))) for row in rows)
        return Grid(filled, line, caption, heads, sure=sure)


def _checked(rows: list[list[Piece]], width: int) -> list[list[Piece]]:
    """Return rows whose short ones are marked where numbers stand among names, or names among numbers."""
    full = [row for row in rows if len(row) == width and any(numeric(p.text) for p in row)]
    names = [all(not numeric(row[c].text) for row in full if row[c].text) for c in range(width)]
    numbers = [bool(full) and all(numeric(r[c].text) or is_absent(r[c].text) for r in full) for c in range(width)]
    out = []
    for i, row in enumerate(rows):
        # a head's later row, short: which columns it names is not said
        if 0 < i < 3 and 1 < len(row) < width and len(rows[0]) == width and all(_headlike(r) for r in rows[: i + 1]):
            why = f"a row has {len(row)} cells of {width}, and which are missing is not said"
            out.append([replace(p, fault=p.fault or why) for p in row])
            continue
        shifted = len(row) < width and full and any(numeric(p.text) for p in row)
        if shifted and any(
            (numeric(p.text) and names[c]) or (p.text and numbers[c] and not numeric(p.text) and not is_absent(p.text))
            for c, p in enumerate(row)
        ):
            why = f"its row has {len(row)} cells of {width}, and which are missing is not said"
            row = [replace(p, fault=p.fault or why) for p in row]
        out.append(row)
    return out


def numeric(text: str) -> bool:
    """Tell whether a text is a printed number."""
    try:
        parse_printed(text)
    except ValueError:
        return False
    return True


def lone(row: Sequence[Piece]) -> str:
    """Return the text of a row that says one thing only, a heading over the next ones, or ""."""
    said = [p.text for p in row if p.text and not p.part]
    spanning = sum(bool(p.text) for p in row) == len(row) > 1
    if len(said) == 1 and not is_absent(said[0]) and (not numeric(said[0]) or spanning):
        return said[0]
    return ""


def _headlike(row: Sequence[Piece]) -> bool:
    """Tell whether a row names columns: no number and no dash in it, and more than one text."""
    texts = [p.text for p in row if p.text]
    return len(texts) > 1 and not any(numeric(t) or is_absent(t) for t in texts[1:])


def _data(row: Sequence[Piece]) -> bool:
    """Tell whether a row under a head has numbers of its own: a name in front, and behind it mostly numbers."""
    said = [p.text for p in row[1:] if p.text and not p.part]
    numbers = sum(numeric(t) for t in said)
    return bool(row[0].text) and not row[0].part and numbers > 0 and 2 * numbers >= len(said)


def headless(grid: Grid) -> bool:
    """Tell whether a table's first row is no head: numbers with places or spreads behind a name."""
    row = grid.rows[0]
    said = [p.text for p in row[1:] if p.text]
    first = row[0].text.lower().strip(" .:")
    if (
        not _data(row)
        or numeric(row[0].text)
        or SETTING.fullmatch(first)
        or 3 * sum(map(numeric, said)) < 2 * len(said)
    ):
        return False
    return any(re.search(r"\d[.,]\d|±|\d\s?[%KMGB]", t) for t in said)


_TITLE = re.compile(r"\W{0,4}(?:table|tab\.)\s*[A-Z]?\d+[a-z]?\s*[:.]", re.I)


def _titled(row: Sequence[Piece]) -> str:
    """Return the caption that a converter left in a row of the table, or ""."""
    said = " ".join(p.text for p in row if p.text and not p.part)
    return said if _TITLE.match(said) and not any(numeric(p.text) for p in row) else ""


def split_stacked(grid: Grid) -> list[Grid]:
    """Return the tables that a converter put into one: parted by captions; counted column names are left out."""
    rows, heads, caption = grid.rows, grid.heads, grid.caption
    counted = [str(c) for c in range(grid.width)]
    if [p.text for p in rows[0]] in (counted, ["", *counted[:-1]]) and grid.width > 2:
        rows, heads = rows[1:], None
    cuts = [i for i, row in enumerate(rows) if _titled(row)]
    if not cuts:
        return [grid] if rows is grid.rows else [replace(grid, rows=rows, heads=heads)]
    out = []
    for start, end in zip([0, *cuts], [*cuts, len(rows)], strict=True):
        part = rows[start:end]
        said = _titled(part[0]) if part else ""
        part = part[1:] if said else part
        if part:
            out.append(replace(grid, rows=part, line=part[0][0].line, heads=None, caption=said or caption))
    return out


def with_heads(grid: Grid) -> Grid:
    """Return a grid that knows its head: from the markup, widened by rows that only name columns."""
    rows, count = grid.rows, grid.heads or 0
    if grid.heads is None:
        count = next((i for i, row in enumerate(rows) if i and not _headlike(row) and not lone(row)), 1)
        while count > 1 and lone(rows[count - 1]):  # a heading over the first rows
            count -= 1
    else:
        count = max(1, min(count, len(rows) - 1))
        count = next((i for i in range(1, count) if _data(rows[i])), count)  # rows with numbers are no head
        # a converter's separator stands one row early where heads of two lines were split
        while (
            count < min(len(rows) - 1, 3)
            and _headlike(rows[count])
            and not lone(rows[count])
            and _numbers_follow(rows, count)
        ):
            count += 1
    rows = _spread(rows, count)
    start = 0
    while start < count - 1 and lone(rows[start]) and not rows[start][0].part:  # a title within the table
        start += 1
    title = " ".join(lone(row) for row in rows[:start])
    return replace(grid, rows=rows[start:], heads=count - start, caption=grid.caption or title)


def _spread(rows: tuple[tuple[Piece, ...], ...], count: int) -> tuple[tuple[Piece, ...], ...]:
    """Return rows in whose head a name over several columns, written over the first of them, stands over all."""
    out = list(rows)
    for i in range(count - 1):
        line = list(out[i])
        for c in range(1, len(line)):
            below, before = rows[i + 1][c], rows[i + 1][c - 1]
            if line[c - 1].text and not line[c].text and below.text and before.text and not before.part:
                line[c] = replace(line[c - 1], part=True)
        out[i] = tuple(line)
    return tuple(out)


def _numbers_follow(rows: Sequence[Sequence[Piece]], at: int) -> bool:
    """Tell whether a row without numbers stands between a head and rows with many: a head's second line."""
    rest = [p.text for row in rows[at + 1 :] for p in row[1:] if p.text]
    return bool(rest) and 2 * sum(numeric(t) or is_absent(t) for t in rest) > len(rest)


def split_beside(grid: Grid) -> list[Grid]:
    """Return a table that prints two side by side, under the same heads, as two."""
    heads = [tuple(row[c].text.lower() for row in grid.rows[: grid.heads]) for c in range(grid.width)]
    for parts in (2, 3):
        width = grid.width // parts
        if width >= 2 and width * parts == grid.width and heads == heads[:width] * parts and any(heads[0]):
            blocks = [range(i * width, (i + 1) * width) for i in range(parts)]
            return [
                replace(
                    grid,
                    rows=tuple(tuple(row[c] for c in block) for row in grid.rows if any(row[c].text for c in block)),
                )
                for block in blocks
            ]
    return [grid]


_DECIMAL_COMMA = re.compile(r"(?<![\d,.])(\d+),(\d{1,2}|\d{4,})(?![\d,])")
#: A thousand's points and a decimal comma: 1.234,5.
_BOTH = re.compile(r"(?<![\d,.])\d{1,3}(?:\.\d{3})+,\d+(?![\d,.])")
#: A number and no more, with what may stand around it and a unit.
_BARE = re.compile(r"[-−+≈~∼<>≤≥()\d,.\s±%]+(?:[A-Za-zµμ/%]{1,8}|MACs|FLOPs|params)?[*†‡§]?")


def decimal_points(grid: Grid) -> tuple[Grid, bool]:
    """Return a grid whose decimal commas are points, where commas are its only ones; and whether there were any."""
    texts = [p.text for row in grid.rows[grid.heads or 0 :] for p in row if _BARE.fullmatch(p.text)]
    commas = sum(bool(_DECIMAL_COMMA.search(t) or _BOTH.search(t)) for t in texts)
    points = sum(bool(re.search(r"\d\.\d", _BOTH.sub("", t))) for t in texts)
    if not commas or points:
        return grid, False

    def pointed(text: str) -> str:
        text = _BOTH.sub(lambda found: found[0].replace(".", ""), text)
        return re.sub(r"(?<=\d),(?=\d)", ".", text)

    body = tuple(
        tuple(replace(p, text=pointed(p.text)) if _BARE.fullmatch(p.text) else p for p in row)
        for row in grid.rows[grid.heads or 0 :]
    )
    return replace(grid, rows=(*grid.rows[: grid.heads or 0], *body)), True
