"""The small real sets by name: CIFAR-10, filed in the profiles' own folders, and those that are filed apart."""

from __future__ import annotations

from collections.abc import Mapping, Set
from pathlib import Path
from typing import Any

#: The set that params.yaml pins and proxy/orderings.yaml was registered for.
OWN = "cifar10"
TITLES = {OWN: "CIFAR-10", "cifar100": "CIFAR-100"}
OTHERS = tuple(name for name in TITLES if name != OWN)
#: The profiles that train on a small real set.
SMALL_REAL = ("proxy", "cifar")


def apart(name: str) -> Path:
    """Return the folder under results, checkpoints and work_dirs that a set's runs lie in: CIFAR-10's in none."""
    return Path() if name == OWN else Path(name)


def pack_command(name: str) -> str:
    """Return the command that packs a set."""
    return "python -m pipelines cifar" + ("" if name == OWN else f" --data {name}")


def settings_on(name: str, runs: Mapping[str, Mapping[str, Any]]) -> dict[str, dict[str, Any]]:
    """Return training parameters by "profile/row" as they are on another set: the same protocols, its name in them."""
    return {key: {**train, "data": name} for key, train in runs.items() if key.split("/")[0] in SMALL_REAL}


def pins_on(name: str, pins: Mapping[str, Set[str]]) -> dict[str, Set[str]]:
    """Return the pins that runs on a set are held to: none can count where nobody packed it."""
    return {name: pins.get(name, set())}
