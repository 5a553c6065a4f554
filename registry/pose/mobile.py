"""Table 8's baselines: torchvision's MobileNets and a head of Mobile-Blocks, made dynamic layer by layer.

The paper prints no widths for the head. Stated construction: the whole convolutional part of MobileNetV2 x0.5 or
V3-small (stride 32), then three inverted residual blocks with 5 x 5 depthwise, expanded to 768, 768 and 384 and put
out at 256, 128 and 128 channels, each after bilinear upsampling by 2. SE gives way to what is dynamic.
"""

from __future__ import annotations

from torch import Tensor, nn
from torchvision.models import mobilenet_v2, mobilenet_v3_small
from torchvision.ops.misc import SqueezeExcitation

from ..ops.attention import Upsample
from ..ops.dynamic import DynamicConv2d, DYReLU

NETS = ("MobileNetV2x0.5", "MobileNetV3Small")
DYNAMICS = ("conv", "relu", None)
#: (expanded, output) channels of the head's blocks.
HEAD = ((768, 256), (768, 128), (384, 128))


class MobileBlock(nn.Module):
    """Upsample by 2, expand by 1 x 1, filter by k x k depthwise, project by 1 x 1."""

    def __init__(self, cin: int, hidden: int, cout: int, kernel: int = 5) -> None:
        super().__init__()

        def conv(a: int, b: int, k: int, groups: int = 1) -> list[nn.Module]:
            return [nn.Conv2d(a, b, k, padding=k // 2, groups=groups, bias=False), nn.BatchNorm2d(b)]

        self.layers = nn.Sequential(
            Upsample(2),
            *conv(cin, hidden, 1),
            nn.ReLU6(),
            *conv(hidden, hidden, kernel, hidden),
            nn.ReLU6(),
            *conv(hidden, cout, 1),
        )

    def forward(self, x: Tensor) -> Tensor:
        return self.layers(x)


def make_dynamic(net: nn.Module, dynamic: str | None, spatial: bool = False) -> nn.Module:
    """Replace, in place, every convolution but one on RGB by DynamicConv2d, or every activation by DYReLU.

    SqueezeExcitation is removed in both cases. `spatial`: Dynamic ReLU's variant C. An activation's channels are those
    of the last BatchNorm before it.
    """
    if dynamic not in DYNAMICS:
        raise ValueError(f"unknown dynamic {dynamic!r}; known: conv, relu, None")
    if dynamic is None:
        return net
    channels = 0

    def visit(parent: nn.Module) -> None:
        nonlocal channels
        for name, child in list(parent.named_children()):
            if isinstance(child, SqueezeExcitation):
                setattr(parent, name, nn.Identity())
            elif isinstance(child, nn.BatchNorm2d):
                channels = child.num_features
            elif dynamic == "conv" and isinstance(child, nn.Conv2d) and child.in_channels != 3:
                setattr(parent, name, DynamicConv2d.like(child))
            elif dynamic == "relu" and isinstance(child, (nn.ReLU, nn.ReLU6, nn.Hardswish)):
                setattr(parent, name, DYReLU(channels, spatial))
            else:
                visit(child)

    visit(net)
    return net


def mobile_backbone(net: str, dynamic: str | None) -> tuple[nn.Module, int]:
    """Return a MobileNet's convolutional part at stride 32 and its channels."""
    if net not in NETS:
        raise ValueError(f"unknown backbone {net!r}; known: {', '.join(NETS)}")
    features = mobilenet_v2(width_mult=0.5).features if net == NETS[0] else mobilenet_v3_small().features
    out = [m for m in features.modules() if isinstance(m, nn.Conv2d)][-1].out_channels
    return make_dynamic(features, dynamic), out


def mobile_head(cin: int, dynamic: str | None) -> nn.Sequential:
    """Return the three blocks, (N, C, H, W) to (N, 128, 8H, 8W)."""
    blocks = nn.Sequential()
    for hidden, cout in HEAD:
        blocks.append(MobileBlock(cin, hidden, cout))
        cin = cout
    return make_dynamic(blocks, dynamic, spatial=True)  # type: ignore[return-value]
