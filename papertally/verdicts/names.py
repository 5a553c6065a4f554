"""How the report names things: columns, rows, verdicts and numbers, as a reader sees them."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from papertally.ledger.load import Row, Table
from papertally.quantities.printed import scale_of, split_printed

COLUMNS = {
    "params": "Params",
    "madds": "MAdds",
    "top1": "Top-1",
    "top5": "Top-5",
    "AP": "AP",
    "AP50": "AP 0.5",
    "AP75": "AP 0.75",
    "APM": "AP M",
    "APL": "AP L",
    "miou": "mIoU",
}
SYMBOLS = {
    "reproduced": "✅",
    "depends": "🔶",
    "predicted": "🔵",
    "not-predicted": "🔷",
    "reported": "🔵",
    "reported-otherwise": "🔷",
    "consistent (n = 1)": "🟢",
    "differs": "❌",
    "not-reproduced": "❌",
    "inconsistent (n = 1)": "❌",
    "paper-inconsistent": "🟣",
    "invalid-evidence": "⚠️",
    "underpowered": "🟡",
    "blocked": "⛔",
    "not-run": "▫️",
    "agrees-with-itself": "☑️",
    "derivation-holds": "✅",
    "built-as-stated": "✅",
    "run-as-stated": "✅",
    "derivation-fails": "❌",
    "built-otherwise": "❌",
    "run-otherwise": "❌",
    "undecided": "🟡",
}
#: A verdict's sign on the page, so that colour never stands alone.
GLYPHS = {
    "reproduced": "✓",
    "depends": "⋯",
    "predicted": "+",
    "not-predicted": "−",
    "reported": "⊕",
    "reported-otherwise": "⊖",
    "consistent (n = 1)": "~",
    "differs": "≠",
    "not-reproduced": "✕",
    "inconsistent (n = 1)": "≁",
    "paper-inconsistent": "§",
    "invalid-evidence": "!",
    "underpowered": "?",
    "blocked": "⊘",
    "not-run": "○",
    "agrees-with-itself": "=",
    "derivation-holds": "∴",
    "built-as-stated": "▣",
    "run-as-stated": "▸",
    "derivation-fails": "∌",
    "built-otherwise": "▢",
    "run-otherwise": "▹",
    "undecided": "±",
}
#: How bars and legends run, from settled to open.
ORDER = (
    "reproduced",
    "derivation-holds",
    "built-as-stated",
    "run-as-stated",
    "agrees-with-itself",
    "consistent (n = 1)",
    "depends",
    "undecided",
    "paper-inconsistent",
    "differs",
    "not-reproduced",
    "derivation-fails",
    "built-otherwise",
    "run-otherwise",
    "inconsistent (n = 1)",
    "predicted",
    "not-predicted",
    "reported",
    "reported-otherwise",
    "underpowered",
    "invalid-evidence",
    "blocked",
    "not-run",
)
#: These stand on the first screen even where none was given.
ALWAYS = ("reproduced", "depends", "paper-inconsistent", "differs", "blocked", "not-run")
PROFILES = {
    "mini": "small stand-in data: proves the path, never compared with the paper",
    "proxy": "small real data: orderings only, never compared with the paper",
    "cifar": "registered orderings on CIFAR-10, never compared with the paper",
    "paper": "the paper's data and recipe",
}
#: Entries of a list from which on their number stands for them.
MANY = 12
#: What each ground means, for a reader.
GROUND_WORDS = {
    "printed": "the text fixes what is judged",
    "released": "the text and the authors' released code fix what is judged",
    "open": "something that the paper does not print decides: a way of counting, a reduction, a width",
    "constructed": "the network is this project's drawing: said apart, and neither for nor against the paper",
    "quoted": "another work's number, which this paper copies",
}
TICK = "✓"
NO_TICK = ("", "-", "–")


def column_name(column: str) -> str:
    """Return a column's head: the usual one, or the ledger's own name for it."""
    return COLUMNS.get(column, column)


def column_place(column: str) -> tuple[int, str]:
    """Return how columns are ordered: the usual ones first, others by name."""
    usual = list(COLUMNS)
    return (usual.index(column) if column in usual else len(usual), column)


def slug(verdict: str) -> str:
    """Return a verdict's CSS class and its name in an address."""
    return verdict.split(" ")[0]


def spoken(verdict: str) -> str:
    """Return a verdict for a reader: not-run reads "not run"."""
    return verdict.replace("-", " ")


def short_title(title: str) -> str:
    """Return a title up to its colon."""
    return title.partition(":")[0].strip()


def row_name(table: Table, row: Row) -> str:
    """Return a row's name away from its table: labels, ticked columns by their heads, bare numbers with theirs."""
    parts = []
    for head, label in zip(table.label_columns, row.labels, strict=True):
        if label in NO_TICK:
            continue
        name = head.partition("=")[0].strip()
        if label == TICK:
            parts.append(name or head)
        elif name and label.replace(".", "", 1).isdigit():
            parts.append(f"{name} = {label}")
        else:
            parts.append(label)
    marks = [m for m in row.marks if m.startswith("(")]
    heads = ", ".join(filter(None, table.label_columns))
    named = ", ".join(parts) or (f"none of {heads}" if heads else row.id)
    return " ".join([named, *marks])


def percent(part: int, whole: int) -> str:
    """Return a share in whole percent; a small one that is not nothing as "<1 %"."""
    if not whole or not part:
        return "0 %"
    share = round(100 * part / whole)
    return f"{share} %" if share else "<1 %"


def count(number: int, name: str, plural: str | None = None) -> str:
    """Return a number with its noun: 1 file, 2 files."""
    return f"{number:,} {name if number == 1 else plural or name + 's'}"


def large(number: float) -> str:
    """Return a large count in words: 2.3 billion, 768.7 million, 2,975."""
    for scale, word in ((1e9, "billion"), (1e6, "million")):
        if number >= scale:
            return f"{number / scale:,.1f} {word}"
    return f"{number:,.0f}"


def span(hours: float) -> str:
    """Return hours for a reader: a tenth below ten."""
    return f"{hours:,.1f}" if hours < 9.95 else f"{hours:,.0f}"


def show(value: int | float | Decimal, printed: str, more: int = 2, unit: str = "") -> str:
    """Return a value in the unit of a printed string, to `more` further places, a million parameters as 2.394M.

    unit: of the column's head, for a string that has none of its own.
    """
    found = split_printed(printed)
    unit = found["unit"] or unit
    places = len(found["digits"].partition(".")[2]) + more
    number = Decimal(str(value)) / scale_of(unit)
    if found["e"] or found["p"] or found["s"]:
        return f"{number:.{places}e}"
    gap = " " if len(unit) > 1 else ""
    return f"{number:.{places}f}{gap}{unit.replace('%', '')}"


def quantity(value: Any) -> str:
    """Return a compared quantity for a reader: at most four significant digits, large ones with their unit."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, str):
        return value
    if isinstance(value, (list, tuple)) and len(value) > MANY:
        return f"{len(value)} entries"
    if isinstance(value, (list, tuple)):
        return "[" + ", ".join(quantity(v) for v in value) + "]"
    number = float(value)
    if number.is_integer() and abs(number) < 1e5:
        return str(int(number))
    for scale, unit in ((1e9, "B"), (1e6, "M")):
        if abs(number) >= scale:
            return f"{number / scale:.4g}{unit}"
    return str(int(number)) if number.is_integer() else f"{number:.4g}"
