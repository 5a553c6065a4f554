"""Tables of LaTeX sources: tabular and its kin, booktabs, multirow and multicolumn, the document's own macros."""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Mapping

from papertally.tables.grid import Builder, Grid, Spanned
from papertally.tables.infer_columns import Unread
from papertally.tables.plain_text import ampersands
from papertally.tables.tex import (
    SETUP,
    Macro,
    argument,
    group_end,
    macros,
    opened,
    optional,
    render,
    siunitx,
    skip_space,
)

ENVIRONMENTS = (
    "tabular*",
    "tabularx",
    "tabulary",
    "tabular",
    "longtable",
    "xltabular",
    "supertabular",
    "NiceTabular",
    "tblr",
    "longtblr",
    "tabu",
    "array",
)
_BEGIN = re.compile(r"\\begin\s*\{(" + "|".join(map(re.escape, ENVIRONMENTS)) + r")\}")
_RULE = re.compile(
    r"\s*\\(?P<name>hline|toprule|midrule|bottomrule|hdashline|firsthline|lasthline|endhead|endfirsthead|endfoot|endlastfoot|morecmidrules|cline|cmidrule|specialrule|addlinespace|Xhline|noalign|cdashline|rowcolor|rowfont|SetRow|arrayrulecolor|thickhline|heavyrule|Xcline|vspace|hdashline|(?!(?:new|under|over|dashu|uu?|base|tabularnew)line)[A-Za-z]+(?:line|rule))(?![A-Za-z])\*?"
)
_ENVIRONMENT = re.compile(r"\\(?:begin|end)\s*\{")
_NO_END = ("toprule", "bottomrule", "cline", "cmidrule", "cdashline", "Xcline", "firsthline", "lasthline")
_HEAD_ENDS = ("midrule", "hline", "specialrule", "Xhline", "thickhline", "hdashline")
_TAKES = {
    "cline": 1,
    "cmidrule": 1,
    "specialrule": 3,
    "Xhline": 1,
    "noalign": 1,
    "cdashline": 1,
    "rowcolor": 1,
    "SetRow": 1,
    "rowfont": 1,
    "arrayrulecolor": 1,
    "vspace": 1,
    "Xcline": 2,
}


_NOT_PRINTED = re.compile(
    r"(?P<escape>\\\\|\\%)|(?P<comment>%[^\n]*)"
    r"|\\begin\s*\{(?P<env>comment|verbatim|Verbatim|lstlisting|minted|filecontents)(?P<star>\*?)\}"
    r"|(?P<false>\\iffalse(?![A-Za-z]))|(?P<end>\\end\s*\{document\})"
)
_CONDITION = re.compile(r"\\(if(?!f(?![A-Za-z])|thenelse|defined)[A-Za-z@]*|else|fi)(?![A-Za-z@])|(?<!\\)%[^\n]*")


def _blank(text: str) -> str:
    return re.sub(r"[^\n]", " ", text)


def _false_end(source: str, at: int) -> int:
    """Return where \\iffalse's text ends: behind its \\else or its \\fi."""
    depth = 0
    for found in _CONDITION.finditer(source, at):
        word = found[1]
        if word is None:
            continue
        if word.startswith("if"):
            depth += 1
        elif depth == 0:
            return found.end()
        elif word == "fi":
            depth -= 1
    return len(source)


def printed_part(source: str, whole: bool = True) -> str:
    """Return a source whose comments and what else is not printed are blank, every line in its place.

    Args:
        source: The LaTeX.
        whole: Is it a document? Else it is put into one, and its own preamble is blank, too.
    """
    out, at = [], 0
    while found := _NOT_PRINTED.search(source, at):
        out.append(source[at : found.start()])
        at = found.end()
        if found["escape"]:
            out.append(found[0])
        elif found["comment"]:
            out.append(" " * len(found[0]))
        elif found["env"]:
            stop = source.find(f"\\end{{{found['env']}{found['star']}}}", at)
            at = len(source) if stop < 0 else source.index("}", stop) + 1
            out.append(_blank(source[found.start() : at]))
        elif found["false"]:
            at = _false_end(source, at)
            out.append(_blank(source[found.start() : at]))
        else:
            out.append(_blank(source[found.start() :]))
            at = len(source)
    out.append(source[at:])
    text = "".join(out)
    begun = re.search(r"\\begin\s*\{document\}", text)
    if begun and not whole:
        text = _blank(text[: begun.end()]) + text[begun.end() :]
    return text


