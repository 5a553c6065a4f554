"""Table 9's baselines: torchvision's MobileNets at stride 16 under its LR-ASPP with 128 filters.

The rows are MobileNetV3's paper's, where the blocks after the last stride have half their filters and that stride is
dilation. For V3-small those are torchvision's `reduced_tail` and `dilated`; for V2 x0.5 they are set here.
"""

from __future__ import annotations

from torch import Tensor, nn
from torchvision.models import MobileNetV2, mobilenet_v3_small
from torchvision.models.segmentation.lraspp import LRASPPHead as TorchvisionLRASPP

NETS = ("MobileNetV2x0.5", "MobileNetV3Small")
FILTERS = 128
#: Expansion, channels before the width multiplier, repeats, stride: 160 and 320 halved, the last stride 1.
V2_SETTING = [
    [1, 16, 1, 1],
    [6, 24, 2, 2],
    [6, 32, 3, 2],
    [6, 64, 4, 2],
    [6, 96, 3, 1],
    [6, 80, 3, 1],
    [6, 160, 1, 1],
]


class StridedFeatures(nn.Module):
    """Return two layers' features: images (N, 3, H, W) to (N, C8, H/8, W/8) and (N, C16, H/16, W/16)."""

    def __init__(self, layers: nn.Sequential, low: int) -> None:
        super().__init__()
        self.layers, self.low = layers, low

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        for i, layer in enumerate(self.layers):
            x = layer(x)
            if i == self.low:
                low = x
        return low, x


def mobile_features(net: str) -> tuple[StridedFeatures, tuple[int, int]]:
    """Return a MobileNet's convolutional part at strides 8 and 16, and their channels. Raises ValueError by name."""
    if net not in NETS:
        raise ValueError(f"unknown backbone {net!r}; known: {', '.join(NETS)}")
    if net == NETS[1]:
        layers = mobilenet_v3_small(reduced_tail=True, dilated=True).features
        return StridedFeatures(layers, 3), (24, layers[-1].out_channels)
    layers = MobileNetV2(width_mult=0.5, inverted_residual_setting=V2_SETTING).features[:-1]
    for layer in layers[15:]:
        depthwise = layer.conv[1][0]
        depthwise.dilation, depthwise.padding = (2, 2), (2, 2)
    return StridedFeatures(layers, 6), (16, layers[-1].out_channels)


class LRASPP(nn.Module):
    """Hold torchvision's LR-ASPP for any input size: both branches to class logits (N, classes, H/8, W/8)."""

    def __init__(self, low: int, high: int, classes: int) -> None:
        super().__init__()
        self.head = TorchvisionLRASPP(low, high, classes, FILTERS)

    def forward(self, low: Tensor, high: Tensor) -> Tensor:
        return self.head({"low": low, "high": high})
