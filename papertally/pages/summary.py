"""The sheet for an editor or an author: scope, what was easy, what was hard, what holds and what does not."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass

from papertally.pages.small_scale import SmallScalePage, small_scale_page
from papertally.quantities.columns import is_cost
from papertally.verdicts.names import count, short_title, spoken
from papertally.verdicts.views import ClaimView, Report

#: What was found of a statement without any data.
EASY = ("derivation-holds", "built-as-stated", "run-as-stated", "agrees-with-itself", "reproduced")
#: What a statement's author would want to see.
OFF = (
    "paper-inconsistent", "differs", "not-reproduced", "derivation-fails", "built-otherwise", "run-otherwise",
    "depends",
)  # fmt: skip


@dataclass(frozen=True)
class Summary:
    """Hold the sheet, a list a head. small: what small data decide; off: statements with verdict and reason."""

    title: str
    short: str
    cited: str
    address: str
    lead: str
    scope: list[str]
    easy: list[str]
    hard: list[str]
    small: SmallScalePage | None
    holds: list[str]
    off: list[tuple[str, str, str]]


def _told(verdicts: Iterable[str]) -> str:
    return ", ".join(f"{n} {spoken(name)}" for name, n in Counter(verdicts).most_common())


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
    found = [c.verdict for c in report.claims if c.verdict in EASY]
    lines = [f"Costs of {count(len({c.row_id for c in costs}), 'network')}: {_told(c.verdict for c in costs)}."]
    return lines + ([f"Statements that need no data: {_told(found)}."] if found else [])


def _hard(report: Report) -> list[str]:
    lines = []
    axes = Counter(axis.replace("_", " ") for c in report.distinct if c.verdict == "depends" for axis in c.deciding)
    if axes:
        named = ", ".join(f"{axis} ({n})" for axis, n in axes.most_common(6))
        lines.append(f"The paper leaves open what decides {sum(c.verdict == 'depends' for c in report.distinct)} "
                     f"numbers; most often: {named}.")  # fmt: skip
    drawn = [c for c in report.distinct if c.ground == "constructed"]
    if drawn:
        lines.append(f"{count(len(drawn), 'number')} are of networks that the paper does not describe; what this "
                     "project drew in their place says nothing of the paper.")  # fmt: skip
    blocked = sum(c.verdict == "blocked" for c in report.distinct)
    if blocked:
        lines.append(f"{count(blocked, 'number')} cannot be checked from what is printed.")
    if report.plan and report.plan.runs:
        runs, hours = report.plan.runs, report.plan.hours
        data = ", ".join(dict.fromkeys(r.dataset for r in runs))
        cost = f"about {hours:,.0f} hours on {report.plan.hardware}" if hours else "a time that nobody has measured"
        lines.append(f"{count(len(runs), 'experiment')} need {data}: {cost}.")
    return lines


def _holds(report: Report) -> list[str]:
    return [c.statement for c in report.claims if c.verdict in ("derivation-holds", "reproduced")]


def _off(report: Report) -> list[tuple[str, str, str]]:
    found: list[ClaimView] = sorted((c for c in report.claims if c.verdict in OFF), key=lambda c: OFF.index(c.verdict))
    return [(spoken(c.verdict), c.statement, c.arithmetic or c.note) for c in found]


def summary_page(report: Report) -> Summary:
    """Return the sheet of a report."""
    ledger, short = report.ledger, short_title(report.ledger.title)
    lead = f"{short} ({ledger.cited}), checked number by number, on one page."
    return Summary(
        ledger.title, short, ledger.cited, ledger.address, lead, _scope(report), _easy(report), _hard(report),
        small_scale_page(report.small_scale), _holds(report), _off(report),
    )  # fmt: skip
