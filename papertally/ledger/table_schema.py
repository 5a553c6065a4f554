"""The schema of a table's file: columns, rows, what fixes cells, an architecture's printed body, what was not read."""

from __future__ import annotations

import re
from decimal import Decimal
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, model_validator

from papertally.quantities.columns import COSTS, SHARES, Margin, is_cost, plain_column, stem, usual_better, usual_kind
from papertally.quantities.columns import Column as About
from papertally.quantities.printed import MAGNITUDES, dimension, is_absent, kind_of, own_unit, parse_printed, scale_of

#: The first paper's columns that no data decides (paper.columns.is_cost); every other one needs a margin.
COST_COLUMNS = ("params", "madds")
#: What a table's models do.
TASKS = (
    "classification",
    "detection",
    "segmentation",
    "pose",
    "generation",
    "restoration",
    "retrieval",
    "language",
    "speech",
    "recognition",
    "regression",
    "control",
    "other",
)
Identifier = Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]*$")]
Column = Annotated[str, Field(pattern=r"^[A-Za-z][A-Za-z0-9]*(_[A-Za-z0-9]+)*$")]
CELL = r"^[a-z][a-z0-9_]*\.[A-Za-z][A-Za-z0-9_]*$"
TableId = Annotated[str, Field(pattern=r"^[A-Z]?[0-9]{1,4}[a-z]?$")]


def _not_blank(text: str) -> str:
    if text.isspace():
        raise ValueError("is blank; write text")
    return text


Text = Annotated[str, Field(min_length=1), AfterValidator(_not_blank)]
#: What a network takes, [channels, height, width].
InputShape = Annotated[list[Annotated[int, Field(gt=0, le=2**20)]], Field(min_length=1, max_length=5)]
#: A count that arithmetic in floats still takes.
Count = Annotated[int, Field(gt=0, le=10**12)]


class Strict(BaseModel):
    """Refuse unknown keys and silent conversions."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)


def _task(text: str) -> str:
    if text not in TASKS:
        raise ValueError(f"{text!r} is no task; write one of {', '.join(TASKS)}")
    return text


def _printed(text: str) -> str:
    if not is_absent(text):
        parse_printed(text)
    return text


def _quote_it(value: Any) -> Any:
    """Refuse a number that YAML read, which has lost its zeros: 75.0 prints otherwise than 75."""
    if isinstance(value, int | float) and not isinstance(value, bool):
        raise ValueError(f'{value} stands without quotes, so that its last zeros are lost; quote it: "{value}"')
    return value


def _margin(value: Any) -> Any:
    if isinstance(value, str):
        if not re.fullmatch(r"\d+(\.\d+)?\s?%", value):
            raise ValueError(f'"{value}" is no margin; write a number in the column\'s unit, or a share as "2%"')
        return Margin(Decimal(value.rstrip("% ")) / 100, relative=True)
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 < value < 1e12:
        raise ValueError(f'{value!r} is no margin; write a number above 0, or a share as "2%"')
    return Margin(Decimal(repr(value)))


def _unit(text: str) -> str:
    scale_of(text)
    return text


def _named(value: Any) -> Any:
    return {"name": value} if isinstance(value, str) else value


Task = Annotated[str, AfterValidator(_task)]
#: A cell as printed: a number, or what stands where there is none.
PrintedCell = Annotated[Text, BeforeValidator(_quote_it), AfterValidator(_printed)]
RawMargin = Annotated[Any, BeforeValidator(_margin)]
Unit = Annotated[str, AfterValidator(_unit)]


class RawColumn(Strict):
    """Describe a column; a bare name stands for a usual one (papertally/quantities/columns.py).

    title: its head as printed. unit: of the head, for cells that print none. better: which way, where the name does not
    say it. margin: in the unit, or "2%" of the number. dataset, device: what it was measured on. mean_of: the columns
    whose mean it prints. weight_bytes: of a parameter, for `size`. plus_minus, runs: what ± is, over how many runs.
    input_size: what a cost was counted at, [3, h, w], where that is not the row's input.
    """

    name: Column
    title: Text | None = None
    kind: Literal["cost", "trained", "measured"] | None = None
    better: Literal["higher", "lower", "unknown"] | None = None
    unit: Unit = ""
    dataset: Text | None = None
    device: Text | None = None
    margin: RawMargin | None = None
    mean_of: list[Column] = []
    weight_bytes: Literal[1, 2, 4, 8] = 4
    plus_minus: Literal["standard error", "standard deviation"] | None = None
    runs: Annotated[int, Field(ge=2, le=1000)] | None = None
    input_size: InputShape | None = None

    @model_validator(mode="after")
    def _fits(self) -> RawColumn:
        if self.kind and (self.kind == "cost") != is_cost(self.name):
            wanted = f"begins with one of {', '.join(COSTS)}" if self.kind == "cost" else f"is no {stem(self.name)}"
            raise ValueError(f"column {self.name}: kind {self.kind} asks for a name that {wanted}; rename the column")
        if is_cost(self.name) and (self.margin or self.mean_of):
            raise ValueError(
                f"column {self.name}: a cost is exact; remove its `{'margin' if self.margin else 'mean_of'}`"
            )
        if self.input_size and stem(self.name) not in COST_COLUMNS:
            raise ValueError(f"column {self.name}: `input_size` is of costs ({', '.join(COST_COLUMNS)}); remove it")
        wanted = "bytes" if stem(self.name) == "size" else "" if is_cost(self.name) else dimension(self.unit)
        if self.unit and dimension(self.unit) != wanted:
            raise ValueError(f"column {self.name}: {self.unit!r} is no unit of it; mend `unit`")
        return self

    def about(self, margin: Margin | None, runs: int | None, plus_minus: str | None) -> About:
        """Return the column as it is judged; margin, runs, plus_minus: the paper's, where it states none of its own."""
        margin = self.margin or margin
        if self.model_fields_set == {"name"}:
            bare = plain_column(self.name)
            return About(
                bare.name,
                kind=bare.kind,
                better=bare.better,
                share=bare.share,
                margin=margin,
                runs=runs,
                error=plus_minus == "standard error",
            )
        better = self.better or usual_better(self.name)
        return About(
            self.name,
            self.title or "",
            self.kind or usual_kind(self.name),
            None if better == "unknown" else better,
            self.unit,
            self.dataset or "",
            self.device or "",
            margin,
            tuple(self.mean_of),
            self.weight_bytes,
            self.unit == "%" or (not self.unit and stem(self.name) in SHARES),
            self.runs or runs,
            (self.plus_minus or plus_minus) == "standard error",
            tuple(self.input_size or ()) or None,
        )


