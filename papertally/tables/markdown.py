"""Tables of Markdown as people and converters write it: ragged pipes, broken separators, HTML and LaTeX within."""

from __future__ import annotations

import html
import re
from collections.abc import Sequence
from dataclasses import replace

from papertally.tables.grid import Builder, Grid, Spanned
from papertally.tables.html import math, read_html
from papertally.tables.infer_columns import Unread
from papertally.tables.latex import read_latex
from papertally.tables.plain_text import ampersands, dashed, dashed_end, drawn, grid_end, unboxed
from papertally.tables.tex import SUPER, lowered, tidy

_SEPARATOR = re.compile(r"^\s*\|?\s*[:=—–_-]+\s*(?:[|+][\s:=—–_+-]*)*\|?\s*$")
_COMMENT = re.compile(r"`<!--[^`]*-->`\{=html\}|<!--(?:(?!-->)[\s\S])*-->")
#: A line that ends in numbers, as a table's row does when its borders are lost.
_COLUMN_OF_NUMBERS = re.compile(r"^(?!\s*(?:[#>|]|\[\d+\])).{0,80}?(?:\s+\**[-−–]?\d+(?:\.\d+)?[%KMGB]?\**){3,6}\s*$")
_CAPTION = re.compile(r"^\W{0,6}(?:supplementary\s+|extended data\s+)?tab(?:le|\.)\s*[A-Z]?\d+[a-z]?\b", re.I)
#: A line that is bold as a whole, or a fold's name: a heading over the next table.
_NAMING = re.compile(r"\s*(?:\*\*([^*|]+)\*\*|__([^_|]+)__|<summary>(.*?)</summary>)\s*:?\s*", re.I)
_SUB = re.compile(r"(\w?\s*)<sub>\s*((?:(?!</sub>).)*)</sub>", re.I)
_BOLD = re.compile(r"^\s*(?:\*\*\*?|__)\s*(.+?)\s*(?:\*\*\*?|__)(.*)$")


def _set_low(found: re.Match[str]) -> str:
    low = found[2].strip()
    return f"{found[1]} {low.strip('()')}" if "±" in low else found[1] + lowered(low, found[1].strip()[-1:])


def inline(text: str) -> tuple[str, bool]:
    """Return a cell without Markdown's markup, and whether it begins bold."""
    text = re.sub(r"<br\s*/?>", " ", text.replace("\1", ""))
    text = re.sub(r"<sup>\s*(.*?)\s*</sup>", lambda m: m[1] if "±" in m[1] else m[1].translate(SUPER), text, flags=re.I)
    text = _SUB.sub(_set_low, text)
    text = re.sub(r"(?<=[\w.)%])\^([^\s^$]{1,8})\^(?!\w)", lambda m: m[1].translate(SUPER), text)
    text = re.sub(r"\[([^\[\]]*)\]\{[.#][^{}]*\}", r"\1", text)
    bold = bool(re.match(r"\s*<(b|strong)>", text, re.I)) or "\\mathbf" in text or "\\textbf" in text or "\\bf" in text
    text = re.sub(r"</?[A-Za-z][^<>]*>", "", text)
    text = math(html.unescape(text))
    if found := _BOLD.match(text):
        bold, text = True, f"{found[1]} {found[2]}" if found[2][:1].isalnum() else found[1] + found[2]
    text = re.sub(r"!?\[([^\[\]]*)\]\([^()\s]*(?:\s+\"[^\"]*\")?\)", r"\1", text)
    text = re.sub(r"\[\^([^\]]+)\]", lambda m: m[1].translate(SUPER) if len(m[1]) == 1 else "", text)
    text = re.sub(r"~~(.+?)~~", r"\1", text)
    text = re.sub(r"\*\*([^*]+)\*\*", r"\1", text)  # strong may stand within a word
    text = re.sub(r"^\s*--(?=[.\d])", "–", text)
    text = re.sub(r"(?<![\w*])\*\*?(?=\S)(.+?)(?<=\S)\*\*?(?![\w*])", r"\1", text)
    text = re.sub(r"(?<!\w)_(?=\S)(.+?)(?<=\S)_(?!\w)", r"\1", text).replace("`", "")
    text = re.sub(r"\\([\\`*_{}\[\]()#+\-.!|~<>$%&])", r"\1", text)
    return tidy(text), bold


def cells_of(line: str) -> list[str]:
    """Return the cells of a line with pipes; escaped ones, and those within code or math, separate nothing."""
    hidden = re.sub(r"\\\||`[^`]*`|\$[^$|]*\|[^$]*\$(?=\s*\|)", lambda m: m[0].replace("|", "\0"), line.strip())
    parts = hidden.removeprefix("|")
    parts = parts[:-1] if parts.endswith("|") else parts
    return [part.replace("\\\0", "|").replace("\0", "|") for part in parts.split("|")]


