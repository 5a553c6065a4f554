"""Which way of counting explains a column: every convention tried on all of its cells at once, never on one alone.

A convention has three kinds of axes (conventions/axes.py): how work is counted or which parameters are, and how the
count was printed. The first value of each axis is the usual one; of those that explain most the simplest is named, with
the fewest unusual values.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from functools import cached_property

import numpy as np

from papertally.conventions.axes import Conventions, parameters
from papertally.conventions.vectorized import Counts, Truths, counted, holds
from papertally.quantities.printed import PrintedNumber

#: Random targets that chance is estimated from, and the seed of the draws.
DRAWS, SEED = 20, 20201124
_MAGNITUDE = re.compile(r"(?<=[\d\s])([KkMGBTP])(?![a-z])")
_POWERS = {"K": 1, "k": 1, "M": 2, "G": 3, "B": 3, "T": 4, "P": 5}
Axes = tuple[tuple[str, tuple[str, ...]], ...]


@dataclass(frozen=True)
class Cost:
    """Hold a network's parameters, in all and by kind, and the terms of its work."""

    params: int
    parts: Mapping[str, int]
    terms: Mapping[str, int]


@dataclass(frozen=True)
class Printed:
    """Hold a printed cost; power: how often a thousand its unit holds (K 1, M 2, G 3)."""

    name: str
    interval: PrintedNumber
    power: int = 0


def power_of(text: str, unit: str = "") -> int:
    """Return how often a thousand the unit of a printed number holds, or that of its column: 2 for "582M"."""
    found = _MAGNITUDE.search(text.strip()) or _MAGNITUDE.search(f" {unit}")
    return _POWERS[found[1]] if found else 0


def stem(column: str) -> str:
    """Return which cost a column holds: its name before the first underscore."""
    return column.partition("_")[0]


def axes_of(column: str, conventions: Conventions) -> Axes:
    """Return the axes that bear on a cost before it is printed."""
    found = conventions.parameters if stem(column) == "params" else conventions.counting
    return tuple((axis.id, tuple(axis.values)) for axis in found)


def values_of(cost: Cost, column: str, conventions: Conventions) -> Counts:
    """Return a cost under every convention, an axis an axis of `axes_of`."""
    if stem(column) != "params":
        return counted(cost.terms, conventions)
    axes = axes_of(column, conventions)
    out = np.empty([len(values) for _, values in axes], dtype=np.int64)
    for index in np.ndindex(*out.shape):
        chosen = {name: values[i] for (name, values), i in zip(axes, index, strict=True)}
        out[index] = parameters(cost.params, cost.parts, chosen)
    return out


def printed_as(interval: PrintedNumber, power: int, chosen: Mapping[str, str]) -> PrintedNumber:
    """Return the values that print as a number under one way of printing."""
    found = interval.cut if chosen.get("rounding") == "cut" else interval
    if chosen.get("base") != "1024" or not power:
        return found
    scale = (Decimal(1024) / 1000) ** power
    return PrintedNumber(found.low * scale, found.high * scale, found.value * scale)


def printings(cell: Printed, conventions: Conventions) -> list[PrintedNumber]:
    """Return what a printed number means under every way of printing, the last axis running fastest."""
    axes = [(axis.id, tuple(axis.values)) for axis in conventions.printing]
    shape = [len(values) for _, values in axes]
    out = []
    for index in np.ndindex(*shape):
        chosen: dict[str, str] = {name: values[i] for (name, values), i in zip(axes, index, strict=True)}
        out.append(printed_as(cell.interval, cell.power, chosen))
    return out


@dataclass(frozen=True)
class Search:
    """Hold what every convention makes of a column's cells.

    axes: those that change something, printing last; truths: (cells, *axes) whether a cell is given; values: (cells,
    *axes but printing's).
    """

    column: str
    cells: tuple[Printed, ...]
    axes: Axes
    values: Counts
    truths: Truths

    @cached_property
    def satisfied(self) -> Counts:
        """Return how many cells each convention gives."""
        return np.asarray(self.truths.sum(0))

    @property
    def best(self) -> int:
        """Return the most cells that one convention gives."""
        return int(self.satisfied.max())

    @property
    def ties(self) -> int:
        """Return how many conventions give as many."""
        return int((self.satisfied == self.best).sum())

    @property
    def conventions(self) -> int:
        """Return how many conventions differ in anything."""
        return int(self.satisfied.size)

    @cached_property
    def simplest(self) -> tuple[int, ...]:
        """Return the place of the best convention of the fewest unusual values."""
        found = np.argwhere(self.satisfied == self.best)
        return tuple(int(i) for i in min(found.tolist(), key=lambda at: (sum(i > 0 for i in at), at)))

    def convention(self, at: Sequence[int]) -> dict[str, str]:
        """Return a convention's value by axis."""
        return {name: values[i] for (name, values), i in zip(self.axes, at, strict=True)}

    @property
    def shared(self) -> dict[str, str]:
        """Return what all of the best conventions have in common."""
        found = np.argwhere(self.satisfied == self.best)
        return {
            name: values[int(found[0, i])]
            for i, (name, values) in enumerate(self.axes)
            if (found[:, i] == found[0, i]).all()
        }

    def given(self, at: Sequence[int]) -> list[str]:
        """Return the cells that a convention gives."""
        return [cell.name for cell, truth in zip(self.cells, self.truths, strict=True) if truth[tuple(at)]]

    def value(self, cell: int, at: Sequence[int]) -> int:
        """Return a cell's count under a convention."""
        return int(self.values[(cell, *at[: self.values.ndim - 1])])

    @property
    def never(self) -> list[str]:
        """Return the cells that no convention gives."""
        return [cell.name for cell, truth in zip(self.cells, self.truths, strict=True) if not truth.any()]

    @cached_property
    def chance(self) -> float:
        """Return how many random numbers, as coarsely printed and within reach, the best convention would give."""
        return chance([cell.interval for cell in self.cells], list(self.values))

    @property
    def explained(self) -> bool:
        """Tell whether one convention gives every cell, of several, where chance gives no more than half of them."""
        return len(self.cells) > 3 and self.best == len(self.cells) and self.chance <= self.best / 2


