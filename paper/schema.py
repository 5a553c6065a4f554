"""The ledger's schema: what each YAML file may hold. A wrong key, type or number is an error with file and line."""

from __future__ import annotations

import ast
import re
from decimal import Decimal
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, field_validator, model_validator

from paper.columns import COSTS, SHARES, Margin, is_cost, plain_column, stem, usual_better, usual_kind
from paper.columns import Column as About
from paper.expressions import ExpressionError, compile_expr
from paper.printed import dimension, is_absent, parse_printed, scale_of

#: The first paper's columns that no data decides (paper.columns.is_cost); every other one needs a margin.
COST_COLUMNS = ("params", "madds")
#: What a table's models do.
TASKS = (
    "classification", "detection", "segmentation", "pose", "generation", "restoration", "retrieval", "language",
    "speech", "recognition", "regression", "control", "other",
)  # fmt: skip
Identifier = Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]*$")]
Column = Annotated[str, Field(pattern=r"^[A-Za-z][A-Za-z0-9]*(_[A-Za-z0-9]+)*$")]
CELL = r"^[a-z][a-z0-9_]*\.[A-Za-z][A-Za-z0-9_]*$"
TableId = Annotated[str, Field(pattern=r"^[A-Z]?[0-9]{1,4}[a-z]?$")]
Text = Annotated[str, Field(min_length=1)]
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
    """Describe a column; a bare name stands for a usual one (paper/columns.py).

    title: its head as printed. unit: of the head, for cells that print none. better: which way, where the name does not
    say it. margin: in the unit, or "2%" of the number. dataset, device: what it was measured on. mean_of: the columns
    whose mean it prints. weight_bytes: of a parameter, for `size`. plus_minus, runs: what ± is, over how many runs.
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

    @model_validator(mode="after")
    def _fits(self) -> RawColumn:
        if self.kind and (self.kind == "cost") != is_cost(self.name):
            wanted = f"begins with one of {', '.join(COSTS)}" if self.kind == "cost" else f"is no {stem(self.name)}"
            raise ValueError(f"column {self.name}: kind {self.kind} asks for a name that {wanted}; rename the column")
        if is_cost(self.name) and (self.margin or self.mean_of):
            raise ValueError(
                f"column {self.name}: a cost is exact; remove its `{'margin' if self.margin else 'mean_of'}`"
            )
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
                bare.name, kind=bare.kind, better=bare.better, share=bare.share, margin=margin, runs=runs,
                error=plus_minus == "standard error",
            )  # fmt: skip
        better = self.better or usual_better(self.name)
        return About(
            self.name, self.title or "", self.kind or usual_kind(self.name), None if better == "unknown" else better,
            self.unit, self.dataset or "", self.device or "", margin, tuple(self.mean_of), self.weight_bytes,
            self.unit == "%" or (not self.unit and stem(self.name) in SHARES), self.runs or runs,
            (self.plus_minus or plus_minus) == "standard error",
        )  # fmt: skip


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


class RawTable(Strict):
    """Describe one table file; without `grounds` the text is taken to fix every cell.

    input: its rows' default. groups: headings that stand over some rows. unread: what a reader of printed tables
    (`python -m paper new`) could not read.
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

    def faults(self) -> list[tuple[tuple, str]]:
        """Return what does not fit together, as (place, fault)."""
        names, out = self.names, []
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
                except ValueError as error:
                    out.append((("rows", i, "cells", j), str(error)))
        ids = {row.id for row in self.rows}
        for i, entry in enumerate(self.unread):
            if (entry.row and entry.row not in ids) or (entry.column and entry.column not in names):
                out.append((("unread", i), "names a row or column that the table does not have; remove it or mend it"))
        return out


class RawReading(Strict):
    """Say where a printed setting stands in the configs that run: `key` of every row of `tables`, less `but`.

    rows: further ones. equals: a text or list that the setting is to be; the result is then whether it is. default:
    what a config that has no such key runs with.
    """

    key: Annotated[str, Field(pattern=r"^[A-Za-z_][\w.]*(\[[\w=]+\][\w.]*)*$")]
    tables: list[TableId] = []
    rows: list[Identifier] = []
    but: list[Identifier] = []
    equals: str | list[int] | list[float] | None = None
    default: float | int | None = None

    @model_validator(mode="after")
    def _of(self) -> RawReading:
        if not (self.tables or self.rows):
            raise ValueError("`read` names `tables` or `rows`")
        return self


