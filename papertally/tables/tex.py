"""LaTeX fragments as plain text: commands with their arguments, macros of the document, superscripts, ±."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass, field

SUPER = str.maketrans("0123456789+-−=()abcdefghi", "⁰¹²³⁴⁵⁶⁷⁸⁹⁺⁻⁻⁼⁽⁾ᵃᵇᶜᵈᵉᶠᵍʰⁱ")
SYMBOLS = {
    "pm": "±", "textpm": "±", "mp": "∓", "times": "×", "texttimes": "×", "approx": "≈", "sim": "~", "simeq": "≈",
    "uparrow": "↑", "Uparrow": "↑", "downarrow": "↓", "Downarrow": "↓", "rightarrow": "→", "to": "→", "dagger": "†",
    "textuparrow": "↑", "textdownarrow": "↓", "leftarrow": "←", "dag": "†", "textdagger": "†", "ddagger": "‡",
    "ddag": "‡", "ast": "*", "star": "*", "S": "§", "P": "¶", "circ": "°", "textdegree": "°", "degree": "°",
    "infty": "∞", "leq": "≤", "le": "≤", "geq": "≥", "ge": "≥", "lt": "<", "gt": ">", "textless": "<",
    "textgreater": ">", "cdot": "·", "ldots": "…", "dots": "…", "cdots": "…", "textendash": "–", "textemdash": "—",
    "textminus": "−", "textasciitilde": "~", "textmu": "µ", "checkmark": "✓", "cmark": "✓", "xmark": "✗", "_": "_",
    "%": "%", "&": "&", "#": "#", "$": "$", "{": "{", "}": "}", ",": "\u2009", ";": " ", ":": " ", "!": "", " ": " ",
    "quad": " ", "qquad": " ", "enspace": " ", "thinspace": "\u2009", "newline": " ", "\\": " ", "par": " ", "-": "",
    "/": "", "textbackslash": "\\", "ss": "ß", "xspace": "", "bigstar": "*", "diamond": "◇", "triangle": "△",
    "ell": "l",
    "textasteriskcentered": "*", "textquotesingle": "'", "slash": "/", "textbar": "|", "mid": "|", "vert": "|",
}  # fmt: skip
#: Commands: how many arguments they take, and which of them is text (-1: none).
ARGUMENTS: dict[str, tuple[int, int]] = {
    **dict.fromkeys(
        ("textbf", "mathbf", "bm", "boldsymbol", "pmb", "underline", "uline", "uuline", "dashuline", "textit", "emph",
         "textrm", "text", "mathrm", "mathit", "mbox", "hbox", "textsf", "mathsf", "texttt", "textsc", "textmd",
         "textup", "textnormal", "operatorname", "ensuremath", "num", "fbox", "url", "overline", "tnote",
         "textsuperscript", "textsubscript", "makecell", "shortstack", "thead", "Centerstack", "specialcell", "mathtt",
         "mathcal", "mathbb", "sout", "hl", "uwave", "scriptsizetext", "centering", "nicefrac"), (1, 0)),
    **dict.fromkeys(("textcolor", "colorbox", "href", "scalebox", "rotatebox", "raisebox", "parbox"), (2, 1)),
    **dict.fromkeys(("resizebox", "multicolumn", "multirow", "fcolorbox"), (3, 2)),
    **dict.fromkeys(
        ("color", "cellcolor", "rowcolor", "cite", "citep", "citet", "citealp", "citealt", "citeauthor", "citeyear",
         "citenum", "ref", "cref", "Cref", "autoref", "eqref", "label", "footnote", "tablefootnote", "phantom",
         "hphantom", "vphantom", "hspace", "vspace", "rule", "fontsize", "setlength", "arraybackslash",
         "includegraphics",          "columncolor", "arrayrulecolor", "renewcommand", "todo", "index"), (1, -1)),
    "hspace*": (1, -1), "vspace*": (1, -1), "rule": (2, -1), "fontsize": (2, -1), "setlength": (2, -1),
    "renewcommand": (2, -1), "SI": (2, 0), "qty": (2, 0), "ding": (1, -1), "frac": (2, 0), "footnotemark": (0, -1),
    "centering": (0, -1), "arraybackslash": (0, -1),
}  # fmt: skip
BOLD = ("textbf", "mathbf", "bm", "boldsymbol", "pmb")
BOLD_SWITCH = ("bf", "bfseries", "boldmath")
DROPPED = (
    "rm", "it", "itshape", "em", "sl", "sc", "scshape", "sf", "tt", "ttfamily", "sffamily", "rmfamily", "upshape",
    "normalfont", "tiny", "scriptsize", "footnotesize", "small", "normalsize", "large", "Large", "centering",
    "raggedright", "raggedleft", "noindent", "displaystyle", "textstyle", "scriptstyle", "left", "right", "big", "Big",
    "bigl", "bigr", "hfill", "relax", "protect", "hskip", "arraybackslash", "unboldmath", "mdseries", "hline",
    "toprule", "midrule", "bottomrule", "relax", "strut", "null", "leavevmode", "unskip", "limits", "boldmath",
)  # fmt: skip
DINGS = {"51": "✓", "52": "✓", "53": "✗", "54": "✗", "55": "✗", "56": "✗"}
SI_UNITS = {"milli": "m", "micro": "µ", "nano": "n", "second": "s", "kilo": "k", "mega": "M", "giga": "G", "byte": "B",
            "percent": "%", "ms": "ms", "us": "µs", "s": "s", "watt": "W", "joule": "J", "decibel": "dB"}  # fmt: skip
MAX_STEPS = 20_000


@dataclass
class Macro:
    """Hold a macro's body, its number of arguments and the default of the first, where that is optional."""

    arguments: int
    body: str
    default: str | None = None


