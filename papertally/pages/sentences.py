"""Five sentences that open the report: claims, what is confirmed, contradicted, undetermined and untested."""

from __future__ import annotations

import re
from collections.abc import Iterable

from papertally.pages.small_scale import conclusion
from papertally.quantities.columns import is_cost
from papertally.verdicts.answers import HEADS, bases
from papertally.verdicts.conventions import FamilyView
from papertally.verdicts.names import column_name, count, row_name, span
from papertally.verdicts.views import CellView, ClaimView, Report

HEADLINES = ("The paper claims", "Confirmed without training", "Contradicted", "Undetermined by the text", "Untested")
#: A printed cell in the paper's own sentence: {row.column}.
_CELL = re.compile(r"\{(\w+)\.(\w+)\}")
#: Things that one sentence names; more are counted.
NAMED = 4
FAMILIES = 3


class HeadlineError(ValueError):
    """Say which cell of the sentence about the paper's claims the ledger does not have."""


def _joined(parts: Iterable[str]) -> str:
    return "; ".join(part for part in parts if part)


def _fill(report: Report, text: str) -> str:
    """Return the sentence about the paper's claims with the printed numbers in it."""
    cells = {cell.key: cell.printed for cell in report.cells}

    def printed(match: re.Match[str]) -> str:
        key = f"{match[1]}.{match[2]}"
        if key not in cells:
            raise HeadlineError(f"page.yaml: claims names {key}, which no table prints; name a printed ROW.COLUMN")
        return cells[key]

    return _CELL.sub(printed, text).strip()


def _claims(report: Report, text: str) -> str:
    if text:
        return _fill(report, text)
    return (
        f"{count(len(report.distinct), 'number')} in {count(len(report.tables), 'table')} and "
        f"{count(len(report.claims), 'statement')}."
    )


def _columns(cells: Iterable[CellView]) -> str:
    """Return how many numbers of each column there are: "17 of Params, 2 of MAdds"."""
    names: dict[str, int] = {}
    for cell in cells:
        names[column_name(cell.column)] = names.get(column_name(cell.column), 0) + 1
    return ", ".join(f"{n} of {name}" for name, n in names.items())


def _confirmed(report: Report) -> str:
    costs = [c for c in report.distinct if is_cost(c.column) and c.answer.name == "holds"]
    reasons = bases((c.answer for c in report.claims), "holds")
    own = report.own_summary().get("holds", 0)
    return (
        _joined(
            [
                f"{count(len(costs), 'printed number')} recomputed ({_columns(costs)})" if costs else "",
                f"{count(reasons['derivation'], 'derived formula or property', 'derived formulas and properties')}"
                if "derivation" in reasons
                else "",
                f"{count(own, 'statement')} that the printed numbers bear out, however they were rounded"
                if own
                else "",
            ]
        )
        or "nothing"
    )


def cell_label(report: Report, cell: CellView) -> str:
    """Return a cell as printed beside what came out here."""
    row = report.ledger.row(cell.row_id)
    name = row_name(report.ledger.tables[cell.table], row)
    return f"{column_name(cell.column)} {cell.printed} of {name}, recomputed {cell.shown or 'otherwise'}"


def weightiest(report: Report) -> list[ClaimView]:
    """Return the contradicted statements: those about the abstract and the results first, as the ledger weighs them."""
    found = [c for c in report.claims if c.answer.name == "contradicted"]
    return sorted(found, key=lambda c: -weight(c))


def weight(claim: ClaimView) -> int:
    """Return how much hangs on a statement: 2 where the abstract says it or it compares results, 1 else."""
    return 2 if claim.kind == "relation" or "abstract" in claim.section.lower() else 1


def _contradicted(report: Report) -> str:
    cells = [c for c in report.distinct if c.answer.name == "contradicted"]
    impossible = [f for f in report.checks if f.severity == "impossible"]
    named = [c.statement.rstrip(".") for c in weightiest(report)]
    named += [cell_label(report, c) for c in cells] + [f.subject for f in impossible]
    shown = named[:NAMED]
    rest = len(named) - len(shown)
    return _joined([*shown, f"and {rest} more" if rest > 0 else ""]) or "nothing"


def _undetermined(report: Report) -> str:
    cells = [c for c in report.distinct if c.answer.name == "undetermined"]
    claims = [c for c in report.claims if c.answer.name == "undetermined"]
    joint = [f"{f.best} of the {len(f.cells)} numbers of {f.title}" for f in _unsatisfied(report)]
    at_most = f"no one way of counting gives more than {', '.join(joint)}" if joint else ""
    numbers = f"{count(len(cells), 'number')} ({_columns(cells)})" if cells else ""
    return _joined([numbers, count(len(claims), "statement") if claims else "", at_most]) or "nothing"


def _unsatisfied(report: Report) -> list[FamilyView]:
    """Return the families that no one convention satisfies, the furthest from it first; parts of another left out."""
    found = [f for f in report.families if f.best < len(f.cells)]
    whole = [f for f in found if not any(set(f.cells) < set(other.cells) for other in found)]
    return sorted(whole, key=lambda f: (f.best - len(f.cells), -len(f.cells)))[:FAMILIES]


def _untested(report: Report) -> str:
    cells = [c for c in report.distinct if c.answer.name == "untested"]
    claims = [c for c in report.claims if c.answer.name == "untested"]
    took = None
    if report.plan is not None and "paper" in report.plan.hours_by():
        took = report.plan.hours_by()["paper"][2]
    unit = "GPU-hours" if report.plan is not None and report.plan.gpu else "machine-hours"
    hours = "" if took is None or report.plan is None else f"about {span(took)} {unit} on {report.plan.hardware}"
    small = report.small_scale
    return (
        _joined(
            [
                f"{count(len(cells), 'number')} ({_columns(cells)})" if cells else "",
                count(len(claims), "statement") if claims else "",
                hours,
                conclusion(small).rstrip(".") if small is not None else "",
            ]
        )
        or "nothing"
    )


def sentences(report: Report, claims: str = "") -> list[tuple[str, str]]:
    """Return the five sentences as (head, text).

    Args:
        report: The judged report.
        claims: What the paper claims, with {row.column} for printed numbers, from page.yaml; "" counts instead.

    Raises:
        HeadlineError: Where `claims` names a number that no table prints.
    """
    texts = (_claims(report, claims), *(tell(report) for tell in (_confirmed, _contradicted, _undetermined, _untested)))
    return [(head, text if text.endswith(".") else text + ".") for head, text in zip(HEADLINES, texts, strict=True)]


def apart_lines(report: Report) -> list[str]:
    """Return what is not about the paper, counted apart: numbers and statements by basis."""
    lines = []
    for kind, found in (("numbers", report.distinct), ("statements", report.claims)):
        answers = [item.answer for item in found]
        for name, head in HEADS.items():
            if reasons := bases(answers, name):
                total = sum(reasons.values())
                told = ", ".join(f"{n} {basis}" for basis, n in reasons.items())
                lines.append(f"{total} {kind} {head}: {told}")
    return lines