def search(column: str, cells: Sequence[Printed], costs: Sequence[Cost], conventions: Conventions) -> Search:
    """Return what every convention makes of printed cells and the costs that were counted for them."""
    axes = axes_of(column, conventions)
    values = np.stack([values_of(cost, column, conventions) for cost in costs])
    kept = [i for i in range(len(axes)) if (values != values.take([0], axis=i + 1)).any()]
    values = values[(slice(None), *(slice(None) if i in kept else 0 for i in range(len(axes))))]
    forms = [printings(cell, conventions) for cell in cells]
    shape = [len(axis.values) for axis in conventions.printing]
    truths = np.stack([np.stack([holds(v, f) for f in form], axis=-1) for v, form in zip(values, forms, strict=True)])
    truths = truths.reshape(*values.shape, *shape)
    printing = [(axis.id, tuple(axis.values)) for axis in conventions.printing]
    first = values.ndim
    matters = [
        i
        for i, (name, values_) in enumerate(printing)
        if len(values_) > 1 and (name != "base" or any(cell.power for cell in cells))
    ]
    truths = truths[(*([slice(None)] * first), *(slice(None) if i in matters else 0 for i in range(len(shape))))]
    return Search(column, tuple(cells), tuple([axes[i] for i in kept] + [printing[i] for i in matters]), values, truths)


def chance(numbers: Sequence[PrintedNumber], values: Sequence[Counts], draws: int = DRAWS) -> float:
    """Return how many of random numbers, as coarsely printed and within reach, the best convention gives on average.

    values: what every convention makes of each number, in arrays of one shape.
    """
    draw, best = np.random.Generator(np.random.PCG64(SEED)), []
    for _ in range(draws):
        total = np.zeros(values[0].shape, dtype=np.int32)
        for number, of in zip(numbers, values, strict=True):
            place = max(1, int(number.place))
            low = int(draw.integers(int(of.min()), int(of.max()) + 1)) // place * place - place // 2
            total += (of >= low) & (of < low + place)
        best.append(int(total.max()))
    return sum(best) / len(best)


def nearest(search_: Search, cell: int) -> int:
    """Return the count of a cell, under any convention, that lies next to its printed number."""
    flat = np.unique(search_.values[cell])
    target = search_.cells[cell].interval.value
    close = flat[np.argsort(np.abs(flat - float(target)))[:3]]
    return min((int(v) for v in close), key=lambda v: (abs(v - target), v))


def off(value: int | float, interval: PrintedNumber) -> float:
    """Return how far a value lies outside what prints as a number, in units of its last place; 0 inside."""
    exact = Decimal(repr(value) if isinstance(value, float) else value)
    beyond = max(interval.low - exact, exact - interval.high, Decimal(0))
    return float(beyond / interval.place) if interval.place else math.inf


#: By axis: what is counted or not.
NOUNS = {
    "linear": "linear layers",
    "matmul": "products of activations",
    "biases": "biases",
    "batch_norm": "BatchNorm",
    "norm": "other norms",
    "pooling": "pooling",
    "relu": "ReLU",
    "activation": "other activations",
    "elementwise": "sums and products of maps",
    "softmax": "softmax",
    "resample": "interpolation",
    "classifier": "the last linear layer",
    "unused": "what no forward pass uses",
    "buffers": "buffers",
}
_PHRASES = {
    ("unit", "1"): "one operation a multiply-add",
    ("unit", "2"): "two operations a multiply-add",
    ("rounding", "nearest"): "rounded",
    ("rounding", "cut"): "cut",
    ("base", "1000"): "thousands",
    ("base", "1024"): "units of 1024",
    ("matmul", "explicit"): "with products of activations that are written out",
}


_USUAL = {
    "linear": "1",
    "matmul": "1",
    "biases": "none",
    "norm": "0",
    "pooling": "0",
    "relu": "none",
    "activation": "0",
    "elementwise": "0",
    "softmax": "0",
    "resample": "0",
    "batch_norm": "0",
    "unused": "counted",
    "buffers": "left out",
    "classifier": "counted",
    "base": "1000",
}


def words(convention: Mapping[str, str], brief: str = "") -> str:
    """Return a convention in words; brief: of which column, to say of it only what is unusual."""
    parts = []
    if brief:
        parts.append("every learned parameter" if stem(brief) == "params" else "the weights of all layers")
    for axis, value in convention.items():
        usual = "counted" if stem(brief) == "params" and axis != "buffers" else _USUAL.get(axis)
        if brief and value == (_USUAL["base"] if axis == "base" else usual):
            continue
        noun = NOUNS.get(axis, axis.replace("_", " "))
        without = value in ("0", "none", "left out")
        times = (
            f" times {value}" if value in ("2", "5") else f" ({value})" if value not in ("1", "all", "counted") else ""
        )
        parts.append(_PHRASES.get((axis, value)) or (f"without {noun}" if without else f"with {noun}{times}"))
    return ", ".join(parts) or "everything counted"