def _is_row(line: str, open_: bool) -> bool:
    bare = line.strip()
    if bare.startswith("|") or (bare.endswith("|") and bare.count("|") > 1):
        return bare.count("|") >= 2 or open_
    pipes = len(cells_of(bare)) - 1
    return pipes >= 1 and (open_ or pipes >= 2 or bool(re.search(r"\S\s*\|\s*\S", bare)))


def _table(lines: Sequence[tuple[int, str]], caption: str) -> Grid | None:
    """Return a block of lines with pipes as a table."""
    builder, heads = Builder(), None
    width = max(len(cells_of(text)) for _, text in lines)
    first: list[str] = []
    for number, text in lines:
        if _SEPARATOR.match(text) and not any(c.isalnum() for c in text):
            if heads is None and builder.rows:
                heads = len(builder.rows)
            continue
        laid = []
        for cell in cells_of(text):
            plain, bold = inline(cell)
            laid.append(Spanned(plain, number, bold))
        said = [cell.text for cell in laid]
        if builder.rows and said == first:
            continue  # the head again, on the next page
        first = first or said
        if any(said):
            builder.add(laid[:width])
    if heads is not None and heads > 3:
        heads = None  # the separator stands somewhere below
    return builder.grid(lines[0][0], caption, heads)


def read_markdown(source: str, unread: list[Unread] | None = None) -> list[Grid]:
    """Return the tables of a Markdown file, in order: of pipes, of HTML, of LaTeX within it."""
    told: list[Unread] = [] if unread is None else unread
    # what a comment takes within a line stays blank, so that columns of dashes fit
    source = _COMMENT.sub(lambda m: re.sub(r"[^\n]+", "", m[0]) if "\n" in m[0] else "\1" * len(m[0]), unboxed(source))
    source = re.sub(r"(?m)^[ \t]*\x01+[ \t]*$", "", source)
    lines = source.split("\n")
    grids: list[Grid] = []
    headings: list[tuple[int, str]] = []
    caption, caption_line = "", -9
    i, fenced = 0, False
    waiting: Grid | None = None

    def name() -> str:
        return (
            caption
            if caption
            else ": ".join(text for level, text in headings if level > 1) or (headings[-1][1] if headings else "")
        )

    while i < len(lines):
        line = lines[i]
        if re.match(r"^\s*(```|~~~)", line):
            fenced = not fenced
            i += 1
            continue
        if "<table" in line.lower():
            end = i
            depth = 0
            while end < len(lines):
                depth += len(re.findall(r"<table\b", lines[end], re.I)) - len(
                    re.findall(r"</table\s*>", lines[end], re.I)
                )
                if depth <= 0:
                    break
                end += 1
            found = read_html("\n".join(lines[i : end + 1]), unread, i + 1, name())
            grids += found
            waiting = found[-1] if found and not caption else None
            caption, i = "", end + 1
            continue
        if (found_env := re.search(r"\\begin\{(tabular\*?|tabularx|longtable|table\*?)\}", line)) and not fenced:
            end = i
            while end < len(lines) and f"\\end{{{found_env[1]}}}" not in lines[end]:
                end += 1
            text = "\n" * i + "\n".join(lines[i : end + 1])
            grids += [grid if grid.caption else replace(grid, caption=name()) for grid in read_latex(text)]
            caption, i = "", end + 1
            continue
        if head := re.match(r"^\s{0,3}(#{1,6})\s+(.*?)\s*#*\s*$", line):
            level, text = len(head[1]), inline(head[2])[0]
            if _CAPTION.match(text):
                caption, caption_line = text, i
            else:
                headings = [h for h in headings if h[0] < level] + [(level, text.rstrip(" .:"))]
                caption = ""
            i += 1
            continue
        if (bold := _NAMING.fullmatch(line)) and not _CAPTION.match(inline(line)[0]):
            headings = [h for h in headings if h[0] < 7] + [
                (7, inline(bold[1] or bold[2] or bold[3] or "")[0].rstrip(" .:"))
            ]
            caption = ""
            i += 1
            continue
        drawn_end = grid_end(lines, i) if "+" in line else i
        dash_end = dashed_end(lines, i) if drawn_end == i else i
        if max(drawn_end, dash_end) > i:
            grid = drawn(lines, i, drawn_end, inline) if drawn_end > i else dashed(lines, i, dash_end, inline)
            i = max(drawn_end, dash_end)
            if grid is not None and any(re.search(r"\d", p.text) for row in grid.rows for p in row[1:]):
                below = _caption_below(lines, i)
                grids.append(replace(grid, caption=below or name()))
                waiting = grids[-1] if not below and not caption else None
                caption = ""
            continue
        if line.count(" & ") > 1:
            end = i
            while end < len(lines) and lines[end].strip():
                end += 1
            begun = i
            while begun and lines[begun - 1].strip() and not lines[begun - 1].lstrip().startswith((":::", "#", "<")):
                begun -= 1
            rows = _broken(lines, begun, end)
            if (grid := ampersands(rows, inline)) is not None:
                grids.append(replace(grid, caption=name()))
            else:
                told.append(Unread(line.strip()[:200], i + 1, "cells parted by & outside a table; write a table of it"))
            caption, i = "", end
            continue
        if (block_end := _tabbed(lines, i)) > i + 1:
            builder = Builder()
            for n in range(i, block_end):
                laid = [inline(cell) for cell in lines[n].split("\t")]
                builder.add([Spanned(text, n + 1, bold) for text, bold in laid])
            if (grid := builder.grid(i + 1, name())) is not None:
                grids.append(grid)
                waiting = grid if not caption else None
            caption, i = "", block_end
            continue
        if _is_row(line, False) and not _SEPARATOR.match(line):
            block: list[tuple[int, str]] = []
            while i < len(lines) and (_is_row(lines[i], True) or _SEPARATOR.match(lines[i]) or _gap(lines, i, block)):
                if lines[i].strip():
                    block.append((i + 1, lines[i]))
                i += 1
            grid = _table(block, name()) if len(block) > 1 else None
            if grid is not None and any(re.search(r"\d", p.text) for row in grid.rows[1:] for p in row[1:]):
                grids.append(grid)
                waiting = grid if not caption else None
            elif any(re.search(r"\|[^|a-zA-Z]*\d[^|a-zA-Z]*\|", text) for _, text in block):
                said = " ".join(text for _, text in block)[:200]
                told.append(
                    Unread(said, block[0][0], "a table of one row, or without a head: nothing names its numbers")
                )
            caption = ""
            continue
        if _COLUMN_OF_NUMBERS.search(line):
            end = i
            while end < len(lines) and _COLUMN_OF_NUMBERS.search(lines[end]):
                end += 1
            why = f"{end - i} lines of numbers that nothing parts into cells: write a table of them"
            told.append(Unread(" ".join(line.split())[:200], i + 1, why))
            i = end
            continue
        plain = inline(line.strip())[0] if _CAPTION.match(line.strip()) else ""
        if plain:
            j = i + 1
            while (
                j < len(lines)
                and lines[j].strip()
                and not _is_row(lines[j], False)
                and "<table" not in lines[j].lower()
            ):
                plain += " " + inline(lines[j])[0]
                j += 1
            if waiting is not None and caption_line < 0 and not _table_follows(lines, j):
                grids[grids.index(waiting)] = replace(waiting, caption=plain)  # captions stand below their tables
                waiting = None
            else:
                caption, caption_line = plain, i
            i = j
            continue
        i += 1
    return grids


