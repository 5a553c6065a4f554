"""What stands beside the ledger: quotations and their sources, the released code's differences, assumptions."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Annotated, Literal, TypeVar

from pydantic import BaseModel, Field, field_validator, model_validator

from papertally.ledger.files import YamlFile
from papertally.ledger.load import Ledger, LedgerError, Row
from papertally.ledger.schema import Identifier, RawReading, Strict, Text
from papertally.quantities.printed import ABSENT, UNITS, parse_printed

CellName = Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]*\.[A-Za-z0-9]+$")]
HERE_WAYS = (
    "wiring official",
    "recipe official",
    "always",
    "registry.official",
    "not offered",
    "names of both versions",
)


class RawQuote(Strict):
    """State what a source prints for a cell; as: how its string becomes the paper's."""

    cell: CellName
    text: Text
    as_: Literal["error", "M", "B"] | None = Field(default=None, alias="as")

    @field_validator("text")
    @classmethod
    def _number(cls, text: str) -> str:
        parse_printed(text)
        return text

    @property
    def value(self) -> Decimal:
        """Return the source's number in the paper's units."""
        if self.as_ == "error":
            return 100 - parse_printed(self.text).value
        return parse_printed(self.text).value * UNITS[self.as_ or ""]


class RawSource(Strict):
    """Name a source that was read: where, when, and what it prints; read `none`: by nobody."""

    id: Identifier
    reference: Text
    where: Text
    read: Text
    note: str = ""
    prints: list[RawQuote]


class RawTextQuote(Strict):
    """State a quoted number of the text that stands in no table."""

    section: Text
    statement: Text
    reference: Text
    read: Text


class RawQuotations(Strict):
    """Describe quotations.yaml."""

    schema_: Literal[1] = Field(alias="schema")
    sources: list[RawSource] = []
    text: list[RawTextQuote] = []

    @model_validator(mode="after")
    def _once(self) -> RawQuotations:
        cells = [quote.cell for source in self.sources for quote in source.prints]
        if twice := [cell for i, cell in enumerate(cells) if cell in cells[:i]]:
            raise ValueError(f"cell {twice[0]} has two sources; keep one")
        return self


class RawDifference(Strict):
    """State what the released code does otherwise; keys: of a row's config, what following it changes."""

    topic: Text
    paper: Text
    code: Text
    here: Literal[HERE_WAYS]  # type: ignore[valid-type]
    keys: list[Text] = []


class RawReleased(Strict):
    """Describe released_code.yaml."""

    schema_: Literal[1] = Field(alias="schema")
    differences: list[RawDifference] = []


class RawAssumption(Strict):
    """State an unprinted setting: what is taken and from where; read: where the configs have it."""

    id: Identifier
    setting: Text
    value: str | int | float
    source: Text
    read: RawReading | None = None


class RawAssumptions(Strict):
    """Describe assumptions.yaml."""

    schema_: Literal[1] = Field(alias="schema")
    assumptions: list[RawAssumption] = []


class RawResponse(Strict):
    """Hold an answer to a verdict, of an author or of anybody: to which cell or statement, who, when, and what."""

    subject: Text
    who: Text
    when: Annotated[date, Field(strict=False)]
    what: Text


class RawResponses(Strict):
    """Describe responses.yaml."""

    schema_: Literal[1] = Field(alias="schema")
    responses: list[RawResponse] = []


@dataclass(frozen=True)
class Supplements:
    """Hold what stands beside a ledger; empty where a folder has none of the files."""

    quotations: RawQuotations
    differences: tuple[RawDifference, ...]
    assumptions: tuple[RawAssumption, ...]
    responses: tuple[RawResponse, ...] = ()

    def responses_to(self, subject: str) -> list[str]:
        """Return what was answered to the verdict on a cell (ROW.COLUMN) or a statement (its id)."""
        return [f"{r.who}, {r.when.isoformat()}: {r.what}" for r in self.responses if r.subject == subject]


