"""The verdict of a printed params or MAdds: by every convention that the cell's ground leaves open."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction

import numpy as np

from papertally.conventions.axes import unpriced
from papertally.conventions.vectorized import Counts, Truths
from papertally.evidence.read import Evidence
from papertally.evidence.schema import CostEvidence, size_name
from papertally.ledger.load import Cell, Ground, Ledger, Row
from papertally.quantities.columns import COSTS, stem
from papertally.quantities.interval import Interval, Truth
from papertally.quantities.printed import PrintedNumber
from papertally.statements.expressions import Expression
from papertally.verdicts.conventions import Finding, Grid, admissible, grid, judge, units
from papertally.verdicts.counting import COLUMNS, Counting, applies, counted_values
from papertally.verdicts.names import show
from papertally.verdicts.verdicts import Verdict

#: Decided by this: every axis of counting.
COUNTING = "counting"
#: How a network of this project's comes out of the verdicts on the paper.
APART = {"reproduced": "predicted", "differs": "not-predicted"}
#: Words in a construction that say it was drawn to meet the printed MAdds, so that these prove nothing.
MET = ("solved", "fitted")


@dataclass(frozen=True)
class CostJudged:
    """Hold a cost cell's verdict, what conventions make of it, and its value by the default one as built."""

    verdict: Verdict
    finding: Finding
    value: int


def beyond(value: int, printed: str, interval: PrintedNumber) -> str:
    """Return how far a value lies from what prints as a string: "0.26 last places above, +4.2 %", or "" inside."""
    off = units(value, interval)
    if not off and value in interval:
        return ""
    side = "above" if value >= interval.high else "below"
    percent = float((Decimal(value) - interval.value) / interval.value * 100) if interval.value else 0.0
    return f"{off:.2f} last places {side} what prints as {printed}, {percent:+.1f} %"


def agreement(value: int, printed: str, interval: PrintedNumber) -> str:
    """Return whether one value prints as a string, in words."""
    return f"prints as {printed}" if value in interval else beyond(value, printed, interval)


def sizes(over: Grid, cell: Cell) -> tuple[Counts, tuple[str, ...]]:
    """Return a network's bytes, and their axes: a megabyte of a table is 1000² or 1024² bytes, unless it says which.

    Bytes under the second reading are scaled to what prints the same under the first.
    """
    unit, found = cell.interval_unit, over.params * cell.about.weight_bytes
    axes = over.axes[: over.params.ndim]
    power = {"KB": 1, "kB": 1, "MB": 2, "GB": 3}.get(unit)
    if power is None:
        return found, axes
    binary = np.rint(found * (1000 / 1024) ** power).astype(np.int64)
    return np.stack([found, binary], axis=-1), (*axes, "megabyte")


def _lookup(known: Mapping[tuple[str, str], Decimal]) -> Callable[[str, str], Decimal]:
    return lambda row, column: known[row, column]


