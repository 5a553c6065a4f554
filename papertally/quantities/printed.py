"""Printed numbers: a verbatim string is an interval, half a unit of its last place to either side.

Read are the forms that papers print: 2.4M, 582 MMACs, 1,582M, 138.0 ms, 33%, 1.2e-3, 1.2×10⁶, −0.4, 76.5 ± 0.2, ≈ 3.5,
3–5, 75.0 (+1.2), 71.2†. What could be read in two ways (a decimal comma, a bound, a lone parenthesis) is refused.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction
from functools import lru_cache

from papertally.quantities.interval import Interval

#: Magnitudes; a percent sign is one point.
UNITS = {"": Decimal(1), "K": Decimal(10**3), "M": Decimal(10**6), "B": Decimal(10**9), "%": Decimal(1)}
MAGNITUDES = {
    **{k: UNITS[k] for k in ("K", "M", "B")},
    "k": Decimal(10**3),
    "G": Decimal(10**9),
    "T": Decimal(10**12),
    "P": Decimal(10**15),
}
#: Units of time in seconds and of memory in bytes; MB is a million bytes, MiB 1024 × 1024.
SECONDS = {
    "s": Decimal(1),
    "sec": Decimal(1),
    "ms": Decimal("0.001"),
    "µs": Decimal("0.000001"),
    "μs": Decimal("0.000001"),
    "us": Decimal("0.000001"),
    "ns": Decimal("0.000000001"),
    "min": Decimal(60),
    "h": Decimal(3600),
    "hours": Decimal(3600),
}
BYTES = {
    "bytes": Decimal(1),
    "kB": Decimal(10**3),
    "KB": Decimal(10**3),
    "MB": Decimal(10**6),
    "GB": Decimal(10**9),
    "TB": Decimal(10**12),
    "KiB": Decimal(2**10),
    "MiB": Decimal(2**20),
    "GiB": Decimal(2**30),
}
#: Other units that are shown as they stand; each is a kind of its own.
OTHERS = (
    "dB",
    "fps",
    "FPS",
    "img/s",
    "imgs/s",
    "images/s",
    "im/s",
    "samples/s",
    "tokens/s",
    "J",
    "mJ",
    "W",
    "mW",
    "Wh",
    "kWh",
    "px",
    "°",
    "x",
    "×",
    "pp",
    "points",
)
_COUNTED = r"(?:FLOP[Ss]?|MACs?|M-?Adds?|MAdds|Mult-?Adds|[Pp]arams?|[Pp]arameters|[Oo]ps)"
_DIGITS = r"(?:[0-9]{1,3}(?:[,\u2009\u202f][0-9]{3})+|[0-9]+)(?:\.[0-9]+)?|\.[0-9]+"
_SUPER = str.maketrans("⁰¹²³⁴⁵⁶⁷⁸⁹⁻", "0123456789-")
_POWER = r"(?:[eE](?P<e>[-−+]?[0-9]{1,3})|\s?[×x·*]\s?10(?:\^?\{?(?P<p>[-−]?[0-9]{1,3})\}?|(?P<s>[⁻⁰¹²³⁴⁵⁶⁷⁸⁹]{1,4})))?"
#: Marks of footnotes around a number.
MARKS = "*†‡§¶♯♭♮⋆★◦•△▲◇#¹²³⁴⁵⁶⁷⁸⁹ᵃᵇᶜᵈᵉᶠᵍʰⁱ"
_ALL_UNITS = sorted([*SECONDS, *BYTES, *OTHERS], key=len, reverse=True)
_UNIT = (
    rf"(?P<unit>%|(?:{'|'.join(map(re.escape, _ALL_UNITS))})(?![A-Za-z])|[KkMGTPB](?![A-Za-z])"
    rf"|(?P<mag>[KkMGTPB]?)\s?{_COUNTED}(?![A-Za-z]))?"
)
_LATER = rf"%|(?:{'|'.join(map(re.escape, _ALL_UNITS))})(?![A-Za-z])|[KkMGTPB](?![A-Za-z])"
_NUMBER = re.compile(
    rf"(?P<about>≈|~|∼|≃|ca\.\s?|about\s)?\s?(?P<sign>[-−–+]?)(?:[$€£]\s?)?(?P<digits>{_DIGITS})(?!\d){_POWER}"
    rf"(?:\s?[-–—]\s?(?P<to>{_DIGITS})(?!\d))?\s?{_UNIT}"
    rf"(?:(?:\s?(?:±|\+/[-−]|\+[-−])\s?(?P<plus>{_DIGITS})|\s?\((?:±|\+/[-−])\s?(?P<paren>{_DIGITS})\s?%?\))"
    rf"(?:\s?(?P<later>{_LATER}))?)?"
    rf"(?:\s?\(?(?P<gain>[+↑↓▲▼△▽]\s?(?:{_DIGITS})\s?[%KMGB]?|[-−–]\s?(?:{_DIGITS})\s?[%KMGB]?(?=\)))\)?)?"
)
#: How papers print a number that they do not have; `ABSENT` is the first paper's.
ABSENT = "–"
_ABSENT = frozenset(
    [
        "",
        "-",
        "–",
        "—",
        "−",
        "--",
        "---",
        "n/a",
        "na",
        "n.a.",
        "none",
        "nan",
        "null",
        "oom",
        "oot",
        "/",
        "?",
        "✗",
        "×",
        "✕",
        "tbd",
        "tba",
        "dnf",
        "fail",
        "failed",
        "diverged",
        "n/r",
        "nr",
        "...",
        "…",
        "·",
    ]
)


def is_absent(text: str) -> bool:
    """Tell whether a cell says that the paper has no number there: a dash, "n/a", "OOM"."""
    return text.strip().lower() in _ABSENT


@dataclass(frozen=True)
class PrintedNumber:
    """Hold the half-open interval [low, high) of values that print as one string, in base units.

    step: a unit of its last place where that is not the interval's length ("≈", a range); spread: what the paper
    prints behind ±, in the same units.
    """

    low: Decimal
    high: Decimal
    value: Decimal
    step: Decimal | None = None
    spread: Decimal | None = None

    @property
    def place(self) -> Decimal:
        """Return one unit of the last printed place."""
        return self.high - self.low if self.step is None else self.step

    @property
    def cut(self) -> PrintedNumber:
        """Return the values that print as the string where digits are cut, towards zero, instead of rounded."""
        half = -self.place / 2 if self.value < 0 else self.place / 2
        return PrintedNumber(self.low + half, self.high + half, self.value, self.step, self.spread)

    def __contains__(self, x: object) -> bool:
        if isinstance(x, float):
            x = Decimal(repr(x))
        return isinstance(x, (int, Decimal)) and self.low <= x < self.high

    def __str__(self) -> str:
        return f"[{plain(self.low)}, {plain(self.high)})"


#: How numbers are usually shortened: to the nearest (a half up), to the nearest (a half to even), by cutting digits.
ROUNDINGS = ("nearest", "half to even", "cut")


@lru_cache(16384)
def values_printed_as(number: PrintedNumber, rounding: str = "nearest") -> Interval:
    """Return the values that print as a number under one of ROUNDINGS."""
    if rounding == "cut":
        number = number.cut
    low, high = Fraction(number.low), Fraction(number.high)
    if rounding == "nearest":
        return Interval(low, high, high_open=True)
    if rounding == "cut":
        return Interval(low, high, number.value < 0, number.value >= 0)
    if number.step is not None:
        return Interval(low, high)
    odd = int(number.value / number.place) % 2 == 1
    return Interval(low, high, odd, odd)


def plain(x: Decimal) -> str:
    """Return a decimal without exponent or trailing zeros."""
    text = format(x, "f")
    return text.rstrip("0").rstrip(".") if "." in text else text


def dimension(unit: str) -> str:
    """Return what a unit is of: "" for counts and percent, "time", "bytes", or the unit itself."""
    if unit in SECONDS:
        return "time"
    if unit in BYTES:
        return "bytes"
    return unit if unit in OTHERS else ""


def kind_of(unit: str) -> str:
    """Return a unit's dimension as columns are held to one: times ("1.2x") are plain numbers, fps is FPS."""
    found = dimension(unit)
    return {
        "x": "",
        "×": "",
        "points": "pp",
        "FPS": "fps",
        "imgs/s": "img/s",
        "images/s": "img/s",
        "im/s": "img/s",
    }.get(found, found)


