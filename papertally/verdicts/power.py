"""How many seeds a trained cell needs: the power of the equivalence test at a spread, in closed form."""

from __future__ import annotations

import math

from papertally.verdicts.spread import Spread, quantile, tail

WANTED = 0.8
#: Beyond this, more seeds are no plan.
MOST = 30


def power(n: int, spread: Spread, printed_spread: float, margin: float, alpha: float) -> float:
    """Return the chance that a cell is reproduced when the procedures are equal and the printed number is one run."""
    error = math.sqrt(spread.sd**2 / n + max(printed_spread, spread.sd) ** 2)
    if error == 0:
        return 1.0
    room = (margin - quantile(1 - alpha, spread.freedom) * error) / error
    return max(0.0, 1 - 2 * tail(room, math.inf))


def seeds_needed(spread: Spread, printed_spread: float, margin: float, alpha: float, least: int = 2) -> int | None:
    """Return the fewest seeds with a power of 80 %, or None where no number of them (up to 30) has it."""
    found = (n for n in range(least, MOST + 1) if power(n, spread, printed_spread, margin, alpha) >= WANTED)
    return next(found, None)
