"""LaTeX fragments as plain text: commands with their arguments, macros of the document, superscripts, ±."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import ROUND_HALF_UP, Decimal

SUPER = str.maketrans("0123456789+-−=()abcdefghi", "⁰¹²³⁴⁵⁶⁷⁸⁹⁺⁻⁻⁼⁽⁾ᵃᵇᶜᵈᵉᶠᵍʰⁱ")
SUB = str.maketrans("0123456789+-−=()", "₀₁₂₃₄₅₆₇₈₉₊₋₋₌₍₎")
SYMBOLS = {
    "pm": "±",
    "textpm": "±",
    "mp": "∓",
    "times": "×",
    "texttimes": "×",
    "approx": "≈",
    "sim": "~",
    "simeq": "≈",
    "uparrow": "↑",
    "Uparrow": "↑",
    "downarrow": "↓",
    "Downarrow": "↓",
    "rightarrow": "→",
    "to": "→",
    "dagger": "†",
    "textuparrow": "↑",
    "textdownarrow": "↓",
    "leftarrow": "←",
    "dag": "†",
    "textdagger": "†",
    "ddagger": "‡",
    "ddag": "‡",
    "ast": "*",
    "star": "*",
    "S": "§",
    "P": "¶",
    "circ": "°",
    "textdegree": "°",
    "degree": "°",
    "infty": "∞",
    "leq": "≤",
    "le": "≤",
    "geq": "≥",
    "ge": "≥",
    "lt": "<",
    "gt": ">",
    "textless": "<",
    "textgreater": ">",
    "cdot": "·",
    "ldots": "…",
    "dots": "…",
    "cdots": "…",
    "textendash": "–",
    "textemdash": "—",
    "textminus": "−",
    "textasciitilde": "~",
    "textmu": "µ",
    "checkmark": "✓",
    "cmark": "✓",
    "xmark": "✗",
    "_": "_",
    "%": "%",
    "&": "&",
    "#": "#",
    "$": "$",
    "{": "{",
    "}": "}",
    ",": "\u2009",
    ";": " ",
    ":": " ",
    "!": "",
    " ": " ",
    "quad": " ",
    "qquad": " ",
    "enspace": " ",
    "thinspace": "\u2009",
    "newline": " ",
    "\\": " ",
    "par": " ",
    "-": "",
    "/": "",
    "textbackslash": "\\",
    "ss": "ß",
    "xspace": "",
    "bigstar": "*",
    "diamond": "◇",
    "triangle": "△",
    "ell": "l",
    "(": "",
    ")": "",
    "[": "",
    "]": "",
    "textasteriskcentered": "*",
    "textquotesingle": "'",
    "slash": "/",
    "textbar": "|",
    "mid": "|",
    "vert": "|",
}
#: Commands: how many arguments they take, and which of them is text (-1: none).
ARGUMENTS: dict[str, tuple[int, int]] = {
    **dict.fromkeys(
        (
            "textbf",
            "mathbf",
            "bm",
            "boldsymbol",
            "pmb",
            "underline",
            "uline",
            "uuline",
            "dashuline",
            "textit",
            "emph",
            "textrm",
            "text",
            "mathrm",
            "mathit",
            "mbox",
            "hbox",
            "textsf",
            "mathsf",
            "texttt",
            "textsc",
            "textmd",
            "textup",
            "textnormal",
            "operatorname",
            "ensuremath",
            "num",
            "fbox",
            "url",
            "overline",
            "tnote",
            "textsuperscript",
            "textsubscript",
            "makecell",
            "shortstack",
            "thead",
            "Centerstack",
            "specialcell",
            "mathtt",
            "mathcal",
            "mathbb",
            "sout",
            "hl",
            "uwave",
            "scriptsizetext",
            "textsmaller",
            "added",
            "llap",
            "rlap",
            "mathrlap",
            "mathllap",
            "smash",
            "clap",
            "mathclap",
            "mathbin",
            "mathrel",
            "multicell",
            "framebox",
            "tcbox",
            "textulc",
            "textquote",
            "vcenter",
            "hbox",
            "vbox",
            "textls",
            "lowercase",
            "uppercase",
            "MakeUppercase",
            "widehat",
            "hat",
            "bar",
            "tilde",
            "vec",
            "overbar",
            "circled",
            "boxed",
            "textlf",
            "textln",
        ),
        (1, 0),
    ),
    **dict.fromkeys(
        (
            "textcolor",
            "colorbox",
            "href",
            "scalebox",
            "rotatebox",
            "raisebox",
            "parbox",
            "multirowcell",
            "multirowthead",
            "tikzmarknode",
            "hypertarget",
            "hyperlink",
            "underset",
            "overset",
            "stackrel",
            "tabincell",
            "adjustbox",
            "foreignlanguage",
            "texorpdfstring",
            "mathcolor",
            "minibox",
        ),
        (2, 1),
    ),
    "replaced": (2, 0),
    "texorpdfstring": (2, 0),
    "nicefrac": (2, 0),
    "sfrac": (2, 0),
    "tfrac": (2, 0),
    "dfrac": (2, 0),
    "numrange": (2, 0),
    "SIrange": (3, 0),
    "qtyrange": (3, 0),
    "tablenum": (1, 0),
    "si": (1, 0),
    "unit": (1, 0),
    **dict.fromkeys(("resizebox", "multicolumn", "multirow", "fcolorbox"), (3, 2)),
    **dict.fromkeys(
        (
            "color",
            "cellcolor",
            "rowcolor",
            "cite",
            "citep",
            "citet",
            "citealp",
            "citealt",
            "citeauthor",
            "citeyear",
            "citenum",
            "ref",
            "cref",
            "Cref",
            "autoref",
            "eqref",
            "label",
            "footnote",
            "tablefootnote",
            "phantom",
            "hphantom",
            "vphantom",
            "hspace",
            "vspace",
            "rule",
            "fontsize",
            "setlength",
            "arraybackslash",
            "includegraphics",
            "columncolor",
            "arrayrulecolor",
            "todo",
            "index",
            "tikzmark",
            "deleted",
            "footnotetext",
            "hypersetup",
            "sisetup",
            "pgfplotsset",
            "rowfont",
            "tikz",
            "glsadd",
            "nocite",
            "labelcref",
            "nameref",
            "pageref",
            "vref",
            "marginpar",
        ),
        (1, -1),
    ),
    "hspace*": (1, -1),
    "vspace*": (1, -1),
    "rule": (2, -1),
    "fontsize": (2, -1),
    "setlength": (2, -1),
    "renewcommand": (2, -1),
    "SI": (2, 0),
    "qty": (2, 0),
    "ding": (1, -1),
    "frac": (2, 0),
    "footnotemark": (0, -1),
    "centering": (0, -1),
    "arraybackslash": (0, -1),
}
#: Citations of any package: their argument is a key, no text.
_CITES = re.compile(r"(?:[A-Za-z]*[Cc]ite[a-z]*)\*?")
#: Sizes that print a number's deviation smaller, behind it.
_SIZES = ("tiny", "scriptsize", "footnotesize", "small", "ssmall", "miniscule")
BOLD = ("textbf", "mathbf", "bm", "boldsymbol", "pmb")
BOLD_SWITCH = ("bf", "bfseries", "boldmath")
DROPPED = (
    "rm",
    "it",
    "itshape",
    "em",
    "sl",
    "sc",
    "scshape",
    "sf",
    "tt",
    "ttfamily",
    "sffamily",
    "rmfamily",
    "upshape",
    "normalfont",
    "tiny",
    "scriptsize",
    "footnotesize",
    "small",
    "normalsize",
    "large",
    "Large",
    "centering",
    "raggedright",
    "raggedleft",
    "noindent",
    "displaystyle",
    "textstyle",
    "scriptstyle",
    "left",
    "right",
    "big",
    "Big",
    "bigl",
    "bigr",
    "hfill",
    "relax",
    "protect",
    "hskip",
    "arraybackslash",
    "unboldmath",
    "mdseries",
    "hline",
    "toprule",
    "midrule",
    "bottomrule",
    "relax",
    "strut",
    "null",
    "leavevmode",
    "unskip",
    "limits",
    "boldmath",
)
DINGS = {"51": "✓", "52": "✓", "53": "✗", "54": "✗", "55": "✗", "56": "✗"}
SI_UNITS = {
    "milli": "m",
    "micro": "µ",
    "nano": "n",
    "second": "s",
    "kilo": "k",
    "mega": "M",
    "giga": "G",
    "byte": "B",
    "percent": "%",
    "ms": "ms",
    "us": "µs",
    "s": "s",
    "watt": "W",
    "joule": "J",
    "decibel": "dB",
}
MAX_STEPS = 20_000


@dataclass
class Macro:
    """Hold a macro's body, its number of arguments and the default of the first, where that is optional."""

    arguments: int
    body: str
    default: str | None = None


