"""What MicroNet's evidence is held to: training parameters and data pins, from params.yaml and verified manifests."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from papertally.evidence.datasets import TITLES, pack_command
from papertally.evidence.io import listed, read_json
from papertally.evidence.registration import read_registration
from papertally.evidence.settings import Settings, SettingsError, settings_for
from papertally.ledger.load import load_ledger
from papertally.ledger.validation_messages import one_line
from report.params import read_params
from report.rows import MICRONET, configured_rows, find_row


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


def load_settings(root: Path) -> tuple[Settings, dict[str, dict[str, Any]]]:
    """Return the settings and today's training parameters by "profile/row". Raises SettingsError, LedgerError."""
    params = read_params(root, SettingsError)
    settings = settings_for(load_ledger(root / MICRONET), params["profile"])
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
