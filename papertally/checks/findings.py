"""What a check says, and the register of checks: each a pure function from a ledger to findings."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from typing import Generic, TypeVar

from papertally.ledger.load import Ledger, Row, Table

IMPOSSIBLE, UNDECIDED, SUSPICIOUS = "impossible", "undecided by rounding", "suspicious"
PASSED, NOT_APPLICABLE = "passed", "not applicable"
#: From worst to best.
SEVERITIES = (IMPOSSIBLE, UNDECIDED, SUSPICIOUS, PASSED, NOT_APPLICABLE)
#: Those that ask a reader to look.
ALARMS = (IMPOSSIBLE, UNDECIDED, SUSPICIOUS)


@dataclass(frozen=True)
class Finding:
    """Hold what a check says about a table, a statement or a line of text, with one line of arithmetic.

    cells: the names, row.column, of what it rests on.
    """

    check: str
    severity: str
    subject: str
    cells: tuple[str, ...]
    arithmetic: str

    def as_json(self) -> dict[str, object]:
        """Return the finding as report.json and `check --json` have it."""
        return {
            "check": self.check,
            "severity": self.severity,
            "subject": self.subject,
            "cells": list(self.cells),
            "arithmetic": self.arithmetic,
        }


Check = Callable[[Ledger], Iterable[Finding]]
AnyCheck = TypeVar("AnyCheck", bound=Callable[..., Iterable[Finding]])


@dataclass
class Registry(Generic[AnyCheck]):
    """Hold the checks by name, in the order in which they were registered."""

    checks: dict[str, AnyCheck] = field(default_factory=dict)
    about: dict[str, str] = field(default_factory=dict)

    def register(self, name: str, about: str) -> Callable[[AnyCheck], AnyCheck]:
        """Register a check under a name; about: what it looks at, in one line."""

        def add(check: AnyCheck) -> AnyCheck:
            if name in self.checks:
                raise ValueError(f"check {name!r} is registered twice")
            self.checks[name], self.about[name] = check, about
            return check

        return add


REGISTRY: Registry[Check] = Registry()
register = REGISTRY.register


def key(row: Row | str, column: str) -> str:
    """Return a cell's name."""
    return f"{row if isinstance(row, str) else row.id}.{column}"


def numeric(table: Table, column: str) -> Iterator[Row]:
    """Yield the rows of a table that print a number in a column."""
    for row in table.rows:
        if column in row.cells and row.cells[column].numeric:
            yield row


def shown(row: Row) -> str:
    """Return how a row is called in a line of arithmetic."""
    name = " ".join(filter(None, (*row.labels, *row.marks)))
    return name if name else row.id


def by_severity(findings: Iterable[Finding]) -> list[Finding]:
    """Return findings, the worst first, within a severity as they came."""
    return sorted(findings, key=lambda f: SEVERITIES.index(f.severity))
