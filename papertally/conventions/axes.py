"""Counting conventions as data: axes, their values, named members, and the multiply-adds that one gives of terms.

Terms are counts by name: `kind`, `kind@site` or `kind@site:JxK`, as evidence of costs holds them.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from itertools import product
from pathlib import Path
from typing import Any, Literal

from pydantic import Field, model_validator

from papertally.ledger.files import YamlFile
from papertally.ledger.schema import Column, Identifier, Strict, TableId, Text

HERE = Path(__file__).resolve().parent
#: Terms that every convention counts: applications of weights.
WEIGHTS = ("conv", "fc", "head_fc")
#: Sites whose activation is followed by nothing else: the bottleneck (A2) and the last expansion.
LINEAR_SITES = ("A2", "last")
#: Ends the id of an axis that changes what the operator named before it gives at LINEAR_SITES, and adds nothing itself.
AT_LINEAR = "_linear"
Price = Callable[[int, int], int]
PRICES: dict[str, Price] = {
    "0": lambda j, k: 0,
    "1": lambda j, k: 1,
    "J": lambda j, k: j,
    "K": lambda j, k: k,
    "2K": lambda j, k: 2 * k,
    "JK": lambda j, k: j * k,
    "JK-1": lambda j, k: j * k - 1,
    "max(1,JK-1)": lambda j, k: max(1, j * k - 1),
    "JK+K-1": lambda j, k: j * k + k - 1,
    "(J-1)K": lambda j, k: (j - 1) * k,
    "2JK": lambda j, k: 2 * j * k,
    "J+K-1": lambda j, k: j + k - 1,
}
_BIASES = {"none": (), "dynamic": ("fc_bias",), "all": ("fc_bias", "head_bias", "conv_bias")}
_RELU: dict[str, Callable[[str], bool]] = {
    "none": lambda site: False,
    "sites": lambda site: site in ("A1", "A3"),
    "blocks": lambda site: site != "stem",
    "all": lambda site: True,
}
_LINEAR: dict[str, Callable[[int], int]] = {
    "same": lambda price: price,
    "at_least_one": lambda price: max(1, price),
    "none": lambda price: 0,
}
_TIMES = ("0", "1", "2")
_MATMUL: dict[str, Callable[[str], bool]] = {
    "0": lambda site: False,
    "explicit": lambda site: site != "attention",  # written as products, not by torch's fused operator
    "1": lambda site: True,
}
#: Every axis of counting with the values that it may take.
VOCABULARY: dict[str, tuple[str, ...]] = {
    "biases": tuple(_BIASES),
    "batch_norm": _TIMES,
    "pooling": _TIMES,
    "relu": tuple(_RELU),
    "activation": _TIMES,
    "linear": ("1", "0"),
    "matmul": tuple(_MATMUL),
    "norm": ("0", "1", "2", "5"),
    "softmax": _TIMES,
    "elementwise": _TIMES,
    "resample": _TIMES,
    "unit": ("1", "2"),
}
#: What each axis of parameters leaves out, by the kinds of a network's parts.
PARTS: dict[str, tuple[str, ...]] = {
    "batch_norm": ("batch_norm",),
    "biases": ("conv_bias", "fc_bias", "head_bias"),
    "classifier": ("head_fc", "head_bias"),
    "unused": ("unused",),
    "buffers": ("buffers",),
}
PRINTING: dict[str, tuple[str, ...]] = {"rounding": ("nearest", "cut"), "base": ("1000", "1024")}
#: What an axis that a convention does not name is taken at.
NEUTRAL = {axis: values[0] for axis, values in VOCABULARY.items()}


def values_of_axis(axis: str) -> tuple[str, ...]:
    """Return the values that an axis of counting may take: an operator's own axis takes prices by J and K."""
    if axis in VOCABULARY:
        return VOCABULARY[axis]
    return tuple(_LINEAR) if axis.endswith(AT_LINEAR) else tuple(PRICES)


@dataclass(frozen=True)
class TermName:
    """Hold the parts of a term's name."""

    kind: str
    site: str = ""
    j: int = 1
    k: int = 1

    def __str__(self) -> str:
        site = f"@{self.site}" if self.site else ""
        return f"{self.kind}{site}" + (f":{self.j}x{self.k}" if (self.j, self.k) != (1, 1) else "")