@dataclass
class Rendered:
    """Hold plain text; bold: its first letter or digit is; unknown: commands that nobody defines.

    fault: why a number in it may not be what is printed.
    """

    text: str
    bold: bool
    unknown: list[str] = field(default_factory=list)
    fault: str = ""


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
    r"\\(?:(?:re|provide)?(?:new)?[cC]ommand|DeclareRobustCommand|(?:re)?(?:new|provide)robustcmd)\*?\s*"
    r"(?:\{\s*\\([A-Za-z@]+)\s*\}|\\([A-Za-z@]+))|\\[gex]?def\s*\\([A-Za-z@]+)((?:#\d)*)"
    r"|\\DeclareMathOperator\*?\s*\{\s*\\([A-Za-z@]+)\s*\}"
    r"|\\(?:New|Renew|Provide|Declare)(?:Expandable)?DocumentCommand\s*\{?\s*\\([A-Za-z@]+)\s*\}?\s*\{([^{}]*(?:\{[^{}]*\}[^{}]*)*)\}"
    r"|\\let\s*\\([A-Za-z@]+)\s*=?\s*\\([A-Za-z@]+)"
    r"|\\sisetup\s*(?=\{)"
)


def macros(source: str) -> dict[str, Macro]:
    """Return the macros that a document defines, by name; a later definition counts."""
    out: dict[str, Macro] = {}
    for match in _DEFINE.finditer(source):
        name = match[1] or match[2] or match[3] or match[5] or match[6]
        at, count, default = match.end(), 0, None
        if match[8]:
            out[match[8]] = out.get(match[9]) or Macro(0, f"\\{match[9]}")
            continue
        if name is None:
            body, _ = argument(source, at)
            out[SETUP] = Macro(0, f"{out[SETUP].body},{body}" if SETUP in out else body)
            continue
        if match[6]:
            spec = re.fullmatch(r"\s*(?:[oO](\{[^{}]*\})?)?\s*((?:[+!]?m\s*)*)", match[7])
            if spec is None:
                continue  # of a kind that is not read: it stays unknown, and is refused
            count = spec[2].count("m")
            if "o" in match[7].lower():
                default, count = (spec[1] or "{}")[1:-1], count + 1
        elif match[3]:
            count = len(match[4]) // 2
        elif not match[5]:
            number, at = optional(source, at)
            count = int(number) if number and number.strip().isdigit() else 0
            if number is not None:
                default, at = optional(source, at)
        body, _ = argument(source, at)
        out[name] = Macro(min(count, 9), body, default)
    return out