@dataclass(frozen=True)
class Quotation:
    """Hold a quoted number: its cell, the printed string, reference, source, the source's string, and the verdict.

    verdict: quoted correctly, quoted otherwise, or source not seen.
    """

    cell: str
    printed: str
    reference: str
    where: str
    source: str
    verdict: str


CORRECT, OTHERWISE, UNSEEN = "quoted correctly", "quoted otherwise", "source not seen"
Raw = TypeVar("Raw", bound=BaseModel)


def _cells(ledger: Ledger) -> list[tuple[Row, str]]:
    return [(row, cell.column) for row, cell in ledger.cells()]


def load_supplements(ledger: Ledger, root: Path) -> Supplements:
    """Return the supplements of the ledger in folder `root`. Raises LedgerError "file:line: fault; mend"."""

    def load(name: str, form: type[Raw]) -> tuple[YamlFile | None, Raw]:
        path = root / f"{name}.yaml"
        if not path.is_file():
            return None, form.model_validate({"schema": 1})
        file = YamlFile(path, f"{root.name}/{name}.yaml", LedgerError)
        return file, file.validate(form)

    file, quotations = load("quotations", RawQuotations)
    for i, source in enumerate(quotations.sources):
        for j, quote in enumerate(source.prints):
            assert file is not None
            row, column = quote.cell.split(".")
            place = ("sources", i, "prints", j)
            if row not in ledger.rows or column not in ledger.rows[row].cells:
                what = f"column {column!r} of {row}" if row in ledger.rows else f"row {row!r}"
                raise file.error(place, f"{source.id}: no {what}; `papertally ledger rows` lists them")
            if not ledger.cell(row, column).numeric:
                raise file.error(place, f"{source.id}: {quote.cell} is printed as {ABSENT}; take it out")
    file, assumptions = load("assumptions", RawAssumptions)
    for i, assumption in enumerate(assumptions.assumptions):
        named = [*assumption.read.rows, *assumption.read.but] if assumption.read else []
        if file is not None and (unknown := [row for row in named if row not in ledger.rows]):
            raise file.error(("assumptions", i, "read"), f"{assumption.id}: no row {unknown[0]!r}; mend it")
    file, responses = load("responses", RawResponses)
    known = {claim.id for claim in ledger.claims} | {f"{row.id}.{column}" for row, column in _cells(ledger)}
    for i, response in enumerate(responses.responses):
        if file is not None and response.subject not in known:
            fault = f"no statement and no ROW.COLUMN {response.subject!r}; `papertally ledger rows` lists the rows"
            raise file.error(("responses", i, "subject"), fault)
    return Supplements(
        quotations,
        tuple(load("released_code", RawReleased)[1].differences),
        tuple(assumptions.assumptions),
        tuple(responses.responses),
    )


def quoted(ledger: Ledger, quotations: RawQuotations) -> list[Quotation]:
    """Return every cell that the paper quotes, and each number of its text, with its verdict.

    A number is quoted correctly where the source's prints as the paper's string.
    """
    known = {quote.cell: (source, quote) for source in quotations.sources for quote in source.prints}
    out = []
    for row, cell in ledger.cells():
        ground, name = ledger.ground(row.id, cell.column), f"{row.id}.{cell.column}"
        if ground.kind != "quoted" and name not in known:
            continue
        if name not in known or known[name][0].read == "none":
            out.append(Quotation(name, cell.printed, ground.source, "", "", UNSEEN))
            continue
        source, quote = known[name]
        text = f"{quote.text} (error)" if quote.as_ == "error" else quote.text + (quote.as_ or "")
        verdict = CORRECT if quote.value in cell.interval else OTHERWISE
        out.append(Quotation(name, cell.printed, source.reference, source.where, text, verdict))
    for entry in quotations.text:
        out.append(Quotation(f"section {entry.section}", entry.statement, entry.reference, "", "", UNSEEN))
    return out
