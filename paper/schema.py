"""The ledger's schema: what each YAML file may hold. A wrong key, type or number is an error with file and line."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

from paper.expressions import ExpressionError, compile_expr
from paper.printed import ABSENT, parse_printed

#: Columns that no data decides; every other one is a trained metric and needs a margin in params.yaml.
COST_COLUMNS = ("params", "madds")
Identifier = Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]*$")]
Column = Annotated[str, Field(pattern=r"^[A-Za-z][A-Za-z0-9]*$")]
TableId = Annotated[str, Field(pattern=r"^[A-Z]?[0-9]{1,4}[a-z]?$")]
Text = Annotated[str, Field(min_length=1)]
#: A count that arithmetic in floats still takes.
Count = Annotated[int, Field(gt=0, le=10**12)]


class Strict(BaseModel):
    """Refuse unknown keys and silent conversions."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)


class RawRow(Strict):
    """Describe one printed row."""

    id: Identifier
    labels: list[str]
    marks: list[Text] = []
    cells: list[Text]
    bold: list[Column] = []
    same_as: Identifier | None = None
    blocked: Text | None = None

    @field_validator("cells")
    @classmethod
    def _numbers(cls, cells: list[str]) -> list[str]:
        for cell in cells:
            if cell != ABSENT:
                parse_printed(cell)
        return cells


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
    """Describe one table file; without `grounds` the text is taken to fix every cell."""

    schema_: Literal[1] = Field(alias="schema")
    id: TableId
    title: Text
    task: Identifier
    labels: list[str]
    columns: list[Column]
    rows: list[RawRow] = Field(min_length=1)
    grounds: list[RawGround] = []
    architecture: RawArchitecture | None = None

    @model_validator(mode="after")
    def _widths(self) -> RawTable:
        if len(set(self.columns)) != len(self.columns):
            raise ValueError("columns repeat")
        for row in self.rows:
            for what, found, wanted in (
                ("cells", len(row.cells), len(self.columns)),
                ("labels", len(row.labels), len(self.labels)),
            ):
                if found != wanted:
                    raise ValueError(f"row {row.id}: {found} {what}, the table has {wanted}")
            if extra := set(row.bold) - set(self.columns):
                raise ValueError(f"row {row.id}: bold names {sorted(extra)}, which the table does not have")
        return self


class RawClaim(Strict):
    """Describe one checkable statement.

    relation: `expr` over cells. cost, structure, data: a `computation` whose result `expect` judges as `computed`.
    `reading` states how loose words ("about", "similar") were read.
    """

    id: Identifier
    section: Text
    statement: Text
    kind: Literal["relation", "cost", "structure", "data"]
    expr: Text | None = None
    computation: Identifier | None = None
    expect: Text | None = None
    reading: Text | None = None
    issue: Identifier | None = None

    @model_validator(mode="after")
    def _shape(self) -> RawClaim:
        if self.kind == "relation" and (self.expr is None or self.computation or self.expect):
            raise ValueError(f"claim {self.id}: a relation has `expr` and neither `computation` nor `expect`")
        if self.kind != "relation" and (self.expr or not (self.computation and self.expect)):
            raise ValueError(f"claim {self.id}: kind {self.kind} has `computation` and `expect`, not `expr`")
        try:
            compiled = compile_expr(self.expr or self.expect or "")
        except ExpressionError as error:
            raise ValueError(f"claim {self.id}: {error}") from None
        if self.kind == "relation" and (compiled.names or not compiled.refs):
            raise ValueError(f"claim {self.id}: a relation reads cells only, not {list(compiled.names)}")
        if self.kind != "relation" and "computed" not in compiled.names:
            raise ValueError(f"claim {self.id}: `expect` must judge `computed`")
        return self


class RawClaims(Strict):
    """Describe claims.yaml."""

    schema_: Literal[1] = Field(alias="schema")
    claims: list[RawClaim]


class RawIssue(Strict):
    """Describe one known issue: a transcription doubt or an inconsistency of the paper, with its arithmetic.

    `contradiction` is an expression over printed cells that the paper implies and its numbers break: cells listed here
    that do not reproduce are then the paper's inconsistency, not only a difference.
    """

    id: Identifier
    title: Text
    kind: Literal["transcription", "inconsistency", "ambiguity", "omission"]
    detail: Text
    arithmetic: Text
    cells: list[Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]*\.[A-Za-z0-9]+$")]] = []
    contradiction: Text | None = None

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
    """Describe what one experiment of the paper costs to run."""

    task: Identifier
    tables: list[TableId]
    dataset: Text
    images: Count
    epochs: Count
    source: Text


class RawPaper(Strict):
    """Describe paper.yaml."""

    schema_: Literal[1] = Field(alias="schema")
    arxiv: Annotated[str, Field(pattern=r"^\d{4}\.\d{5}v\d+$")]
    title: Text
    authors: list[Text]
    numeric_cells: Count
    budgets: list[RawBudget]
