"""Numbers that no prices of given terms give: linear programming over intervals, and an exact proof of a no.

A contradiction is stated only with a certificate that exact arithmetic confirms: a weighted sum of the printed bounds,
in which every unknown price cancels, and which comes out wrong. Floating point only proposes the weights.
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from functools import lru_cache

from papertally.quantities.interval import Interval, large, number

#: Far above what a paper prints.
LARGEST = 10**15


@dataclass(frozen=True)
class Line:
    """Hold one printed number: its name, the multiples of the unknowns that it is, and where it lies."""

    name: str
    terms: tuple[Fraction, ...]
    bounds: Interval


@dataclass(frozen=True)
class Certificate:
    """Hold a proof that no prices fit: weights over upper and lower bounds whose sum is impossible.

    weights: of each line, positive of its upper bound, negative of its lower one.
    """

    lines: tuple[Line, ...]
    weights: tuple[Fraction, ...]

    @property
    def total(self) -> Fraction:
        """Return the weighted sum of bounds; the same sum of the true numbers is zero, and below this."""
        pairs = zip(self.weights, self.lines, strict=True)
        return sum((w * (x.bounds.high if w > 0 else x.bounds.low) for w, x in pairs), Fraction(0))

    @property
    def gap(self) -> Fraction:
        """Return by how much every interval would have to be wider at either end for the sum to be possible."""
        return -self.total / sum(map(abs, self.weights))

    def proves(self) -> bool:
        """Tell, exactly, whether the unknowns cancel and the sum is impossible."""
        if not any(self.weights):
            return False
        width = len(self.lines[0].terms)
        if any(sum(w * x.terms[j] for w, x in zip(self.weights, self.lines, strict=True)) for j in range(width)):
            return False
        open_ = any(
            x.bounds.high_open if w > 0 else x.bounds.low_open
            for w, x in zip(self.weights, self.lines, strict=True)
            if w
        )
        return self.total < 0 or (self.total == 0 and open_)

    def __str__(self) -> str:
        """Return the proof: what is bounded from above cannot reach what is printed below."""
        sides = []
        for sign in (1, -1):
            used = [(w * sign, x) for w, x in zip(self.weights, self.lines, strict=True) if w * sign > 0]
            words = [x.name if w == 1 else f"{number(w)} × {x.name}" for w, x in used]
            bound = sum((w * (x.bounds.high if sign > 0 else x.bounds.low) for w, x in used), Fraction(0))
            open_ = any(x.bounds.high_open if sign > 0 else x.bounds.low_open for _, x in used)
            sides.append((" + ".join(words), large(bound), open_))
        (over, high, high_open), (under_, low, low_open) = sides
        return (
            f"({over}) {'<' if high_open else '≤'} {high}, but ({under_}) {'>' if low_open else '≥'} {low}, "
            "and the two must be equal"
        )


@lru_cache(1024)
def refute(lines: tuple[Line, ...]) -> Certificate | None:
    """Return a proof that no value of the unknowns puts every line within its bounds, or None where some may.

    Never wrong: without an exact proof the answer is None.
    """
    import numpy as np  # the rest of the ledger needs neither
    from scipy.optimize import linprog

    if len(lines) < 2 or any(x.bounds.high > LARGEST or max(map(abs, x.terms)) > LARGEST for x in lines):
        return None  # floating point proposes nothing for such numbers
    scale = min((x.bounds.high - x.bounds.low for x in lines if not x.bounds.is_point), default=Fraction(1))
    n = len(lines)
    terms = np.array([[float(t) for t in x.terms] for x in lines])
    high = np.array([float(x.bounds.high / scale) - 1e-3 * x.bounds.high_open for x in lines])
    low = np.array([float(x.bounds.low / scale) + 1e-3 * x.bounds.low_open for x in lines])
    # The small different prices make the best weights unique, so that every machine finds the same proof.
    tilt = 1e-6 * np.arange(1, n + 1) ** 1.5
    found = linprog(
        np.concatenate([high + tilt, -low + tilt]),
        A_eq=np.vstack([np.hstack([terms.T, -terms.T]), np.ones((1, 2 * n))]),
        b_eq=np.concatenate([np.zeros(terms.shape[1]), [1.0]]),
        bounds=(0, None),
        method="highs",
    )
    if found.status != 0 or found.fun >= 0:
        return None
    raw = found.x[:n] - found.x[n:]
    least = min((abs(w) for w in raw if abs(w) > 1e-7), default=0.0)
    if not least:
        return None
    weights = tuple(Fraction(float(w / least)).limit_denominator(1000) if abs(w) > 1e-7 else Fraction(0) for w in raw)
    proof = Certificate(lines, weights)
    return proof if proof.proves() else None