class CostJudge:
    """Judge cost cells, each distinct one once."""

    def __init__(self, ledger: Ledger, evidence: Evidence) -> None:
        self.ledger, self.evidence = ledger, evidence
        self._findings: dict[tuple[str, str, str], Finding] = {}
        self._admissible: dict[str, Truths | None] = {}
        self.counting = Counting(ledger, evidence) if applies(ledger.conventions) else None

    def open_axes(self, ground: Ground, column: str) -> tuple[list[str], bool]:
        """Return the axes of structure that are open for a cell, and whether counting is."""
        known: set[str] = {axis.id for axis in self.ledger.conventions.structure}
        structure = [axis for axis in ground.decided_by if axis in known]
        others = ground.kind in ("quoted", "constructed")  # another paper's count, or a network of this project's
        return structure, column == "madds" and (others or COUNTING in ground.decided_by)

    def plain(self, column: str) -> bool:
        """Tell whether a row's one cost decides a column: a usual name, or a size, whatever its parameters take."""
        return column in COSTS or stem(column) == "size"

    def absent(self, row_id: str, column: str) -> str:
        """Return why a cell of a costed row is not judged."""
        about = self.ledger.cell(row_id, column).about
        if not about.counted:
            return f"at which input it was counted is not said; add `input_size` to the column {column}"
        if about.input is not None:
            return f"is not counted at {size_name(about.input)} yet; run `papertally count` anew"
        return f"one cost a row is filed, and not {column}"

    def counted(self, row_id: str, column: str) -> int | None:
        """Return a computed cost of a row by the default convention, or None where there is none."""
        values = counted_values(self.ledger, self.evidence, row_id, column)
        if values is None:
            return None
        if stem(column) == "size":
            return values.params * self.ledger.cell(row_id, column).about.weight_bytes
        return values.params if stem(column) == "params" else values.madds.get(self.evidence.rule)

    def source(self, row_id: str, column: str) -> str:
        """Return the row whose evidence decides a cell: of the first that prints the number, if that is costed."""
        first = self.ledger.canonical(self.ledger.root(row_id, column)[0])
        return first if first in self.evidence.cost else self.ledger.canonical(row_id)

    def finding(self, row_id: str, column: str) -> Finding | None:
        """Return what all admissible conventions make of a cell; None where its row is not costed."""
        if self.counting is not None and stem(column) in COLUMNS:
            return self.counting.finding(row_id, column)
        source = self.source(row_id, column)
        found = self.evidence.cost.get(source)
        cell = self.ledger.cell(row_id, column)
        if found is None or not cell.numeric or not self.plain(column):
            return None
        if found.values_at(cell.about.input) is not found.values:
            return None  # what is open of its structure was not counted there
        key = (source, column, cell.printed)
        if key not in self._findings:
            self._findings[key] = self._judge(row_id, found, cell)
        return self._findings[key]

    def _judge(self, row_id: str, found: CostEvidence, cell: Cell) -> Finding:
        root, _ = self.ledger.root(row_id, cell.column)
        ground = self.ledger.ground(row_id, cell.column)
        structure, counting = self.open_axes(ground, cell.column)
        if root not in self._admissible:
            self._admissible[root] = admissible(self.ledger, self.evidence.cost, root)
        over = grid(found, structure, self.ledger.conventions, counting)
        if stem(cell.column) == "size":
            return judge(*sizes(over, cell), cell.interval)
        if cell.column == "params":
            return judge(over.params, over.axes[: over.params.ndim], cell.interval)
        return judge(over.madds, over.axes, cell.interval, self._admissible[root] if counting else None)

    def judge(self, row: Row, cell: Cell) -> CostJudged | None:
        """Judge a cell; None where its row is not costed."""
        found = self.evidence.cost.get(self.source(row.id, cell.column))
        finding = self.finding(row.id, cell.column)
        if found is None or finding is None:
            return None
        if self.counting is not None and stem(cell.column) in COLUMNS:
            verdict = self.counting.verdict(
                row.id, cell.column, lambda f: self.words(f, cell) + self.unpriced(found, cell)
            )
            return CostJudged(verdict, finding, self.counting.value(row.id, cell.column))
        value = found.values.madds[self.evidence.rule] if cell.column == "madds" else found.values.params
        value *= cell.about.weight_bytes if stem(cell.column) == "size" else 1
        ground = self.ledger.ground(row.id, cell.column)
        if ground.constructed and cell.column == "madds" and any(word in found.construction for word in MET):
            return CostJudged(
                Verdict("blocked", "drawn to meet this number, so that it proves nothing"), finding, value
            )
        name = APART.get(finding.verdict, finding.verdict) if ground.constructed else finding.verdict
        return CostJudged(Verdict(name, self.words(finding, cell) + self.unpriced(found, cell)), finding, value)

    def unpriced(self, found: CostEvidence, cell: Cell) -> str:
        """Return a remark on the operations of a network that no axis of the conventions prices, or ""."""
        axes = [axis.id for axis in self.ledger.conventions.counting]
        left = unpriced(found.values.terms, axes) if stem(cell.column) == "madds" else {}
        named = ", ".join(f"{kind} ({count:,})" for kind, count in left.items())
        return f"; counted in no convention, for want of an axis: {named}" if named else ""

    def words(self, finding: Finding, cell: Cell) -> str:
        """Return a finding as one line of arithmetic."""
        nearest = f"{show(finding.nearest, cell.printed, unit=cell.unit)}"
        off = beyond(finding.nearest, cell.printed, cell.interval)
        cut = "; prints so if digits are cut" if finding.cut and not finding.holds else ""
        if finding.of == 1:
            return f"{off}{cut}"
        if not finding.holds:
            return f"holds under none of {finding.of:,} conventions; the nearest gives {nearest}, {off}{cut}"
        if finding.holds == finding.of:
            return f"holds under all {finding.of:,} conventions"
        names = ", ".join(name.replace("_", " ") for name in finding.deciding)
        return f"holds under {finding.holds:,} of {finding.of:,} conventions; decided by {names}"

    def span(self, row_id: str, column: str) -> Interval | None:
        """Return all that a cost may be under admissible conventions; None of a network that is not the paper's."""
        if self.ledger.ground(row_id, column).constructed:
            return None
        found = self.finding(row_id, column)
        return None if found is None else Interval(Fraction(found.low), Fraction(found.high))

    def truth(self, expression: Expression) -> Truth:
        """Return what a relation of costs is under all admissible conventions, each taken for all its cells at once.

        Cells whose structure is open vary on their own. Raises MissingValue for a cell of no network of the paper's.
        """
        if self.counting is not None:
            return self.counting.truth(expression, self.span)
        found = expression.truth(self.span)
        if found is not Truth.UNDECIDED or any(
            self.open_axes(self.ledger.ground(*r), r[1])[0] for r in expression.refs
        ):
            return found
        conventions = self.ledger.conventions
        columns = []
        for row, column in expression.refs:
            cost = self.evidence.cost[self.source(row, column)]
            counting = self.open_axes(self.ledger.ground(row, column), column)[1]
            over = grid(cost, (), conventions, counting)
            weight = self.ledger.cell(row, column).about.weight_bytes if stem(column) == "size" else 1
            values = over.madds if column == "madds" else np.full(1, cost.values.params * weight)
            columns.append(
                np.broadcast_to(values.reshape(-1) if values.size == 1 else values, conventions.sizes).reshape(-1)
            )
        seen: set[bool] = set()
        for at in np.unique(np.stack(columns), axis=1).T:
            point = dict(zip(expression.refs, map(Decimal, at.tolist()), strict=True))
            seen.add(expression.evaluate(_lookup(point)).holds)
            if len(seen) > 1:
                return Truth.UNDECIDED
        return Truth.HOLDS if seen == {True} else Truth.CANNOT
