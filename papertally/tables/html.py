"""Tables of HTML, spans and all; also where they stand within Markdown."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from html.parser import HTMLParser

from papertally.tables.grid import Builder, Grid, Spanned
from papertally.tables.tex import SUPER, render, tidy

BOLD = ("b", "strong")
#: Text outside tables that may name the next one.
NAMING = ("h1", "h2", "h3", "h4", "h5", "h6", "p", "figcaption", "div")
_CAPTION = re.compile(r"^\s*\W{0,4}tab(?:le|\.)\s*[A-Z]?\d+", re.I)


def math(text: str) -> str:
    """Return a text whose $...$ and \\(...\\) are plain."""

    def plain(found: re.Match[str]) -> str:
        inside = found[1] or found[2] or found[3]
        if re.search(r"(?<![A-Za-z\\])\w \w(?!\w)", inside):  # a converter that sets every letter apart
            inside = re.sub(r"(\\[A-Za-z]+)\s+(?=[A-Za-z])", r"\1\0", inside)
            inside = re.sub(r"\s+", "", inside).replace("\0", " ")
        return render(inside, {}).text

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


class _Parser(HTMLParser):
    def __init__(self, first_line: int, caption: str) -> None:
        super().__init__(convert_charrefs=True)
        self.first, self.named, self.heading = first_line, caption, ""
        self.tables: list[_Table] = []
        self.grids: list[Grid] = []
        self.cell: Spanned | None = None
        self.bold: list[str] = []
        self.parts: list[tuple[str, bool]] = []
        self.outside: list[str] | None = None
        self.raised = ""
        self.skip = 0

    @property
    def line(self) -> int:
        return self.getpos()[0] - 1 + self.first

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        given = {k: v or "" for k, v in attributes}
        if tag in ("script", "style"):
            self.skip += 1
        elif tag == "table":
            self.end_cell()
            self.tables.append(_Table(self.line, caption=self.named if not self.tables else ""))
        elif not self.tables:
            if tag in NAMING:
                self.outside = []
        elif tag == "caption":
            self.end_cell()
            self.outside = []
        elif tag == "thead":
            self.tables[-1].in_head = True
        elif tag == "tbody":
            self.tables[-1].in_head = False
        elif tag == "tr":
            self.end_row()
        elif tag in ("td", "th"):
            self.end_cell()
            self.cell = Spanned("", self.line, False, _count(given.get("colspan")), _count(given.get("rowspan")))
            self.tables[-1].row_heads += tag == "th"
            self.bold = ["style"] if re.search(r"font-weight:\s*(bold|[6-9]00)", given.get("style", "")) else []
            self.parts = []
        elif self.cell is not None:
            if tag in BOLD or re.search(r"font-weight:\s*(bold|[6-9]00)", given.get("style", "")):
                self.bold.append(tag)
            elif tag == "br":
                self.parts.append((" ", False))
            elif tag in ("sup", "sub"):
                self.raised = tag
            elif tag == "img" and given.get("alt"):
                self.parts.append((given["alt"], False))

    def handle_endtag(self, tag: str) -> None:
        if tag in ("script", "style"):
            self.skip = max(0, self.skip - 1)
        elif not self.tables:
            if tag in NAMING and self.outside is not None:
                text = tidy("".join(self.outside))
                if text and (tag[0] == "h" or _CAPTION.match(text)):
                    self.named = self.heading = text
                self.outside = None
        elif tag == "table":
            self.end_table()
        elif tag == "caption" and self.outside is not None:
            self.tables[-1].caption, self.outside = tidy("".join(self.outside)), None
        elif tag == "tr":
            self.end_row()
        elif tag == "thead":
            self.end_row()
            self.tables[-1].in_head = False
        elif tag in ("td", "th"):
            self.end_cell()
        elif tag in (*BOLD, "span", "p", "a", "font") and tag in self.bold:
            self.bold.remove(tag)
        elif tag in ("sup", "sub"):
            self.raised = ""

    def handle_data(self, data: str) -> None:
        if self.skip:
            return
        if self.outside is not None:
            self.outside.append(data)
        elif self.cell is not None:
            if self.raised == "sup" and "±" not in data:
                data = data.strip().translate(SUPER)
            elif self.raised and "±" in data:
                data = " " + data.strip().strip("()")
            self.parts.append((data, bool(self.bold)))

    def end_cell(self) -> None:
        if self.cell is None:
            return
        said = [bold for text, bold in self.parts if any(c.isalnum() for c in text)]
        text = math(tidy("".join(text for text, _ in self.parts)))
        stars = re.fullmatch(r"\*\*(.+?)\*\*(.*)", text)
        self.cell.text = tidy("".join(stars.groups())) if stars else text
        self.cell.bold = bool(stars) or (bool(said) and said[0])
        self.tables[-1].row.append(self.cell)
        self.cell = None

    def end_row(self) -> None:
        self.end_cell()
        table = self.tables[-1]
        if table.row:
            whole = table.in_head or (table.row_heads == len(table.row) > 1)
            if whole and table.heads == len(table.builder.rows):
                table.heads += 1
            if any(cell.text for cell in table.row):
                table.builder.add(table.row)
            table.row = []
        table.row_heads = 0

    def end_table(self) -> None:
        self.end_row()
        table = self.tables.pop()
        grid = table.builder.grid(table.line, table.caption, table.heads or None)
        if grid is not None:
            self.grids.append(grid)
        self.named = self.heading


def _count(text: str | None) -> int:
    return int(text) if text and re.fullmatch(r"\s*\d{1,4}\s*", text) else 1


def read_html(source: str, first_line: int = 1, caption: str = "") -> list[Grid]:
    """Return the tables of HTML, in order. first_line: of the source in its file; caption: what names the first one."""
    parser = _Parser(first_line, caption)
    parser.feed(source)
    parser.close()
    while parser.tables:  # one that nobody closed
        parser.end_table()
    return sorted(parser.grids, key=lambda grid: grid.line)