@cache
def term_name(text: str) -> TermName:
    """Return a term's parts. Raises ValueError for what is no term's name."""
    head, _, jk = text.partition(":")
    kind, _, site = head.partition("@")
    if not jk:
        return TermName(kind, site)
    j, _, k = jk.partition("x")
    return TermName(kind, site, int(j), int(k))


Named = list[tuple[TermName, int]]


def named(terms: Mapping[str, int]) -> Named:
    """Return terms with their names' parts."""
    return [(term_name(name), count) for name, count in terms.items()]


def part(axis: str, value: str, names: Named, linear: str = "same") -> int:
    """Return the multiply-adds that one axis adds to the weights' at a value; what is the same for every image, none.

    linear: the value of the axis that changes what an operator gives at LINEAR_SITES, and adds nothing of its own.
    """
    if axis.endswith(AT_LINEAR):
        return 0
    if axis == "biases":
        return sum(n for t, n in names if t.kind in _BIASES[value])
    if axis in ("batch_norm", "activation", "norm", "softmax", "elementwise", "resample"):
        return int(value) * sum(n for t, n in names if t.kind == axis and t.site != "fixed")
    if axis == "linear":
        return (int(value) - 1) * sum(n for t, n in names if t.kind in ("fc", "head_fc"))
    if axis == "matmul":
        return sum(n for t, n in names if t.kind == "matmul" and _MATMUL[value](t.site))
    if axis == "pooling":
        return int(value) * sum(n for t, n in names if t.kind == "pool")
    if axis == "relu":
        return sum(n for t, n in names if t.kind == "relu" and _RELU[value](t.site))
    if axis in VOCABULARY:
        return 0  # `unit` multiplies what the others sum up
    total = 0
    for t, n in names:
        if t.kind == axis:
            price = PRICES[value](t.j, t.k)
            total += n * (_LINEAR[linear](price) if t.site in LINEAR_SITES else price)
    return total


#: The axis that prices a kind of terms, where it has another name; a kind of WEIGHTS needs none.
_AXIS = {"fc_bias": "biases", "head_bias": "biases", "conv_bias": "biases", "pool": "pooling"}


def unpriced(terms: Mapping[str, int], axes: Collection[str]) -> dict[str, int]:
    """Return the operations by kind that none of some axes prices, so that they count nothing in any convention.

    What is the same for every image (site `fixed`) needs no price.
    """
    out: dict[str, int] = {}
    for term, count in named(terms):
        free = term.kind in WEIGHTS or term.site == "fixed" or not count
        if not free and _AXIS.get(term.kind, term.kind) not in axes:
            out[term.kind] = out.get(term.kind, 0) + count
    return out


def weights(terms: Mapping[str, int]) -> int:
    """Return multiply-adds of convolution and fully connected weights alone: what every convention counts."""
    return sum(n for name, n in terms.items() if name in WEIGHTS)


def madds(terms: Mapping[str, int], counting: Mapping[str, str]) -> int:
    """Return the multiply-adds of terms (operations, where a unit is two) under one convention, a value by axis."""
    taken, names = {**NEUTRAL, **counting}, named(terms)
    added = sum(part(axis, value, names, taken.get(axis + AT_LINEAR, "same")) for axis, value in taken.items())
    return int(taken["unit"]) * (weights(terms) + added)


def parameters(total: int, parts: Mapping[str, int], chosen: Mapping[str, str]) -> int:
    """Return a network's parameters under one convention; chosen: counted or left out, by axis of PARTS."""
    gone = {kind for axis, value in chosen.items() if value == "left out" and axis != "buffers" for kind in PARTS[axis]}
    buffers = parts.get("buffers", 0) if chosen.get("buffers") == "counted" else 0
    return total - sum(n for kind, n in parts.items() if kind in gone) + buffers


# the file


