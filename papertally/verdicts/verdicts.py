"""Verdicts as pure functions: a printed number and achieved ones in, a named verdict with its arithmetic out."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from papertally.statements.expressions import Expression, MissingValue
from papertally.verdicts.spread import Spread, quantile, spread_of, tail, welch

#: Every verdict, worst first, as the report sorts and gates them.
FAILED = (
    "not-reproduced",
    "differs",
    "inconsistent (n = 1)",
    "derivation-fails",
    "built-otherwise",
    "run-otherwise",
    "paper-inconsistent",
)
UNCHECKED = ("invalid-evidence", "underpowered", "depends", "undecided", "blocked", "not-run")
PASSED = (
    "consistent (n = 1)",
    "agrees-with-itself",
    "derivation-holds",
    "built-as-stated",
    "run-as-stated",
    "reproduced",
)
#: What a computed statement shows where it agrees, and where it does not.
SHOWN = {
    "derivation": ("derivation-holds", "derivation-fails"),
    "built": ("built-as-stated", "built-otherwise"),
    "print": ("agrees-with-itself", "paper-inconsistent"),
    "recipe": ("run-as-stated", "run-otherwise"),
}
#: Of networks that this project drew, and of evidence that no stage of this project wrote: said apart.
APART = ("not-predicted", "reported-otherwise", "predicted", "reported")
#: How a verdict reads where nobody of this project saw what its evidence depends on.
REPORTED = {
    "reproduced": "reported",
    "consistent (n = 1)": "reported",
    "not-reproduced": "reported-otherwise",
    "differs": "reported-otherwise",
    "inconsistent (n = 1)": "reported-otherwise",
}
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


def as_reported(verdict: Verdict) -> Verdict:
    """Return how a verdict reads where no stage of this project wrote its evidence."""
    note = "; ".join(filter(None, (verdict.note, "as reported: no stage of this project wrote the evidence")))
    return Verdict(REPORTED.get(verdict.name, verdict.name), note)


@dataclass(frozen=True)
class Equivalence:
    """Hold a trained cell's test against its printed number, all in points.

    gap: mean less printed; error: standard error of that gap, the printed run's own noise included; inside, outside:
    p values that the procedures differ by less, and by more, than the margin; draw: half width of the 95 % prediction
    interval of one further run.
    """

    gap: float
    error: float
    freedom: float
    inside: float
    outside: float
    draw: float


def equivalence(
    gap: float, n: int, spread: Spread, printed_spread: float, margin: float, printed_error: float | None = None
) -> Equivalence:
    """Test a mean of `n` seeds for equivalence within `margin`; the printed number is one run of its authors.

    Their spread is `printed_spread`, as stated, or ours where that is larger: equal procedures have equal spreads.
    printed_error: the standard error that the paper prints itself (±), in place of that.
    """
    ours, theirs = spread.sd**2 / n, max(printed_spread, spread.sd) ** 2
    if printed_error is not None:
        error, freedom = welch([(ours, spread.freedom), (printed_error**2, math.inf)])
    elif theirs > printed_spread**2:
        error, freedom = welch([(ours + theirs, spread.freedom)])
    else:
        error, freedom = welch([(ours, spread.freedom), (theirs, math.inf)])
    room = margin - abs(gap)
    # without any spread nothing is left to chance, and on the margin itself nothing is decided
    inside, beyond = (tail(x / error, freedom) if error else float(x <= 0) for x in (room, -room))
    draw = quantile(0.975, spread.freedom) * spread.sd * math.sqrt(1 + 1 / n)
    return Equivalence(gap, error, freedom, inside, min(1.0, 2 * beyond), draw)


def trained(
    printed: Decimal,
    values: Sequence[float],
    margin: float,
    alpha: float,
    seeds: int = 2,
    spread: Spread | None = None,
    printed_spread: float = 0.0,
    failed: bool | None = None,
    printed_error: float | None = None,
    unit: str = "points",
) -> Verdict:
    """Judge a trained cell from one value a seed, by two one-sided t tests against `margin` (both in points).

    reproduced: closer to the printed number than the margin, at level alpha and with all `seeds` runs;
    not-reproduced: further off; else underpowered. spread: pooled over all rows (None: of these values alone);
    printed_spread: between the authors' runs, of which they print one; failed: what the correction over all cells
    left of a failure; printed_error: the standard error that the paper prints (±), in place of printed_spread; unit:
    what all are in. One seed is never more than consistent or inconsistent.
    """
    if not values:
        raise ValueError("no values")
    if not all(math.isfinite(v) for v in values):
        raise ValueError("a value is not finite")
    n = len(values)
    gap = math.fsum(values) / n - float(printed)
    stated = "" if printed_error is None else f"; the paper's own error {printed_error:.2g}"
    if n == 1:
        inside = abs(gap) <= margin + 2 * (printed_error or 0.0)
        name = "consistent (n = 1)" if inside else "inconsistent (n = 1)"
        return Verdict(name, f"{gap:+.2f} {unit}, one seed{stated}")
    found = equivalence(gap, n, spread_of(values, spread), printed_spread, margin, printed_error)
    half = quantile(1 - alpha / 2, found.freedom) * found.error
    note = f"{gap:+.2f} ± {half:.2f} {unit} ({n} seeds, margin {margin:g}){stated}"
    among = "among them" if abs(gap) <= found.draw else "beyond them"
    note += f"; further runs within {found.draw:.2f} of the mean, the printed number {among}"
    if found.inside <= alpha:
        missing = f"; {n} of {seeds} seeds" if n < seeds else ""
        return Verdict("underpowered" if missing else "reproduced", note + missing)
    if found.outside <= alpha if failed is None else failed:
        return Verdict("not-reproduced", note)
    return Verdict("underpowered", note)


@dataclass(frozen=True)
class Estimate:
    """Hold an achieved value: exact (n 0), of one seed (n 1), or a mean with its interval's half width."""

    value: Decimal
    half_width: Decimal = Decimal(0)
    n: int = 0


def estimate(values: Sequence[float], alpha: float, spread: Spread | None = None) -> Estimate:
    """Return the mean of one value a seed with its (1 - alpha) interval; spread: pooled over all rows."""
    n = len(values)
    mean = math.fsum(values) / n
    half = 0.0
    if n > 1:
        counts = spread_of(values, spread)
        half = quantile(1 - alpha / 2, counts.freedom) * counts.sd / math.sqrt(n)
    return Estimate(Decimal(repr(mean)), Decimal(repr(half)), n)


def computed_claim(
    expression: Expression, lookup: Callable[[str, str], Any], computed: Any, shows: str | None = None
) -> Verdict:
    """Judge a computation's result by the claim's `expect`; shows: a key of SHOWN (None: an achieved quantity)."""
    try:
        holds = expression.evaluate(lookup, {"computed": computed}).holds
    except MissingValue as error:
        return Verdict("not-run", f"needs {error}")
    passed, failed = SHOWN.get(shows or "", ("reproduced", "differs"))
    return Verdict(passed if holds else failed)
