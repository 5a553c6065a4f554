"""Tables of CSV and its kin: commas, semicolons, tabs; blank lines part tables."""

from __future__ import annotations

import csv
import io
from collections import Counter

from papertally.tables.grid import Builder, Grid, Spanned
from papertally.tables.markdown import inline


def delimiter_of(source: str) -> str:
    """Return what parts the cells: of tab, semicolon, comma and pipe the one that parts most lines alike."""
    lines = [line for line in source.split("\n") if line.strip() and not line.startswith("#")][:50]
    best, found = -1.0, ","
    for mark in ("\t", ";", ",", "|"):
        counts = Counter(len(row) for row in csv.reader(io.StringIO("\n".join(lines)), delimiter=mark))
        width, times = counts.most_common(1)[0] if counts else (1, 0)
        if width > 1 and times / max(len(lines), 1) > best:
            best, found = times / max(len(lines), 1), mark
    return found


def read_csv(source: str) -> list[Grid]:
    """Return the tables of a CSV file, in order. Lines that begin with # and lone cells name the next one."""
    reader = csv.reader(io.StringIO(source), delimiter=delimiter_of(source))
    grids: list[Grid] = []
    builder, caption, start = Builder(), "", 1

    def close() -> None:
        nonlocal builder, caption
        grid = builder.grid(start, caption, 1)
        if grid is not None:
            grids.append(grid)
            caption = ""
        builder = Builder()

    for row in reader:
        said = [cell for cell in row if cell.strip()]
        if not said:
            close()
            continue
        if row[0].startswith("#") and len(said) == 1:
            close()
            caption = row[0].lstrip("# ").strip()
            continue
        if not builder.rows:
            start = reader.line_num
        builder.add([_spanned(cell, reader.line_num) for cell in row])
    close()
    return grids


def _spanned(cell: str, line: int) -> Spanned:
    text, bold = inline(cell)
    return Spanned(text, line, bold)