class CountingAxis(Strict):
    """Describe an axis of counting: of VOCABULARY, or of an operator that the paper brings, named as its terms."""

    id: Identifier
    title: Text
    source: Text
    values: list[Text] = Field(min_length=1)

    @model_validator(mode="after")
    def _known(self) -> CountingAxis:
        known = values_of_axis(self.id)
        if unknown := [v for v in self.values if v not in known]:
            raise ValueError(f"axis {self.id}: no value {unknown[0]!r}; known: {', '.join(known)}")
        return self


class ParameterAxis(Strict):
    """Describe an axis of what counts as a parameter."""

    id: Literal["batch_norm", "biases", "classifier", "unused", "buffers"]
    title: Text
    source: Text
    values: list[Literal["counted", "left out"]] = Field(min_length=1)


class PrintingAxis(Strict):
    """Describe an axis of how a count was printed."""

    id: Literal["rounding", "base"]
    title: Text
    source: Text
    values: list[Text] = Field(min_length=1)

    @model_validator(mode="after")
    def _known(self) -> PrintingAxis:
        if unknown := [v for v in self.values if v not in PRINTING[self.id]]:
            raise ValueError(f"axis {self.id}: no value {unknown[0]!r}; known: {', '.join(PRINTING[self.id])}")
        return self


class StructureAxis(Strict):
    """Describe an axis of structure; the first value is what the configs build."""

    id: Literal["k_linear", "hidden", "reduction", "upsample", "attention"]
    title: Text
    source: Text
    values: list[bool | int | str] = Field(min_length=1)


class Member(Strict):
    """Describe a convention with a name: how work is counted, which parameters are, and how both are printed."""

    statement: Text
    counting: dict[str, str]
    parameters: dict[str, Literal["counted", "left out"]] = {}
    printing: dict[str, str] = {}

    @model_validator(mode="after")
    def _known(self) -> Member:
        vocabulary: tuple[tuple[str, Mapping[str, Any]], ...] = (
            ("counting", {axis: values_of_axis(axis) for axis in self.counting}),
            ("parameters", dict.fromkeys(PARTS)),
            ("printing", PRINTING),
        )
        for what, known in vocabulary:
            for axis, value in getattr(self, what).items():
                if axis not in known or (known[axis] and value not in known[axis]):
                    raise ValueError(f"{axis}: {value!r} is no axis and value of {what}; mend it")
        return self


class Family(Strict):
    """Describe cells that share one convention.

    `counted` False: params alone, on which no counting rule bears. `released`: rows whose structure is fixed and stays
    as built; a convention is admissible for the family's other cells only if it gives these rows' costs.
    """

    id: Identifier
    title: Text
    tables: list[TableId]
    rows: list[Identifier] = Field(min_length=1)
    columns: list[Literal["params", "madds"]] = Field(min_length=1)
    structure: list[Identifier]
    counted: bool = True
    released: list[Identifier] = []


class HeldOut(Strict):
    """Describe a check of a fit: conventions chosen on some rows, tried on others."""

    id: Identifier
    title: Text
    chosen_on: list[Identifier] = Field(min_length=1)
    tried_on: list[Identifier] = Field(min_length=1)
    column: Literal["params", "madds"]
    structure: list[Identifier]


class Certificate(Strict):
    """Describe a rule that a table may not satisfy at all: how often each unknown price counts in a row."""

    id: Identifier
    table: TableId
    column: Column
    title: Text
    prices: list[Text] = Field(min_length=1)
    rows: dict[Identifier, list[int]]

    @model_validator(mode="after")
    def _widths(self) -> Certificate:
        for row, counts in self.rows.items():
            if len(counts) != len(self.prices):
                raise ValueError(f"{self.id}: row {row} has {len(counts)} counts for {len(self.prices)} prices")
        return self


