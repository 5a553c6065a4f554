"""The closed-form cost of a whole configured model, found by its config's type."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import torch

from ..arch import get_arch
from ..classification.models import NetClassifier, classifier_cost
from ..plan import Plan
from ..pose.head import HeadPlan
from ..specs import ArchSpec
from .count import Cost

Config = Mapping[str, Any]


def backbone_cost(config: Config, size: tuple[int, int]) -> tuple[Cost, int, tuple[int, int]]:
    """Return a MicroNet backbone's cost on images of `size`, the channels it puts out and their map's size."""
    arch = get_arch(config.get("arch", "m1"))
    plan = Plan(arch, config.get("activation"), config.get("wiring", "paper"), config.get("factorized", True))
    cost, out = plan.cost(size)
    return cost, arch.blocks[-1].out_channels, out


def _classifier(config: Config, size: tuple[int, int]) -> Cost:
    cost, channels, out = backbone_cost(config["backbone"], size)
    head = config["head"]
    if head.get("channels", channels) != channels:
        raise ValueError(f"head.channels is {head['channels']}, but the backbone puts out {channels}")
    return cost + classifier_cost(channels, head.get("hidden", 1024), head.get("classes", 1000), out)


def _net_classifier(config: Config, size: tuple[int, int]) -> Cost:
    """Count a baseline's modules on the meta device: its layers are a library's and have no closed form here."""
    from .trace import trace_cost

    with torch.device("meta"):
        model = NetClassifier(config["net"], {"classes": config["head"].get("classes", 1000)})
    return trace_cost(model, (3, *size))


def _pose(config: Config, size: tuple[int, int]) -> Cost:
    head = config["head"]
    if config["backbone"]["type"] == "MobileBackbone":
        return _mobile_pose(config, size)
    backbone = config["backbone"]
    arch = get_arch(backbone["arch"])
    if head["arch"] != backbone["arch"]:
        raise ValueError(f"the head is for {head['arch']!r}, the backbone is {backbone['arch']!r}")
    plan = Plan(arch, backbone.get("activation"), backbone.get("wiring", "paper"))
    cost, features = plan.cost(size)
    blocks = HeadPlan(arch, head.get("head") or head["arch"], head.get("activation"))
    return cost + blocks.cost(features, head.get("out_channels", 17))


def _mobile_pose(config: Config, size: tuple[int, int]) -> Cost:
    """Count a MobileNet baseline's modules on the meta device."""
    from ..pose.mobile import mobile_backbone, mobile_head
    from .trace import trace_cost

    head = config["head"]
    with torch.device("meta"):
        backbone, channels = mobile_backbone(config["backbone"]["net"], config["backbone"]["dynamic"])
        if head["in_channels"] != channels:
            raise ValueError(f"head.in_channels is {head['in_channels']}, but the backbone puts out {channels}")
        final = torch.nn.Conv2d(128, head["out_channels"], 1)
        net = torch.nn.Sequential(backbone, mobile_head(channels, head["dynamic"]), final)
    return trace_cost(net, (3, *size))


def _segmentation(config: Config, size: tuple[int, int]) -> Cost:
    from ..segmentation.aspp import MRASPPPlan

    backbone, head = config["backbone"], config["decode_head"]
    if backbone["type"] == "MobileSegBackbone":
        return _mobile_segmentation(config, size)
    for key in ("arch", "reading"):
        if head.get(key) != backbone.get(key):
            raise ValueError(f"the head is for {head.get(key)!r}, the backbone is {backbone.get(key)!r}")
    arch = get_arch(backbone["arch"])
    plan = Plan(arch, backbone.get("activation"), backbone.get("wiring", "paper"))
    total, now = plan.stem.cost(size)
    for i, block in enumerate(plan.blocks):
        cost, now = block.cost(now)
        total += cost
        if i == plan.stages[2][-1]:
            low = now
    aspp = MRASPPPlan(
        arch,
        head.get("reading", "fitted"),
        head.get("activation"),
        head.get("channels", 256),
        head.get("attention", True),
    )
    return total + aspp.cost(low, now, head["num_classes"])


def _mobile_segmentation(config: Config, size: tuple[int, int]) -> Cost:
    """Count a MobileNet baseline's modules on the meta device."""
    from ..segmentation.mobile_seg import LRASPP, mobile_features
    from .trace import trace_cost

    with torch.device("meta"):
        features, channels = mobile_features(config["backbone"]["net"])
        head = LRASPP(*channels, config["decode_head"]["num_classes"])
    if tuple(config["decode_head"]["in_channels"]) != channels:
        raise ValueError(f"the head takes {config['decode_head']['in_channels']}, the backbone puts out {channels}")

    class Net(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.features, self.head = features, head

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return self.head(*self.features(x))

    return trace_cost(Net(), (3, *size))


#: Model type -> closed form of its config. Further model families add theirs here.
CLOSED_FORMS: dict[str, Callable[[Config, tuple[int, int]], Cost]] = {
    "Classifier": _classifier,
    "MutualClassifier": _classifier,  # the partner is dropped at test time
    "NetClassifier": _net_classifier,
    "TopdownPoseEstimator": _pose,
    "EncoderDecoder": _segmentation,
}


def model_cost(config: Config, size: tuple[int, int] = (224, 224)) -> Cost:
    """Return the cost of the model that `config` (an OpenMMLab model dict) describes, running no tensor.

    Raises ValueError for a type without a closed form.
    """
    kind = config["type"]
    if kind not in CLOSED_FORMS:
        raise ValueError(f"no closed-form cost for model type {kind!r}; known: {', '.join(CLOSED_FORMS)}")
    return CLOSED_FORMS[kind](config, size)


def classifier_config(
    arch: str | ArchSpec, activation: Config | None = None, wiring: str = "paper", classes: int = 1000
) -> dict[str, Any]:
    """Return the model config of a MicroNet classifier, its head's widths taken from the architecture."""
    spec = get_arch(arch)
    return {
        "type": "Classifier",
        "backbone": {"type": "MicroNet", "arch": arch, "activation": dict(activation or {}), "wiring": wiring},
        "head": {
            "type": "ClassificationHead",
            "channels": spec.blocks[-1].out_channels,
            "hidden": spec.hidden,
            "classes": classes,
            "dropout": spec.dropout,
        },
    }
