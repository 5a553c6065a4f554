"""Tables of HTML, spans and all, as people and converters write them; also where they stand within Markdown."""

from __future__ import annotations

import re
from dataclasses import dataclass, field, replace
from html.parser import HTMLParser

from papertally.tables.grid import Builder, Grid, Spanned
from papertally.tables.infer_columns import Unread
from papertally.tables.mathml import Node, mathml_text
from papertally.tables.plain_text import ampersands
from papertally.tables.tex import SUPER, lowered, render, tidy

#: Text outside tables that may name the next one.
NAMING = ("h1", "h2", "h3", "h4", "h5", "h6", "p", "figcaption", "div")
#: Elements without an end tag.
VOID = frozenset(
    {
        *("area", "base", "br", "col", "embed", "hr", "img", "input", "link", "meta", "param", "source", "track"),
        *("wbr", "mspace", "mprescripts", "none"),
    }
)
#: Elements that begin on a line of their own.
BLOCKS = frozenset(("p", "div", "li", "ul", "ol", "dl", "dt", "dd", "br", "hr", "blockquote", "pre"))
_CAPTION = re.compile(r"^\s*\W{0,4}tab(?:le|\.)\s*[A-Z]?\d+", re.I)
_BOLD_STYLE = re.compile(r"font-weight:\s*(?:bold|[6-9]00)", re.I)
_HIDDEN_STYLE = re.compile(r"visibility:\s*hidden|display:\s*none", re.I)
_BOLD_CLASS = re.compile(r"ltx_font_bold|cmbx-?\d*|(?:ec|t1)bx-?\d*|bold|fw-bold|font-bold|textbf", re.I)
#: KaTeX prints a formula twice: once for readers of screens, once for the eye.
_HIDDEN_CLASS = re.compile(r"ltx_phantom|phantom|katex-html|visually-hidden|sr-only|d-none", re.I)
_LTX = {"ltx_tabular": "table", "ltx_thead": "thead", "ltx_tbody": "tbody", "ltx_tr": "tr", "ltx_td": "td"}


def math(text: str) -> str:
    """Return a text whose $...$ and \\(...\\) are plain."""

    def plain(found: re.Match[str]) -> str:
        inside = found[1] or found[2] or found[3]
        if re.search(r"(?<![A-Za-z\\])\w \w(?!\w)", inside):  # a converter that sets every letter apart
            inside = re.sub(r"(\\[A-Za-z]+)\s+(?=[A-Za-z])", r"\1\0", inside)
            inside = re.sub(r"\s+", "", inside).replace("\0", " ")
        before = text[: found.start()].rstrip()[-1:]
        shown = render(("0" if before.isdigit() else "") + inside, {}).text
        return shown[1:] if before.isdigit() else shown

    text = re.sub(r"\$\$(.+?)\$\$|(?<!\\)\$([^$\n]+?)\$|\\\((.+?)\\\)", plain, text)
    return re.sub(r"\\pm\b\s*", "± ", text).replace("\\%", "%")


@dataclass
class _Table:
    line: int
    builder: Builder = field(default_factory=Builder)
    caption: str = ""
    row: list[Spanned] = field(default_factory=list)
    heads: int = 0
    in_head: bool = False
    row_heads: int = 0
    hidden_row: bool = False
    cell: Spanned | None = None
    hidden_cell: bool = False
    parts: list[tuple[str, bool]] = field(default_factory=list)
    open: list[tuple[str, bool, int]] = field(default_factory=list)


