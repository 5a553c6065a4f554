"""Costs of a paper whose way of counting is open, or stated as one convention: columns explained, cells judged by them.

A cell is reproduced where one convention gives every counted number of its column and chance would not; no convention
is ever chosen for a cell alone.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from decimal import Decimal
from functools import partial
from typing import Any

import numpy as np

from papertally.conventions.axes import Conventions, Member, parameters
from papertally.conventions.axes import madds as weigh
from papertally.conventions.search import Cost, Printed, Search, nearest, off, power_of, search, words
from papertally.conventions.vectorized import holds
from papertally.evidence.fingerprints import network_parts
from papertally.evidence.read import Evidence, Problem
from papertally.evidence.schema import CostEvidence, CostValues
from papertally.ledger.load import Ledger
from papertally.quantities.columns import stem
from papertally.quantities.interval import Interval, Truth
from papertally.statements.expressions import Expression
from papertally.verdicts.conventions import FamilyView, Finding, family_view
from papertally.verdicts.verdicts import Verdict

COLUMNS = ("params", "madds")


def drop_stale(ledger: Ledger, evidence: Evidence) -> None:
    """Make a problem of the cost of each row that names another network or input today."""
    for row, cost in list(evidence.cost.items()):
        if not cost.network or row not in ledger.rows:
            continue
        today = ledger.row(row)
        known = today.network and network_parts(today.network, today.input, ledger.inputs(row))
        if not known or known != cost.fingerprint:
            path = evidence.paths.pop(("cost", row))
            fault = "stale: the ledger names another network or input today; run `python -m pipelines cost` anew"
            evidence.problems.append(Problem(path, row, fault))
            del evidence.cost[row]


def _at(point: Mapping[tuple[str, str], Decimal], row: str, column: str) -> Decimal:
    return point[row, column]


def narrowed(conventions: Conventions, member: Member) -> Conventions:
    """Return conventions in which every axis has the one value that a member states, or its first."""

    def one(axes: list[Any], stated: Mapping[str, str]) -> list[Any]:
        return [a.model_copy(update={"values": [stated.get(a.id, a.values[0])]}) for a in axes]

    return conventions.model_copy(
        update={
            "counting": one(conventions.counting, member.counting),
            "parameters": one(conventions.parameters, member.parameters),
            "printing": one(conventions.printing, member.printing),
        }
    )


def as_usual(conventions: Conventions) -> Conventions:
    """Return conventions with one way of printing, the first of each axis: others are for whole columns to show."""
    return conventions.model_copy(
        update={"printing": [a.model_copy(update={"values": a.values[:1]}) for a in conventions.printing]}
    )


def applies(conventions: Conventions) -> bool:
    """Tell whether a ledger's conventions say, or leave open, what counts as a parameter and how costs are printed."""
    return conventions.open or bool(conventions.parameters or conventions.printing)


@dataclass(frozen=True)
class Group:
    """Hold the counted cells of a column, of all tables or of one, and what conventions make of them."""

    title: str
    tables: tuple[str, ...]
    found: Search

    @property
    def names(self) -> set[str]:
        """Return the cells' names."""
        return {cell.name for cell in self.found.cells}


def counted_values(ledger: Ledger, evidence: Evidence, row_id: str, column: str) -> CostValues | None:
    """Return what a cell prints as it is counted, or None: no cost is filed, or none at the column's input."""
    found, about = evidence.cost.get(ledger.canonical(row_id)), ledger.cell(row_id, column).about
    return found.values_at(about.input) if found is not None and about.counted else None


