"""Checks of a ledger that need no written judgement: pure functions from a ledger to findings, registered by name.

`run` returns what they find, `papertally check` prints it, the report shows it. No torch.
"""

from collections.abc import Collection, Iterable
from functools import partial

from papertally.checks import (  # noqa: F401  each registers its checks
    columns,
    copies,
    linear,
    metrics,
    prose_claims,
    relations,
    repeats,
    tables,
    text_statistics,
    within_rows,
)
from papertally.checks.findings import ALARMS, REGISTRY, SEVERITIES, Check, Finding, by_severity
from papertally.checks.text import Document, read_document
from papertally.checks.transcription import TEXT, TextCheck
from papertally.checks.typos import explained
from papertally.ledger.load import Ledger

__all__ = ["ALARMS", "SEVERITIES", "Document", "Finding", "about", "read_document", "run"]


def run(
    ledger: Ledger, names: Collection[str] = (), explain: bool = True, document: Document | None = None
) -> list[Finding]:
    """Return what the checks find, the worst first.

    names: some checks only (default: all). explain: say which misprint of one cell would explain an impossibility.
    document: the paper's text, for the checks that need it. Raises KeyError for a check that there is not.
    """
    known: dict[str, Check] = {
        **REGISTRY.checks,
        **{name: partial(_of_text, check, document) for name, check in TEXT.checks.items()},
    }
    chosen = names or (*REGISTRY.checks, *(TEXT.checks if document is not None else ()))
    found = [finding for name in chosen for finding in known[name](ledger)]
    return by_severity([*found, *(explained(ledger, found) if explain else [])])


def _of_text(check: TextCheck, document: Document | None, ledger: Ledger) -> Iterable[Finding]:
    return () if document is None else check(ledger, document)


def about() -> dict[str, str]:
    """Return what each check looks at, by name, those of the text last."""
    return {**REGISTRY.about, **TEXT.about}