class _Parser(HTMLParser):
    def __init__(self, first_line: int, caption: str, unread: list[Unread]) -> None:
        super().__init__(convert_charrefs=True)
        self.first, self.named, self.heading, self.unread = first_line, caption, "", unread
        self.tables: list[_Table] = []
        self.grids: list[Grid] = []
        self.captions: list[list[str]] = []
        self.outside: list[str] | None = None
        self.outside_line = first_line
        self.stray = -9
        self.figures: list[int] = []
        self.spans: list[str] = []
        self.skipped: list[str] = []
        self.formula: list[Node] = []
        self.styles = False
        self.bold_classes: set[str] = set()
        self.hidden_classes: set[str] = set()

    @property
    def line(self) -> int:
        return self.getpos()[0] - 1 + self.first

    def _has(self, classes: list[str], known: set[str], pattern: re.Pattern[str]) -> bool:
        return any(c in known or pattern.fullmatch(c) for c in classes)

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        given = {k: v or "" for k, v in attributes}
        if self.skipped:
            if tag == self.skipped[-1]:
                self.skipped.append(tag)
            return
        if self.formula:
            node = Node(tag, given)
            self.formula[-1].children.append(node)
            if tag not in VOID:
                self.formula.append(node)
            return
        classes = given.get("class", "").split()
        if tag == "span":
            tag = next((_LTX[c] for c in classes if c in _LTX), "span")
            self.spans.append(tag)
        style = given.get("style", "")
        hidden = (
            bool(_HIDDEN_STYLE.search(style))
            or "hidden" in given
            or self._has(classes, self.hidden_classes, _HIDDEN_CLASS)
        )
        if tag in ("script", "style", "template", "noscript"):
            self.styles = tag == "style"
            self.skipped.append(tag)
        elif hidden and tag not in (*VOID, "td", "th", "tr"):
            self.skipped.append("span" if self.spans and given and tag in _LTX.values() else tag)
            if tag == "span" or self.skipped[-1] == "span":
                self.spans.pop()
        elif tag == "math":
            self._math(given)
        elif tag == "table":
            self.outside = None
            self.tables.append(_Table(self.line, caption=self.named if not self.tables else ""))
        elif tag == "figure":
            self.figures.append(len(self.grids))
        elif not self.tables:
            if tag in NAMING:
                self.outside, self.outside_line = [], self.line
            elif tag == "br" and self.outside is not None:
                self.outside.append("\0")
        elif tag == "caption":
            self.end_cell()
            self.outside = []
        elif tag in ("thead", "tbody", "tfoot"):
            self.tables[-1].in_head = tag == "thead"
        elif tag == "tr":
            self.end_row()
            self.tables[-1].hidden_row = hidden
        elif tag in ("td", "th"):
            self.end_cell()
            self._cell(tag, given, classes, hidden)
        elif self.tables[-1].cell is not None:
            self._inline(tag, given, style, classes)

    def handle_startendtag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        self.handle_starttag(tag, attributes)
        if tag not in VOID:
            self.handle_endtag(tag)

    def _math(self, given: dict[str, str]) -> None:
        if given.get("alttext"):
            self._say_math(given["alttext"])
            self.skipped.append("math")
        else:
            self.formula = [Node("math", given)]

    def _say_math(self, tex: str) -> None:
        """Put a formula's LaTeX in, rendered."""
        before = self._before()
        shown = render(("0" if before.isdigit() else "") + tex, {})
        self._say(shown.text[1:] if before.isdigit() else shown.text, shown.bold)

    def _before(self) -> str:
        """Return the character that stands before this place in a cell, or ""."""
        if self.tables and self.tables[-1].cell is not None:
            return "".join(t for t, _ in self.tables[-1].parts[-3:]).rstrip()[-1:]
        return ""

    def _cell(self, tag: str, given: dict[str, str], classes: list[str], hidden: bool) -> None:
        table = self.tables[-1]
        columns, rows = _count(given.get("colspan")), _count(given.get("rowspan"))
        for name in classes:
            if found := re.fullmatch(r"ltx_(col|row)span_(\d{1,4})", name):
                columns, rows = (int(found[2]), rows) if found[1] == "col" else (columns, int(found[2]))
        table.cell = Spanned("", self.line, False, columns, rows)
        table.hidden_cell = hidden
        table.row_heads += tag == "th"
        bold = bool(_BOLD_STYLE.search(given.get("style", ""))) or self._has(classes, self.bold_classes, _BOLD_CLASS)
        table.open = [(tag, bold, 0)]
        table.parts = []

    def _inline(self, tag: str, given: dict[str, str], style: str, classes: list[str]) -> None:
        table = self.tables[-1]
        if tag in BLOCKS:
            table.parts.append((" ", False))
        elif tag == "img" and given.get("alt"):
            alt, before = given["alt"].strip(), self._before()
            # a number's image behind a number is raised, lowered or another one: no digit of it
            self._say(lowered(alt, before) if alt[:1].isdigit() and before.isdigit() else given["alt"])
        if tag not in VOID:
            bold = tag in ("b", "strong") or bool(_BOLD_STYLE.search(style))
            bold = bold or self._has(classes, self.bold_classes, _BOLD_CLASS)
            table.open.append((tag, bold, len(table.parts)))

    def handle_endtag(self, tag: str) -> None:
        if self.skipped:
            if tag == self.skipped[-1]:
                self.skipped.pop()
            return
        if self.formula:
            while len(self.formula) > 1 and self.formula[-1].tag != tag and any(n.tag == tag for n in self.formula):
                self.formula.pop()
            if self.formula[-1].tag == tag:
                node = self.formula.pop()
                if not self.formula:
                    tex = node.annotation()
                    if tex:
                        self._say_math(tex)
                    else:
                        self._say(mathml_text(node, self._before()), node.bold())
            return
        if tag == "span" and self.spans:
            tag = self.spans.pop()
        if tag == "figure":
            if self.figures:
                self.figures.pop()
            self.named = self.heading
        elif tag == "caption" and self.tables and self.outside is not None:
            self.tables[-1].caption, self.outside = tidy("".join(self.outside)), None
        elif tag in NAMING and self.outside is not None:
            self._named(tag)
        elif not self.tables:
            if tag == "td" and self.line > self.stray + 5:
                self.unread.append(Unread("</td>", self.line, "cells that stand in no table; write a table of them"))
            self.stray = self.line if tag == "td" else self.stray
        elif tag == "table":
            self.end_table()
        elif tag == "tr":
            self.end_row()
        elif tag == "thead":
            self.end_row()
            self.tables[-1].in_head = False
        elif tag in ("td", "th"):
            self.end_cell()
        else:
            self._close(tag)

    def _named(self, tag: str) -> None:
        raw = "".join(self.outside or [])
        text = tidy(raw.replace("\0", " "))
        self.outside = None
        if raw.count(" & ") + raw.count("\n& ") + raw.count(" &\n") > 2:
            rows = [(self.outside_line, " ".join(part.split())) for part in raw.split("\0")]
            if (found := ampersands(rows, lambda t: (tidy(math(t)), False))) is not None:
                self.grids.append(replace(found, caption=self.named))
                return
        if not text or self.tables:
            return
        if tag == "figcaption" and self.figures and len(self.grids) > self.figures[-1]:
            for i in range(self.figures[-1], len(self.grids)):  # it stands below its tables
                self.grids[i] = replace(self.grids[i], caption=text)
        elif tag[0] == "h":
            self.named = self.heading = text
        elif tag == "figcaption" or _CAPTION.match(text):
            self.named = text

    def _close(self, tag: str) -> None:
        """End an element within a cell: its raised or lowered text is set so."""
        table = self.tables[-1]
        at = next((i for i in range(len(table.open) - 1, -1, -1) if table.open[i][0] == tag), -1)
        if at < 0:
            return
        start = table.open[at][2]
        del table.open[at:]
        if tag in BLOCKS:
            table.parts.append((" ", False))
        elif tag in ("sup", "sub"):
            inner = table.parts[start:]
            del table.parts[start:]
            text = "".join(t for t, _ in inner).strip()
            bold = bool(inner) and inner[0][1]
            if "±" in text:
                text = " " + text.strip("()")
            elif tag == "sup":
                text = text.translate(SUPER)
            else:
                text = lowered(text, self._before())
            table.parts.append((text, bold))

    def handle_data(self, data: str) -> None:
        if self.styles and self.skipped:
            for name, body in re.findall(r"\.([\w-]+)[^{}.,]{0,40}\{([^{}]*)\}", data):
                if _BOLD_STYLE.search(body):
                    self.bold_classes.add(name)
                if _HIDDEN_STYLE.search(body):
                    self.hidden_classes.add(name)
            self.styles = False
        if self.skipped:
            return
        if self.formula:
            self.formula[-1].text += data
            return
        self._say(data)

    def _say(self, data: str, bold: bool = False) -> None:
        if self.outside is not None:
            self.outside.append(data)
        elif self.tables and self.tables[-1].cell is not None:
            table = self.tables[-1]
            table.parts.append((data, bold or any(b for _, b, _ in table.open)))

    def end_cell(self) -> None:
        table = self.tables[-1]
        cell, table.cell = table.cell, None
        if cell is None:
            return
        said = [bold for text, bold in table.parts if any(c.isalnum() for c in text)]
        raw = "".join(text for text, _ in table.parts)
        text = math(tidy(raw))
        stars = re.fullmatch(r"\*\*(.+?)\*\*(.*)", text)
        cell.text = tidy("".join(stars.groups())) if stars else tidy(text)
        led = re.match(r"\s*(?:\\\(|\$)\W*\\?(?:mathbf|textbf|boldsymbol|bm|bf)\b", raw)
        cell.bold = bool(stars) or bool(led) or (bool(said) and said[0])
        if not table.hidden_cell:
            table.row.append(cell)

    def end_row(self) -> None:
        self.end_cell()
        table = self.tables[-1]
        if table.row and not table.hidden_row:
            whole = table.in_head or (table.row_heads == len(table.row) > 1)
            if whole and table.heads == len(table.builder.rows):
                table.heads += 1
            if any(cell.text for cell in table.row):
                table.builder.add(table.row)
        table.row, table.row_heads, table.hidden_row = [], 0, False

    def end_table(self) -> None:
        self.end_row()
        table = self.tables.pop()
        grid = table.builder.grid(table.line, table.caption, table.heads or None)
        within = self.tables[-1] if self.tables else None
        if grid is not None:
            self.grids.append(grid)
        elif within is not None and within.cell is not None:  # a cell's lines
            for row in table.builder.rows:
                within.parts += [part for p in row if not p.part for part in ((" ", False), (p.text, p.bold))]
            within.parts.append((" ", False))
        elif any(re.search(r"\d", p.text) for row in table.builder.rows for p in row):
            row = table.builder.rows[0]
            said = " | ".join(p.text for p in row if p.text)[:200]
            self.unread.append(Unread(said, table.line, "a table of one row or one column: nothing names its numbers"))
        if not self.tables and not self.figures:
            self.named = self.heading


def _count(text: str | None) -> int:
    return int(text) if text and re.fullmatch(r"\s*\d{1,4}\s*", text) else 1


def read_html(source: str, unread: list[Unread] | None = None, first_line: int = 1, caption: str = "") -> list[Grid]:
    """Return the tables of HTML, in order.

    Args:
        source: The HTML.
        unread: Takes what was seen and not read.
        first_line: Of the source in its file.
        caption: What names the first table.
    """
    parser = _Parser(first_line, caption, [] if unread is None else unread)
    parser.feed(source)
    parser.close()
    while parser.tables:  # one that nobody closed
        parser.end_table()
    return sorted(parser.grids, key=lambda grid: grid.line)