def _caption_below(lines: Sequence[str], i: int) -> str:
    """Return pandoc's caption below a table, ": text", or ""."""
    while i < len(lines) and not lines[i].strip():
        i += 1
    found = re.match(r"\s*(?:Table)?:\s+(\S.*)", lines[i]) if i < len(lines) else None
    if found is None:
        return ""
    said = [found[1]]
    while (i := i + 1) < len(lines) and lines[i].strip() and not lines[i].startswith(":::"):
        said.append(lines[i].strip())
    return inline(" ".join(said))[0]


def _broken(lines: Sequence[str], start: int, end: int) -> list[tuple[int, str]]:
    """Return a paragraph's printed lines with the numbers of theirs: where it has hard breaks, these end them."""
    hard = any(re.search(r"(?:\\|  )$", lines[n]) for n in range(start, end))
    out: list[tuple[int, str]] = []
    open_ = False
    for n in range(start, end):
        if lines[n].startswith(":::") or re.fullmatch(r"\s*</?div[^>]*>\s*", lines[n]):
            continue
        if open_ and hard:
            out[-1] = (out[-1][0], f"{out[-1][1]} {lines[n].strip()}")
        else:
            out.append((n + 1, lines[n]))
        open_ = not re.search(r"(?:\\|  )$", lines[n])
    return out


def _tabbed(lines: Sequence[str], i: int) -> int:
    """Return where the lines end that tabs part into as many cells; `i` where there is none."""
    count, end, full = lines[i].count("\t"), i, False
    while count and end < len(lines) and lines[end].count("\t") == count:
        full = full or sum(bool(cell.strip()) for cell in lines[end].split("\t")) > 1
        end += 1
    return end if full else i


def _gap(lines: Sequence[str], i: int, block: Sequence[tuple[int, str]]) -> bool:
    """Tell whether a blank line within a table is a converter's: rows of as many cells go on behind it."""
    if lines[i].strip() or i + 1 >= len(lines) or not block or not _is_row(lines[i + 1], False):
        return False
    after = [text for text in lines[i + 1 : i + 3] if _SEPARATOR.match(text)]
    return not after and len(cells_of(lines[i + 1])) == len(cells_of(block[-1][1]))


def _table_follows(lines: Sequence[str], i: int) -> bool:
    ahead = [line for line in lines[i : i + 4] if line.strip()]
    return bool(ahead) and (_is_row(ahead[0], False) or "<table" in ahead[0].lower())
