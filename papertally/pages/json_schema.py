"""The form of report.json, schema 2, from which papertally/pages/report.schema.json is written.

python -m papertally.pages.json_schema > papertally/pages/report.schema.json
"""

from __future__ import annotations

import json
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from papertally.checks.findings import SEVERITIES
from papertally.evidence.forensics import Search
from papertally.ledger.schema import GROUNDS
from papertally.verdicts.verdicts import VERDICTS
from papertally.verdicts.views import SHOWN_AS

SHOWN = (*dict.fromkeys(SHOWN_AS.values()), "open")
Number = Annotated[int, Field(ge=0)]


class Form(BaseModel):
    """Refuse unknown keys."""

    model_config = ConfigDict(extra="forbid")


class PaperForm(Form):
    """Name the paper by its arXiv number or, where it has none, by its source."""

    arxiv: str = ""
    source: str = ""


class UnderForm(Form):
    """Say under how many of how many admissible conventions a cost prints as printed."""

    holds: Number
    of: Annotated[int, Field(gt=1)]


class CellForm(Form):
    """Hold a printed number with its verdict; `distinct`: the cell that all repeats of it share."""

    table: str
    row: Annotated[int, Field(ge=1)]
    row_id: str
    column: str
    printed: str
    achieved: float | int | None
    verdict: Literal[VERDICTS]  # type: ignore[valid-type]
    rule: str
    evidence: str | None
    note: str
    ground: Literal[GROUNDS[:-1]]  # type: ignore[valid-type]
    conventions: UnderForm | None
    distinct: str


class ClaimForm(Form):
    """Hold a statement with its verdict.

    own: what it is on the paper's own numbers, whatever they were rounded from; shown: what was shown of it, in words.
    """

    id: str
    section: str
    statement: str
    paper_holds: bool | None
    achieved: Any
    verdict: Literal[VERDICTS]  # type: ignore[valid-type]
    note: str
    own: Literal["holds", "as-printed", "undecided", "cannot"] | None
    shown: Literal[SHOWN]  # type: ignore[valid-type]


class GroundForm(Form):
    """Count a ground's cells, its distinct ones, and these' verdicts."""

    cells: Number
    distinct: Number
    verdicts: dict[str, Number]


class SummaryForm(Form):
    """Count verdicts of all cells and statements, and by ground."""

    cells: dict[str, Number]
    claims: dict[str, Number]
    own: dict[str, Number]
    grounds: dict[str, GroundForm]


class LeftOutForm(Form):
    """Name cells that some best conventions leave out, and how many conventions."""

    cells: list[str]
    conventions: Number


class FamilyForm(Form):
    """Say what one convention can do for all cells of a family (papertally/verdicts/conventions.py)."""

    id: str
    title: str
    tables: list[str]
    conventions: Number
    cells: list[str]
    best: Number
    ties: Number
    left_out: list[LeftOutForm]
    never: list[str]
    expected: float
    chance: float
    members: dict[str, Number]
    histogram: list[Number]
    example: str
    given: str


class HeldOutForm(Form):
    """Say how conventions chosen on some cells do on others."""

    id: str
    title: str
    chosen: Number
    of: Number
    ties: Number
    tried: tuple[float, int, int]
    tried_of: Number
    any: float
    best: Number


class CertificateForm(Form):
    """Say whether a rule can satisfy a table, under which roundings, with the proof where it cannot."""

    id: str
    table: str
    column: str
    title: str
    feasible: list[str]
    proof: str
    gap: float
    impossible: bool


class ConventionsForm(Form):
    """Hold what conventions make of families of cells."""

    families: list[FamilyForm]
    held_out: list[HeldOutForm]
    certificates: list[CertificateForm]
    forensics: list[Search]


class ArchitectureForm(Form):
    """Hold a printed cell of an architecture table; built: what the network has, null where its row is not built."""

    table: str
    line: Number
    model: str
    column: str
    printed: str
    built: str | None
    verdict: Literal["built-as-stated", "built-otherwise", "blocked", "not-run"]


class QuotationForm(Form):
    """Hold a number of another work: cell or section, what is printed, and what its source prints."""

    cell: str
    printed: str
    reference: str
    where: str
    source: str
    verdict: Literal["quoted correctly", "quoted otherwise", "source not seen"]


class IssueForm(Form):
    """Hold a number of a known issue's text, computed anew; holds: null where a cost that it needs is not filed."""

    model_config = ConfigDict(extra="forbid", populate_by_name=True)

    id: str
    says: str
    is_: str = Field(alias="is")
    holds: bool | None


class CheckForm(Form):
    """Hold what a check of the ledger says, with one line of arithmetic; cells: what it rests on, row.column."""

    check: str
    severity: Literal[SEVERITIES]  # type: ignore[valid-type]
    subject: str
    cells: list[str]
    arithmetic: str


class CountForm(Form):
    """Count registered runs that are filed."""

    have: Number
    of: Number


class OrderForm(Form):
    """Hold a printed order of two networks as small data has it: in points, p after Holm's correction."""

    higher: str
    lower: str
    gap: float
    half_width: float
    p: float
    verdict: Literal["holds", "fails", "undecided"]


class RegisteredTableForm(CountForm):
    """Hold a registered table; its orders are judged once all of its runs are filed."""

    table: str
    tau: float | None
    orders: list[OrderForm]


class RegisteredStatementForm(Form):
    """Hold a statement as the registered runs decide it, p after Holm's correction over all of them."""

    id: str
    verdict: Literal["holds", "fails", "undecided", "not run"]
    p_holds: float | None
    p_fails: float | None


class RegisteredForm(Form):
    """Hold the orderings registered before they were run (proxy/orderings.yaml); they change no verdict above."""

    pilot: CountForm
    schedule: str | None
    seeds: list[int]
    spread: float | None
    tables: list[RegisteredTableForm]
    statements: list[RegisteredStatementForm]


class ReportForm(Form):
    """Hold report.json."""

    schema_: Literal[2] = Field(alias="schema")
    paper: PaperForm
    profile: str
    cells: list[CellForm]
    claims: list[ClaimForm]
    checks: list[CheckForm]
    summary: SummaryForm
    conventions: ConventionsForm
    architecture: list[ArchitectureForm]
    quotations: list[QuotationForm]
    issues: list[IssueForm]
    registered: RegisteredForm | None


def schema() -> str:
    """Return the JSON schema of report.json as committed."""
    return json.dumps(ReportForm.model_json_schema(by_alias=True), indent=1, sort_keys=True) + "\n"


if __name__ == "__main__":
    print(schema(), end="")
