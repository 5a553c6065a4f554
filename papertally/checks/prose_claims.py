"""Values, differences, ratios, orders and superlatives of the prose, against the cells that it names."""

from __future__ import annotations

from collections.abc import Iterator

from papertally.checks.findings import IMPOSSIBLE, NOT_APPLICABLE, PASSED, SUSPICIOUS, Finding
from papertally.checks.read_prose import CONTRADICTED, EXPLAINED, read_prose
from papertally.checks.text import Document
from papertally.checks.transcription import TEXT
from papertally.ledger.load import Ledger

#: What else may explain a contradiction, by the kind of claim.
HARMLESS = {
    "value": "another setting or data set than the table's",
    "difference": "another pair of rows, or a relative change",
    "ratio": "another pair of rows or another cost",
    "order": "another metric or data set",
    "superlative": "a narrower group of rows than the table",
    "change": "an average, or numbers of another table",
}


def printed_sentences(document: Document) -> Iterator[tuple[str, int]]:
    """Yield the sentences outside fenced code."""
    fenced = False
    for sentence in document.prose:
        fences = sentence.text.count("```")
        if not fences and not fenced:
            yield sentence.text, sentence.line
        fenced = fenced != (fences % 2 == 1)


@TEXT.register(
    "prose claims", "what the prose says of rows that it names: values, differences, ratios, orders, superlatives"
)
def prose_claims(ledger: Ledger, document: Document) -> Iterator[Finding]:
    """Tie each claim of the prose to cells by name and work it out over what rounding allows."""
    for claim in read_prose(ledger, printed_sentences(document)):
        around = claim.text if len(claim.text) <= 90 else claim.text[:87] + "..."
        subject = f"line {claim.line}, {claim.kind}"
        text = f"{claim.arithmetic} (“{around}”)"
        if claim.outcome == CONTRADICTED:
            severity = IMPOSSIBLE if claim.alone else SUSPICIOUS
            text += f"; harmless if {HARMLESS[claim.kind]} is meant"
        else:
            severity = PASSED if claim.outcome == EXPLAINED else NOT_APPLICABLE
            text += f"; as a statement: {claim.expression}" if claim.expression else ""
        yield Finding("prose claims", severity, subject, claim.cells, text)