class RawClaim(Strict):
    """Describe one checkable statement.

    relation: `expr` over cells, judged on the paper's own numbers and on achieved ones. print: `expr` over printed
    cells alone, which nothing that is run can test ("prints the same"). cost, structure, data: a `computation` whose
    result `expect` judges as `computed`; recipe: a printed setting, which `read` finds in the configs that run.
    `of`: the rows whose networks a computation is about. `shows`: what a computation that agrees shows: a derivation
    holds, a network is built as stated, or printed tables and text agree. `reading` states how loose words ("about",
    "similar") were read.
    """

    id: Identifier
    section: Text
    statement: Text
    kind: Literal["relation", "print", "cost", "structure", "data", "recipe"]
    expr: Text | None = None
    computation: Identifier | None = None
    of: list[Identifier] = []
    expect: Text | None = None
    shows: Literal["derivation", "built", "print"] | None = None
    read: RawReading | None = None
    reading: Text | None = None
    issue: Identifier | None = None

    @model_validator(mode="after")
    def _shape(self) -> RawClaim:
        over_cells = self.kind in ("relation", "print")
        if over_cells and (self.expr is None or self.computation or self.expect or self.shows or self.read):
            raise ValueError(f"claim {self.id}: a {self.kind} has `expr` and neither `computation` nor `expect`")
        if self.kind == "recipe" and (self.expr or self.computation or self.shows or not (self.expect and self.read)):
            raise ValueError(f"claim {self.id}: a recipe has `read` and `expect` alone")
        computed = self.kind in ("cost", "structure", "data")
        if computed and (self.expr or self.read or not (self.computation and self.expect)):
            raise ValueError(f"claim {self.id}: kind {self.kind} has `computation` and `expect`, not `expr`")
        if self.of and self.kind not in ("cost", "structure"):
            raise ValueError(f"claim {self.id}: `of` names rows of a cost or a structure, and of nothing else")
        if self.shows and self.kind not in ("cost", "structure"):
            raise ValueError(f"claim {self.id}: `shows` says what a cost or a structure shows, and of nothing else")
        try:
            compiled = compile_expr(self.expr or self.expect or "")
        except ExpressionError as error:
            raise ValueError(f"claim {self.id}: {error}") from None
        if over_cells and (compiled.names or not compiled.refs):
            raise ValueError(f"claim {self.id}: a {self.kind} reads cells only, not {list(compiled.names)}")
        if not over_cells and "computed" not in compiled.names:
            raise ValueError(f"claim {self.id}: `expect` must judge `computed`")
        if self.kind == "relation" and (text := equates_trained(compiled.tree)):
            raise ValueError(
                f'claim {self.id}: {text}: two trained means are never equal; write agrees(a - b, "0.0"), or make it '
                "a `print` where the printed strings are meant"
            )
        return self


def equates_trained(tree: ast.AST) -> str:
    """Return the first comparison of a tree that asks trained cells to be equal or unequal, or to print a string."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Compare) and any(isinstance(op, ast.Eq | ast.NotEq | ast.In) for op in node.ops):
            columns = {n.attr for n in ast.walk(node) if isinstance(n, ast.Attribute)}
            if any(not is_cost(column) for column in columns):
                return ast.unparse(node)
    return ""


class RawClaims(Strict):
    """Describe claims.yaml."""

    schema_: Literal[1] = Field(alias="schema")
    claims: list[RawClaim]


class RawCheck(Strict):
    """State how a number in an issue's text is computed: `says` is its string, `is` an expression.

    Beside printed cells (row.column) that reads what was computed for a row: row.built_params, row.plain, row.S, and
    of a variant row.VARIANT__params, row.VARIANT__plain.
    """

    says: Text
    is_: Text = Field(alias="is")

    @field_validator("is_")
    @classmethod
    def _is_compiled(cls, text: str) -> str:
        compile_expr(f"{text} == 0")
        return text


class RawIssue(Strict):
    """Describe one known issue: a transcription doubt or an inconsistency of the paper, with its arithmetic.

    `checks` compute the numbers of its text, so that none goes stale unseen.
    `contradiction` is an expression over printed cells that the paper implies and its numbers break: cells listed here
    that do not reproduce are then the paper's inconsistency, not only a difference.
    """

    id: Identifier
    title: Text
    kind: Literal["transcription", "inconsistency", "ambiguity", "omission"]
    detail: Text
    arithmetic: Text
    cells: list[Annotated[str, Field(pattern=CELL)]] = []
    contradiction: Text | None = None
    checks: list[RawCheck] = []

    @model_validator(mode="after")
    def _says(self) -> RawIssue:
        for check in self.checks:
            if check.says not in f"{self.detail} {self.arithmetic}":
                raise ValueError(f"issue {self.id}: no {check.says!r} in its text; mend `checks`")
        return self

    @field_validator("contradiction")
    @classmethod
    def _compiles(cls, text: str | None) -> str | None:
        if text is not None:
            compile_expr(text)
        return text


class RawAlias(Strict):
    """Describe how a model of this version is named in a later one.

    row, later_row: the two ledgers' rows of it, where each has one.
    """

    this: Text
    later: Text
    note: Text
    row: Identifier | None = None
    later_row: Identifier | None = None


class RawIssues(Strict):
    """Describe known_issues.yaml."""

    schema_: Literal[1] = Field(alias="schema")
    issues: list[RawIssue]
    later_version: Text | None = None
    aliases: list[RawAlias] = []


class RawBudget(Strict):
    """Describe what one experiment of the paper costs to run, and how many images its accuracy is measured on."""

    task: Task
    tables: list[TableId]
    dataset: Text
    images: Count
    epochs: Count
    test_images: Count | None = None
    source: Text


class RawBold(Strict):
    """Describe what bold marks in a table: the best of a column or block, or a group that beats every other row.

    blocks: the row ids that are compared with each other (default: all). stated: the paper says what bold means.
    """

    table: TableId
    columns: list[Column] = Field(min_length=1)
    blocks: list[Annotated[list[Identifier], Field(min_length=2)]] = []
    marks: Literal["best", "group"] = "best"
    stated: bool = False


class RawLinear(Strict):
    """Describe columns that must be a constant plus a price a term.

    terms: label columns, or products of them ("J*K"); a tick counts 1, a dash or a blank 0. where: label columns and
    the value by which rows are chosen. because: what in the paper makes it so.
    """

    table: TableId
    columns: list[Column] = Field(min_length=1)
    terms: list[Text] = Field(min_length=1)
    where: dict[str, str] = {}
    because: Text


class RawMonotone(Strict):
    """Describe columns that never fall while one label column rises and the named others stay."""

    table: TableId
    columns: list[Column] = Field(min_length=1)
    along: Text
    fixed: list[Text] = []
    because: Text


class RawExamples(Strict):
    """Describe how many test examples a column is a share of."""

    tables: list[TableId] = Field(min_length=1)
    columns: list[Column] = Field(min_length=1)
    images: Count


class RawQuoted(Strict):
    """Describe a row that is another work's; cells: what the source prints (none: the source was not seen)."""

    row: Identifier
    source: Text
    cells: dict[Column, Text] = {}

    @field_validator("cells")
    @classmethod
    def _numbers(cls, cells: dict[str, str]) -> dict[str, str]:
        for cell in cells.values():
            parse_printed(cell)
        return cells


