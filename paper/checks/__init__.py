"""Checks of a ledger that need no written judgement: pure functions from a ledger to findings, registered by name.

`run` returns what they find, `python -m paper check` prints it, the report shows it. No torch.
"""

from paper.checks import columns, linear, metrics, relations, repeats  # noqa: F401  each registers its checks
from paper.checks.findings import ALARMS, REGISTRY, SEVERITIES, Finding, by_severity
from paper.checks.typos import explained
from paper.ledger import Ledger

__all__ = ["ALARMS", "REGISTRY", "SEVERITIES", "Finding", "by_severity", "run"]


def run(ledger: Ledger, names: tuple[str, ...] = (), explain: bool = True) -> list[Finding]:
    """Return what the checks find, the worst first.

    names: some checks only (default: all). explain: say which misprint of one cell would explain an impossibility.
    Raises KeyError for a check that there is not.
    """
    chosen = names or tuple(REGISTRY.checks)
    found = [finding for name in chosen for finding in REGISTRY.checks[name](ledger)]
    return by_severity([*found, *(explained(ledger, found) if explain else [])])