def scale_of(unit: str) -> Decimal:
    """Return how many base units (one, seconds, bytes) a unit is. Raises ValueError for an unknown one."""
    for known in (UNITS, MAGNITUDES, SECONDS, BYTES):
        if unit in known:
            return known[unit]
    if unit in OTHERS:
        return Decimal(1)
    if counted := re.fullmatch(rf"([KkMGTPB]?)\s?{_COUNTED}", unit):
        return MAGNITUDES.get(counted[1], Decimal(1))
    raise ValueError(f"{unit!r} is no unit; known: K, M, G, B, T, %, {', '.join([*SECONDS, *BYTES, *OTHERS])}")


def split_printed(text: str) -> re.Match[str]:
    """Return the parts of a printed number. Raises ValueError naming the string."""
    if re.fullmatch(r"(?:10|2)[⁻⁰¹²³⁴⁵⁶⁷⁸⁹]+", text.strip()):
        raise ValueError(f"{text!r} is no printed number; is it a power? write 1e6")
    bare = text.strip().strip(MARKS).strip()
    forms = (text.strip(), bare, re.sub(r"\s?\[\d+\]$", "", bare))
    match = next(filter(None, map(_NUMBER.fullmatch, forms)), None)
    if match is None:
        raise ValueError(f"{text!r} is no printed number; {_mend(bare)}")
    if match["to"] and (match["sign"] or match["e"] or match["p"] or match["s"]):
        raise ValueError(f"{text!r} is no printed number; a range is two plain numbers")
    return match


