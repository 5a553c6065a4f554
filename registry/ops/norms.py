"""Exchange a network's BatchNorms for what an OpenMMLab `norm_cfg` names."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from mmengine.registry import MODELS
from torch import nn
from torch.nn.modules.batchnorm import _BatchNorm

from .shift_max import StaticShiftMax

TYPES = {"BN": nn.BatchNorm2d, "BN2d": nn.BatchNorm2d, "SyncBN": nn.SyncBatchNorm}


def make_norm(norm_cfg: Mapping[str, Any], channels: int) -> nn.Module:
    """Return the normalization that `norm_cfg` names: BN, SyncBN, GN, or what the framework in use registers.

    `requires_grad` False freezes scale and shift. GN's `num_groups` (default 32) counts as its greatest common divisor
    with the channels, which are few here. Raises ValueError for an unknown type or argument.
    """
    settings = dict(norm_cfg)
    kind, trained = settings.pop("type", None), settings.pop("requires_grad", True)
    try:
        if kind == "GN":
            norm: nn.Module = nn.GroupNorm(math.gcd(channels, settings.pop("num_groups", 32)), channels, **settings)
        else:
            make = TYPES.get(kind) or (MODELS.get(kind) if kind else None)
            if make is None:
                raise ValueError(f"unknown norm_cfg type {kind!r}; known: {', '.join([*TYPES, 'GN'])}")
            norm = make(channels, **settings)
    except TypeError as error:
        raise ValueError(f"malformed norm_cfg {dict(norm_cfg)}: {error}") from None
    for parameter in norm.parameters():
        parameter.requires_grad = trained
    return norm


def exchange_norms(net: nn.Module, norm_cfg: Mapping[str, Any]) -> None:
    """Put what `norm_cfg` names in the place of every BatchNorm in a network."""
    for parent in list(net.modules()):
        for name, child in list(parent.named_children()):
            if isinstance(child, _BatchNorm):
                setattr(parent, name, make_norm(norm_cfg, child.num_features))


def reset_untrained(net: nn.Module) -> None:
    """Set what initialization by `init_cfg` passes over: running statistics, and Shift-Max's own weights."""
    for module in net.modules():
        if isinstance(module, _BatchNorm):
            module.reset_running_stats()
        elif isinstance(module, StaticShiftMax):
            module.reset_parameters()
