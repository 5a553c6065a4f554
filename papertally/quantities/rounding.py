"""What a printed number may have been before it was rounded, under every usual convention.

A contradiction counts only where no convention removes it: nearest with halves up, nearest with halves to even, cut.
"""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from fractions import Fraction
from functools import partial
from itertools import product

from papertally.quantities.interval import Interval, Truth
from papertally.quantities.printed import ROUNDINGS, PrintedNumber, values_printed_as

Convention = Callable[[PrintedNumber], Interval]
#: Every usual way to print fewer digits, by the name that findings give it.
CONVENTIONS: dict[str, Convention] = {name: partial(values_printed_as, rounding=name) for name in ROUNDINGS}
#: The same for two places of print, each with a convention of its own; equal ones first.
PAIRS: dict[str, tuple[str, str]] = {
    (a if a == b else f"{a} and {b}"): (a, b)
    for a, b in sorted(product(ROUNDINGS, repeat=2), key=lambda pair: pair[0] != pair[1])
}


def short(x: Fraction, places: int, sign: str = "") -> str:
    """Return an exact number to some places after the point, whatever its size."""
    return f"{Decimal(x.numerator) / Decimal(x.denominator):{sign}.{places}f}"


def under_all(judge: Callable[[str, str], Truth]) -> dict[str, Truth]:
    """Return what a judge says under every pair of conventions, by name.

    judge takes the names of the conventions of two places of print (two tables; a table and the text).
    """
    return {name: judge(a, b) for name, (a, b) in PAIRS.items()}


def verdict(found: dict[str, Truth]) -> tuple[Truth, list[str]]:
    """Return what no convention changes, and the pairs under which it is not impossible, by name.

    It cannot hold only where no pair rescues it; it holds where each convention, kept to at both places, has it hold.
    """
    rescued = [name for name, truth in found.items() if truth is not Truth.CANNOT]
    if not rescued:
        return Truth.CANNOT, []
    holds = all(found[name] is Truth.HOLDS for name in ROUNDINGS)
    return (Truth.HOLDS if holds else Truth.UNDECIDED), rescued
