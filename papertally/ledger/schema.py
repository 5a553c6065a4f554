"""The ledger's schema: what each YAML file may hold. A wrong key, type or number is an error with file and line."""

from __future__ import annotations

import ast
import re
from typing import Annotated, Literal

from pydantic import AfterValidator, Field, field_validator, model_validator

from papertally.ledger.table_schema import (
    CELL,
    COST_COLUMNS,
    GROUNDS,
    TASKS,
    Column,
    Count,
    Identifier,
    InputShape,
    RawArchitecture,
    RawArchRow,
    RawColumn,
    RawGround,
    RawMargin,
    RawRow,
    RawTable,
    RawUnread,
    Strict,
    TableId,
    Task,
    Text,
)
from papertally.quantities.columns import is_cost
from papertally.quantities.printed import parse_printed
from papertally.statements.expressions import ExpressionError, compile_expr

__all__ = [
    "CELL",
    "COST_COLUMNS",
    "Column",
    "Count",
    "GROUNDS",
    "Identifier",
    "InputShape",
    "RawArchRow",
    "RawArchitecture",
    "RawBold",
    "RawBudget",
    "RawCheck",
    "RawChecks",
    "RawClaim",
    "RawClaims",
    "RawColumn",
    "RawExamples",
    "RawGround",
    "RawIssue",
    "RawIssues",
    "RawLinear",
    "RawMonotone",
    "RawPaper",
    "RawQuoted",
    "RawReading",
    "RawRow",
    "RawTable",
    "RawUnread",
    "Strict",
    "TASKS",
    "TableId",
    "Task",
    "Text",
    "equates_trained",
]


class RawReading(Strict):
    """Say where a printed setting stands in the configs that run: `key` of every row of `tables`, less `but`.

    rows: further ones. equals: a text or list that the setting is to be; the result is then whether it is. default:
    what a config that has no such key runs with.
    """

    key: Annotated[str, Field(pattern=r"^[A-Za-z_]\w*(\[\w+(=\w+)?\])*(\.\w+(\[\w+(=\w+)?\])*)*$")]
    tables: list[TableId] = []
    rows: list[Identifier] = []
    but: list[Identifier] = []
    equals: str | list[int] | list[float] | None = None
    default: Annotated[float, Field(allow_inf_nan=False)] | int | None = None

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
    `always`: what `computed` is where every reading that the text leaves open has what `expect` asks of one.
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
    always: Text | None = None
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
        if not over_cells and compiled.names != ("computed",):
            raise ValueError(f"claim {self.id}: `expect` must judge `computed`, and no other name")
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

    @property
    def number(self) -> str:
        """Return what the text says as a printed number: it may have commas and spaces between digits."""
        return self.says.replace(",", "").replace(" ", "")

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
            parse_printed(check.number)
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
    """Describe what the checks of `papertally check` may take as given; every part is optional."""

    bold: list[RawBold] = []
    linear: list[RawLinear] = []
    monotone: list[RawMonotone] = []
    examples: list[RawExamples] = []
    quoted: list[RawQuoted] = []


_SOURCES = {
    "arXiv": r"arXiv:\d{4}\.\d{4,5}(v\d+)?",
    "DOI": r"doi:10\.\d{4,9}/\S+",
    "file": r"file:[^/\s][^\s]*",
    "address": r"https?://[^\s/]+/\S*",
}


def _source(text: str) -> str:
    kind = next((k for k, pattern in _SOURCES.items() if re.fullmatch(pattern, text)), None)
    if kind is None:
        raise ValueError(
            f'"{text}" is no source; write "arXiv:2101.00001v1", "doi:10.1109/…", "file:table.md" or an address with a '
            "commit"
        )
    if kind == "address" and not re.search(r"(?<![0-9A-Za-z])[0-9a-f]{7,40}(?![0-9A-Za-z])", text):
        raise ValueError(f'"{text}" may say something else tomorrow; write the address of a commit (/blob/0a1b2c3…/)')
    return text


class RawPaper(Strict):
    """Describe paper.yaml. source (or arxiv): where the numbers were read; name: how its row ids begin.

    margins, alpha, seeds: how far a result may lie from a printed number, at which level, over how many runs.
    seed_spread, printed_spread: between seeds, and between the authors' runs by column, in points. plus_minus, runs:
    what the paper's ± is, over how many runs. recipes: what runs by a recipe are, in words. version_of: the folder
    beside this one of the work that this is a version of, whose ways of counting hold. results, fingerprints: folders
    of the same checkout that hold this paper's evidence and what it depends on.
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
    version_of: Identifier | None = None
    seed_spread: Annotated[float, Field(gt=0, allow_inf_nan=False)] = 0.15
    printed_spread: dict[Column, Annotated[float, Field(gt=0, allow_inf_nan=False)]] = {}
    recipes: dict[Identifier, Text] = {}
    results: Text | None = None
    fingerprints: Text | None = None
    unread: list[RawUnread] = []
    checks: RawChecks = RawChecks()

    @model_validator(mode="after")
    def _read_somewhere(self) -> RawPaper:
        if not (self.arxiv or self.source):
            raise ValueError(
                'neither `source` nor `arxiv` says where the numbers were read; add source: "file:table.md"'
            )
        return self
