"""What a printed number may have been before it was rounded, under every usual convention; three-valued comparisons.

A contradiction counts only where no convention removes it: nearest with halves up, nearest with halves to even, cut.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction
from functools import lru_cache, reduce
from itertools import product
from typing import Self

from papertally.quantities.interval import Span, Truth, below, equal, every, greatest, least, some, within
from papertally.quantities.printed import Interval, bounds_of, plain

__all__ = [
    "CONVENTIONS", "PAIRS", "Bounds", "Convention", "Truth", "at_most", "below", "cut", "equal", "every", "large",
    "largest", "nearest", "number", "short", "smallest", "some", "to_even", "unit", "verdict", "within",
]  # fmt: skip


@dataclass(frozen=True)
class Bounds(Span):
    """Hold a span that has both its ends."""

    low: Fraction
    high: Fraction

    @classmethod
    def point(cls, value: Fraction | int) -> Bounds:
        """Return the interval that holds one number."""
        return cls(Fraction(value), Fraction(value))

    @property
    def is_point(self) -> bool:
        """Tell whether one number alone lies in it."""
        return self.low == self.high

    def __str__(self) -> str:
        return f"{'(' if self.low_open else '['}{large(self.low)}, {large(self.high)}{')' if self.high_open else ']'}"

    def __truediv__(self, other: Span) -> Self:
        """Divide. Raises ZeroDivisionError where the divisor may be or come near zero."""
        if other.low is None or other.high is None or other.low <= 0 <= other.high:
            raise ZeroDivisionError
        return super().__truediv__(other)


def smallest(parts: list[Bounds]) -> Bounds:
    """Return where the minimum of independent quantities lies."""
    return reduce(least, parts)


def largest(parts: list[Bounds]) -> Bounds:
    """Return where the maximum of independent quantities lies."""
    return reduce(greatest, parts)


def at_most(a: Bounds, b: Bounds) -> Truth:
    """Judge a <= b."""
    return ~below(b, a)


def _from_zero(printed: Interval, rounding: str) -> Bounds:
    """Return what prints so, cut at zero where no sign is printed: counts and shares."""
    found = bounds_of(printed, rounding)
    low, high = Fraction(found.low), Fraction(found.high)
    if printed.value < 0:
        return Bounds(low, high, found.low_open, found.high_open)
    return Bounds(max(low, Fraction(0)), high, found.low_open and low >= 0, found.high_open)


@lru_cache(4096)
def nearest(printed: Interval) -> Bounds:
    """Return what rounds to a printed number, halves up: [low, high)."""
    return _from_zero(printed, "nearest")


@lru_cache(4096)
def to_even(printed: Interval) -> Bounds:
    """Return what rounds to a printed number, halves to even: both ends belong to an even last digit."""
    return _from_zero(printed, "half to even")


@lru_cache(4096)
def cut(printed: Interval) -> Bounds:
    """Return what is cut to a printed number: [value, value + a unit of the last place)."""
    return _from_zero(printed, "cut")


Convention = Callable[[Interval], Bounds]
#: Every usual way to print fewer digits, by the name that findings give it.
CONVENTIONS: dict[str, Convention] = {"nearest": nearest, "half to even": to_even, "cut": cut}
#: The same for two places of print, each with a convention of its own; equal ones first.
PAIRS: dict[str, tuple[Convention, Convention]] = {
    (a if a == b else f"{a} and {b}"): (CONVENTIONS[a], CONVENTIONS[b])
    for a, b in sorted(product(CONVENTIONS, repeat=2), key=lambda pair: pair[0] != pair[1])
}


def unit(printed: Interval) -> Fraction:
    """Return a unit of the last printed place."""
    return Fraction(printed.place)


def number(x: Fraction) -> str:
    """Return an exact number as a decimal where it has a short one, else as a fraction."""
    places = next((n for n in range(13) if 10**n % x.denominator == 0), None)
    if places is None:
        return f"{x.numerator}/{x.denominator}"
    return plain(Decimal(int(x * 10**places)).scaleb(-places))


def short(x: Fraction, places: int, sign: str = "") -> str:
    """Return an exact number to some places after the point, whatever its size."""
    return f"{Decimal(x.numerator) / Decimal(x.denominator):{sign}.{places}f}"


def large(x: Fraction) -> str:
    """Return an exact number as tables print it: 12150000 is 12.15M."""
    for scale, name in ((10**9, "B"), (10**6, "M"), (10**3, "K")):
        if abs(x) >= scale:
            return number(x / scale) + name
    return number(x)


def verdict(judge: Callable[[Convention, Convention], Truth]) -> tuple[Truth, list[str]]:
    """Return what no pair of conventions changes, and the pairs under which it is not impossible, by name.

    judge takes the conventions of two places of print (two tables; a table and the text).
    """
    found = {name: judge(a, b) for name, (a, b) in PAIRS.items()}
    rescued = [name for name, truth in found.items() if truth is not Truth.CANNOT]
    if not rescued:
        return Truth.CANNOT, []
    holds = all(truth is Truth.HOLDS for truth in found.values())
    return (Truth.HOLDS if holds else Truth.UNDECIDED), rescued