@dataclass
class Rendered:
    """Hold plain text; bold: its first letter or digit is; unknown: commands that nobody defines."""

    text: str
    bold: bool
    unknown: list[str] = field(default_factory=list)


def group_end(text: str, start: int, open_: str = "{", close: str = "}") -> int:
    """Return the place behind the bracket that closes the one at `start`; the text's end where none does."""
    depth, i = 0, start
    while i < len(text):
        if text[i] == "\\":
            i += 2
            continue
        if text[i] == open_:
            depth += 1
        elif text[i] == close:
            depth -= 1
            if depth == 0:
                return i + 1
        i += 1
    return len(text)


def skip_space(text: str, i: int) -> int:
    """Return the place of the next character that is no space."""
    while i < len(text) and text[i].isspace():
        i += 1
    return i


def opened(macro: Macro, text: str, i: int) -> tuple[str, int]:
    """Return a macro's body with the arguments that stand at a place put in, and the place behind them."""
    values = []
    if macro.default is not None:
        given, i = optional(text, i)
        values.append(macro.default if given is None else given)
    while len(values) < macro.arguments:
        value, i = argument(text, i)
        values.append(value)
    body = macro.body
    for n, value in enumerate(values, 1):
        body = body.replace(f"#{n}", value)
    return body, i


def optional(text: str, i: int) -> tuple[str | None, int]:
    """Return an optional argument [..] at a place, or None, and the place behind it."""
    j = skip_space(text, i)
    if j < len(text) and text[j] == "[":
        end = group_end(text, j, "[", "]")
        return text[j + 1 : end - 1], end
    return None, i


def argument(text: str, i: int) -> tuple[str, int]:
    """Return one argument, a group, a command or a character, and the place behind it."""
    i = skip_space(text, i)
    if i >= len(text):
        return "", i
    if text[i] == "{":
        end = group_end(text, i)
        return text[i + 1 : end - 1 if text[end - 1 : end] == "}" else end], end
    if text[i] == "\\":
        found = re.compile(r"\\(?:[A-Za-z@]+\*?|.)", re.S).match(text, i)
        return (found.group(), found.end()) if found else (text[i:], len(text))
    return text[i], i + 1


_DEFINE = re.compile(
    r"\\(?:(?:re|provide|DeclareRobust)?(?:new)?[cC]ommand|DeclareRobustCommand|newcommand)\*?\s*"
    r"(?:\{\s*\\([A-Za-z@]+)\s*\}|\\([A-Za-z@]+))|\\[gex]?def\s*\\([A-Za-z@]+)((?:#\d)*)|\\DeclareMathOperator\*?\s*\{\s*\\([A-Za-z@]+)\s*\}"
)


def macros(source: str) -> dict[str, Macro]:
    """Return the macros that a document defines, by name; a later definition counts."""
    out: dict[str, Macro] = {}
    for match in _DEFINE.finditer(source):
        name = match[1] or match[2] or match[3] or match[5]
        at, count, default = match.end(), 0, None
        if match[3]:
            count = len(match[4]) // 2
        elif not match[5]:
            number, at = optional(source, at)
            count = int(number) if number and number.strip().isdigit() else 0
            if number is not None:
                default, at = optional(source, at)
        body, _ = argument(source, at)
        out[name] = Macro(min(count, 9), body, default)
    return out


