"""The networks that Table 2 compares MicroNets with: libraries where they have the right one, own code where not."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from torch import nn


def _mobilenetv3_small(**kwargs: Any) -> nn.Module:
    from .mobilenetv3 import mobilenetv3_small

    return mobilenetv3_small(**kwargs)


def _shufflenetv1(**kwargs: Any) -> nn.Module:
    from .shufflenet import ShuffleNetV1

    return ShuffleNetV1(**kwargs)


def _shufflenetv2_x0_5(classes: int) -> nn.Module:
    from torchvision.models import shufflenet_v2_x0_5

    return shufflenet_v2_x0_5(num_classes=classes)


def _ghostnet_050(classes: int) -> nn.Module:
    from timm.models import create_model

    return create_model("ghostnet_050", num_classes=classes)


def _weightnet(**kwargs: Any) -> nn.Module:
    from .weightnet import weightnet

    return weightnet(**kwargs)


def _butterfly_mobilenetv3(**kwargs: Any) -> nn.Module:
    from .butterfly import butterfly_mobilenetv3

    return butterfly_mobilenetv3(**kwargs)


def _butterfly_shufflenetv2(**kwargs: Any) -> nn.Module:
    from .butterfly import butterfly_shufflenetv2

    return butterfly_shufflenetv2(**kwargs)


#: Name -> builder; every builder takes `classes` and maps (N, 3, H, W) to logits (N, classes). timm loads when used.
NETS: dict[str, Callable[..., nn.Module]] = {
    "MobileNetV3Small": _mobilenetv3_small,
    "ShuffleNetV1": _shufflenetv1,
    "ShuffleNetV2x0.5": _shufflenetv2_x0_5,
    "GhostNet0.5": _ghostnet_050,
    "WeightNet": _weightnet,
    "ButterflyMobileNetV3Small": _butterfly_mobilenetv3,
    "ButterflyShuffleNetV2": _butterfly_shufflenetv2,
}


def build_net(config: Mapping[str, Any], classes: int) -> nn.Module:
    """Return the baseline that `config` names by `type`. Raises ValueError for an unknown name or argument."""
    arguments = dict(config)
    kind = arguments.pop("type", None)
    if kind not in NETS:
        raise ValueError(f"unknown baseline {kind!r}; known: {', '.join(NETS)}")
    try:
        return NETS[kind](classes=classes, **arguments)
    except TypeError as error:
        raise ValueError(f"baseline {kind}: {error}") from None
