"""What a paper is judged from, for every command that judges: its folders, ledger, settings and evidence."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

from papertally.evidence.paths import Places
from papertally.evidence.read import Evidence, read_evidence
from papertally.evidence.settings import USUAL, Settings, check_margins, data_pins, load_settings, settings_for
from papertally.ledger.load import Ledger, folder_of, load_ledger

#: Today's training parameters by "profile/row".
Runs = Mapping[str, Mapping[str, Any]]


class Gathered(NamedTuple):
    """Hold a paper's ledger, the settings that hold for it and its evidence."""

    ledger: Ledger
    settings: Settings
    evidence: Evidence


def place(path: Path | None, name: str, root: Path) -> tuple[Places, Settings, Runs]:
    """Return a paper's folders, the settings and what its runs are held to.

    path: of a ledger anywhere, else the one called `name` under `root`. Raises LedgerError and SettingsError.
    """
    if path is not None:
        return Places(folder_of(path=path), own=True), Settings(**USUAL), {}
    return Places(root, name), *load_settings(root)


def gather(places: Places, settings: Settings, runs: Runs) -> Gathered:
    """Return what a paper is judged from. Raises LedgerError and SettingsError."""
    ledger = load_ledger(places.ledger)
    settings = settings_for(settings, ledger)
    check_margins(settings, ledger, places.own)
    pins = {} if places.own else data_pins(places.root)
    return Gathered(ledger, settings, read_evidence(places.root, runs, pins, places.results, places.own))
