"""Judge a relation on achieved values: contrasts tested directly, conjunctions part by part, failures corrected.

A conjunction holds if each part does at level alpha (intersection-union: no correction is due); it fails if some part
fails at a level that Holm's correction leaves over all parts, and over all statements of the family.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

from papertally.quantities.columns import is_cost
from papertally.statements.expressions import Expression, ExpressionError, MissingValue
from papertally.verdicts.contrasts import Contrast, Every, Fact, Key, Node, Some, contrasts, leaves
from papertally.verdicts.spread import Spread, holm, of_row, tail, welch
from papertally.verdicts.verdicts import Verdict


@dataclass(frozen=True)
class Rule:
    """Hold what decides trained statements.

    alpha: one-sided level of each part; seeds: runs that every cell must have before a statement counts as
    reproduced; margins: of agrees(), in points by column; spreads: between seeds, by column.
    """

    alpha: float
    seeds: int
    margins: Mapping[str, float] = field(default_factory=dict)
    spreads: Mapping[str, Spread] = field(default_factory=dict)


@dataclass(frozen=True)
class Finding:
    """Hold what the values say of a statement before other statements are regarded.

    holds, fails: probabilities of values at least this clear if the statement did not hold, or did; quantity: what is
    compared; early: a verdict that no test decides (not run, one seed, exact numbers).
    """

    holds: float = 1.0
    fails: float = 1.0
    quantity: Any = None
    worst: str = ""
    few: int = 0
    early: Verdict | None = None

    def verdict(self, rule: Rule, failed: bool | None = None) -> Verdict:
        """Return the verdict; failed: what the correction over the family left of the failure."""
        if self.early:
            return self.early
        failed = self.fails <= rule.alpha if failed is None else failed
        if self.holds <= rule.alpha:
            if self.few:
                return Verdict("underpowered", f"holds, p = {self.holds:.2g}; {self.few} of {rule.seeds} seeds")
            return Verdict("reproduced", f"p = {self.holds:.2g}")
        if failed:
            return Verdict("not-reproduced", f"fails at {self.worst}, p = {self.fails:.2g} corrected over its parts")
        return Verdict("underpowered", f"undecided: p = {self.holds:.2g} that it holds, {self.fails:.2g} that it fails")


#: (canonical row, column) -> one value a seed, or None where nothing was run.
Runs = Callable[[str, str], list[float] | None]
#: (row, column) -> an exact value, or None.
Costs = Callable[[str, str], Decimal | None]


def relation(expression: Expression, runs: Runs, costs: Costs, rule: Rule, key: Callable[[str], str]) -> Finding:
    """Judge a relation; key: row id to the row whose experiment it is, so that one experiment is one estimate."""
    values: dict[Key, list[float]] = {}
    missing = []
    for row, column in expression.refs:
        if is_cost(column):
            if costs(row, column) is None:
                missing.append(f"{row}.{column}")
        elif found := runs(key(row), column):
            values[key(row), column] = found
        else:
            missing.append(f"{row}.{column}")
    if missing:
        more = f" and {len(missing) - 3} more" if len(missing) > 3 else ""
        return Finding(early=Verdict("not-run", f"needs {', '.join(missing[:3])}{more}"))
    means = {k: Decimal(repr(math.fsum(v) / len(v))) for k, v in values.items()}

    def mean(row: str, column: str) -> Decimal | None:
        return costs(row, column) if is_cost(column) else means[key(row), column]

    margin = max((Decimal(str(rule.margins[c])) for _, c in values if c in rule.margins), default=Decimal(0))
    try:
        outcome = expression.evaluate(mean, margin=margin)
    except ExpressionError as error:  # achieved values may be equal where the printed ones differ
        return Finding(early=Verdict("blocked", f"cannot be tested: {error}"))
    if not values:
        exact = Verdict("reproduced") if outcome.holds else Verdict("differs", f"fails at {outcome.part}")
        return Finding(quantity=outcome.quantity, early=exact)
    try:
        tree = contrasts(expression, key, costs, rule.margins)
    except (ExpressionError, MissingValue) as error:
        return Finding(quantity=outcome.quantity, early=Verdict("blocked", f"cannot be tested: {error}"))
    lone = [f"{row}.{column}" for (row, column), v in values.items() if len(v) == 1]
    if lone:
        name = "consistent (n = 1)" if outcome.holds else "inconsistent (n = 1)"
        at = "" if outcome.holds else f"; fails at {outcome.part}"
        return Finding(quantity=outcome.quantity, early=Verdict(name, f"one seed of {', '.join(lone[:3])}{at}"))
    few = min((len(v) for v in values.values() if len(v) < rule.seeds), default=0)
    told = {id(leaf): p_values(leaf, values, rule.spreads) for leaf in leaves(tree)}
    worst = min(leaves(tree), key=lambda leaf: told[id(leaf)][1])
    return Finding(holds(tree, told), fails(tree, told), outcome.quantity, worst.text, few)


def p_values(
    leaf: Contrast | Fact, values: Mapping[Key, list[float]], spreads: Mapping[str, Spread]
) -> tuple[float, float]:
    """Return a comparison's (p that it holds, p that it fails), each one-sided."""
    if isinstance(leaf, Fact):
        return (0.0, 1.0) if leaf.holds else (1.0, 0.0)
    estimate = float(leaf.constant) + math.fsum(
        float(w) * math.fsum(values[k]) / len(values[k]) for k, w in leaf.weights
    )
    shared: dict[str, float] = {}
    parts: list[tuple[float, float]] = []
    for k, weight in leaf.weights:
        column, mine = spreads.get(k[1]), values[k]
        spread = of_row(mine, column)
        if spread is None:
            raise ValueError(f"{k[0]}.{k[1]} has one seed and no other row a spread")
        variance = float(weight) ** 2 * spread.sd**2 / len(mine)
        if spread is column:
            shared[k[1]] = shared.get(k[1], 0.0) + variance
        else:
            parts.append((variance, spread.freedom))
    parts += [(variance, spreads[c].freedom) for c, variance in shared.items()]
    error, freedom = welch(parts)
    if error == 0:
        true = estimate > 0 or (estimate == 0 and not leaf.strict)
        return (0.0, 1.0) if true else (1.0, 0.0)
    t = estimate / error
    return tail(t, freedom), tail(-t, freedom)


def holds(node: Node, told: Mapping[int, tuple[float, float]]) -> float:
    """Return the p value that a tree holds: the largest of all parts, the smallest times their number of some."""
    match node:
        case Every():
            return max(holds(p, told) for p in node.parts)
        case Some():
            return min(1.0, len(node.parts) * min(holds(p, told) for p in node.parts))
    return told[id(node)][0]


def fails(node: Node, told: Mapping[int, tuple[float, float]]) -> float:
    """Return the p value that a tree fails: the smallest times their number of all parts, the largest of some."""
    match node:
        case Every():
            return min(1.0, len(node.parts) * min(fails(p, told) for p in node.parts))
        case Some():
            return max(fails(p, told) for p in node.parts)
    return told[id(node)][1]


def family(findings: Mapping[str, Finding], alpha: float) -> frozenset[str]:
    """Return the statements whose failure stands when the error over all tested ones is held at `alpha`."""
    return holm({name: f.fails for name, f in findings.items() if f.early is None}, alpha)
