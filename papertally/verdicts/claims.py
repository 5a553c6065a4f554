"""The paper's statements, each judged once: on its own numbers, on achieved ones, or by what a stage computed."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from typing import Any

from papertally.evidence.examples import Examples
from papertally.evidence.read import Evidence
from papertally.ledger.load import Claim, Ledger
from papertally.quantities.columns import is_cost
from papertally.quantities.interval import Truth
from papertally.statements.expressions import Expression, ExpressionError
from papertally.statements.printed_truth import on_printed_numbers
from papertally.verdicts import verdicts
from papertally.verdicts.arithmetic import worked
from papertally.verdicts.multiple_testing import Family
from papertally.verdicts.names import quantity, show
from papertally.verdicts.orderings import paired_orders
from papertally.verdicts.resolution import unresolved
from papertally.verdicts.verdicts import Estimate, Verdict
from papertally.verdicts.views import ClaimView


class Claims:
    """Judge statements. achieved, bits: a cell's estimate, and which images its runs got right (Cells has both)."""

    def __init__(
        self,
        ledger: Ledger,
        evidence: Evidence,
        family: Family,
        achieved: Callable[[str, str], Estimate | None],
        bits: Callable[[str, str], list[Examples]],
    ) -> None:
        self.ledger, self.evidence, self.family = ledger, evidence, family
        self.achieved, self.bits = achieved, bits

    def value(self, row_id: str, column: str) -> Decimal | None:
        """Return an achieved value: a lookup for expressions."""
        found = self.achieved(row_id, column)
        return None if found is None else found.value

    def shown(self, row_id: str, column: str) -> str | None:
        """Return how an achieved value reads."""
        found, cell = self.achieved(row_id, column), self.ledger.cell(row_id, column)
        if found is None or not cell.numeric:
            return None
        half = f" ± {show(found.half_width, cell.printed, 1, cell.unit)}" if found.n > 1 else ""
        return show(found.value, cell.printed, 1 if found.n else 2, cell.unit) + half

    def printed(self, row_id: str, column: str) -> str | None:
        """Return how a printed value reads."""
        cell = self.ledger.cell(row_id, column)
        return cell.printed if cell.numeric else None

    def claim(self, claim: Claim) -> ClaimView:
        """Judge one claim."""
        if claim.kind in ("relation", "print"):
            return self.relation(claim)
        source = self.evidence.claims.get(claim.id)
        problem = self.evidence.problem("claims", claim.id)
        achieved = None
        if problem:
            verdict = Verdict("invalid-evidence", problem.fault)
        elif source is None:
            why = "needs the dataset" if claim.kind == "data" else "its computation has not run; `dvc repro claims`"
            verdict = Verdict("not-run", why)
        elif source.computation != (claim.computation or claim.kind):
            verdict = Verdict("invalid-evidence", f"is of computation {source.computation!r}; run `dvc repro claims`")
        else:
            achieved = source.computed
            shows = claim.shows or ("recipe" if claim.kind == "recipe" else None)
            try:
                verdict = verdicts.computed_claim(claim.expression, self.ledger.printed_value, achieved, shows)
            except ExpressionError as error:
                verdict = Verdict("invalid-evidence", f"cannot be judged: {error}")
            if verdict.name in verdicts.PASSED and claim.always is not None:
                verdict = self.for_all(claim.always, achieved, verdict)
            if verdict.name == "paper-inconsistent" and self.doubtful(claim):
                verdict = Verdict("undecided", "the transcription may be at fault")
        judged = achieved is not None and verdict.name not in ("invalid-evidence", "not-run")
        holds = verdict.name in verdicts.PASSED if judged and verdict.name != "depends" else None
        own = None
        if claim.shows == "print" and judged:
            own = "holds" if holds else "cannot" if verdict.name == "paper-inconsistent" else "undecided"
        detail = [verdict.note, source.detail if source and not problem else ""]
        lines = worked(claim.expression, self.ledger.printed_value, self.printed, {"computed": achieved})
        return ClaimView(
            claim.id,
            claim.section,
            claim.statement,
            claim.kind,
            claim.expression.text,
            holds,
            "",
            achieved,
            quantity(achieved),
            verdict.name,
            self.evidence.paths.get(("claims", claim.id)),
            "; ".join(filter(None, [*detail, *self.remarks(claim)])),
            "; ".join(filter(None, detail)),
            claim.reading or "",
            claim.issue or "",
            (),
            tuple(lines) if achieved is not None else (),
            own,
        )

    def for_all(self, always: Expression, achieved: Any, verdict: Verdict) -> Verdict:
        """Return a verdict that holds under some reading as `depends` unless it holds under all of them."""
        if verdicts.computed_claim(always, self.ledger.printed_value, achieved).name in verdicts.PASSED:
            return verdict
        return Verdict("depends", "holds under some of the readings that the text leaves open, not under all")

    def doubtful(self, claim: Claim) -> bool:
        """Tell whether a claim's known issue is one of the transcription."""
        return claim.issue is not None and self.ledger.issues[claim.issue].kind == "transcription"

    def relation(self, claim: Claim) -> ClaimView:
        """Judge a relation on the paper's own numbers, then on achieved ones."""
        outcome = claim.expression.evaluate(self.ledger.printed_value)
        printed = on_printed_numbers(claim.expression, self.ledger.printed_number)
        margins = self.family.rule.margins
        margin = max((margins.get(c, 0) for _, c in claim.expression.refs if not is_cost(c)), default=0)
        if claim.kind == "print" or claim.expression.about_print:
            names = {Truth.HOLDS: "agrees-with-itself", Truth.UNDECIDED: "undecided"}
            verdict, achieved = Verdict(names.get(printed.truth, "paper-inconsistent")), None
        else:
            verdict, achieved = self.family.statement(claim)
            if self.evidence.external and any(not is_cost(column) for _, column in claim.expression.refs):
                verdict = Verdict(verdicts.REPORTED.get(verdict.name, verdict.name), verdict.note)
        if printed.truth is Truth.CANNOT:
            own = f"the paper's own numbers fail at {outcome.part}, however they were rounded"
            own += "" if achieved is None else f"; on achieved ones: {verdict.name}"
            verdict = Verdict("paper-inconsistent", own)
        elif verdict.name == "not-run" and self.drawn(claim):
            verdict = Verdict("not-run", f"{verdict.note}; a network that this project drew says nothing of the paper")
        if printed.remark:
            verdict = Verdict(verdict.name, "; ".join(filter(None, (verdict.note, printed.remark))))
        value = None if achieved is None else float(achieved)
        theirs = worked(claim.expression, self.ledger.printed_value, self.printed)
        mine = worked(claim.expression, self.value, self.shown, margin=Decimal(str(margin)))
        known = claim.kind != "print" and any(self.achieved(*ref) for ref in claim.expression.refs)
        return ClaimView(
            claim.id,
            claim.section,
            claim.statement,
            claim.kind,
            claim.expression.text,
            outcome.holds,
            quantity(outcome.quantity),
            value,
            quantity(value),
            verdict.name,
            None,
            "; ".join(
                filter(
                    None,
                    [
                        verdict.note,
                        *self.remarks(claim),
                        *unresolved(self.ledger, claim.expression),
                        *paired_orders(self.ledger, claim.expression, self.bits),
                    ],
                )
            ),
            verdict.note,
            claim.reading or "",
            claim.issue or "",
            tuple(theirs),
            tuple(mine) if known else (),
            printed.word,
        )

    def drawn(self, claim: Claim) -> bool:
        """Tell whether a claim reads a cell of a network that this project drew."""
        return any(self.ledger.ground(*ref).constructed for ref in claim.expression.refs)

    def remarks(self, claim: Claim) -> list[str]:
        """Return the reading and the known issue of a claim."""
        reading = f"read as: {claim.reading}" if claim.reading else ""
        return [reading, f"known issue {claim.issue}" if claim.issue else ""]