#: Where macros() keeps the document's \\sisetup; no command has this name.
SETUP = "\\sisetup"


def siunitx(number: str, options: str) -> str:
    """Return a number as siunitx prints it: rounded where options say so, an uncertainty in its last places as ±."""
    found = re.fullmatch(r"\s*([-+−]?)(\d*)(?:[.,](\d+))?(?:\((\d+)\))?\s*((?:[eE][-+]?\d+)?)\s*", number)
    if found is None:
        return number.replace("+-", " ± ").replace("\\pm", " ± ")
    sign, whole, part, spread, power = found[1], found[2], found[3] or "", found[4] or "", found[5]
    given = dict(re.findall(r"([\w-]+)\s*=\s*\{?([\w.]+)", options))
    value = f"{sign}{whole or '0'}" + (f".{part}" if part else "")
    if spread:
        return f"{value} ± {Decimal(int(spread)).scaleb(-len(part)):f}{power}"
    precision = int(given["round-precision"]) if given.get("round-precision", "").isdigit() else 2
    if given.get("round-mode") == "places":
        value = f"{Decimal(value).quantize(Decimal(1).scaleb(-precision), ROUND_HALF_UP):f}"
    elif given.get("round-mode") == "figures" and Decimal(value):
        last = Decimal(value).adjusted() - precision + 1
        value = f"{Decimal(value).quantize(Decimal(1).scaleb(last), ROUND_HALF_UP):f}"
    return value + power


