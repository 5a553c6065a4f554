"""Sound interval arithmetic: what is true of every value that printed numbers, or means, may stand for.

A span holds all values that a quantity may have; a result's span holds all that the result may have, perhaps more,
never less. So a comparison is decided only where it has one truth for all, and wider spans never decide more. Exact:
ends are fractions, an unbounded one is None.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from enum import Enum
from fractions import Fraction
from typing import Self, TypeVar

from papertally.quantities.printed import Bounds


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


@dataclass(frozen=True)
class Span:
    """Hold values from low to high; an open end does not belong, None is no bound."""

    low: Fraction | None
    high: Fraction | None
    low_open: bool = False
    high_open: bool = False

    @property
    def finite(self) -> bool:
        """Tell whether both ends are bounds."""
        return self.low is not None and self.high is not None

    def __contains__(self, x: Fraction | int) -> bool:
        above = self.low is None or x > self.low or (x == self.low and not self.low_open)
        return above and (self.high is None or x < self.high or (x == self.high and not self.high_open))

    def __neg__(self) -> Self:
        low, high = (None if end is None else -end for end in (self.high, self.low))
        return type(self)(low, high, self.high_open, self.low_open)

    def __add__(self, other: Span) -> Self:
        low = None if self.low is None or other.low is None else self.low + other.low
        high = None if self.high is None or other.high is None else self.high + other.high
        return type(self)(low, high, self.low_open or other.low_open, self.high_open or other.high_open)

    def __sub__(self, other: Span) -> Self:
        return self + -other

    def __mul__(self, other: Span) -> Self:
        if not (self.finite and other.finite):
            return type(self)(None, None)
        products = [(x * y, x_open or y_open) for x, x_open in self._ends() for y, y_open in other._ends()]
        low, high = min(p for p, _ in products), max(p for p, _ in products)
        zero = 0 in self or 0 in other  # then 0 is reached whatever the other factor is

        def is_open(end: Fraction) -> bool:
            return all(o for p, o in products if p == end) and not (end == 0 and zero)

        return type(self)(low, high, is_open(low), is_open(high))

    def __truediv__(self, other: Span) -> Self:
        if not other.finite or not self.finite:
            return type(self)(None, None)
        assert other.low is not None
        assert other.high is not None
        if other.low <= 0 <= other.high:
            if other.low == other.high:
                raise ZeroDivisionError
            return type(self)(None, None)
        return self * type(self)(1 / other.high, 1 / other.low, other.high_open, other.low_open)

    def __abs__(self) -> Self:
        if self.low is not None and self.low >= 0:
            return self
        if self.high is not None and self.high <= 0:
            return -self
        if not self.finite:
            return type(self)(Fraction(0), None)
        assert self.low is not None
        assert self.high is not None
        ends = [(-self.low, self.low_open), (self.high, self.high_open)]
        high = max(e for e, _ in ends)
        return type(self)(Fraction(0), high, False, all(o for e, o in ends if e == high))

    def _ends(self) -> list[tuple[Fraction, bool]]:
        assert self.low is not None
        assert self.high is not None
        return [(self.low, self.low_open), (self.high, self.high_open)]


WHOLE = Span(None, None)
S = TypeVar("S", bound=Span)


def point(x: Fraction | int) -> Span:
    """Return the span of one value."""
    return Span(Fraction(x), Fraction(x))


def span(found: Bounds) -> Span:
    """Return the span of a printed number."""
    return Span(Fraction(found.low), Fraction(found.high), found.low_open, found.high_open)


def greatest(a: S, b: S) -> S:
    """Return the span of max(a, b)."""
    if a.high is None or b.high is None:
        high, high_open = None, False
    else:
        high = max(a.high, b.high)
        high_open = all(s.high_open for s in (a, b) if s.high == high)
    lows = [(s.low, s.low_open) for s in (a, b) if s.low is not None]
    low = max((x for x, _ in lows), default=None)
    return type(a)(low, high, any(o for x, o in lows if x == low), high_open)


def least(a: S, b: S) -> S:
    """Return the span of min(a, b)."""
    return -greatest(-a, -b)


def below(a: Span, b: Span) -> Truth:
    """Return the truth of a < b."""
    if (
        a.high is not None
        and b.low is not None
        and (a.high < b.low or (a.high == b.low and (a.high_open or b.low_open)))
    ):
        return Truth.HOLDS
    if a.low is not None and b.high is not None and a.low >= b.high:
        return Truth.CANNOT
    return Truth.UNDECIDED


def equal(a: Span, b: Span) -> Truth:
    """Return the truth of a == b: decided for one value each, or for spans that share none."""
    if a.finite and a.low == a.high == b.low == b.high:
        return Truth.HOLDS
    return Truth.CANNOT if Truth.HOLDS in (below(a, b), below(b, a)) else Truth.UNDECIDED


def within(a: Span, b: Span) -> Truth:
    """Return the truth of 'a lies in the fixed span b'."""
    low = b.low is None or (
        a.low is not None and (a.low > b.low or (a.low == b.low and (a.low_open or not b.low_open)))
    )
    high = b.high is None or (
        a.high is not None and (a.high < b.high or (a.high == b.high and (a.high_open or not b.high_open)))
    )
    if low and high:
        return Truth.HOLDS
    return Truth.CANNOT if Truth.HOLDS in (below(a, b), below(b, a)) else Truth.UNDECIDED


COMPARE: dict[str, Callable[[Span, Span], Truth]] = {
    "Lt": below,
    "LtE": lambda a, b: ~below(b, a),
    "Gt": lambda a, b: below(b, a),
    "GtE": lambda a, b: ~below(a, b),
    "Eq": equal,
    "NotEq": lambda a, b: ~equal(a, b),
    "In": within,
}
