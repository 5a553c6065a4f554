"""What a paper is judged from, for every command that judges: its ledger, its settings and its evidence."""

from __future__ import annotations

from collections.abc import Mapping, Set
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from papertally.evidence.read import Evidence, read_evidence
from papertally.evidence.settings import Settings, settings_for
from papertally.ledger.load import Ledger, load_ledger
from papertally.ledger.paper import Paper

#: Training parameters by "profile/row".
Runs = Mapping[str, Mapping[str, Any]]


@dataclass(frozen=True, kw_only=True)
class Held:
    """Hold what a project's own runs are held to, beside their fingerprints.

    Args:
        profile: The profile whose small-scale results are shown.
        runs: Today's training parameters by "profile/row"; None where no run is held to any.
        pins: Today's pins of every data set by name.
    """

    profile: str = "paper"
    runs: Runs | None = None
    pins: Mapping[str, Set[str]] = field(default_factory=dict)


class Gathered(NamedTuple):
    """Hold a paper's ledger, the settings that hold for it and its evidence."""

    ledger: Ledger
    settings: Settings
    evidence: Evidence


def gather(paper: Paper, held: Held | None = None) -> Gathered:
    """Return what a paper is judged from. Raises LedgerError and SettingsError."""
    held = held or Held()
    ledger = load_ledger(paper.folder)
    settings = settings_for(ledger, held.profile)
    found = read_evidence(paper.root, held.runs, held.pins, paper.results, paper.fingerprints)
    return Gathered(ledger, settings, found)
