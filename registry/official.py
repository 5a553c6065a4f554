"""Load the officially released checkpoints of the later, ICCV 2021 version (arXiv 2108.05894).

Its M1 (6M MAdds) is this paper's M0 and its M2 (12M) this paper's M1: same topology, widths, kernels and groups. Its
M0 (4M) and M3 (21M) have no counterpart here.
Keys are mapped by structure: both sides are walked in the order of computation and matched operator by operator,
so nothing depends on one example of a checkpoint.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from registry.classification import ClassificationHead
from registry.micronet import MicroNet

#: Released sizes and the model of the same structure: this paper's where it has one.
SIZES = {"4M": "iccv2021_m0", "6M": "m0", "12M": "m1", "21M": "iccv2021_m3"}

#: What the released models do that the paper does not print: shuffles, skips, shift, ReLU6 at the first A1.
OFFICIAL_ACTIVATION = {"shift": "group_channel", "first_a1": False, "relu_max": 6.0}
#: The largest has Shift-Max at A1 alone.
A1_ALONE = {"shift": "group_channel", "sites": ("A1",), "relu_max": 6.0, "bare_last": True}


class CheckpointError(ValueError):
    """Say why a checkpoint cannot be used and what to do about it."""


def official_backbone(arch: str) -> dict[str, Any]:
    """Return the config of a backbone wired as the released code wires `arch`, one of SIZES' values."""
    activation = A1_ALONE if arch == SIZES["21M"] else OFFICIAL_ACTIVATION
    return {"type": "MicroNet", "arch": arch, "wiring": "official", "activation": dict(activation)}


def build(state_dict: Mapping[str, Tensor], size: str = "6M") -> nn.Module:
    """Return an eval-mode module mapping images (N, 3, 224, 224) to logits (N, 1000) with released weights.

    state_dict: as released, optionally under a `state_dict` or `model` key and with `module.` before each key.
    Raises CheckpointError naming missing, surplus or misshapen entries.
    """
    if size not in SIZES:
        raise CheckpointError(f"unknown size {size!r}; released sizes: {', '.join(SIZES)}")
    settings = {key: v for key, v in official_backbone(SIZES[size]).items() if key != "type"}
    backbone = MicroNet(**settings)
    arch = backbone.arch
    head = ClassificationHead(backbone.out_channels[-1], arch.hidden, 1000, arch.dropout)
    net = _Net(backbone, head)
    net.load_state_dict(map_state_dict(state_dict, net))
    return net.eval()


class _Net(nn.Module):
    """Chain backbone and head; keys match Classifier's."""

    def __init__(self, backbone: MicroNet, head: ClassificationHead) -> None:
        super().__init__()
        self.backbone, self.head = backbone, head

    def forward(self, images: Tensor) -> Tensor:
        return self.head(self.backbone(images))


def load(path: str | Path, size: str = "6M") -> nn.Module:
    """Read a released checkpoint file (weights only) and build its model.

    Raises CheckpointError naming the file when it is missing, truncated, or holds more than weights.
    """
    try:
        loaded = torch.load(path, map_location="cpu", weights_only=True)
    except FileNotFoundError:
        raise CheckpointError(f"{path}: no such file; give the path of a released checkpoint") from None
    except Exception as error:  # torch raises many kinds for truncated or unsafe files
        reason = str(error).splitlines()[0]
        raise CheckpointError(f"{path}: not a readable weights-only checkpoint ({reason}); fetch it again") from None
    try:
        return build(loaded, size)
    except CheckpointError as error:
        raise CheckpointError(f"{path}: {error}") from None


def map_state_dict(state_dict: Mapping[str, Any], net: nn.Module) -> dict[str, Tensor]:
    """Return `net`'s state dict filled from a released one.

    Raises CheckpointError for entries that have no counterpart on either side or another shape.
    """
    source = _unwrap(state_dict)
    ours = net.state_dict()
    groups = _operators(source)
    targets = _targets(net)
    if len(groups) != len(targets):
        raise CheckpointError(
            f"the checkpoint has {len(groups)} operators, the model {len(targets)}: is it of another size?"
        )
    out: dict[str, Tensor] = {}
    for name, target in zip(groups, targets, strict=True):
        for leaf, tensor in groups[name].items():
            key = f"{target}.{leaf}"
            if key not in ours:
                raise CheckpointError(f"{name}.{leaf} has no counterpart (expected like {target}): another size?")
            if ours[key].shape != tensor.shape:
                raise CheckpointError(
                    f"{name}.{leaf} has shape {tuple(tensor.shape)}, the model's {key} {tuple(ours[key].shape)}: "
                    "is it of another size?"
                )
            out[key] = tensor
    # Checkpoints saved by old torch versions lack BatchNorm's step counters, which evaluation does not use.
    missing = [k for k in ours if k not in out and not k.endswith("num_batches_tracked")]
    if missing:
        raise CheckpointError(f"the checkpoint lacks {len(missing)} entries, first {missing[0]}")
    return {k: out.get(k, v) for k, v in ours.items()}


def _unwrap(loaded: Mapping[str, Any]) -> dict[str, Tensor]:
    for wrapper in ("state_dict", "model"):
        if isinstance(loaded, Mapping) and isinstance(loaded.get(wrapper), Mapping):
            loaded = loaded[wrapper]
    if not isinstance(loaded, Mapping) or not all(isinstance(v, Tensor) for v in loaded.values()):
        raise CheckpointError("not a state dict: expected a mapping of names to tensors")
    return {re.sub(r"^(module\.)+", "", k): v for k, v in loaded.items()}


def _operators(source: Mapping[str, Tensor]) -> dict[str, dict[str, Tensor]]:
    """Group entries by operator, in the order of computation (layer numbers, not insertion, decide)."""
    groups: dict[str, dict[str, Tensor]] = {}
    for key, tensor in source.items():
        name, _, leaf = key.rpartition(".")
        groups.setdefault(name, {})[leaf] = tensor

    def order(name: str) -> tuple:
        part = 0 if name.startswith("features") else 1
        return (part, *(int(n) for n in re.findall(r"\d+", name)))

    return {name: groups[name] for name in sorted(groups, key=order)}


def _targets(net: nn.Module) -> list[str]:
    """List our weighted modules' names in the order of computation."""
    leaves = (nn.Conv2d, nn.Linear, nn.BatchNorm2d, nn.BatchNorm1d)
    return [name for name, module in net.named_modules() if isinstance(module, leaves)]