class RawChecks(Strict):
    """Describe what the checks of `python -m paper check` may take as given; every part is optional."""

    bold: list[RawBold] = []
    linear: list[RawLinear] = []
    monotone: list[RawMonotone] = []
    examples: list[RawExamples] = []
    quoted: list[RawQuoted] = []


_SOURCES = {
    "arXiv": r"arXiv:\d{4}\.\d{4,5}(v\d+)?", "DOI": r"doi:10\.\d{4,9}/\S+", "file": r"file:[^/\s][^\s]*",
    "address": r"https?://[^\s/]+/\S*",
}  # fmt: skip


def _source(text: str) -> str:
    kind = next((k for k, pattern in _SOURCES.items() if re.fullmatch(pattern, text)), None)
    if kind is None:
        raise ValueError(
            f'"{text}" is no source; write "arXiv:2011.12289v1", "doi:10.1109/…", "file:table.md" or an address with a '
            "commit"
        )
    if kind == "address" and not re.search(r"(?<![0-9A-Za-z])[0-9a-f]{7,40}(?![0-9A-Za-z])", text):
        raise ValueError(f'"{text}" may say something else tomorrow; write the address of a commit (/blob/0a1b2c3…/)')
    return text


class RawPaper(Strict):
    """Describe paper.yaml. source (or arxiv): where the numbers were read; name: how its row ids begin.

    margins, alpha, seeds: this ledger's own, in place of params.yaml's. plus_minus, runs: what the paper's ± is, over
    how many runs. version_of: the first paper, whose ways of counting hold.
    """

    schema_: Literal[1] = Field(alias="schema")
    name: Identifier | None = None
    arxiv: Annotated[str, Field(pattern=r"^\d{4}\.\d{5}v\d+$")] | None = None
    source: Annotated[str, AfterValidator(_source)] | None = None
    title: Text
    authors: list[Text]
    numeric_cells: Count
    budgets: list[RawBudget] = []
    margins: dict[Column, RawMargin] = {}
    alpha: Annotated[float, Field(gt=0, lt=0.5)] | None = None
    seeds: Annotated[int, Field(ge=2, le=1000)] | None = None
    plus_minus: Literal["standard error", "standard deviation"] | None = None
    runs: Annotated[int, Field(ge=2, le=1000)] | None = None
    version_of: Literal["micronet"] | None = None
    unread: list[RawUnread] = []
    checks: RawChecks = RawChecks()

    @model_validator(mode="after")
    def _read_somewhere(self) -> RawPaper:
        if not (self.arxiv or self.source):
            raise ValueError(
                'neither `source` nor `arxiv` says where the numbers were read; add source: "file:table.md"'
            )
        return self