def own_unit(text: str) -> str:
    """Return the unit that a printed number states itself, or "". Raises ValueError for what is none."""
    match = split_printed(text)
    return match["later"] or match["unit"] or ""


def _mend(text: str) -> str:
    if re.fullmatch(r"\d+,\d+[^.,]*", text):
        return "is its comma a decimal point? write a point"
    if re.fullmatch(r"[\d.]+\s?%?\s?[/|]\s?[\d.]+.*", text):
        return "it is two numbers; make two columns of it"
    if re.fullmatch(r"[\d.,]+\s?[mgt]", text) or re.search(r"\d\s?(?:million|billion|mil|bn)\b", text, re.I):
        return "is it a magnitude? write K, M, G or T"
    if re.match(r"[<>≤≥]", text):
        return "it is a bound; write – and name it in the row's label"
    if re.fullmatch(r".*\d\s?\([\d.]+\)", text):
        return "write what stands in parentheses as ± or leave it out"
    return "expected digits, an optional fraction and K, M, B, % or another unit"


def _decimal(digits: str) -> tuple[Decimal, int]:
    """Return a number and how many places it prints."""
    bare = re.sub(r"[,\u2009\u202f]", "", digits)
    return Decimal(bare), len(bare.partition(".")[2])


@lru_cache(16384)
def parse_printed(text: str, unit: str = "") -> PrintedNumber:
    """Return the interval of a printed number in base units: 2.4M is [2350000, 2450000), 58.5 is [58.45, 58.55).

    unit: that of the column's head, for a number that prints none of its own. Base units are ones, seconds and bytes; a
    percent sign is dropped. Raises ValueError naming the string.
    """
    match = split_printed(text)
    own = own_unit(text)
    if match["later"] and match["unit"] and match["later"] != match["unit"]:
        raise ValueError(f"{text!r} is no printed number; its ± is in another unit; write both in one")
    if own and unit and dimension(own) != dimension(unit):
        raise ValueError(f"{text!r} is in {own}, its column in {unit}; mend one of them")
    scale = scale_of(own or unit)
    value, places = _decimal(match["digits"])
    exponent = match["e"] or match["p"] or (match["s"] or "").translate(_SUPER)
    if exponent:
        scale *= Decimal(10) ** int(exponent.replace("−", "-"))
    if match["sign"] in ("-", "−", "–"):
        value = -value
    step = scale * Decimal(10) ** -places
    low = high = value * scale
    if match["to"]:
        end, more = _decimal(match["to"])
        step, high = max(step, scale * Decimal(10) ** -more), end * scale
        if high < low:
            raise ValueError(f"{text!r} is no printed number; a range begins with the smaller one")
    around = step if match["about"] else step / 2
    spread = match["plus"] or match["paren"]
    return PrintedNumber(
        low - around,
        high + around,
        (low + high) / 2,
        step if match["to"] or match["about"] else None,
        _decimal(spread)[0] * scale if spread else None,
    )
