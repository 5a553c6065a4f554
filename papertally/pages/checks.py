"""The page's section of checks that need no written statement: alarms in full, the rest counted."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from papertally.checks import ALARMS, SEVERITIES, Finding, about
from papertally.verdicts.names import count, slug

#: What is no check of its own looks at others' findings.
MISPRINTS = "misprints of one cell that would explain an impossibility"
#: A severity's sign, so that colour never stands alone.
SIGNS = {"impossible": "✕", "undecided by rounding": "?", "suspicious": "!"}


@dataclass(frozen=True)
class Alarm:
    """Hold one finding that asks a reader to look, with the addresses of its cells on the page.

    slug, glyph and verdict are what the page's verdict sign prints.
    """

    verdict: str
    slug: str
    glyph: str
    check: str
    subject: str
    arithmetic: str
    cells: list[str]


@dataclass(frozen=True)
class ChecksPage:
    """Hold the section: a sentence, the alarms, and a line a check with its counts by severity."""

    summary: str
    alarms: list[Alarm]
    columns: list[str]
    rows: list[list[str]]


def checks_page(found: Sequence[Finding]) -> ChecksPage | None:
    """Return the section's model, or None where no check said anything."""
    if not found:
        return None
    alarms = [
        Alarm(f.severity, slug(f.severity), SIGNS[f.severity], f.check, f.subject, f.arithmetic, list(f.cells))
        for f in found
        if f.severity in ALARMS
    ]
    counts = Counter(f.severity for f in found)
    each = Counter((f.check, f.severity) for f in found)
    names = [*about(), *dict.fromkeys(f.check for f in found if f.check not in about())]
    rows = [
        [name, about().get(name, MISPRINTS), *(str(each[name, severity] or "") for severity in SEVERITIES)]
        for name in names
        if any(each[name, severity] for severity in SEVERITIES)
    ]
    summary = f"{count(len(found), 'finding')} of {count(len(rows), 'check')}: "
    summary += ", ".join(f"{counts[severity]} {severity}" for severity in SEVERITIES) + "."
    return ChecksPage(summary, alarms, ["Check", "Looks at", *(s.capitalize() for s in SEVERITIES)], rows)
