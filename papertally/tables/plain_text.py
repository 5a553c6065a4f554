"""Tables that plain text draws: dashes over columns, grids, boxes, and LaTeX cells that lost their table."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Sequence

from papertally.tables.grid import Builder, Grid, Spanned

_DASHES = re.compile(r"^ {0,3}-{2,}(?: +-{2,})*\s*$")
_COLUMNS = re.compile(r"^ {0,3}-{2,}(?: +-{2,})+\s*$")
_BORDER = re.compile(r"^\s*\+(?:[-=:]+\+)+\s*$")
#: Box drawing as ASCII has it.
_BOX = str.maketrans(
    {
        **dict.fromkeys("─━═╌╍┄┅", "-"),
        **dict.fromkeys("│┃║┆┇╎", "|"),
        **dict.fromkeys("┌┐└┘├┤┬┴┼┏┓┗┛┣┫┳┻╋┡┩╇┢┪╈┠┨┯┷┿┝┥┰┸╂╒╕╘╛╞╡╤╧╪╔╗╚╝╠╣╦╩╬╭╮╰╯╓╖╙╜╟╢╥╨╫", "+"),
    }
)
Inline = Callable[[str], tuple[str, bool]]


def unboxed(source: str) -> str:
    """Return a text whose box drawing is ASCII."""
    return source if source.isascii() else source.translate(_BOX)


def _joined(rows: Sequence[Sequence[str]], lines: Sequence[int], inline: Inline, builder: Builder) -> None:
    """Add one row whose cells stand over several lines."""
    cells = []
    for parts in zip(*rows, strict=True):
        text, bold = inline(" ".join(p.strip() for p in parts if p.strip()))
        cells.append(Spanned(text, lines[0], bold))
    if any(cell.text for cell in cells):
        builder.add(cells)


def dashed_end(lines: Sequence[str], i: int) -> int:
    """Return where a table of dashes that begins at a line ends (with what closes it); `i` where none begins."""
    if _DASHES.match(lines[i]) and i + 1 < len(lines) and lines[i + 1].strip():
        # closed by dashes: with blank lines between rows, or without a head
        begun = _COLUMNS.match(lines[i])
        for end in range(i + 1, min(len(lines), i + 4000)):
            if _DASHES.match(lines[end]):
                begun = begun or _COLUMNS.match(lines[end])
                last = end + 1 >= len(lines) or not lines[end + 1].strip()
                if begun and last and end > i + 1:
                    return end + 1
            elif not lines[end].strip() and not begun:
                return i
        return i
    if i + 1 < len(lines) and lines[i].strip() and _COLUMNS.match(lines[i + 1]) and not _DASHES.match(lines[i]):
        end = i + 2
        while end < len(lines) and lines[end].strip() and not _DASHES.match(lines[end]):
            end += 1
        return end if end > i + 2 else i
    return i


def dashed(lines: Sequence[str], start: int, end: int, inline: Inline) -> Grid | None:
    """Return pandoc's simple or multiline table of the lines [start, end)."""
    block = list(range(start, end))
    rules = [n for n in block if _DASHES.match(lines[n])]
    ruler = next(n for n in rules if _COLUMNS.match(lines[n]))
    starts = [m.start() for m in re.finditer(r"-+", lines[ruler])]

    def cut(line: str) -> list[str]:
        ends = [*starts[1:], max(len(line), starts[-1] + 1)]
        return [line[(0 if k == 0 else a) : b] for k, (a, b) in enumerate(zip(starts, ends, strict=True))]

    builder, heads = Builder(), None
    above = [n for n in block if n < ruler and n not in rules and lines[n].strip()]
    if above:
        _joined([cut(lines[n]) for n in above], [n + 1 for n in above], inline, builder)
        heads = 1 if builder.rows else None
    below = [n for n in block if n > ruler and n not in rules]
    while below and not lines[below[-1]].strip():
        below.pop()
    parted = any(not lines[n].strip() for n in below)  # rows of several lines
    waiting: list[int] = []
    for n in [*below, -1]:
        if n >= 0 and lines[n].strip():
            waiting.append(n)
        if waiting and (n < 0 or not parted or not lines[n].strip()):
            _joined([cut(lines[m]) for m in waiting], [m + 1 for m in waiting], inline, builder)
            waiting = []
    return builder.grid(start + 1, "", heads)


def grid_end(lines: Sequence[str], i: int) -> int:
    """Return where a table of +---+ that begins at a line ends; `i` where none begins."""
    if not _BORDER.match(lines[i]):
        return i
    end = i
    while end < len(lines) and re.match(r"\s*[+|]", lines[end]):
        end += 1
    return end if end > i + 2 else i


def drawn(lines: Sequence[str], start: int, end: int, inline: Inline) -> Grid | None:
    """Return a grid table, an ASCII or a boxed one, of the lines [start, end)."""
    borders = [n for n in range(start, end) if _BORDER.match(lines[n])]
    places = sorted({m.start() for n in borders for m in re.finditer(r"\+", lines[n])})
    marked = next((n for n in borders[1:] if "=" in lines[n]), None)
    # one border under the head, one at the end: every line is a row; else rows stand between borders
    single = marked is None and len(borders) <= 3
    builder, heads = Builder(), None
    waiting: list[int] = []

    def spans(line: str) -> list[tuple[int, int]]:
        walls = [p for p in places if line[p : p + 1] in ("|", "+")]
        return list(zip(walls, walls[1:], strict=False))

    def put(rows: list[int]) -> None:
        groups: list[list[int]] = []
        for n in rows:  # lines of one row have the same walls
            if groups and spans(lines[groups[-1][0]]) == spans(lines[n]):
                groups[-1].append(n)
            else:
                groups.append([n])
        for group in groups:
            laid = []
            for a, b in spans(lines[group[0]]):
                text, bold = inline(" ".join(lines[n][a + 1 : b].strip() for n in group if lines[n][a + 1 : b].strip()))
                laid.append(Spanned(text, group[0] + 1, bold, sum(a < p <= b for p in places)))
            if any(cell.text for cell in laid):
                builder.add(laid)

    for n in range(start, end):
        if n in borders:
            if waiting:
                put(waiting)
                waiting = []
            if builder.rows and heads is None and (n == marked or (marked is None and single)) and n != borders[-1]:
                heads = len(builder.rows)
        elif single:
            put([n])
        else:
            waiting.append(n)
    if waiting:
        put(waiting)
    return builder.grid(start + 1, "", heads)


def ampersands(rows: Sequence[tuple[int, str]], inline: Inline) -> Grid | None:
    """Return a table whose cells only ampersands part any more, as converters leave those that they do not know."""
    counts = Counter(text.count(" & ") for _, text in rows if text.count(" & "))
    if not counts:
        return None
    width, times = counts.most_common(1)[0]
    if times < 2 or width < 2:
        return None
    builder, head, line = Builder(), "", 0
    for number, text in rows:
        bare = text.strip().rstrip("\\").strip()
        if not builder.rows and (bare.count(" & ") != width or head):
            head, line = f"{head} {bare}".strip(), line or number
            if head.count(" & ") + head.endswith(" &") < width:
                continue
            bare, head = head, ""
        if bare.count(" & ") != width:
            continue
        cells = [inline(re.sub(r"^\*+|\*+$", "", part.strip())) for part in bare.split(" & ")]
        builder.add([Spanned(text, number, bold or "**" in bare) for text, bold in cells])
    return builder.grid(line or rows[0][0])
