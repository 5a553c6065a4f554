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

from torch import Tensor, nn

from .arch import get_arch
from .checkpoints import CheckpointError, cast_weight, list_keys, read_file, sound_tensors, unwrap
from .classification.models import ClassificationHead
from .micronet import MicroNet

#: Released sizes and the model of the same structure: this paper's where it has one.
SIZES = {"4M": "iccv2021_m0", "6M": "m0", "12M": "m1", "21M": "iccv2021_m3"}
#: The architecture that each was trained as: 12M with more dropout than this paper's M1.
TRAINED_AS = {"4M": "iccv2021_m0", "6M": "iccv2021_m1", "12M": "iccv2021_m2", "21M": "iccv2021_m3"}

#: What the released models do that the paper does not print: shuffles, skips, shift, ReLU6 at the first A1.
OFFICIAL_ACTIVATION = {"shift": "group_channel", "first_a1": False, "relu_max": 6.0}
#: The largest has Shift-Max at A1 alone, and other constants in its coefficients: INIT_A 1, 0.5 and INIT_B 0, 0.5.
A1_ALONE = {
    "shift": "group_channel",
    "sites": ("A1",),
    "relu_max": 6.0,
    "bare_last": True,
    "constants": ((1.0, 0.0), (0.5, 0.5)),
}


def official_backbone(arch: str) -> dict[str, Any]:
    """Return the config of a backbone wired as the released code wires `arch`, one of SIZES' values."""
    activation = A1_ALONE if arch == SIZES["21M"] else OFFICIAL_ACTIVATION
    return {"type": "MicroNet", "arch": arch, "wiring": "official", "activation": dict(activation)}


def build(state_dict: Mapping[str, Any], size: str = "6M", entry: str | None = None) -> nn.Module:
    """Return an eval-mode module mapping images (N, 3, 224, 224) to logits (N, 1000) with released weights.

    state_dict: as released, whatever wraps it or stands before each key (registry.checkpoints); of plain and averaged
    weights the plain ones are read, or those under `entry`. Its `entry` says which. Raises CheckpointError naming
    missing, surplus, misshapen or unsound entries.
    """
    if size not in SIZES:
        raise CheckpointError(f"unknown size {size!r}; released sizes: {', '.join(SIZES)}")
    state, found = unwrap(state_dict, entry)
    source = sound_tensors(state)
    net = _net(size)
    try:
        filled = _mapped(source, net)
    except CheckpointError as error:
        others = [other for other in SIZES if other != size and _fits(source, other)]
        if others:
            raise CheckpointError(f"is of another size: its keys and shapes are {others[0]}'s, not {size}'s") from None
        raise error from None
    net.load_state_dict(filled)
    net.entry = found
    return net.eval()


def _net(size: str) -> _Net:
    settings = {key: v for key, v in official_backbone(SIZES[size]).items() if key != "type"}
    backbone = MicroNet(**settings)
    arch = get_arch(TRAINED_AS[size])
    return _Net(backbone, ClassificationHead(backbone.out_channels[-1], arch.hidden, 1000, arch.dropout))


def _fits(source: Mapping[str, Tensor], size: str) -> bool:
    """Tell whether released weights are of a size."""
    try:
        _mapped(source, _net(size))
    except CheckpointError:
        return False
    return True


class _Net(nn.Module):
    """Chain backbone and head; keys match Classifier's."""

    def __init__(self, backbone: MicroNet, head: ClassificationHead) -> None:
        super().__init__()
        self.backbone, self.head = backbone, head
        self.entry = ""

    def forward(self, images: Tensor) -> Tensor:
        return self.head(self.backbone(images))


def load(path: str | Path, size: str = "6M", entry: str | None = None) -> nn.Module:
    """Read a released checkpoint file (weights only, or safetensors) and build its model.

    Raises CheckpointError naming the file when it is missing, truncated, or holds more than weights.
    """
    try:
        return build(read_file(path), size, entry)
    except CheckpointError as error:
        raise CheckpointError(f"{path}: {error}") from None


def map_state_dict(state_dict: Mapping[str, Any], net: nn.Module) -> dict[str, Tensor]:
    """Return `net`'s state dict filled from a released one.

    Raises CheckpointError for entries that have no counterpart on either side or another shape.
    """
    return _mapped(sound_tensors(unwrap(state_dict)[0]), net)


def _mapped(source: Mapping[str, Tensor], net: nn.Module) -> dict[str, Tensor]:
    ours = net.state_dict()
    foreign = [key for key in source if key.partition(".")[0] not in ("features", "classifier")]
    if foreign:
        raise CheckpointError(
            f"has keys without counterpart in a released MicroNet: {list_keys(foreign)}; expected features.… and "
            "classifier.…"
        )
    groups = _operators(source)
    targets = _targets(net)
    out: dict[str, Tensor] = {}
    for name, target in zip(groups, targets):
        for leaf, tensor in groups[name].items():
            key = f"{target}.{leaf}"
            if key not in ours:
                wanted = ", ".join(k.rpartition(".")[2] for k in ours if k.rpartition(".")[0] == target)
                raise CheckpointError(
                    f"{name}.{leaf} has no counterpart{_counted(groups, targets)}; expected {wanted} there"
                )
            if ours[key].shape != tensor.shape:
                raise CheckpointError(
                    f"{name}.{leaf} has shape {tuple(tensor.shape)}, the model's {key} "
                    f"{tuple(ours[key].shape)}{_counted(groups, targets)}"
                )
            out[key] = cast_weight(f"{name}.{leaf}", tensor, ours[key])
    if len(groups) != len(targets):
        rest = list(groups)[len(targets) :] or targets[len(groups) :]
        side = "the checkpoint" if len(groups) > len(targets) else "the model"
        raise CheckpointError(
            f"the checkpoint has {len(groups)} operators, the model {len(targets)}; {side} alone has {list_keys(rest)}"
        )
    # Checkpoints saved by old torch versions lack BatchNorm's step counters, which evaluation does not use.
    missing = [k for k in ours if k not in out and not k.endswith("num_batches_tracked")]
    if missing:
        raise CheckpointError(f"the checkpoint lacks {len(missing)} entries, first {missing[0]}")
    return {k: out.get(k, v) for k, v in ours.items()}


def _counted(groups: Mapping[str, Any], targets: list[str]) -> str:
    """Return both sides' numbers of operators where they differ: what comes after the fault is then shifted."""
    return "" if len(groups) == len(targets) else f" ({len(groups)} operators in the file, {len(targets)} in the model)"


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
