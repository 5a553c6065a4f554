"""What every convention of counting and of structure makes of a printed cost: per cell, per family, held out.

Pure arithmetic on filed term counts, in whole numbers; no convention is ever chosen for a single cell.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from itertools import product
from typing import Any

import numpy as np
from numpy.typing import NDArray

from papertally.conventions.axes import Conventions, Family, HeldOut
from papertally.conventions.axes import madds as weigh
from papertally.conventions.search import chance, off
from papertally.conventions.vectorized import Counts, Truths, counted, holds
from papertally.evidence.schema import CostEvidence
from papertally.ledger.load import Ledger
from papertally.quantities.printed import PrintedNumber

#: Random targets that a family's chance is estimated from.
DRAWS = 40


@dataclass(frozen=True)
class Grid:
    """Hold a row's params and MAdds under every convention: structure first, counting behind."""

    axes: tuple[str, ...]
    params: Counts
    madds: Counts


def grid(found: CostEvidence, structure: Sequence[str], conventions: Conventions, counting: bool = True) -> Grid:
    """Return a row's costs over some axes of structure; the others stay as built.

    counting False: MAdds under the default convention alone, in an axis of length 1 each.
    """
    values = [conventions.axis(a).values for a in structure]
    readings: dict[tuple[tuple[str, Any], ...], Any] = {tuple(sorted(r.structure.items())): r for r in found.readings}
    named = {a for r in found.readings for a in r.structure}
    shape = tuple(len(v) for v in values)
    params = np.empty(shape, dtype=np.int64)
    sizes = conventions.sizes if counting else (1,) * len(conventions.counting)
    madds = np.empty((*shape, *sizes), dtype=np.int64)
    default = conventions.members[conventions.default].counting
    known: dict[tuple[tuple[str, Any], ...], Counts] = {}
    for index in product(*(range(n) for n in shape)):
        chosen = {a: v[i] for a, v, i in zip(structure, values, index, strict=True)}
        wanted = tuple(sorted((a, chosen.get(a, found.structure.get(a))) for a in named))
        reading = readings.get(wanted)
        terms = dict(found.values.terms)
        params[index] = found.values.params
        if reading is not None:
            terms |= reading.terms
            params[index] = reading.params
        if wanted not in known:
            known[wanted] = counted(terms, conventions) if counting else np.array(weigh(terms, default)).reshape(sizes)
        madds[index] = known[wanted]
    names = tuple(axis.id for axis in conventions.counting)
    return Grid((*structure, *names), params, madds)


@dataclass(frozen=True)
class Finding:
    """Hold what conventions make of a cell: it holds under `holds` of `of`; `deciding` axes change that.

    nearest: the value nearest to the printed number; units: how far it lies outside what prints as the string, in units
    of the last printed place; percent: from the printed number; cut: some convention reaches it if the paper cuts
    digits; low, high: the values' range.
    """

    holds: int
    of: int
    deciding: tuple[str, ...]
    nearest: int
    units: float
    percent: float
    cut: bool
    low: int
    high: int

    @property
    def verdict(self) -> str:
        """Return reproduced (under all), depends (under some) or differs (under none)."""
        if self.holds == self.of:
            return "reproduced"
        return "depends" if self.holds else "differs"


def _mattering(values: NDArray[Any]) -> list[int]:
    return [i for i in range(values.ndim) if (values != values.take([0], axis=i)).any()]


def judge(values: Counts, axes: Sequence[str], interval: PrintedNumber, admissible: Truths | None = None) -> Finding:
    """Judge a printed number by the values of all admissible conventions; axes that change nothing are not counted.

    admissible: which conventions of counting are, where not all; it broadcasts against the values' last axes.
    """
    mask = np.ones(values.shape, dtype=bool) if admissible is None else np.broadcast_to(admissible, values.shape)
    keep = sorted({*_mattering(values), *_mattering(mask)})
    for i in range(values.ndim):
        if i not in keep:
            values, mask = values.take([0], axis=i), mask.take([0], axis=i)
    truths = holds(values, interval)
    deciding = tuple(axes[i] for i in keep if (truths != truths.take([0], axis=i)).any())
    flat = values[mask]
    truths = truths[mask]
    if truths.all() or not truths.any():
        deciding = ()
    nearest = min({int(v) for v in flat[_closest(flat, interval.value)]}, key=lambda v: (abs(v - interval.value), v))
    return Finding(
        int(truths.sum()),
        int(truths.size),
        deciding,
        nearest,
        off(nearest, interval),
        float((nearest - interval.value) / interval.value * 100) if interval.value else math.inf,
        bool(holds(flat, interval.cut).any()),
        int(flat.min()),
        int(flat.max()),
    )


