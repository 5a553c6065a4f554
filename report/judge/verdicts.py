"""Verdicts as pure functions: a printed number and achieved ones in, a named verdict with its arithmetic out."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from paper.expressions import Expression, MissingValue, Outcome

#: Every verdict, worst first, as the report sorts and gates them.
FAILED = ("not-reproduced", "differs", "inconsistent (n = 1)", "paper-inconsistent")
UNCHECKED = ("invalid-evidence", "underpowered", "depends", "blocked", "not-run")
PASSED = ("consistent (n = 1)", "reproduced")
#: Of networks that this project drew: said apart, and neither for nor against the paper.
APART = ("not-predicted", "predicted")
VERDICTS = (*FAILED, *UNCHECKED, *APART, *PASSED)

DETERMINISTIC_RULE = "prints as the printed string under every admissible convention"
TRAINED_RULE = "TOST"


@dataclass(frozen=True)
class Verdict:
    """Hold a verdict's name and one line of arithmetic."""

    name: str
    note: str = ""

    def __post_init__(self) -> None:
        if self.name not in VERDICTS:
            raise ValueError(f"unknown verdict {self.name!r}")


def trained(printed: Decimal, values: Sequence[float], margin: float, alpha: float, seeds: int = 2) -> Verdict:
    """Judge a trained cell from one value a seed, by two one-sided t tests against `margin` (both in points).

    reproduced: the (1 - 2 alpha) interval of mean - printed lies inside the margin, with all `seeds` runs;
    not-reproduced: the (1 - alpha) interval lies outside it; else underpowered. One seed is never more than consistent
    or inconsistent.
    """
    if not values:
        raise ValueError("no values")
    if not all(math.isfinite(v) for v in values):
        raise ValueError("a value is not finite")
    n = len(values)
    mean = math.fsum(values) / n
    gap = mean - float(printed)
    if n == 1:
        inside = abs(gap) <= margin
        return Verdict("consistent (n = 1)" if inside else "inconsistent (n = 1)", f"{gap:+.2f} points, one seed")
    sd = math.sqrt(math.fsum((v - mean) ** 2 for v in values) / (n - 1))
    narrow, wide = (_t(1 - a, n - 1) * sd / math.sqrt(n) for a in (alpha, alpha / 2))
    note = f"{gap:+.2f} ± {wide:.2f} points ({n} seeds, margin {margin:g})"
    if -margin < gap - narrow and gap + narrow < margin:
        missing = f"; {n} of {seeds} seeds" if n < seeds else ""
        return Verdict("underpowered" if missing else "reproduced", note + missing)
    if gap - wide > margin or gap + wide < -margin:
        return Verdict("not-reproduced", note)
    return Verdict("underpowered", note)


def _t(quantile: float, freedom: int) -> float:
    from scipy.stats import t

    return float(t.ppf(quantile, freedom))


@dataclass(frozen=True)
class Estimate:
    """Hold an achieved value: exact (n 0), of one seed (n 1), or a mean with its interval's half width."""

    value: Decimal
    half_width: Decimal = Decimal(0)
    n: int = 0


def estimate(values: Sequence[float], alpha: float) -> Estimate:
    """Return the mean of one value a seed with its (1 - alpha) interval."""
    n = len(values)
    mean = math.fsum(values) / n
    half = 0.0
    if n > 1:
        sd = math.sqrt(math.fsum((v - mean) ** 2 for v in values) / (n - 1))
        half = _t(1 - alpha / 2, n - 1) * sd / math.sqrt(n)
    return Estimate(Decimal(repr(mean)), Decimal(repr(half)), n)


#: Beyond this many uncertain cells, corners are too many.
MAX_CORNERS = 8


def corners(n: int) -> set[tuple[int, ...]]:
    """Return the directions (-1 or 1 a cell) in which n uncertain cells are moved.

    Every combination up to MAX_CORNERS cells; beyond, all cells one way and each cell alone against the others.
    """
    if n <= MAX_CORNERS:
        return set(itertools.product((-1, 1), repeat=n))
    alone = {tuple(1 - 2 * (i == j) for i in range(n)) for j in range(n)} | {(1,) * n}
    return alone | {tuple(-s for s in sign) for sign in alone}


def relation(
    expression: Expression, achieved: Callable[[str, str], Estimate | None], margin: Decimal
) -> tuple[Verdict, Any]:
    """Judge a relation on achieved values: (verdict, the compared quantity or None).

    Uncertain cells are moved to the ends of their intervals in every combination: holds throughout is reproduced,
    nowhere is not-reproduced, else underpowered. With one seed only: consistent or inconsistent.
    """
    estimates: dict[tuple[str, str], Estimate] = {}
    missing = []
    for ref in expression.refs:
        found = achieved(*ref)
        if found is None:
            missing.append(".".join(ref))
        else:
            estimates[ref] = found
    if missing:
        more = f" and {len(missing) - 3} more" if len(missing) > 3 else ""
        return Verdict("not-run", f"needs {', '.join(missing[:3])}{more}"), None

    def evaluate(point: Mapping[tuple[str, str], Decimal]) -> Outcome:
        return expression.evaluate(lambda row, column: point[row, column], margin=margin)

    centre = {ref: e.value for ref, e in estimates.items()}
    outcome = evaluate(centre)
    holds, quantity = outcome.holds, outcome.quantity
    if any(e.n == 1 for e in estimates.values()):
        name = "consistent (n = 1)" if holds else "inconsistent (n = 1)"
        return Verdict(name, "one seed of a trained cell"), quantity
    uncertain = [ref for ref, e in estimates.items() if e.half_width]
    truths = {holds}
    for sign in corners(len(uncertain)):
        moved = {ref: estimates[ref].value + s * estimates[ref].half_width for ref, s in zip(uncertain, sign)}  # noqa: B905
        truths.add(evaluate({**centre, **moved}).holds)
    if truths == {True}:
        return Verdict("reproduced"), quantity
    if truths == {False}:
        return Verdict("not-reproduced" if uncertain else "differs", f"fails at {outcome.part}"), quantity
    return Verdict("underpowered", "holds only in part of the intervals"), quantity


def computed_claim(expression: Expression, lookup: Callable[[str, str], Any], computed: Any) -> Verdict:
    """Judge a computation's result by the claim's `expect`."""
    try:
        holds = expression.evaluate(lookup, {"computed": computed}).holds
    except MissingValue as error:
        return Verdict("not-run", f"needs {error}")
    return Verdict("reproduced" if holds else "differs")
