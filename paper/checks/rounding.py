"""What a printed number may have been before it was rounded, under every usual convention; three-valued comparisons.

A contradiction counts only where no convention removes it: nearest with halves up, nearest with halves to even, cut.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from decimal import Decimal
from enum import Enum
from fractions import Fraction
from functools import lru_cache
from itertools import product

from paper.printed import Interval, plain


class Truth(Enum):
    """Say what rounding leaves open: HOLDS and CANNOT whatever was rounded away, UNDECIDED otherwise."""

    HOLDS = "holds"
    CANNOT = "cannot"
    UNDECIDED = "undecided"

    def __invert__(self) -> Truth:
        return {Truth.HOLDS: Truth.CANNOT, Truth.CANNOT: Truth.HOLDS}.get(self, self)


def every(truths: Iterable[Truth]) -> Truth:
    """Return Kleene's conjunction."""
    found = list(truths)
    if Truth.CANNOT in found:
        return Truth.CANNOT
    return Truth.UNDECIDED if Truth.UNDECIDED in found else Truth.HOLDS


def some(truths: Iterable[Truth]) -> Truth:
    """Return Kleene's disjunction."""
    return ~every(~truth for truth in truths)


@dataclass(frozen=True)
class Bounds:
    """Hold an interval of exact numbers; an open end is not attained."""

    low: Fraction
    high: Fraction
    low_open: bool = False
    high_open: bool = False

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

    def __neg__(self) -> Bounds:
        return Bounds(-self.high, -self.low, self.high_open, self.low_open)

    def __add__(self, other: Bounds) -> Bounds:
        return Bounds(
            self.low + other.low, self.high + other.high,
            self.low_open or other.low_open, self.high_open or other.high_open,
        )  # fmt: skip

    def __sub__(self, other: Bounds) -> Bounds:
        return self + -other

    def __mul__(self, other: Bounds) -> Bounds:
        corners = []
        for (a, a_open), (b, b_open) in product(self._ends(), other._ends()):
            # A zero that is attained makes the product zero whatever the other factor is.
            is_open = (a_open or b_open) and not (a == 0 and not a_open) and not (b == 0 and not b_open)
            corners.append((a * b, is_open))
        low, high = min(v for v, _ in corners), max(v for v, _ in corners)
        return Bounds(low, high, _all_open(corners, low), _all_open(corners, high))

    def __truediv__(self, other: Bounds) -> Bounds:
        """Divide. Raises ZeroDivisionError where the divisor may be or come near zero."""
        if other.low <= 0 <= other.high:
            raise ZeroDivisionError
        return self * Bounds(1 / other.high, 1 / other.low, other.high_open, other.low_open)

    def _ends(self) -> tuple[tuple[Fraction, bool], tuple[Fraction, bool]]:
        return (self.low, self.low_open), (self.high, self.high_open)


def _all_open(corners: list[tuple[Fraction, bool]], value: Fraction) -> bool:
    return all(is_open for v, is_open in corners if v == value)


def smallest(parts: list[Bounds]) -> Bounds:
    """Return where the minimum of independent quantities lies."""
    low, high = min(p.low for p in parts), min(p.high for p in parts)
    return Bounds(
        low, high,
        all(p.low_open for p in parts if p.low == low), any(p.high_open for p in parts if p.high == high),
    )  # fmt: skip


def largest(parts: list[Bounds]) -> Bounds:
    """Return where the maximum of independent quantities lies."""
    return -smallest([-p for p in parts])


def absolute(x: Bounds) -> Bounds:
    """Return where the absolute value lies."""
    if x.low >= 0:
        return x
    if x.high <= 0:
        return -x
    high = max(-x.low, x.high)
    ends = [(-x.low, x.low_open), (x.high, x.high_open)]
    return Bounds(Fraction(0), high, False, _all_open(ends, high))


def below(a: Bounds, b: Bounds) -> Truth:
    """Judge a < b."""
    if a.high < b.low or (a.high == b.low and (a.high_open or b.low_open)):
        return Truth.HOLDS
    return Truth.CANNOT if a.low >= b.high else Truth.UNDECIDED


def at_most(a: Bounds, b: Bounds) -> Truth:
    """Judge a <= b."""
    return ~below(b, a)


def equal(a: Bounds, b: Bounds) -> Truth:
    """Judge a == b."""
    if Truth.HOLDS in (below(a, b), below(b, a)):
        return Truth.CANNOT
    return Truth.HOLDS if a.is_point and b.is_point else Truth.UNDECIDED


def inside(a: Bounds, b: Bounds) -> Truth:
    """Judge whether a lies in b."""
    if equal(a, b) is Truth.CANNOT:
        return Truth.CANNOT
    low = a.low > b.low or (a.low == b.low and (a.low_open or not b.low_open))
    high = a.high < b.high or (a.high == b.high and (a.high_open or not b.high_open))
    return Truth.HOLDS if low and high else Truth.UNDECIDED


@lru_cache(4096)
def nearest(printed: Interval) -> Bounds:
    """Return what rounds to a printed number, halves up: [low, high)."""
    return _from_zero(Bounds(Fraction(printed.low), Fraction(printed.high), False, True))


@lru_cache(4096)
def to_even(printed: Interval) -> Bounds:
    """Return what rounds to a printed number, halves to even: both ends belong to an even last digit."""
    odd = bool(Fraction(printed.value) / unit(printed) % 2)
    return _from_zero(Bounds(Fraction(printed.low), Fraction(printed.high), odd, odd))


@lru_cache(4096)
def cut(printed: Interval) -> Bounds:
    """Return what is cut to a printed number: [value, value + a unit of the last place)."""
    value = Fraction(printed.value)
    return Bounds(value, value + unit(printed), False, True)


Convention = Callable[[Interval], Bounds]
#: Every usual way to print fewer digits, by the name that findings give it.
CONVENTIONS: dict[str, Convention] = {"nearest": nearest, "half to even": to_even, "cut": cut}
#: The same for two places of print, each with a convention of its own; equal ones first.
PAIRS: dict[str, tuple[Convention, Convention]] = {
    (a if a == b else f"{a} and {b}"): (CONVENTIONS[a], CONVENTIONS[b])
    for a, b in sorted(product(CONVENTIONS, repeat=2), key=lambda pair: pair[0] != pair[1])
}


def _from_zero(bounds: Bounds) -> Bounds:
    """Cut at zero: what tables print here are counts and shares."""
    return bounds if bounds.low >= 0 else Bounds(Fraction(0), bounds.high, False, bounds.high_open)


def unit(printed: Interval) -> Fraction:
    """Return a unit of the last printed place."""
    return Fraction(printed.high) - Fraction(printed.low)


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
