"""The report's settings from params.yaml, validated."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from paper.files import read_yaml
from paper.ledger import Ledger
from paper.schema import COST_COLUMNS
from report.evidence import PROFILES

#: Sections of params.yaml that hold further rows with training parameters of their own.
TASKS = ("pose", "segmentation")
Positive = Annotated[float, Field(gt=0, allow_inf_nan=False)]


class SettingsError(Exception):
    """Say what is wrong with params.yaml."""


class Settings(BaseModel):
    """Hold the profile shown and the rules' numbers.

    close_percent: width of "close"; margins: in points; seeds: runs that settle a trained cell; seed_spread: the
    standard deviation between seeds, in points, for which the tests promise their power.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    profile: Literal["mini", "proxy", "paper"]
    alpha: Annotated[float, Field(gt=0, lt=0.5)]
    close_percent: Positive
    margins: dict[str, Positive]
    seeds: Annotated[int, Field(ge=2)] = 3
    seed_spread: Positive = 0.15


def _runs(profiles: dict[str, Any], rows: dict[str, Any]) -> dict[str, dict[str, Any]]:
    return {
        f"{profile}/{row}": {**common, **{k: v for k, v in own.items() if k != "table"}}
        for profile, common in profiles.items()
        if profile in PROFILES
        for row, own in rows.items()
    }


def data_pins(root: Path) -> dict[str, set[str]]:
    """Return today's pins of every data set by name: params.yaml's, and those of verified manifests.

    ImageNet's may be that of its validation images alone. Raises SettingsError for a corrupt manifest.
    """
    params = read_yaml(root / "params.yaml", "params.yaml", SettingsError)
    pins = {name: {str(entry["pin"])} for name, entry in params.get("data", {}).items()}
    if "proxy" in params:
        pins[str(params["proxy"]["train"]["data"])] = {str(params["proxy"]["pin"])}
    for path in sorted((root / "results/manifests").glob("*.json")):
        try:
            pin = str(json.loads(path.read_text("utf-8-sig"))["sha256"])
        except (OSError, ValueError, KeyError, TypeError) as error:
            shown = path.relative_to(root).as_posix()
            raise SettingsError(f"{shown}: corrupt ({error!r}); run `python -m pipelines.verify {path.stem}`") from None
        pins.setdefault(path.stem.removesuffix("_val"), set()).add(pin)
    return pins


def check_margins(settings: Settings, ledger: Ledger) -> None:
    """Raise SettingsError where a ledger's trained column has no margin."""
    trained = {c for table in ledger.tables.values() for c in table.columns} - set(COST_COLUMNS)
    if missing := sorted(trained - set(settings.margins)):
        raise SettingsError(f"params.yaml: report.margins lacks {', '.join(missing)}; add them")


def load_settings(root: Path) -> tuple[Settings, dict[str, dict[str, Any]]]:
    """Return the settings and today's training parameters by "profile/row". Raises SettingsError."""
    params = read_yaml(root / "params.yaml", "params.yaml", SettingsError)
    try:
        settings = Settings(profile=params["profile"], **params["report"])
        runs = _runs(params["train"], {**params["rows"], **params.get("more_rows", {})})
        for task in TASKS:
            if task in params:
                mine = params[task]
                runs |= _runs(mine, {**mine["rows"], **mine.get("more_rows", {})})
        if "proxy" in params:
            runs |= {f"proxy/{row}": params["proxy"]["train"] for row in params["proxy"]["rows"]}
    except ValidationError as error:
        first = error.errors()[0]
        raise SettingsError(f"params.yaml: report.{'.'.join(map(str, first['loc']))}: {first['msg']}") from None
    except (KeyError, TypeError, AttributeError) as error:
        raise SettingsError(f"params.yaml: a key is missing or malformed ({error}); restore the file") from None
    return settings, runs
