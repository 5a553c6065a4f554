"""What is filed on another small set than CIFAR-10 by the same protocols: counted and judged apart, never with it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from papertally.evidence.datasets import OTHERS, SMALL_REAL, TITLES, apart, pins_on, settings_on
from papertally.evidence.read import Evidence, Problem, read_evidence
from papertally.evidence.registration import read_choice, read_costs, read_registration
from papertally.ledger.load import Ledger
from papertally.verdicts.gather import Held
from papertally.verdicts.names import count
from papertally.verdicts.registered import Registered, judge_registered


@dataclass(frozen=True)
class OtherSet:
    """Hold one set: how many sound runs it has by profile, what is wrong with others, and what the orderings decide.

    folder: where they lie, from the root on.
    """

    name: str
    folder: str
    runs: Mapping[str, int]
    problems: list[Problem] = field(default_factory=list)
    registered: Registered | None = None

    @property
    def title(self) -> str:
        """Return the set's name for a reader."""
        return TITLES[self.name]

    def told(self) -> str:
        """Return how many runs there are, and where."""
        found = ", ".join(
            f"{count(self.runs[profile], 'run')} {what}"
            for profile, what in (("proxy", "by the proxy's protocol"), ("cifar", "of the registered orderings"))
        )
        bad = f"; {count(len(self.problems), 'file')} cannot count" if self.problems else ""
        return f"{found}, in {self.folder}{bad}"


def read_other_sets(root: Path, results: Path, held: Held, ledger: Ledger, evidence: Evidence) -> list[OtherSet]:
    """Return every other set of which anything is filed under `results`.

    held: what the project's runs are held to; evidence: the paper's, whose costs the networks' are set beside.
    Raises LedgerError, SettingsError, and EvidenceError for a malformed choice.
    """
    out = []
    for name in OTHERS:
        folder = results / apart(name)
        if not any(any((folder / profile).glob("**/*.json")) for profile in SMALL_REAL):
            continue
        mine = read_evidence(root, settings_on(name, held.runs or {}), pins_on(name, held.pins), folder)
        counts = {profile: sum(map(len, mine.runs.get(profile, {}).values())) for profile in SMALL_REAL}
        mine.cost, mine.rules = evidence.cost, evidence.rules
        registration, found = read_registration(root, ledger), None
        if registration and counts["cifar"]:
            choice, costs = read_choice(root, folder), read_costs(root, folder)
            found = judge_registered(registration.on(name), choice, costs, ledger, mine)
        out.append(OtherSet(name, mine.folder, counts, mine.problems, found))
    return out
