"""Printed numbers: a verbatim string is an interval, half a unit of its last place to either side."""

from __future__ import annotations

import re
from dataclasses import dataclass
from decimal import Decimal

UNITS = {"": Decimal(1), "K": Decimal(1000), "M": Decimal(1_000_000), "B": Decimal(1_000_000_000), "%": Decimal(1)}
#: How the paper prints a number that it does not have.
ABSENT = "–"
_NUMBER = re.compile(r"(\d+)(?:\.(\d+))?([KMB%]?)")


@dataclass(frozen=True)
class Interval:
    """Hold the half-open interval [low, high) of values that round to one printed string."""

    low: Decimal
    high: Decimal
    value: Decimal

    @property
    def place(self) -> Decimal:
        """Return one unit of the last printed place."""
        return self.high - self.low

    @property
    def cut(self) -> Interval:
        """Return the values that print as the string where digits are cut instead of rounded."""
        return Interval(self.value, self.value + self.place, self.value)

    def __contains__(self, x: object) -> bool:
        if isinstance(x, float):
            x = Decimal(repr(x))
        return isinstance(x, (int, Decimal)) and self.low <= x < self.high

    def __str__(self) -> str:
        return f"[{plain(self.low)}, {plain(self.high)})"


@dataclass(frozen=True)
class Bounds:
    """Hold an interval whose ends may or may not belong to it."""

    low: Decimal
    high: Decimal
    low_open: bool = False
    high_open: bool = False


#: How numbers are usually shortened: to the nearest (a half up), by cutting digits, to the nearest (a half to even).
ROUNDINGS = ("nearest", "cut", "half to even")


def bounds(text: str, rounding: str = "nearest") -> Bounds:
    """Return the values that print as a string under one of ROUNDINGS. Raises ValueError naming the string."""
    return bounds_of(parse_printed(text), rounding)


def bounds_of(found: Interval, rounding: str) -> Bounds:
    """Return the values that print as a printed number under one of ROUNDINGS."""
    if rounding == "nearest":
        return Bounds(found.low, found.high, high_open=True)
    if rounding == "cut":
        return Bounds(found.cut.low, found.cut.high, high_open=True)
    odd = int(found.value / found.place) % 2 == 1
    return Bounds(found.low, found.high, odd, odd)


def plain(x: Decimal) -> str:
    """Return a decimal without exponent or trailing zeros."""
    text = format(x, "f")
    return text.rstrip("0").rstrip(".") if "." in text else text


def parse_printed(text: str) -> Interval:
    """Return the interval of a printed number in base units: 2.4M is [2350000, 2450000), 58.5 is [58.45, 58.55).

    Units K, M, B; a percent sign is dropped. Raises ValueError naming the string.
    """
    match = _NUMBER.fullmatch(text)
    if match is None:
        raise ValueError(f"{text!r} is no printed number; expected digits, an optional fraction and K, M, B or %")
    whole, fraction, unit = match.group(1), match.group(2) or "", match.group(3)
    scale = UNITS[unit]
    value = Decimal(f"{whole}.{fraction}" if fraction else whole) * scale
    half = scale * Decimal(10) ** -len(fraction) / 2
    return Interval(value - half, value + half, value)
