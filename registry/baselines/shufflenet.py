"""ShuffleNetV1 and ShuffleNetV2 blocks with exchangeable convolutions: Table 2's ShuffleNet, WeightNet and BFT rows."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor, nn

from ..ops.factorized import ChannelShuffle
from ..strict import zip_strict

#: pointwise(cin, cout) builds one convolution without bias or norm; unit(cin, cout, stride) a whole unit.
Pointwise = Callable[[int, int], nn.Module]
Unit = Callable[[int, int, int], nn.Module]


def plain_pointwise(cin: int, cout: int) -> nn.Conv2d:
    """Return an ordinary 1x1 convolution."""
    return nn.Conv2d(cin, cout, 1, bias=False)


def conv_bn(conv: nn.Module, channels: int, relu: bool = True) -> nn.Sequential:
    """Return convolution, BatchNorm and, if asked, ReLU."""
    return nn.Sequential(conv, nn.BatchNorm2d(channels), *([nn.ReLU(inplace=True)] if relu else []))


class ShuffleUnitV1(nn.Module):
    """Run ShuffleNetV1's unit: group 1x1, shuffle, 3x3 depthwise, group 1x1; stride 2 concatenates a pooled input."""

    def __init__(self, cin: int, cout: int, stride: int, groups: int, first: bool) -> None:
        super().__init__()
        self.stride = stride
        out = cout - cin if stride == 2 else cout
        mid = max(1, cout // 4 // groups) * groups
        self.squeeze = conv_bn(nn.Conv2d(cin, mid, 1, groups=1 if first else groups, bias=False), mid)
        self.shuffle = ChannelShuffle(groups)
        self.depthwise = conv_bn(nn.Conv2d(mid, mid, 3, stride, 1, groups=mid, bias=False), mid, relu=False)
        self.expand = conv_bn(nn.Conv2d(mid, out, 1, groups=groups, bias=False), out, relu=False)
        self.pool = nn.AvgPool2d(3, 2, 1)
        self.relu = nn.ReLU(inplace=True)

    def forward(self, x: Tensor) -> Tensor:
        y = self.expand(self.depthwise(self.shuffle(self.squeeze(x))))
        return self.relu(torch.cat([self.pool(x), y], 1) if self.stride == 2 else x + y)


class ShuffleNetV1(nn.Module):
    """Build ShuffleNetV1 with `groups` at a width: (N, 3, H, W) to logits (N, classes).

    Every width scales, the stem's 24 too (up to a multiple of `groups`, which must divide what joins it).
    At g = 8 and 0.25x, the setting of Table 2's accuracy, stages have 96, 192
    and 384 channels. A stage's first unit ungroups its first 1x1 after the narrow stem, as in its paper.
    """

    STAGE_CHANNELS = {1: 144, 2: 200, 3: 240, 4: 272, 8: 384}

    def __init__(self, width: float = 0.25, groups: int = 8, classes: int = 1000, stem: int = 24) -> None:
        super().__init__()
        if groups not in self.STAGE_CHANNELS:
            raise ValueError(f"ShuffleNetV1 has groups {list(self.STAGE_CHANNELS)}, not {groups}")
        cin = -(-int(stem * width) // groups) * groups
        self.stem = conv_bn(nn.Conv2d(3, cin, 3, 2, 1, bias=False), cin)
        self.pool = nn.MaxPool2d(3, 2, 1)
        units: list[nn.Module] = []
        for stage, repeats in enumerate((4, 8, 4)):
            cout = int(self.STAGE_CHANNELS[groups] * 2**stage * width)
            for i in range(repeats):
                units.append(ShuffleUnitV1(cin, cout, 2 if i == 0 else 1, groups, first=not units))
                cin = cout
        self.units = nn.Sequential(*units)
        self.fc = nn.Linear(cin, classes)

    def forward(self, x: Tensor) -> Tensor:
        return self.fc(self.units(self.pool(self.stem(x))).mean((2, 3)))


class ShuffleUnitV2(nn.Module):
    """Run ShuffleNetV2's unit: split, 1x1, 3x3 depthwise, 1x1, concatenate, shuffle; stride 2 keeps both branches."""

    def __init__(self, cin: int, cout: int, stride: int, pointwise: Pointwise) -> None:
        super().__init__()
        half = cout // 2
        self.split = stride == 1
        inside = cin // 2 if self.split else cin

        def depthwise(c: int) -> nn.Sequential:
            return conv_bn(nn.Conv2d(c, c, 3, stride, 1, groups=c, bias=False), c, relu=False)

        self.main = nn.Sequential(
            conv_bn(pointwise(inside, half), half), depthwise(half), conv_bn(pointwise(half, half), half)
        )
        self.side = nn.Identity() if self.split else nn.Sequential(depthwise(cin), conv_bn(pointwise(cin, half), half))
        self.shuffle = ChannelShuffle(2)

    def forward(self, x: Tensor) -> Tensor:
        a, b = x.chunk(2, 1) if self.split else (x, x)
        return self.shuffle(torch.cat([self.side(a), self.main(b)], 1))


class ShuffleNetV2(nn.Module):
    """Build ShuffleNetV2 from stage widths: (N, 3, H, W) to logits (N, classes).

    pointwise builds a unit's 1x1 convolutions (default plain); unit builds whole units instead.
    """

    def __init__(
        self,
        channels: tuple[int, int, int],
        pointwise: Pointwise = plain_pointwise,
        unit: Unit | None = None,
        stem: int = 24,
        last: int = 1024,
        classes: int = 1000,
    ) -> None:
        super().__init__()
        self.stem = conv_bn(nn.Conv2d(3, stem, 3, 2, 1, bias=False), stem)
        self.pool = nn.MaxPool2d(3, 2, 1)
        units, cin = [], stem
        for cout, repeats in zip_strict(channels, (4, 8, 4)):
            for i in range(repeats):
                stride = 2 if i == 0 else 1
                units.append(unit(cin, cout, stride) if unit else ShuffleUnitV2(cin, cout, stride, pointwise))
                cin = cout
        self.units = nn.Sequential(*units)
        self.last = conv_bn(nn.Conv2d(cin, last, 1, bias=False), last)
        self.fc = nn.Linear(last, classes)

    def forward(self, x: Tensor) -> Tensor:
        return self.fc(self.last(self.units(self.pool(self.stem(x)))).mean((2, 3)))
