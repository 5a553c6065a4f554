"""The sheet for an editor or an author: scope, what was easy, what was hard, what holds and what does not."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass

from papertally.pages.sentences import sentences, weightiest
from papertally.pages.small_scale import SmallScalePage, small_scale_page
from papertally.quantities.columns import is_cost
from papertally.verdicts.answers import Answer
from papertally.verdicts.names import count, short_title
from papertally.verdicts.views import Report


@dataclass(frozen=True)
class Summary:
    """Hold the sheet, a list a head. small: what small data decide; off: statements with verdict and reason."""

    title: str
    short: str
    cited: str
    address: str
    lead: str
    sentences: list[tuple[str, str]]
    scope: list[str]
    easy: list[str]
    hard: list[str]
    small: SmallScalePage | None
    holds: list[str]
    off: list[tuple[str, str, str]]


def _told(answers: Iterable[Answer]) -> str:
    return ", ".join(f"{n} {found.words}" for found, n in Counter(answers).most_common())


def _scope(report: Report) -> list[str]:
    tables = len(report.tables)
    lines = [
        f"{count(len(report.cells), 'printed number')} in {count(tables, 'table')}, {len(report.distinct)} of them "
        f"distinct experiments or networks, and {count(len(report.claims), 'statement')} of the text.",
    ]
    costs = [c for c in report.distinct if is_cost(c.column)]
    trained = len(report.distinct) - len(costs)
    lines.append(
        f"{count(len(costs), 'number')} can be computed without any data; {count(trained, 'number')} "
        "take training or measuring."
    )
    return lines


def _easy(report: Report) -> list[str]:
    costs = [c for c in report.distinct if is_cost(c.column) and c.achieved is not None]
    found = [c.answer for c in report.claims if c.answer.name == "holds" or c.answer.name == "project"]
    lines = [f"Costs of {count(len({c.row_id for c in costs}), 'network')}: {_told(c.answer for c in costs)}."]
    return lines + ([f"Statements that need no data: {_told(found)}."] if found else [])


def _hard(report: Report) -> list[str]:
    lines = []
    axes = Counter(axis.replace("_", " ") for c in report.distinct if c.verdict == "depends" for axis in c.deciding)
    if axes:
        named = ", ".join(f"{axis} ({n})" for axis, n in axes.most_common(6))
        lines.append(
            f"The paper leaves open what decides {sum(c.verdict == 'depends' for c in report.distinct)} "
            f"numbers; most often: {named}."
        )
    drawn = [c for c in report.distinct if c.ground == "constructed"]
    if drawn:
        lines.append(
            f"{count(len(drawn), 'number')} are of networks that the paper does not describe; what this "
            "project drew in their place says nothing of the paper."
        )
    blocked = sum(c.verdict == "blocked" for c in report.distinct)
    if blocked:
        lines.append(f"{count(blocked, 'number')} cannot be checked from what is printed.")
    if report.plan and report.plan.planned:
        runs, hours = report.plan.planned, report.plan.planned_hours
        data = ", ".join(dict.fromkeys(r.dataset for r in runs))
        cost = f"about {hours:,.0f} hours on {report.plan.hardware}" if hours else "a time that nobody has measured"
        lines.append(f"{count(len(runs), 'experiment')} need {data}: {cost}.")
    return lines


def _holds(report: Report) -> list[str]:
    return [c.statement for c in report.claims if c.answer.name == "holds" and c.answer.basis != "own numbers"]


def _off(report: Report) -> list[tuple[str, str, str]]:
    open_ = [c for c in report.claims if c.answer.name == "undetermined"]
    return [(c.answer.words, c.statement, c.arithmetic or c.note) for c in (*weightiest(report), *open_)]


def summary_page(report: Report, claims: str = "") -> Summary:
    """Return the sheet of a report; claims: what the paper claims, as page.yaml has it."""
    ledger, short = report.ledger, short_title(report.ledger.title)
    lead = f"{short} ({ledger.cited}), checked number by number, on one page."
    return Summary(
        title=ledger.title,
        short=short,
        cited=ledger.cited,
        address=ledger.address,
        lead=lead,
        sentences=sentences(report, claims),
        scope=_scope(report),
        easy=_easy(report),
        hard=_hard(report),
        small=small_scale_page(report.small_scale),
        holds=_holds(report),
        off=_off(report),
    )