class _Renderer:
    def __init__(self, defined: Mapping[str, Macro]) -> None:
        self.defined, self.steps = defined, 0
        self.unknown: list[str] = []

    def run(self, text: str, bold: bool = False, depth: int = 0) -> list[tuple[str, bool]]:
        """Return (text, bold) pieces."""
        out: list[tuple[str, bool]] = []
        i = 0
        while i < len(text):
            self.steps += 1
            if self.steps > MAX_STEPS or depth > 40:
                return out
            c = text[i]
            if c == "\\":
                i, pieces, bold = self.command(text, i, bold, depth)
                out += pieces
            elif c == "{":
                end = group_end(text, i)
                inner = text[i + 1 : end - 1]
                out += [(",", bold)] if inner == "," else self.run(inner, bold, depth + 1)
                i = end
            elif c in "^_":
                content, i = argument(text, i + 1)
                out += self.script(c, self.run(content, bold, depth + 1), bold)
            elif c == "~":
                out.append((" ", bold))
                i += 1
            elif c == "-" and text.startswith("--", i):
                long = text.startswith("---", i)
                out.append(("—" if long else "–", bold))
                i += 3 if long else 2
            else:
                out.append(("" if c in "$}" else c, bold))
                i += 1
        return out

    def script(self, kind: str, pieces: list[tuple[str, bool]], bold: bool) -> list[tuple[str, bool]]:
        """Return a superscript or subscript: an uncertainty, a power, a footnote's mark, or the text as it is."""
        text = "".join(t for t, _ in pieces).strip()
        if re.match(r"[±+\-−(]*±", text):
            return [(" " + text.strip("()"), bold)]
        if kind == "^":
            return [(text if re.fullmatch(r"[°*†‡§¶]+", text) else text.translate(SUPER), bold)]
        return [(text, bold)]

    def command(self, text: str, i: int, bold: bool, depth: int) -> tuple[int, list[tuple[str, bool]], bool]:
        found = re.compile(r"\\([A-Za-z@]+\*?|.)", re.S).match(text, i)
        if found is None:
            return i + 1, [], bold
        name, at = found[1], found.end()
        if name in self.defined and depth < 30:
            body, at = opened(self.defined[name], text, at)
            return at, self.run(body, bold, depth + 1), bold
        if name in BOLD_SWITCH:
            return skip_space(text, at), [], True
        if name in ("begin", "end"):
            _, at = argument(text, at)
            if name == "begin":
                for _ in range(2):
                    given, at = optional(text, at)
                if at < len(text) and text[at] == "{":
                    _, at = argument(text, at)
            return at, [(" ", bold)], bold
        if name in ARGUMENTS:
            return self.with_arguments(name, text, at, bold, depth)
        if name in SYMBOLS:
            if found[1].isalpha() and at < len(text) and text[at] == " ":
                at = skip_space(text, at)
                return at, [(SYMBOLS[name] + (" " if SYMBOLS[name] in "±≈~→" else ""), bold)], bold
            return at, [(SYMBOLS[name], bold)], bold
        if name.rstrip("*") in DROPPED:
            return skip_space(text, at), [], bold
        if (greek := _greek(name)) is not None:
            return at, [(greek, bold)], bold
        if len(name) == 1 and not name.isalpha():  # an accent
            content, at = argument(text, at)
            return at, self.run(content, bold, depth + 1), bold
        _, at = optional(text, at)
        if at < len(text) and text[at] == "{":
            content, at = argument(text, at)
            return at, self.run(content, bold, depth + 1), bold
        self.unknown.append(name)
        return at, [(name, bold)], bold

    def with_arguments(
        self, name: str, text: str, at: int, bold: bool, depth: int
    ) -> tuple[int, list[tuple[str, bool]], bool]:
        count, keep = ARGUMENTS[name]
        values = []
        for _ in range(count):
            _, at = optional(text, at)
            value, at = argument(text, at)
            values.append(value)
        if name in ("raisebox", "rowcolor", "footnotemark"):
            for _ in range(2):
                _, at = optional(text, at)
        if name == "multirow" and values[1:2] and len(values) == 3:
            pass
        if name == "ding":
            return at, [(DINGS.get(values[0].strip(), ""), bold)], bold
        if keep < 0:
            return at, [], bold
        inner = self.run(values[keep], bold or name in BOLD, depth + 1)
        if name in ("tnote", "textsuperscript", "textsubscript"):
            return at, self.script("_" if name == "textsubscript" else "^", inner, bold), bold
        if name in ("SI", "qty"):
            unit = "".join(SI_UNITS.get(u, "") for u in re.findall(r"\\([A-Za-z]+)", values[1])) or values[1]
            inner.append((f" {unit}", bold))
        if name == "frac":
            inner += [("/", bold), *self.run(values[1], bold, depth + 1)]
        return at, inner, bold


def _greek(name: str) -> str | None:
    try:
        size = "CAPITAL" if name[0].isupper() else "SMALL"
        return unicodedata.lookup(f"GREEK {size} LETTER {name.upper().removeprefix('VAR').replace('LAMBDA', 'LAMDA')}")
    except KeyError:
        return None


def tidy(text: str) -> str:
    """Return a text with single spaces, and none before marks that cling."""
    text = re.sub(r"(?<!\d)\u2009|\u2009(?!\d)", " ", text)
    return " ".join(text.replace("\u00a0", " ").split(" ")).strip() if "\u2009" in text else " ".join(text.split())


def render(text: str, defined: Mapping[str, Macro]) -> Rendered:
    """Return a fragment as plain text."""
    renderer = _Renderer(defined)
    pieces = renderer.run(text)
    said = [bold for t, bold in pieces if any(c.isalnum() for c in t)]
    return Rendered(tidy("".join(t for t, _ in pieces)), bool(said) and said[0], renderer.unknown)