def _ends_head(rule: str) -> bool:
    """Tell whether a rule may stand under a head: a full line, of any package's name."""
    return rule in _HEAD_ENDS or (rule.endswith(("line", "rule")) and rule not in _NO_END)


def _environment_end(source: str, start: int, name: str) -> int:
    """Return where the \\end of an environment begins that opened before `start`."""
    depth = 1
    for found in re.compile(rf"\\(begin|end)\s*\{{{re.escape(name)}\}}").finditer(source, start):
        depth += 1 if found[1] == "begin" else -1
        if depth == 0:
            return found.start()
    return len(source)


def _split(text: str, offset: int) -> list[list[tuple[str, int]]]:
    """Return the rows of a table's body, lists of (cell, place); brackets and environments hold together."""
    rows: list[list[tuple[str, int]]] = [[]]
    depth, start, i = 0, 0, 0
    while i < len(text):
        if _ENVIRONMENT.match(text, i):
            depth += 1 if text[i + 1] == "b" else -1
            i += 4
            continue
        if depth == 0 and (
            text.startswith("\\\\", i) or text.startswith("\\tabularnewline", i) or text.startswith("\\cr\\", i)
        ):
            rows[-1].append((text[start:i], offset + start))
            rows.append([])
            i += 2 if text[i + 1] == "\\" else 15
            if text.startswith("*", i):
                i += 1
            j = i
            while j < len(text) and text[j] in " \t":
                j += 1
            if j < len(text) and text[j] == "[":
                i = group_end(text, j, "[", "]")
            start = i
            continue
        if text[i] == "\\":
            i += 2
            continue
        if text[i] == "{":
            i = group_end(text, i)
            continue
        if text[i] == "&" and depth == 0:
            rows[-1].append((text[start:i], offset + start))
            start = i + 1
        i += 1
    rows[-1].append((text[start:], offset + start))
    return rows


def _rules(cell: str) -> tuple[list[str], str, int]:
    """Return the rules before a row's first cell, the rest of the cell, and how far that is in."""
    names, at = [], 0
    while found := _RULE.match(cell, at):
        names.append(found["name"])
        at = found.end()
        while cell[at : at + 1] in ("(", "["):
            at = group_end(cell, at, cell[at], {"(": ")", "[": "]"}[cell[at]])
        for _ in range(_TAKES.get(found["name"], 0)):
            _, at = argument(cell, at)
            while cell[at : at + 1] == "[":
                at = group_end(cell, at, "[", "]")
        if found["name"] == "addlinespace":
            _, at = optional(cell, at)
    return names, cell[at:], at


def _cell(text: str, line: int, defined: Mapping[str, Macro], number: str | None = None) -> Spanned:
    """Return a cell. number: siunitx's options where the column is set by it."""
    columns = rows = 1
    bare = text.strip()
    for _ in range(4):  # multicolumn around multirow, and the other way round
        found = re.match(r"\\(multicolumn|multirow|SetCell)\s*(?=[\[{*])", bare)
        if found is None:
            break
        at = found.end()
        if found[1] == "SetCell":
            options, at = optional(bare, at)
            spans = dict(re.findall(r"([rc])\s*=\s*(\d+)", options or ""))
            columns, rows = int(spans.get("c", 1)), int(spans.get("r", 1))
            _, at = argument(bare, at)
            bare = bare[at:].strip()
            continue
        _, at = optional(bare, at)
        number, at = argument(bare, at)
        _, at = optional(bare, at)
        _, at = argument(bare, at)
        _, at = optional(bare, at)
        content, at = argument(bare, at)
        count = int(number.strip()) if re.fullmatch(r"\s*-?\d{1,4}\s*", number) else 1
        if found[1] == "multicolumn":
            columns = max(count, 1)
        else:
            rows = max(count, 1)
        bare = (content + " " + bare[at:]).strip()
    rendered = render(bare, defined)
    shown = rendered.text
    if number is not None and columns == 1 and not bare.startswith("{"):
        shown = siunitx(shown, number)
    return Spanned(shown, line, rendered.bold, columns, rows, rendered.fault)