class _Renderer:
    def __init__(self, defined: Mapping[str, Macro]) -> None:
        self.defined, self.steps = defined, 0
        self.siunitx = defined[SETUP].body if SETUP in defined else ""
        self.unknown: list[str] = []
        self.opaque: list[tuple[str, int, str]] = []

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
                i, pieces, bold = self.command(text, i, bold, depth, out)
                out += pieces
            elif c == "{":
                end = group_end(text, i)
                inner = text[i + 1 : end - 1]
                pieces = [(",", bold)] if inner == "," else self.run(inner, bold, depth + 1)
                if re.match(rf"\s*\\(?:{'|'.join(_SIZES)})(?![A-Za-z])", inner) and _last(out).isdigit():
                    small = "".join(t for t, _ in pieces).strip()
                    pieces = pieces if "±" in small or small[:1] in "(+-−↑↓" else [(lowered(small, "0"), bold)]
                out += pieces
                i = end
            elif c in "^_":
                content, i = argument(text, i + 1)
                out += self.script(c, self.run(content, bold, depth + 1), bold, out)
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

    def script(
        self, kind: str, pieces: list[tuple[str, bool]], bold: bool, out: list[tuple[str, bool]]
    ) -> list[tuple[str, bool]]:
        """Return a superscript or subscript: an uncertainty, a power, a footnote's mark, or the text as it is."""
        text = "".join(t for t, _ in pieces).strip()
        if re.match(r"[±+\-−(]*±", text):
            return [(" " + text.strip("()"), bold)]
        if kind == "^":
            return [(text if re.fullmatch(r"[°*†‡§¶]+", text) else text.translate(SUPER), bold)]
        return [(lowered(text, _last(out)), bold)]

    def command(
        self, text: str, i: int, bold: bool, depth: int, out: list[tuple[str, bool]]
    ) -> tuple[int, list[tuple[str, bool]], bool]:
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
            return self.with_arguments(name, text, at, bold, depth, out)
        if name in SYMBOLS:
            if found[1].isalpha() and at < len(text) and text[at] == " ":
                at = skip_space(text, at)
                return at, [(SYMBOLS[name] + (" " if SYMBOLS[name] in "±≈~→" else ""), bold)], bold
            return at, [(SYMBOLS[name], bold)], bold
        if name.rstrip("*") in DROPPED:
            apart = name in _SIZES and _last(out).isdigit()  # a smaller number behind a number is another one
            return skip_space(text, at), [(" ", bold)] if apart else [], bold
        if _CITES.fullmatch(name):
            for _ in range(2):
                _, at = optional(text, at)
            _, at = argument(text, at) if text[skip_space(text, at) : skip_space(text, at) + 1] == "{" else ("", at)
            return at, [], bold
        if (greek := _greek(name)) is not None:
            return at, [(greek, bold)], bold
        if len(name) == 1 and not name.isalpha():  # an accent
            content, at = argument(text, at)
            return at, self.run(content, bold, depth + 1), bold
        _, behind = optional(text, at)
        if behind < len(text) and text[behind] == "{":
            pieces: list[tuple[str, bool]] = []
            count = 0
            while behind < len(text) and text[behind] == "{":
                content, behind = argument(text, behind)
                pieces += self.run(content, bold, depth + 1)
                count += 1
            self.opaque.append((name, count, "".join(t for t, _ in pieces)))
            return behind, pieces, bold
        self.unknown.append(name)
        return at, [(name, bold)], bold

    def with_arguments(
        self, name: str, text: str, at: int, bold: bool, depth: int, out: list[tuple[str, bool]]
    ) -> tuple[int, list[tuple[str, bool]], bool]:
        count, keep = ARGUMENTS[name]
        values, options = [], [""]
        for n in range(count):
            given, at = optional(text, at)
            options[0] = given or "" if n == 0 else options[0]
            value, at = argument(text, at)
            values.append(value)
        if name in ("raisebox", "rowcolor", "footnotemark"):
            for _ in range(2):
                _, at = optional(text, at)
        if name == "ding":
            return at, [(DINGS.get(values[0].strip(), ""), bold)], bold
        if keep < 0:
            return at, [], bold
        inner = self.run(values[keep], bold or name in BOLD, depth + 1)
        if name in ("tnote", "textsuperscript", "textsubscript"):
            return at, self.script("_" if name == "textsubscript" else "^", inner, bold, out), bold
        if name in ("num", "SI", "qty", "tablenum"):
            inner = [(siunitx(values[0], f"{self.siunitx},{options[0]}"), bold)] if values[0][:1] != "\\" else inner
        if name in ("si", "unit"):
            known = "".join(SI_UNITS.get(u, "") for u in re.findall(r"\\([A-Za-z]+)", values[0]))
            return at, [(known or values[0], bold)], bold
        if name in ("numrange", "SIrange", "qtyrange"):
            inner += [("–", bold), *self.run(values[1], bold, depth + 1)]
        if name in ("SI", "qty"):
            unit = "".join(SI_UNITS.get(u, "") for u in re.findall(r"\\([A-Za-z]+)", values[1])) or values[1]
            inner.append((f" {unit}", bold))
        if name in ("frac", "nicefrac", "sfrac", "tfrac", "dfrac"):
            inner += [("/", bold), *self.run(values[1], bold, depth + 1)]
        return at, inner, bold