def _closest(flat: Counts, target: Decimal) -> list[int]:
    """Return the indices of the values next to a target on either side."""
    distance = np.abs(flat - float(target))
    return [int(i) for i in np.flatnonzero(distance <= distance.min() + 1)]


# families


@dataclass(frozen=True)
class FamilyView:
    """Hold what one convention can do for all cells of a family.

    best: the most cells that one satisfies; ties: how many do; left_out: for each set of cells that best ones leave
    out, how many leave out this one; never: cells that no convention satisfies; expected: cells that a convention
    satisfies on average; chance: what the best one would satisfy of random numbers as coarsely printed and within the
    family's range; members: cells that the named ones satisfy; histogram: conventions by cells satisfied. example: one
    of the best; given: the other cells' ranges where a convention gives the released networks' costs.
    """

    id: str
    title: str
    tables: tuple[str, ...]
    conventions: int
    cells: tuple[str, ...]
    best: int
    ties: int
    left_out: tuple[tuple[tuple[str, ...], int], ...]
    never: tuple[str, ...]
    expected: float
    chance: float
    members: dict[str, int]
    histogram: tuple[int, ...]
    example: str = ""
    given: str = ""


@dataclass
class _Cells:
    """Hold a family's cells with their values over its conventions, flattened, without axes that change nothing."""

    names: list[str] = field(default_factory=list)
    values: list[Counts] = field(default_factory=list)
    intervals: list[PrintedNumber] = field(default_factory=list)
    axes: list[tuple[str, list[Any]]] = field(default_factory=list)

    def place(self, taken: Mapping[str, str]) -> int | None:
        """Return where a convention stands among the flattened ones; axes it does not name at their first value."""
        at = []
        for name, values in self.axes:
            if name in taken and taken[name] not in values:
                return None
            at.append(values.index(taken[name]) if name in taken else 0)
        return int(np.ravel_multi_index(at, [len(v) for _, v in self.axes])) if self.axes else 0

    def describe(self, index: int) -> str:
        """Return a flattened convention in words."""
        found = np.unravel_index(index, [len(v) for _, v in self.axes]) if self.axes else ()
        said = [
            (a, str(v[i]).lower() if isinstance(v[i], bool) else v[i])
            for (a, v), i in zip(self.axes, found, strict=True)
        ]
        return ", ".join(f"{a.replace('_', ' ')} {v}" for a, v in said)

    def truths(self) -> Truths:
        """Return (cells, conventions)."""
        return np.stack([holds(v, i) for v, i in zip(self.values, self.intervals, strict=True)])


def _collect(
    ledger: Ledger,
    costs: Mapping[str, CostEvidence],
    rows: Sequence[str],
    columns: Sequence[str],
    structure: Sequence[str],
    counted_too: bool = True,
    released: Sequence[str] = (),
) -> _Cells:
    conventions, out, seen = ledger.conventions, _Cells(), set()
    for row in rows:
        found = costs.get(ledger.canonical(row))
        for column in columns:
            root = ledger.root(row, column)
            if found is None or column not in ledger.row(row).cells or root in seen:
                continue
            cell = ledger.cell(row, column)
            if not cell.numeric:
                continue
            seen.add(root)
            over = grid(found, () if row in released else structure, conventions, counting=counted_too)
            values = over.madds
            if column == "params":
                values = over.params.reshape(over.params.shape + (1,) * len(conventions.counting))
            values = np.broadcast_to(
                values,
                (
                    *(len(conventions.axis(a).values) for a in structure),
                    *over.madds.shape[-len(conventions.counting) :],
                ),
            )
            out.names.append(f"{root[0]}.{column}")
            out.values.append(values)
            out.intervals.append(cell.interval)
    axes = [(a, list(conventions.axis(a).values)) for a in structure]
    axes += [(a.id, list(a.values) if counted_too else [""]) for a in conventions.counting]
    kept = sorted({i for v in out.values for i in _mattering(v)})
    out.axes = [axes[i] for i in kept]
    rest = tuple(slice(None) if i in kept else 0 for i in range(len(axes)))
    out.values = [np.ascontiguousarray(v[rest]).reshape(-1) for v in out.values]
    return out


