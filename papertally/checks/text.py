"""Tables and prose of a paper's Markdown or LaTeX, as plain rows and sentences with their lines."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

_TEX_ROW = re.compile(r"(?<!\\)&")
_BOLD = re.compile(r"\*\*|__|</?b>|</?strong>|\\textbf\s*\{|\\bf(?:series)?\b|\\mathbf\s*\{")
_MARKUP = (
    (re.compile(r"<sup>\s*(.*?)\s*</sup>"), r"\1"),
    (re.compile(r"<[^>\n]{1,40}>"), ""),
    (re.compile(r"\\(?:textbf|textit|emph|mathbf|text|underline|textsuperscript|mathrm|mbox|multirow\{[^}]*\}\{[^}]*\}|multicolumn\{[^}]*\}\{[^}]*\})\s*\{"), "{"),  # noqa: E501
    (re.compile(r"\\(?:cite|ref|label|footnote)\s*\{[^}]*\}"), ""),
    (re.compile(r"\\(?:bf|bfseries|it|em|centering|small|tiny|footnotesize|xspace)\b"), ""),
    (re.compile(r"\\(?:times)\b"), "×"),
    (re.compile(r"\\(?:checkmark|cmark)\b"), "✓"),
    (re.compile(r"\\(?:sim|approx)\b"), "~"),
    (re.compile(r"\\([%&#_$])"), r"\1"),
    (re.compile(r"\*\*|__|~(?=\d)"), ""),
    (re.compile(r"[{}$]"), ""),
)  # fmt: skip
#: What starts a line that is neither prose nor a table: headings of the back matter end the prose.
_BACK = re.compile(
    r"^\s*(?:#+\s*(?:\d+\.?\s*)?(?:references|bibliography)\b|\\begin\{thebibliography\}|\\bibliography)", re.I
)
_RULE = re.compile(r"^[\s|:+-]+$")
_TEX_COMMAND = re.compile(
    r"\\(?:hline|toprule|midrule|bottomrule|cline\{[^}]*\}|cmidrule(?:\([^)]*\))?\{[^}]*\}|vspace\*?\{[^}]*\})"
)


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


def clean(text: str) -> str:
    """Return a cell or a sentence without markup, its spaces single."""
    for pattern, instead in _MARKUP:
        text = pattern.sub(instead, text)
    return " ".join(text.split())


def _split(line: str, tex: bool) -> list[str] | None:
    """Return the cells of a line that belongs to a table, or None."""
    if "\t" in line:
        return line.split("\t")
    bare = line.strip()
    if bare.startswith("|") and bare.count("|") >= 2:
        return [] if _RULE.match(bare) else bare.strip("|").split("|")
    if tex and _TEX_ROW.search(line):
        return _TEX_ROW.split(re.sub(r"\\\\(?:\[[^\]]*\])?\s*$", "", _TEX_COMMAND.sub("", line).strip()))
    return None


def read_document(text: str) -> Document:
    """Return the tables and the prose of Markdown (pipes or tabs) or LaTeX (tabular)."""
    text = text.replace("\r\n", "\n").replace("\r", "\n")
    tex = "\\begin{" in text
    tables: list[tuple[TextRow, ...]] = []
    open_rows: list[TextRow] = []
    prose: list[tuple[str, int]] = []
    back = False
    for number, raw in enumerate(text.split("\n"), start=1):
        line = re.sub(r"(?<!\\)%.*$", "", raw) if tex else raw
        cells = _split(line, tex)
        if cells is not None:
            if cells:
                open_rows.append(
                    TextRow(tuple(clean(c) for c in cells), tuple(bool(_BOLD.search(c)) for c in cells), number)
                )
            continue
        if tex and (not line.strip() or _TEX_COMMAND.sub("", line).strip() in ("", "\\\\")):
            ends = not line.strip() and not open_rows
            prose += [("", number)] if ends else []
            continue
        if open_rows:
            tables.append(tuple(open_rows))
            open_rows = []
        back = back or bool(_BACK.match(line))
        if not back and not re.match(r"^\s*(?:#|\\(?:section|subsection|begin|end|usepackage|documentclass))", line):
            prose.append((line, number))
    if open_rows:
        tables.append(tuple(open_rows))
    return Document(tuple(tables), tuple(_sentences(prose)))


def _sentences(lines: list[tuple[str, int]]) -> Iterator[Sentence]:
    """Yield sentences; one may run over lines, and begins on the line that is kept."""
    words: list[str] = []
    start = 1
    for line, number in [*lines, ("", 0)]:
        if not line.strip():
            if words:
                yield from _cut(" ".join(words), start)
            words = []
            continue
        if not words:
            start = number
        words.append(line.strip())


def _cut(text: str, line: int) -> Iterator[Sentence]:
    for part in re.split(r"(?<=[.?!])\s+(?=[A-Z(*\\$])", text):
        if cleaned := clean(part):
            yield Sentence(cleaned, line)
