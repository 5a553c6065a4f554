"""Sound interval arithmetic: what is true of every value that printed numbers, or means, may stand for.

An interval holds all values that a quantity may have; a result's interval holds all that the result may have, perhaps
more, never less. So a comparison is decided only where it has one truth for all, and wider intervals never decide more.
Exact: ends are fractions; an end without a bound is infinite, and compares as such.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from decimal import Decimal
from enum import Enum
from fractions import Fraction
from typing import cast


class Truth(Enum):
    """Name what a statement is over all values of its quantities."""

    HOLDS = "holds"
    CANNOT = "cannot"
    UNDECIDED = "undecided"

    def __invert__(self) -> Truth:
        return {Truth.HOLDS: Truth.CANNOT, Truth.CANNOT: Truth.HOLDS}.get(self, self)


def every(truths: Iterable[Truth]) -> Truth:
    """Return the truth of a conjunction (Kleene's)."""
    found = list(truths)
    if Truth.CANNOT in found:
        return Truth.CANNOT
    return Truth.UNDECIDED if Truth.UNDECIDED in found else Truth.HOLDS


def some(truths: Iterable[Truth]) -> Truth:
    """Return the truth of a disjunction (Kleene's)."""
    return ~every(~t for t in truths)


#: No bound. A float, but only ever compared, negated and added to fractions: exact all the same.
INFINITE = cast(Fraction, math.inf)


@dataclass(frozen=True)
class Interval:
    """Hold values from low to high; an open end does not belong."""

    low: Fraction
    high: Fraction
    low_open: bool = False
    high_open: bool = False

    @property
    def finite(self) -> bool:
        """Tell whether both ends are bounds."""
        return self.low != -INFINITE and self.high != INFINITE

    @property
    def is_point(self) -> bool:
        """Tell whether one number alone lies in it."""
        return self.low == self.high

    def __str__(self) -> str:
        return f"{'(' if self.low_open else '['}{large(self.low)}, {large(self.high)}{')' if self.high_open else ']'}"

    def __contains__(self, x: Fraction | int) -> bool:
        above = x > self.low or (x == self.low and not self.low_open)
        return above and (x < self.high or (x == self.high and not self.high_open))

    def __neg__(self) -> Interval:
        return Interval(-self.high, -self.low, self.high_open, self.low_open)

    def __add__(self, other: Interval) -> Interval:
        return Interval(
            self.low + other.low,
            self.high + other.high,
            self.low_open or other.low_open,
            self.high_open or other.high_open,
        )

    def __sub__(self, other: Interval) -> Interval:
        return self + -other

    def __mul__(self, other: Interval) -> Interval:
        if not (self.finite and other.finite):
            return WHOLE
        products = [(x * y, x_open or y_open) for x, x_open in self._ends() for y, y_open in other._ends()]
        low, high = min(p for p, _ in products), max(p for p, _ in products)
        zero = 0 in self or 0 in other  # then 0 is reached whatever the other factor is

        def is_open(end: Fraction) -> bool:
            return all(o for p, o in products if p == end) and not (end == 0 and zero)

        return Interval(low, high, is_open(low), is_open(high))

    def __truediv__(self, other: Interval) -> Interval:
        """Divide. Raises ZeroDivisionError by 0 itself; by what may be or come near it, anything is possible."""
        if other.low == other.high == 0:
            raise ZeroDivisionError
        if not (self.finite and other.finite) or other.low <= 0 <= other.high:
            return WHOLE
        return self * Interval(1 / other.high, 1 / other.low, other.high_open, other.low_open)

    def __abs__(self) -> Interval:
        if self.low >= 0:
            return self
        if self.high <= 0:
            return -self
        ends = [(-self.low, self.low_open), (self.high, self.high_open)]
        high = max(e for e, _ in ends)
        return Interval(Fraction(0), high, False, all(o for e, o in ends if e == high))

    def _ends(self) -> list[tuple[Fraction, bool]]:
        return [(self.low, self.low_open), (self.high, self.high_open)]


WHOLE = Interval(-INFINITE, INFINITE)


def point(x: Fraction | Decimal | int) -> Interval:
    """Return the interval of one value."""
    exact = Fraction(x)
    return Interval(exact, exact)


def greatest(a: Interval, b: Interval) -> Interval:
    """Return the interval of max(a, b)."""
    low, high = max(a.low, b.low), max(a.high, b.high)
    low_open = any(s.low_open for s in (a, b) if s.low == low)
    return Interval(low, high, low_open, all(s.high_open for s in (a, b) if s.high == high))


def least(a: Interval, b: Interval) -> Interval:
    """Return the interval of min(a, b)."""
    return -greatest(-a, -b)


def below(a: Interval, b: Interval) -> Truth:
    """Return the truth of a < b."""
    if a.high < b.low or (a.high == b.low and (a.high_open or b.low_open)):
        return Truth.HOLDS
    return Truth.CANNOT if a.low >= b.high else Truth.UNDECIDED


def at_most(a: Interval, b: Interval) -> Truth:
    """Return the truth of a <= b."""
    return ~below(b, a)


def equal(a: Interval, b: Interval) -> Truth:
    """Return the truth of a == b: decided for one value each, or for intervals that share none."""
    if a.low == a.high == b.low == b.high:
        return Truth.HOLDS
    return Truth.CANNOT if Truth.HOLDS in (below(a, b), below(b, a)) else Truth.UNDECIDED


def within(a: Interval, b: Interval) -> Truth:
    """Return the truth of 'a lies in the fixed interval b'."""
    low = a.low > b.low or (a.low == b.low and (a.low_open or not b.low_open))
    if low and (a.high < b.high or (a.high == b.high and (a.high_open or not b.high_open))):
        return Truth.HOLDS
    return Truth.CANNOT if Truth.HOLDS in (below(a, b), below(b, a)) else Truth.UNDECIDED


COMPARE: dict[str, Callable[[Interval, Interval], Truth]] = {
    "Lt": below,
    "LtE": at_most,
    "Gt": lambda a, b: below(b, a),
    "GtE": lambda a, b: at_most(b, a),
    "Eq": equal,
    "NotEq": lambda a, b: ~equal(a, b),
    "In": within,
}


def number(x: Fraction) -> str:
    """Return an exact number as a decimal where it has a short one, else as a fraction."""
    places = next((n for n in range(13) if 10**n % x.denominator == 0), None)
    if places is None:
        return f"{x.numerator}/{x.denominator}"
    text = format(Decimal(int(x * 10**places)).scaleb(-places), "f")
    return text.rstrip("0").rstrip(".") if "." in text else text


def large(x: Fraction) -> str:
    """Return an exact number as tables print it: 12150000 is 12.15M."""
    for scale, name in ((10**9, "B"), (10**6, "M"), (10**3, "K")):
        if abs(x) >= scale:
            return number(x / scale) + name
    return number(x)
