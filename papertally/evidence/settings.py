"""The report's settings from params.yaml, validated."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Literal

from papertally.evidence.datasets import TITLES, pack_command
from papertally.evidence.io import listed, read_json
from papertally.evidence.params import Rules, read_params
from papertally.evidence.registration import read_registration
from papertally.evidence.rows import configured_rows, find_row
from papertally.ledger.load import Ledger
from papertally.ledger.validation_messages import one_line
from papertally.quantities.columns import is_cost


class SettingsError(Exception):
    """Say what is wrong with params.yaml."""


class Settings(Rules):
    """Hold the profile shown and the rules' numbers."""

    profile: Literal["mini", "proxy", "paper"]


def data_pins(root: Path) -> dict[str, set[str]]:
    """Return today's pins of every data set by name: params.yaml's, and those of verified manifests.

    ImageNet's may be that of its validation images alone. Raises SettingsError for a corrupt manifest.
    """
    params = read_params(root, SettingsError)
    pins = {name: {entry["pin"]} for name, entry in params["data"].items()}
    if "proxy" in params:
        pins[params["proxy"]["train"]["data"]] = {params["proxy"]["pin"]}
    for path in listed(root / "results/manifests"):
        try:
            pin = str(read_json(path)["sha256"])
        except (OSError, ValueError, KeyError, TypeError) as error:
            fault = f"{path.relative_to(root).as_posix()}: corrupt ({one_line(repr(error))})"
            again = pack_command(path.stem) if path.stem in TITLES else f"python -m pipelines verify {path.stem}"
            raise SettingsError(f"{fault}; run `{again}`") from None
        pins.setdefault(path.stem.removesuffix("_val"), set()).add(pin)
    return pins


#: Of a ledger that states nothing: the usual level, and what settles a trained cell.
USUAL: dict[str, Any] = {"profile": "paper", "alpha": 0.05, "seeds": 3, "margins": {}}


def settings_for(settings: Settings, ledger: Ledger) -> Settings:
    """Return the settings that hold for a ledger: its own level and seeds; of another work nothing of the first's."""
    own = {key: value for key in ("alpha", "seeds") if (value := getattr(ledger, key)) is not None}
    if ledger.another:
        own["printed_spread"] = {}  # what the first paper's authors say of their runs
    return settings.model_copy(update=own)


def check_margins(settings: Settings, ledger: Ledger, own: bool = False) -> None:
    """Raise SettingsError where a trained or measured column has no margin, neither the ledger's nor the settings'.

    own: no settings lie beside the ledger. A statement that agrees() within a margin needs an absolute one.
    """
    trained = {c for table in ledger.tables.values() for c in table.columns if not is_cost(c)}
    if missing := sorted(trained - set(settings.margins) - set(ledger.margins)):
        if own:
            raise SettingsError(
                f"{ledger.name or 'the ledger'}/paper.yaml: margins lacks {', '.join(missing)}; add them"
            )
        there = f", there or under `margins` in {ledger.name}/paper.yaml" if ledger.name else ""
        raise SettingsError(f"params.yaml: report.margins lacks {', '.join(missing)}; add them{there}")
    relative = {c for c, margin in ledger.margins.items() if margin.relative}
    for claim in ledger.claims:
        if "agrees(" in claim.expression.text and (bad := sorted({c for _, c in claim.expression.refs} & relative)):
            fault = f"claim {claim.id}: agrees() over {bad[0]} needs an absolute margin, the ledger states a share"
            raise SettingsError(f"{ledger.name}/claims.yaml: {fault}")


def load_settings(root: Path) -> tuple[Settings, dict[str, dict[str, Any]]]:
    """Return the settings and today's training parameters by "profile/row". Raises SettingsError, LedgerError."""
    params = read_params(root, SettingsError)
    settings = Settings(profile=params["profile"], **params["report"])
    runs = {}
    for row in configured_rows(root):
        if (task := find_row(row, root).task) in params["mini"]:
            runs[f"mini/{row}"] = params["mini"][task]
        if "proxy" in params:
            runs[f"proxy/{row}"] = params["proxy"]["train"]
    if registration := read_registration(root):
        rows = dict.fromkeys([*registration.rows, *registration.pilot.rows])
        runs |= {f"cifar/{row}/{name}": registration.settings(name) for name in registration.known for row in rows}
    return settings, runs