class RawUnread(Strict):
    """Hold what could not be read of a printed table: a cell of `row` and `column`, or anything else; at: its place."""

    row: Identifier | None = None
    column: Column | None = None
    text: str
    at: Text
    why: Text


class RawRow(Strict):
    """Describe one printed row.

    network: what is counted for it: "timm:NAME", "torchvision:NAME", "module:pkg.fn(kwargs)" or a file; input: what
    that takes, [3, h, w] (default: the table's).
    """

    id: Identifier
    labels: list[Annotated[str, BeforeValidator(_quote_it)]]
    marks: list[Text] = []
    cells: list[PrintedCell]
    bold: list[Column] = []
    same_as: Identifier | None = None
    blocked: Text | None = None
    network: Text | None = None
    input: InputShape | None = None


class RawArchRow(Strict):
    """Describe one printed line of an architecture table; every further key is a model's cells."""

    model_config = ConfigDict(extra="allow", strict=True, frozen=True)
    __pydantic_extra__: dict[str, list[Text]]

    part: Text | None = None
    output: str | None = None
    all: Text | None = None

    def cells(self, model: str) -> list[str] | None:
        """Return a model's cells on this line, or None where it is blank."""
        return (self.model_extra or {}).get(model)


class RawArchitecture(Strict):
    """Describe the printed body of an architecture table."""

    models: list[Identifier] = Field(min_length=1)
    columns: list[Text]
    rows: list[RawArchRow]

    @model_validator(mode="after")
    def _widths(self) -> RawArchitecture:
        for number, row in enumerate(self.rows, start=1):
            if unknown := set(row.model_extra or ()) - set(self.models):
                raise ValueError(f"architecture row {number}: {sorted(unknown)[0]!r} is none of the models")
            for model in self.models:
                cells = row.cells(model)
                if cells is not None and len(cells) != len(self.columns):
                    raise ValueError(
                        f"architecture row {number}: {model} has {len(cells)} cells for {len(self.columns)} columns"
                    )
        return self


#: Why a printed number can be judged at all, the strongest first; `repeat` inherits what it repeats.
GROUNDS = ("printed", "released", "open", "constructed", "quoted", "repeat")


