"""Tables of LaTeX sources: tabular and its kin, booktabs, multirow and multicolumn, the document's own macros."""

from __future__ import annotations

import re
from collections.abc import Mapping

from papertally.tables.grid import Builder, Grid, Spanned
from papertally.tables.tex import Macro, argument, group_end, macros, opened, optional, render, skip_space

ENVIRONMENTS = (
    "tabular*", "tabularx", "tabulary", "tabular", "longtable", "xltabular", "supertabular", "NiceTabular", "tblr",
    "longtblr", "tabu", "array",
)  # fmt: skip
_BEGIN = re.compile(r"\\begin\s*\{(" + "|".join(map(re.escape, ENVIRONMENTS)) + r")\}")
_RULE = re.compile(
    r"\s*\\(?P<name>hline|toprule|midrule|bottomrule|hdashline|firsthline|lasthline|endhead|endfirsthead|endfoot|endlastfoot|morecmidrules|cline|cmidrule|specialrule|addlinespace|Xhline|noalign|cdashline|rowcolor|rowfont|SetRow|arrayrulecolor|thickhline|heavyrule|Xcline|vspace|hdashline)(?![A-Za-z])\*?"
)
_ENVIRONMENT = re.compile(r"\\(?:begin|end)\s*\{")
_HEAD_ENDS = ("midrule", "hline", "specialrule", "Xhline", "thickhline", "hdashline")
_TAKES = {"cline": 1, "cmidrule": 1, "specialrule": 3, "Xhline": 1, "noalign": 1, "cdashline": 1, "rowcolor": 1,
          "SetRow": 1, "rowfont": 1, "arrayrulecolor": 1, "vspace": 1, "Xcline": 2}  # fmt: skip


def without_comments(source: str) -> str:
    """Return a source whose comments are blank, every character in its place."""
    return re.sub(r"(?<!\\)((?:\\\\)*)%[^\n]*", lambda m: m[1] + " " * (len(m[0]) - len(m[1])), source)


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


def _cell(text: str, line: int, defined: Mapping[str, Macro]) -> Spanned:
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
    return Spanned(rendered.text, line, rendered.bold, columns, rows)


def _expanded(cell: str, defined: Mapping[str, Macro]) -> str:
    """Return a cell whose leading macro is opened: it may hide a rule, a span or several cells."""
    for _ in range(10):
        found = re.match(r"\s*\\([A-Za-z@]+)(?![A-Za-z@])", cell)
        if found is None or found[1] not in defined:
            return cell
        macro = defined[found[1]]
        if not re.search(r"\\(multi|mid|top|bottom|c?line|hline|cmid|rowcolor)", macro.body):
            return cell
        body, at = opened(macro, cell, found.end())
        cell = body + cell[at:]
    return cell


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


def read_latex(source: str) -> list[Grid]:
    """Return the tables of a LaTeX source, in order; comments are not read."""
    text = without_comments(source)
    defined = macros(text)
    lines = [0, *(m.end() for m in re.finditer("\n", text))]

    def line_of(place: int) -> int:
        import bisect

        return bisect.bisect_right(lines, place)

    grids: list[Grid] = []
    done = 0
    for found in _BEGIN.finditer(text):
        if found.start() < done:
            continue  # within another's cell
        name, at = found[1], found.end()
        end = _environment_end(text, at, name)
        done = end
        for _ in range(2 if name in ("tabular*", "tabularx", "tabulary", "xltabular") else 1):
            _, at = optional(text, at)
            if text[skip_space(text, at) : skip_space(text, at) + 1] == "{":
                _, at = argument(text, at)
            _, at = optional(text, at)
        builder, heads, seen = Builder(), None, False
        caption = ""
        for row in _split(text[at:end], at):
            first = _expanded(row[0][0], defined)
            if inside := re.search(r"\\caption\s*(?:\[[^\]]*\])?\s*(?=\{)", first):  # longtable's
                content, after = argument(first, inside.end())
                caption, first = render(content, defined).text, first[: inside.start()] + first[after:]
            rules, rest, skipped = _rules(re.sub(r"\\label\s*\{[^}]*\}", "", first))
            if seen and heads is None and set(rules) & set(_HEAD_ENDS):
                heads = len(builder.rows)
            if "endfirsthead" in rules:
                builder, heads = Builder(), None  # the head is repeated below
            cells = [(rest, row[0][1] + skipped), *row[1:]]
            if len(cells) == 1 and not rest.strip():
                continue
            places = [place + len(cell) - len(cell.lstrip()) for cell, place in cells]
            laid = [_cell(_expanded(c, defined), line_of(p), defined) for (c, _), p in zip(cells, places, strict=True)]
            if any(cell.text for cell in laid) or builder.below:
                builder.add(laid, hollow=True)
                seen = True
        grid = builder.grid(line_of(found.start()), caption or _caption(text, found.start(), end, defined), heads)
        if grid is not None:
            grids.append(grid)
    return grids
