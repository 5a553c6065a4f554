"""Over how many samples BatchNorm computes its statistics where several processes share a batch, and what is told."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from mmengine.dist import get_world_size

#: Samples from which a process's own statistics will do: [28]'s code has 32 boxes a GPU, and does not synchronise.
FEW = 32
TOLD = "batchnorm"


def synchronised(share: int) -> bool:
    """Tell whether processes with `share` samples each take the statistics of all: few ones, on GPUs.

    torch synchronises on no CPU.
    """
    return get_world_size() > 1 and share < FEW and torch.cuda.is_available()


def told(synced: bool) -> dict[str, str]:
    """Return what a run's environment states."""
    return {"processes": str(get_world_size()), **({TOLD: "synchronised"} if synced else {})}


def resumed(first: Mapping[str, Any], now: Mapping[str, Any]) -> dict[str, Any]:
    """Return the provenance of a run's start, which says of a resumed one on how many processes it went on."""
    before, after = (at["environment"].get("processes", "") for at in (first, now))
    if not before or not after or before.rpartition(" then ")[2] == after:
        return dict(first)
    return {**first, "environment": {**first["environment"], "processes": f"{before}, then {after}"}}