class Conventions(Strict):
    """Describe conventions.yaml.

    open: nobody states which convention holds, so that every axis is open for every printed cost.
    """

    schema_: Literal[1] = Field(alias="schema")
    open: bool = False
    counting: list[CountingAxis]
    parameters: list[ParameterAxis] = []
    printing: list[PrintingAxis] = []
    structure: list[StructureAxis] = []
    default: Text
    members: dict[str, Member]
    families: list[Family] = []
    held_out: list[HeldOut] = []
    certificates: list[Certificate] = []

    def axis(self, name: str) -> StructureAxis:
        """Return an axis of structure."""
        return next(axis for axis in self.structure if axis.id == name)

    @property
    def sizes(self) -> tuple[int, ...]:
        """Return how many values each axis of counting has."""
        return tuple(len(axis.values) for axis in self.counting)

    def countings(self) -> list[dict[str, str]]:
        """Return every convention of counting, in the axes' order, the last axis running fastest."""
        names = [axis.id for axis in self.counting]
        return [dict(zip(names, found, strict=True)) for found in product(*(axis.values for axis in self.counting))]

    def varied(self, row: str) -> list[str]:
        """Return the axes of structure that some family varies for a row, in the file's order."""
        named = {a for entry in self.families if row in entry.rows for a in entry.structure}
        named |= {a for entry in self.held_out if row in (*entry.chosen_on, *entry.tried_on) for a in entry.structure}
        return [axis.id for axis in self.structure if axis.id in named]


def load_conventions(root: Path, error: type[Exception], of: Path | None = None) -> Conventions:
    """Return a ledger's conventions: its own file, or what is open for any paper.

    of: the folder of the work that this is a version of, whose axes and members hold without its families. Raises
    `error` with file and line.
    """
    own = (root / "conventions.yaml").is_file()
    if not own and (of is None or not (of / "conventions.yaml").is_file()):
        return any_paper()
    folder = root if own or of is None else of
    source = YamlFile(folder / "conventions.yaml", f"{folder.name}/conventions.yaml", error)
    found = source.validate(Conventions)
    if fault := _names_fault(found):
        raise source.error(*fault)
    if own:
        return found
    return found.model_copy(update={"families": [], "held_out": [], "certificates": []})


def _names_fault(found: Conventions) -> tuple[tuple[str | int, ...], str] | None:
    """Return what names no member or axis of the file, as its place and the fault, or None."""
    if found.default not in found.members:
        return ("default",), f"{found.default!r} is none of the members; mend it"
    counting = {axis.id for axis in found.counting}
    for name, member in found.members.items():
        if unknown := [axis for axis in member.counting if axis not in counting and axis not in VOCABULARY]:
            return ("members", name, "counting"), f"{unknown[0]!r} is no axis of counting; mend it"
    known = {axis.id for axis in found.structure}
    named: tuple[tuple[str, Sequence[Family | HeldOut]], ...] = (
        ("families", found.families),
        ("held_out", found.held_out),
    )
    for key, entries in named:
        for i, entry in enumerate(entries):
            if unknown := [a for a in entry.structure if a not in known]:
                return (key, i, "structure"), f"{entry.id}: no axis of structure {unknown[0]!r}; mend it"
    return None


@cache
def any_paper() -> Conventions:
    """Return the conventions of a paper that states none."""
    return YamlFile(HERE / "any_paper.yaml", "papertally/conventions/any_paper.yaml", ValueError).validate(Conventions)


def check_rows(found: Conventions, cells: Mapping[str, Any]) -> tuple[tuple[str | int, ...], str] | None:
    """Return what names no row of a ledger, as its place in the file and the fault, or None; cells: rows' columns."""
    for i, entry in enumerate(found.families):
        if twice := [row for j, row in enumerate(entry.rows) if row in entry.rows[:j]]:
            return ("families", i, "rows"), f"family {entry.id}: row {twice[0]!r} stands twice"
        for row in entry.rows:
            if row not in cells or not set(entry.columns) & set(cells[row]):
                return ("families", i, "rows"), f"family {entry.id}: row {row!r} has none of its columns"
        if other := [row for row in entry.released if row not in entry.rows]:
            return ("families", i, "released"), f"family {entry.id}: {other[0]!r} is none of its rows"
    for i, held in enumerate(found.held_out):
        for row in (*held.chosen_on, *held.tried_on):
            if row not in cells or held.column not in cells[row]:
                return ("held_out", i), f"held_out {held.id}: row {row!r} has no {held.column}"
    for i, certificate in enumerate(found.certificates):
        for row in certificate.rows:
            if row not in cells or certificate.column not in cells[row]:
                fault = f"certificate {certificate.id}: row {row!r} has no {certificate.column}"
                return ("certificates", i, "rows", row), fault
    return None