def _last(out: list[tuple[str, bool]]) -> str:
    """Return the last character that is printed so far, or ""."""
    return next((t.rstrip()[-1] for t, _ in reversed(out[-8:]) if t.strip()), "")


def lowered(text: str, before: str) -> str:
    """Return a subscript: digits behind a digit stay apart from it. before: the character that it stands behind."""
    apart = before.isdigit() and any(c.isdigit() for c in text)
    return text.translate(SUB) if apart else text


def _greek(name: str) -> str | None:
    try:
        size = "CAPITAL" if name[0].isupper() else "SMALL"
        return unicodedata.lookup(f"GREEK {size} LETTER {name.upper().removeprefix('VAR').replace('LAMBDA', 'LAMDA')}")
    except KeyError:
        return None


_INVISIBLE = re.compile("[\u200b-\u200f\u2060-\u2064\ufeff\u00ad]")
_THIN = re.compile("[\u2002-\u200a\u202f\u205f]")
_BOLD_DIGITS = re.compile("[\U0001d400-\U0001d7ff]")
_ALIKE = str.maketrans({"\u22c5": "·", "\u2217": "*", "\u2215": "/", "\u02c6": "^", "\u2010": "-", "\u2011": "-"})


def tidy(text: str) -> str:
    """Return a text with single spaces; characters that print alike are one, thin spaces stay within numbers only."""
    if not text.isascii():
        text = _INVISIBLE.sub("", text).translate(_ALIKE)
        text = _BOLD_DIGITS.sub(lambda m: unicodedata.normalize("NFKC", m[0]), text)
        text = re.sub(r"(?<=\d),[\u2000-\u200a\u202f](?=\d{3}(?!\d))", ",", text)
        text = re.sub(r"(?<=\d)[\u2002-\u200a\u202f\u205f](?=\d)", "\0", text)
        text = _THIN.sub(" ", text)
    words = " ".join(text.split())
    words = words[0] + words[2:] if re.match(r"− [.\d]", words) else words  # a dash and a number may be two cells
    return words.replace("\0", "\u2009")


def render(text: str, defined: Mapping[str, Macro]) -> Rendered:
    """Return a fragment as plain text."""
    renderer = _Renderer(defined)
    pieces = renderer.run(text)
    said = [bold for t, bold in pieces if any(c.isalnum() for c in t)]
    shown = "".join(t for t, _ in pieces)
    return Rendered(tidy(shown), bool(said) and said[0], renderer.unknown, _fault(shown, renderer.opaque))


def _fault(shown: str, opaque: list[tuple[str, int, str]]) -> str:
    """Return why a number is not sure: an unknown command took several arguments, or stands beside other digits."""
    for name, count, inner in opaque:
        digits = sum(c.isdigit() for c in shown)
        inside = sum(c.isdigit() for c in inner)
        if inside and (count > 1 or digits > inside):
            return f"\\{name} is not defined in this document; what it prints is not known"
    return ""
