"""Tables and prose of a paper's document, as plain rows and sentences with their lines; read as `new` reads it."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from papertally.tables.documents import Source
from papertally.tables.grid import Grid, decimal_points, lone, split_beside, split_stacked, with_heads
from papertally.tables.html import read_html
from papertally.tables.latex import read_latex, table_lines
from papertally.tables.markdown import inline, read_markdown
from papertally.tables.normalize import split_slashes, transposed
from papertally.tables.tex import Macro, macros, render

#: What starts a line that is neither prose nor a table: headings of the back matter end the prose.
_BACK = re.compile(
    r"^\s*(?:#+\s*(?:\d+\.?\s*)?(?:references|bibliography)\b|\\begin\{thebibliography\}|\\bibliography)", re.I
)
_NO_PROSE = re.compile(r"^\s*(?:#|\\(?:section|subsection|begin|end|usepackage|documentclass))")


@dataclass(frozen=True)
class TextRow:
    """Hold one printed line of a table: its cells without markup, which of them are bold, and its line from 1."""

    cells: tuple[str, ...]
    bold: tuple[bool, ...]
    line: int


@dataclass(frozen=True)
class Sentence:
    """Hold one sentence of the prose with its line from 1."""

    text: str
    line: int


@dataclass(frozen=True)
class Document:
    """Hold a paper's text: blocks of table rows that stand together, and the sentences outside them."""

    tables: tuple[tuple[TextRow, ...], ...]
    prose: tuple[Sentence, ...]

    @property
    def rows(self) -> list[TextRow]:
        """Return the rows of all tables."""
        return [row for table in self.tables for row in table]


def clean(text: str, defined: Mapping[str, Macro] | None = None) -> str:
    """Return a sentence without markup, its spaces single. defined: the document's macros."""
    return inline(render(text, defined or {}).text if "\\" in text else text)[0]


def _block(grid: Grid) -> tuple[TextRow, ...]:
    """Return a table's rows; what stands in a row of its own leads the labels below it."""
    body = grid.rows[grid.heads or 0 :]
    groups = any(map(lone, body)) and not all(map(lone, body))
    rows: list[TextRow] = []
    group = ""
    for i, row in enumerate(grid.rows):
        if i >= (grid.heads or 0) and groups and (said := lone(row)):
            group = said
            continue
        cells = [p.text for p in row]
        cells[0] = f"{group} {cells[0]}".strip()
        rows.append(TextRow(tuple(cells), tuple(p.bold for p in row), row[0].line))
    return tuple(rows)


def _blocks(grids: Sequence[Grid]) -> tuple[tuple[TextRow, ...], ...]:
    """Return the tables in the shape that `new` gives them."""
    stacked = [part for grid in grids for part in split_stacked(grid)]
    parts = [part for grid in stacked if len(grid.rows) > 1 for part in split_beside(with_heads(grid))]
    return tuple(_block(split_slashes(decimal_points(transposed(with_heads(part)))[0])) for part in parts)


def document_of(source: Source) -> Document:
    """Return a document's tables and prose."""
    defined: Mapping[str, Macro] | None
    if source.latex:
        defined = macros(source.text)
        lines = table_lines(source.text)
    else:
        defined, lines = None, set()
    prose: list[tuple[str, int]] = []
    back = False
    text = re.sub(r"<[^<>]*>", " ", source.text) if source.html else source.text
    for number, line in enumerate(text.split("\n"), start=1):
        if number in lines or (not source.latex and _in_table(line)):
            continue
        back = back or bool(_BACK.match(line))
        if not back and not _NO_PROSE.match(line):
            prose.append((line, number))
    return Document(_blocks(source.grids), tuple(_sentences(prose, defined)))


def _in_table(line: str) -> bool:
    bare = line.strip()
    return "\t" in line.rstrip("\t") or (bare.startswith("|") and bare.count("|") >= 2)


def read_document(text: str) -> Document:
    """Return the tables and the prose of a text: LaTeX, HTML or Markdown, as it looks."""
    text = text.replace("\r\n", "\n").replace("\r", "\n")
    if "\\begin{" in text and "\n|" not in text:
        from papertally.tables.latex import printed_part

        return document_of(Source(read_latex(text), printed_part(text), True))
    if re.match(r"\s*<(?:!doctype|html)", text, re.I):
        return document_of(Source(read_html(text), text, False, html=True))
    return document_of(Source(read_markdown(text), text, False))


def _sentences(lines: list[tuple[str, int]], defined: Mapping[str, Macro] | None) -> Iterator[Sentence]:
    """Yield sentences; one may run over lines, and begins on the line that is kept."""
    words: list[str] = []
    start = 1
    for line, number in [*lines, ("", 0)]:
        if not line.strip():
            if words:
                yield from _cut(" ".join(words), start, defined)
            words = []
            continue
        if not words:
            start = number
        words.append(line.strip())


def _cut(text: str, line: int, defined: Mapping[str, Macro] | None) -> Iterator[Sentence]:
    for part in re.split(r"(?<=[.?!])\s+(?=[A-Z(*\\$])", text):
        if cleaned := inline(part)[0] if defined is None else clean(part, defined):
            yield Sentence(cleaned, line)