class RawGround(Strict):
    """Say what fixes some cells of a table: `columns` of `rows` (default: of every row that repeats no other).

    printed: the text fixes them; released: the text and the authors' released code. open: `decided_by` names what
    decides them and is not printed. constructed: the network is this project's. quoted: another work's number, with its
    `source`; `drawn` says so where the network that is counted for it is this project's. repeat: the same columns of
    row `of`.
    """

    kind: Literal["printed", "released", "open", "constructed", "quoted", "repeat"]
    columns: list[Column] = Field(min_length=1)
    rows: list[Identifier] | None = None
    decided_by: list[Text] = []
    source: Text | None = None
    drawn: Text | None = None
    of: Identifier | None = None

    @model_validator(mode="after")
    def _complete(self) -> RawGround:
        wanted = {"open": "decided_by", "constructed": "drawn", "quoted": "source", "repeat": "of"}.get(self.kind)
        if wanted and not getattr(self, wanted):
            raise ValueError(f"a ground `{self.kind}` needs `{wanted}`")
        allowed = {wanted, "drawn"} if self.kind == "quoted" else {wanted}
        if extra := [k for k in ("decided_by", "source", "drawn", "of") if getattr(self, k) and k not in allowed]:
            raise ValueError(f"a ground `{self.kind}` has no `{extra[0]}`; remove it")
        return self


def unfit(column: str, cell: str) -> str:
    """Return why a cell's unit is none of what its column's name says that it measures, or ""."""
    unit = own_unit(cell)
    if (is_cost(column) and unit == "%") or (stem(column) in SHARES and unit in ("x", "×", *MAGNITUDES)):
        return f'"{cell}" is in {unit}, which is no unit of {stem(column)}; mend it, or name column {column} otherwise'
    return ""


class RawTable(Strict):
    """Describe one table file; without `grounds` the text is taken to fix every cell.

    input: its rows' default. groups: headings that stand over some rows. unread: what a reader of printed tables
    (`papertally new`) could not read.
    """

    schema_: Literal[1] = Field(alias="schema")
    id: TableId
    title: Text
    task: Task
    labels: list[str]
    columns: list[Annotated[RawColumn, BeforeValidator(_named)]]
    rows: list[RawRow] = Field(min_length=1)
    grounds: list[RawGround] = []
    input: InputShape | None = None
    unread: list[RawUnread] = []
    architecture: RawArchitecture | None = None

    @property
    def names(self) -> list[str]:
        """Return the columns' names."""
        return [column.name for column in self.columns]

    def _mixed(self) -> list[tuple[tuple[Any, ...], str]]:
        """Return every cell that is in units of another kind than the first of its column, or in none beside some."""
        out: list[tuple[tuple[Any, ...], str]] = []
        for j, column in enumerate(self.columns):
            first: tuple[str, str] | None = None
            for i, row in enumerate(self.rows):
                if column.unit or stem(column.name) == "size" or j >= len(row.cells) or is_absent(row.cells[j]):
                    continue
                unit = own_unit(row.cells[j])
                first = first or (kind_of(unit), row.cells[j])
                if kind_of(unit) != first[0]:
                    fault = f'"{row.cells[j]}" and "{first[1]}" are of different units; state the column\'s `unit`'
                    out.append((("rows", i, "cells", j), f"column {column.name}: {fault}"))
                    break
        return out

    def faults(self) -> list[tuple[tuple[Any, ...], str]]:
        """Return what does not fit together, as (place, fault)."""
        names = self.names
        out: list[tuple[tuple[Any, ...], str]] = []
        for i, column in enumerate(self.columns):
            if column.name in names[:i]:
                out.append((("columns", i), f"columns repeat: {column.name} stands twice; rename one"))
            if unknown := [c for c in column.mean_of if c not in names or c == column.name]:
                out.append((("columns", i), f"column {column.name}: mean_of names {unknown[0]!r}; mend it"))
        for i, row in enumerate(self.rows):
            for what, found, wanted in (
                ("cells", len(row.cells), len(names)),
                ("labels", len(row.labels), len(self.labels)),
            ):
                if found != wanted:
                    out.append((("rows", i), f"row {row.id}: {found} {what}, the table has {wanted}"))
            if extra := set(row.bold) - set(names):
                fault = f"row {row.id}: bold names {sorted(extra)}, which the table does not have"
                out.append((("rows", i, "bold"), fault))
            for j, (column, cell) in enumerate(zip(self.columns, row.cells, strict=False)):
                try:
                    if not is_absent(cell):
                        parse_printed(cell, column.unit or ("MB" if stem(column.name) == "size" else ""))
                        if fault := unfit(column.name, cell):
                            raise ValueError(fault)
                except ValueError as error:
                    out.append((("rows", i, "cells", j), str(error)))
        out += self._mixed()
        ids = {row.id for row in self.rows}
        for i, entry in enumerate(self.unread):
            if (entry.row and entry.row not in ids) or (entry.column and entry.column not in names):
                out.append((("unread", i), "names a row or column that the table does not have; remove it or mend it"))
        return out