_WIDE = re.compile(r"\\\\|(?<!\\)&|\\tabularnewline|\\(multi|mid|top|bottom|c?line|hline|cmid|rowcolor|SetCell)")


def _wide(defined: Mapping[str, Macro]) -> frozenset[str]:
    """Return the macros that hold cells, rows, rules or spans, themselves or by others that they use."""
    out = {name for name, macro in defined.items() if _WIDE.search(macro.body)}
    for _ in range(5):
        more = {n for n, m in defined.items() if n not in out and out & set(re.findall(r"\\([A-Za-z@]+)", m.body))}
        if not more:
            break
        out |= more
    return frozenset(out - {SETUP, "arraystretch", "tabularnewline"})


class _Body:
    """Hold a table's body, macros that hold cells opened; every place of it knows where it stands in the source."""

    def __init__(self, text: str, start: int, end: int, wide: frozenset[str], defined: Mapping[str, Macro]) -> None:
        self.parts: list[str] = []
        self.starts: list[int] = []
        self.origins: list[tuple[int, bool]] = []
        self.length, self.left = 0, 20_000
        at = start
        if wide:
            names = re.compile(
                r"\\(" + "|".join(sorted(map(re.escape, wide), key=len, reverse=True)) + r")(?![A-Za-z@])"
            )
            while (found := names.search(text, at, end)) and self.left > 0:
                self._put(text[at : found.start()], at, True)
                body, at = opened(defined[found[1]], text, found.end())
                self._put(self._open(body, names, defined, 0), found.start(), False)
        self._put(text[at:end], at, True)
        self.text = "".join(self.parts)

    def _open(self, body: str, names: re.Pattern[str], defined: Mapping[str, Macro], deep: int) -> str:
        out, at = [], 0
        while deep < 10 and self.left > 0 and (found := names.search(body, at)):
            self.left -= 1
            out.append(body[at : found.start()])
            inner, at = opened(defined[found[1]], body, found.end())
            out.append(self._open(inner, names, defined, deep + 1))
        out.append(body[at:])
        return "".join(out)

    def _put(self, part: str, origin: int, moves: bool) -> None:
        self.left -= 1
        self.parts.append(part)
        self.starts.append(self.length)
        self.origins.append((origin, moves))
        self.length += len(part)

    def place(self, at: int) -> int:
        """Return where a place of the body stands in the source."""
        i = bisect_right(self.starts, at) - 1
        origin, moves = self.origins[i]
        return origin + (at - self.starts[i] if moves else 0)


def _uncertain_columns(spec: str) -> dict[int, str]:
    """Return the columns that siunitx sets, with their options, from a table's column types."""
    out: dict[int, str] = {}
    spec = re.sub(r"\*\s*\{(\d{1,2})\}\s*\{((?:[^{}]|\{[^{}]*\})*)\}", lambda m: m[2] * int(m[1]), spec)
    i = column = 0
    while i < len(spec):
        c = spec[i]
        i += 1
        if c in "@!<>":
            _, i = argument(spec, i)
        elif c.isalpha():
            given, i = optional(spec, i)
            if spec[i : i + 1] == "{":
                _, i = argument(spec, i)
            if c == "S":
                out[column] = given or ""
            column += 1
    return out


def _caption(source: str, at: int, end: int, defined: Mapping[str, Macro]) -> str:
    """Return a table's caption: of the float around it, else the headings that it stands under."""
    floats = list(re.finditer(r"\\begin\s*\{((?:side|wrap|sub)?table\*?|figure\*?|minipage)\}", source[:at]))
    for found in reversed(floats):
        stop = _environment_end(source, found.end(), found[1])
        if stop < end:
            continue
        captions = list(re.finditer(r"\\(?:sub)?caption(?:of\s*\{table\})?\*?\s*(?=[\[{])", source[found.end() : stop]))
        places = [found.end() + m.end() for m in captions]
        if places:
            near = min(places, key=lambda p: abs(p - at) if p < at else abs(p - end))
            _, near = optional(source, near)
            return render(argument(source, near)[0], defined).text
    heads: dict[str, str] = {}
    order = ["section", "subsection", "subsubsection", "paragraph"]
    for found in re.finditer(r"\\(section|subsection|subsubsection|paragraph)\*?\s*(?=\{)", source[:at]):
        level = order.index(found[1])
        heads = {k: v for k, v in heads.items() if order.index(k) < level}
        heads[found[1]] = render(argument(source, found.end())[0], defined).text
    return ": ".join([v for k, v in heads.items() if k != "section"] or list(heads.values()))


