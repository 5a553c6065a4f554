"""The spread between seeds: one standard deviation pooled over a profile's rows, where they are alike."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

#: Below this probability of Bartlett's test the rows' spreads are not alike, and each row keeps its own.
HOMOGENEITY = 0.05


@dataclass(frozen=True)
class Spread:
    """Hold a column's standard deviation between seeds, in points.

    freedom: degrees of freedom; rows: experiments of at least two seeds; p: of Bartlett's test that they are alike,
    None for fewer than two; largest, smallest: of the rows' own.
    """

    sd: float
    freedom: int
    rows: int = 1
    p: float | None = None
    smallest: float = 0.0
    largest: float = 0.0

    @property
    def alike(self) -> bool:
        """Tell whether one spread serves all rows."""
        return self.p is None or self.p >= HOMOGENEITY

    def told(self) -> str:
        """Return the spread in words, with what supports it."""
        text = f"spread between seeds {self.sd:.2f} points ({self.rows} rows, {self.freedom} degrees of freedom)"
        if self.p is None:
            return text
        found = "alike" if self.alike else f"unlike, {self.smallest:.2f} to {self.largest:.2f}: each row keeps its own"
        return f"{text}; Bartlett's test of equal spreads p = {self.p:.2f}, {found}"


def squares(values: Sequence[float]) -> float:
    """Return the sum of squared deviations from the mean."""
    mean = math.fsum(values) / len(values)
    return math.fsum((v - mean) ** 2 for v in values)


def own(values: Sequence[float]) -> Spread | None:
    """Return one experiment's own spread, or None for fewer than two seeds."""
    if len(values) < 2:
        return None
    sd = math.sqrt(squares(values) / (len(values) - 1))
    return Spread(sd, len(values) - 1, 1, None, sd, sd)


def pooled(experiments: Iterable[Sequence[float]]) -> Spread | None:
    """Return the spread pooled over experiments (one value a seed), or None where none has two seeds."""
    groups = [values for values in experiments if len(values) > 1]
    if not groups:
        return None
    freedom = sum(len(values) - 1 for values in groups)
    sds = [math.sqrt(squares(values) / (len(values) - 1)) for values in groups]
    sd = math.sqrt(math.fsum(squares(values) for values in groups) / freedom)
    p = None
    if len(groups) > 1 and sd > 0:
        p = _bartlett(groups) if min(sds) > 0 else 0.0  # a row without any spread is not like one that has some
    return Spread(sd, freedom, len(groups), p, min(sds), max(sds))


def _bartlett(groups: Sequence[Sequence[float]]) -> float:
    from scipy.stats import bartlett

    return float(bartlett(*groups).pvalue)


def of_row(values: Sequence[float], column: Spread | None) -> Spread | None:
    """Return the spread that counts for one experiment: the column's, or its own where the rows are unlike.

    An experiment whose own seeds happen to be equal takes the column's: a spread of nothing would prove anything.
    """
    mine = own(values)
    if column is None or (not column.alike and mine is not None and mine.sd > 0):
        return mine
    return column


def spread_of(values: Sequence[float], column: Spread | None) -> Spread:
    """Return `of_row` of at least two values. Raises ValueError for fewer without a column's spread."""
    found = of_row(values, column)
    if found is None:
        raise ValueError("one value has no spread")
    return found


def quantile(p: float, freedom: float) -> float:
    """Return Student's t quantile; freedom may be a fraction or infinite."""
    from scipy.special import ndtri, stdtrit

    return float(ndtri(p) if math.isinf(freedom) else stdtrit(freedom, p))


def tail(t: float, freedom: float) -> float:
    """Return the probability that Student's t lies above `t`."""
    from scipy.special import ndtr, stdtr

    return float(ndtr(-t) if math.isinf(freedom) else stdtr(freedom, -t))


def welch(parts: Sequence[tuple[float, float]]) -> tuple[float, float]:
    """Return (standard error, degrees of freedom) of a sum of independent parts, each (variance, freedom).

    Welch's and Satterthwaite's; parts of one pooled spread are to be summed before.
    """
    total = math.fsum(v for v, _ in parts)
    if total == 0:
        return 0.0, math.inf
    below = math.fsum(v * v / f for v, f in parts if not math.isinf(f))
    return math.sqrt(total), total * total / below if below else math.inf


def holm(p_values: Mapping[str, float], alpha: float) -> frozenset[str]:
    """Return the names that stay significant when the whole family's error is held at `alpha` (Holm)."""
    return frozenset(name for name, p in adjusted(p_values).items() if p <= alpha)


def adjusted(p_values: Mapping[str, float]) -> dict[str, float]:
    """Return p values after Holm's correction: a name is significant at any `alpha` where its own is at most that."""
    out, least = {}, 0.0
    for i, (name, p) in enumerate(sorted(p_values.items(), key=lambda item: item[1])):
        least = max(least, min(1.0, p * (len(p_values) - i)))
        out[name] = least
    return out