def family(ledger: Ledger, costs: Mapping[str, CostEvidence], entry: Family) -> FamilyView | None:
    """Judge a family; None where no row of it is costed."""
    cells = _collect(ledger, costs, entry.rows, entry.columns, entry.structure, entry.counted, entry.released)
    if not cells.names:
        return None
    truths = cells.truths()
    satisfied = truths.sum(0)
    members = {}
    for name, member in ledger.conventions.members.items():
        if entry.counted and (place := cells.place(member.counting)) is not None:
            members[name] = int(satisfied[place])
    return family_view(
        entry.id,
        entry.title,
        entry.tables,
        cells.names,
        truths,
        chance(cells.intervals, cells.values, DRAWS),
        members,
        cells.describe(int(np.argmax(satisfied))),
        _given(entry, cells, truths),
    )


def family_view(
    id_: str,
    title: str,
    tables: Sequence[str],
    names: Sequence[str],
    truths: Truths,
    chance: float,
    members: dict[str, int],
    example: str,
    given: str,
) -> FamilyView:
    """Return what conventions make of cells; truths: (cells, conventions) whether a cell is given."""
    satisfied = truths.sum(0)
    best = int(satisfied.max())
    at_best = np.flatnonzero(satisfied == best)
    sets = Counter(tuple(n for n, t in zip(names, truths[:, i], strict=True) if not t) for i in at_best)
    return FamilyView(
        id_,
        title,
        tuple(tables),
        int(satisfied.size),
        tuple(names),
        best,
        len(at_best),
        tuple(sorted(sets.items(), key=lambda s: (-s[1], s[0]))),
        tuple(n for n, t in zip(names, truths, strict=True) if not t.any()),
        float(satisfied.mean()),
        chance,
        members,
        tuple(int(n) for n in np.bincount(satisfied, minlength=len(names) + 1)),
        example,
        given,
    )


def _given(entry: Family, cells: _Cells, truths: Truths) -> str:
    """Return what the conventions that give the released networks' costs make of the other cells."""
    ours = [i for i, name in enumerate(cells.names) if name.partition(".")[0] in entry.released]
    if not ours:
        return ""
    admissible = truths[ours].all(0)
    if not admissible.any():
        return f"no convention gives all {len(ours)} cells of the released networks"
    parts = []
    for i, name in enumerate(cells.names):
        if i not in ours:
            found = cells.values[i][admissible]
            met = int(truths[i][admissible].sum())
            parts.append(f"{name} lies in {int(found.min()):,} to {int(found.max()):,} (met by {met:,})")
    return f"of the {int(admissible.sum()):,} that give the released networks' costs: {'; '.join(parts)}"


def admissible(ledger: Ledger, costs: Mapping[str, CostEvidence], row: str) -> Truths | None:
    """Return the conventions of counting that give the MAdds of the released rows of a row's family; None: all."""
    for entry in ledger.conventions.families:
        if entry.released and row in entry.rows and row not in entry.released and "madds" in entry.columns:
            cells = _collect(ledger, costs, entry.released, ["madds"], ())
            if cells.names and (found := np.asarray(cells.truths().all(0))).any():
                sizes = [len(a.values) if a.id in dict(cells.axes) else 1 for a in ledger.conventions.counting]
                return found.reshape(sizes)
    return None


@dataclass(frozen=True)
class HeldOutView:
    """Hold how conventions that were chosen on some cells do on others.

    chosen: the best ones' cells of `of`, ties: how many they are; tried: cells of `tried_of` that these satisfy on
    average, at least and at most; any: what any convention satisfies on average, best: the best for these cells alone.
    """

    id: str
    title: str
    chosen: int
    of: int
    ties: int
    tried: tuple[float, int, int]
    tried_of: int
    any: float
    best: int


def held_out(ledger: Ledger, costs: Mapping[str, CostEvidence], entry: HeldOut) -> HeldOutView | None:
    """Judge a held-out check; None where a side has no costed row."""
    cells = _collect(ledger, costs, [*entry.chosen_on, *entry.tried_on], [entry.column], entry.structure)
    known = {".".join(ledger.root(row, entry.column)) for row in entry.chosen_on}
    first = [i for i, name in enumerate(cells.names) if name in known]
    second = [i for i, name in enumerate(cells.names) if name not in known]
    if not first or not second:
        return None
    truths = cells.truths()
    chosen, tried = truths[first].sum(0), truths[second].sum(0)
    at_best = tried[chosen == chosen.max()]
    return HeldOutView(
        entry.id,
        entry.title,
        int(chosen.max()),
        len(first),
        int(at_best.size),
        (float(at_best.mean()), int(at_best.min()), int(at_best.max())),
        len(second),
        float(tried.mean()),
        int(tried.max()),
    )