class Counting:
    """Judge params and MAdds by all conventions that a ledger leaves open, each column at once."""

    def __init__(self, ledger: Ledger, evidence: Evidence) -> None:
        self.ledger, self.evidence = ledger, evidence
        self.conventions = ledger.conventions
        self.stated = narrowed(self.conventions, self.conventions.members[self.conventions.default])
        self._findings: dict[tuple[str, str], tuple[Search, Finding]] = {}
        names = dict.fromkeys(c for t in ledger.tables.values() for c in t.columns if stem(c) in COLUMNS)
        self.columns = sorted(names, key=lambda name: COLUMNS.index(stem(name)))
        self.groups = {column: self._groups(column) for column in self.columns}

    def _cost(self, row_id: str) -> CostEvidence | None:
        return self.evidence.cost.get(self.ledger.canonical(row_id))

    def values(self, row_id: str, column: str) -> CostValues | None:
        """Return what a cell prints as it is counted, or None: no cost is filed, or none at the column's input."""
        return counted_values(self.ledger, self.evidence, row_id, column)

    def blind(self, row_id: str, column: str) -> str:
        """Return the operators that a row's count of work does not know, in words, or ""."""
        found = self._cost(row_id)
        return ", ".join(found.unknown) if found is not None and stem(column) == "madds" else ""

    def _open(self, row_id: str, column: str) -> Conventions:
        ground = self.ledger.ground(row_id, column)
        free = self.conventions.open or ground.kind in ("quoted", "constructed") or "counting" in ground.decided_by
        return self.conventions if free else self.stated

    def _printed(self, row_id: str, column: str) -> Printed:
        cell = self.ledger.cell(row_id, column)
        return Printed(f"{row_id}.{column}", cell.interval, power_of(cell.printed, cell.unit))

    def _groups(self, column: str) -> list[Group]:
        """Return a column's cells of all tables, and of each table where there are several."""
        if not self.conventions.open:
            return []
        by_table: dict[str, list[str]] = {}
        for row, cell in self.ledger.cells():
            own = self.ledger.root(row.id, column) == (row.id, column) if cell.column == column else False
            if own and self.values(row.id, column) is not None and not self.blind(row.id, column):
                by_table.setdefault(row.table, []).append(row.id)
        sets = [tuple(by_table)] if by_table else []
        sets += [(table,) for table in by_table] if len(by_table) > 1 else []
        out = []
        for tables in sets:
            rows = [row for table in tables for row in by_table[table]]
            found = search(
                column, [self._printed(r, column) for r in rows], [self._of(r, column) for r in rows], self.conventions
            )
            title = f"{column}, table {tables[0]}" if len(tables) == 1 < len(sets) else f"{column}, every counted row"
            out.append(Group(title, tables, found))
        return out

    def _of(self, row_id: str, column: str) -> Cost:
        found = self.values(row_id, column)
        assert found is not None
        return Cost(found.params, found.parts, found.terms)

    def finding(self, row_id: str, column: str) -> Finding | None:
        """Return what all conventions that are open for a cell make of it; None where its row is not costed."""
        if self.values(row_id, column) is None or not self.ledger.cell(row_id, column).numeric:
            return None
        if (row_id, column) not in self._findings:
            cell = self._printed(row_id, column)
            found = search(column, [cell], [self._of(row_id, column)], as_usual(self._open(row_id, column)))
            self._findings[row_id, column] = found, _finding(found)
        return self._findings[row_id, column][1]

    def explained(self, row_id: str, column: str) -> Group | None:
        """Return the cells, this one among them, that one convention gives all of."""
        name = ".".join(self.ledger.root(row_id, column))
        return next((g for g in self.groups[column] if name in g.names and g.found.explained), None)

    def verdict(self, row_id: str, column: str, arithmetic: Callable[[Finding], str]) -> Verdict:
        """Return a cell's verdict; arithmetic: how a finding is told."""
        finding = self.finding(row_id, column)
        assert finding is not None
        if unknown := self.blind(row_id, column):
            return Verdict("blocked", f"the network has operators that no rule counts: {unknown}")
        if (group := self.explained(row_id, column)) is not None:
            found = group.found
            how = words(found.convention(found.simplest), column)
            said = f"one convention gives all {len(found.cells)} numbers of the column ({how})"
            return Verdict("reproduced", f"{said}; {arithmetic(finding)}" if 0 < finding.holds < finding.of else said)
        return Verdict(finding.verdict, arithmetic(finding))

    def value(self, row_id: str, column: str) -> int:
        """Return the count that is shown for a cell: by the convention that explains its column, or by the default."""
        if (group := self.explained(row_id, column)) is not None and not self.blind(row_id, column):
            name = ".".join(self.ledger.root(row_id, column))
            at = next(i for i, cell in enumerate(group.found.cells) if cell.name == name)
            return group.found.value(at, group.found.simplest)
        cost, member = self._of(row_id, column), self.conventions.members[self.conventions.default]
        if stem(column) == "params":
            return parameters(cost.params, cost.parts, member.parameters)
        return weigh(cost.terms, member.counting)

    def truth(self, expression: Expression, span: Callable[[str, str], Interval | None]) -> Truth:
        """Return what a relation of costs is, each convention taken for all of its cells at once."""
        found = expression.truth(span)
        columns = {column for _, column in expression.refs}
        refs = list(expression.refs)
        if found is not Truth.UNDECIDED or len(columns) != 1 or any(self.values(*ref) is None for ref in refs):
            return found
        column = columns.pop()
        cells = [self._printed(row, column) for row, _ in refs]
        values = search(column, cells, [self._of(*ref) for ref in refs], self._open(refs[0][0], column)).values
        seen: set[bool] = set()
        for at in np.unique(values.reshape(len(refs), -1), axis=1).T:
            point = dict(zip(refs, map(Decimal, at.tolist()), strict=True))
            seen.add(expression.evaluate(partial(_at, point)).holds)
            if len(seen) > 1:
                return Truth.UNDECIDED
        return Truth.HOLDS if seen == {True} else Truth.CANNOT

    def families(self) -> list[FamilyView]:
        """Return what one convention can do for each column, as the page shows it."""
        return [_view(group) for column in self.columns for group in self.groups[column]]


def _finding(found: Search) -> Finding:
    """Return a search over one cell as a finding."""
    truths, values, cell = found.truths[0], found.values[0], found.cells[0]
    broad = np.broadcast_to(values.reshape(values.shape + (1,) * (truths.ndim - values.ndim)), truths.shape)
    given = np.unique(broad[truths])
    target = cell.interval.value
    close = int(min(given, key=lambda v: (abs(Decimal(int(v)) - target), v))) if given.size else nearest(found, 0)
    deciding = (
        tuple(name for i, (name, _) in enumerate(found.axes) if (truths != truths.take([0], axis=i)).any())
        if given.size and not truths.all()
        else ()
    )
    cut = bool(holds(values, cell.interval.cut).any())
    return Finding(
        int(truths.sum()),
        int(truths.size),
        deciding,
        close,
        0.0 if given.size else off(close, cell.interval),
        float((close - target) / target * 100) if target else float("inf"),
        cut,
        int(values.min()),
        int(values.max()),
    )


def _view(group: Group) -> FamilyView:
    found = group.found
    shared = words(found.shared) if found.shared and found.ties > 1 else ""
    return family_view(
        f"{found.column}_{'_'.join(group.tables)}" if len(group.tables) == 1 else found.column,
        group.title,
        group.tables,
        [cell.name for cell in found.cells],
        found.truths.reshape(len(found.cells), -1),
        found.chance,
        {},
        words(found.convention(found.simplest), found.column),
        f"all of the best have {shared}" if shared else "",
    )