def read_latex(source: str, unread: list[Unread] | None = None) -> list[Grid]:
    """Return the tables of a LaTeX source, in order; what is not printed is not read. unread: takes what was not."""
    text = printed_part(source)
    defined = macros(text)
    wide = _wide(defined)
    setup = defined[SETUP].body if SETUP in defined else ""
    lines = [0, *(m.end() for m in re.finditer("\n", text))]
    grids: list[Grid] = []
    done = 0
    for found in _BEGIN.finditer(text):
        if found.start() < done:
            continue  # within another's cell
        name, at = found[1], found.end()
        end = _environment_end(text, at, name)
        done = end
        spec = ""
        for _ in range(2 if name in ("tabular*", "tabularx", "tabulary", "xltabular") else 1):
            _, at = optional(text, at)
            if text[skip_space(text, at) : skip_space(text, at) + 1] == "{":
                spec, at = argument(text, at)
            _, at = optional(text, at)
        body = _Body(text, at, end, wide, defined)
        builder, heads, seen = Builder(), None, False
        numbers = {c: f"{setup},{own}" for c, own in _uncertain_columns(spec).items()}
        caption = ""
        for row in _split(body.text, 0):
            first = row[0][0]
            if inside := re.search(r"\\caption\s*(?:\[[^\]]*\])?\s*(?=\{)", first):  # longtable's
                content, after = argument(first, inside.end())
                caption, first = render(content, defined).text, first[: inside.start()] + first[after:]
            rules, rest, skipped = _rules(re.sub(r"\\label\s*\{[^}]*\}", "", first))
            if seen and heads is None and any(_ends_head(rule) for rule in rules):
                heads = len(builder.rows)
            if "endfirsthead" in rules:
                builder, heads = Builder(), None  # the head is repeated below
            cells = [(rest, row[0][1] + skipped), *row[1:]]
            if len(cells) == 1 and not rest.strip():
                continue
            laid = []
            for c, (cell, place) in enumerate(cells):
                stands = body.place(place + len(cell) - len(cell.lstrip()))
                laid.append(_cell(cell, bisect_right(lines, stands), defined, numbers.get(c)))
            if any(cell.text for cell in laid) or builder.below:
                builder.add(laid, hollow=True)
                seen = True
        line = bisect_right(lines, found.start())
        grid = builder.grid(line, caption or _caption(text, found.start(), end, defined), heads, True)
        if grid is not None:
            grids.append(grid)
        elif unread is not None and name != "array" and any(re.search(r"\d", p.text) for r in builder.rows for p in r):
            said = " | ".join(p.text for p in builder.rows[0] if p.text)[:200]
            unread.append(Unread(said, line, "a table of one row or one column: nothing names its numbers"))
    return sorted(grids + _lost_tables(text, defined), key=lambda grid: grid.line)


def _lost_tables(text: str, defined: Mapping[str, Macro]) -> list[Grid]:
    """Return tables that a converter left as paragraphs of cells parted by escaped ampersands."""
    out: list[Grid] = []
    if text.count("\\& ") < 4:
        return out
    line = 1
    for paragraph in re.split(r"(\n\s*\n)", text):
        if paragraph.count("\\& ") > 3 and "\\\\" in paragraph:
            rows, at = [], line
            for part in paragraph.split("\\\\"):
                first = at + part[: len(part) - len(part.lstrip())].count("\n")
                rows.append((first, " ".join(part.split()).replace("\\&", "&")))
                at += part.count("\n")
            found = ampersands(rows, lambda t: (render(t, defined).text, False))
            out += [found] if found is not None else []
        line += paragraph.count("\n")
    return out


def table_lines(source: str) -> set[int]:
    """Return the lines, from 1, that tables take."""
    text = printed_part(source)
    lines = [0, *(m.end() for m in re.finditer("\n", text))]
    out: set[int] = set()
    done = 0
    for found in _BEGIN.finditer(text):
        if found.start() >= done:
            done = _environment_end(text, found.end(), found[1])
            out |= set(range(bisect_right(lines, found.start()), bisect_right(lines, done) + 1))
    return out
