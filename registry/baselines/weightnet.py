"""WeightNet on ShuffleNetV2 0.5x: convolution kernels generated from each image (Table 2's WeightNet row).

A block pools its input, reduces it once, and each convolution maps that vector through a sigmoid layer of M x C_out
activations and a grouped linear layer to its own kernel (WeightNet paper, section 4). 8x there multiplies the kernels'
parameters by M = 8 at G = 1.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from ..ops.dynamic import convolve_each
from ..ops.factorized import ChannelShuffle


class GeneratedConv2d(nn.Module):
    """Convolve (N, C_in, H, W) with kernels generated from a vector (N, V), another for every image."""

    def __init__(self, vector: int, cin: int, cout: int, kernel: int, stride: int, groups: int, m: int, g: int) -> None:
        super().__init__()
        self.cin, self.cout, self.kernel, self.stride, self.groups = cin, cout, kernel, stride, groups
        self.activate = nn.Linear(vector, m * cout)
        # One group of M / G activations per G-th of an output channel's kernel.
        self.weight = nn.Parameter(torch.empty(g * cout, (cin // groups) * kernel**2 // g, m // g))
        nn.init.kaiming_uniform_(self.weight, a=5**0.5)

    def kernels(self, vector: Tensor) -> Tensor:
        """Return kernels (N, C_out, C_in / groups, k, k)."""
        groups, size, each = self.weight.shape
        a = torch.sigmoid(self.activate(vector)).view(-1, groups, each, 1)
        return torch.matmul(self.weight, a).view(-1, self.cout, self.cin // self.groups, self.kernel, self.kernel)

    def forward(self, x: Tensor, vector: Tensor) -> Tensor:
        return convolve_each(x, self.kernels(vector), self.stride, self.kernel // 2, self.groups)


class WeightNetUnit(nn.Module):
    """Run ShuffleNetV2's unit with generated kernels in every convolution."""

    def __init__(self, cin: int, cout: int, stride: int, m: int, g: int) -> None:
        super().__init__()
        half = cout // 2
        self.split = stride == 1
        inside = cin // 2 if self.split else cin
        vector = max(16, inside // 16)
        self.reduce = nn.Linear(inside, vector)

        def conv(a: int, b: int, k: int, s: int = 1) -> GeneratedConv2d:
            # A depthwise kernel is too small for G groups a channel.
            return GeneratedConv2d(vector, a, b, k, s, a if k > 1 else 1, m, g if k == 1 else 1)

        self.main = nn.ModuleList([conv(inside, half, 1), conv(half, half, 3, stride), conv(half, half, 1)])
        self.main_norms = nn.ModuleList(nn.BatchNorm2d(half) for _ in range(3))
        self.side = nn.ModuleList([] if self.split else [conv(cin, cin, 3, stride), conv(cin, half, 1)])
        self.side_norms = nn.ModuleList([] if self.split else [nn.BatchNorm2d(cin), nn.BatchNorm2d(half)])
        self.relu = nn.ReLU(inplace=True)
        self.shuffle = ChannelShuffle(2)

    def forward(self, x: Tensor) -> Tensor:
        a, b = x.chunk(2, 1) if self.split else (x, x)
        vector = self.reduce(b.mean((2, 3)))
        b = self.relu(self.main_norms[0](self.main[0](b, vector)))
        b = self.main_norms[1](self.main[1](b, vector))
        b = self.relu(self.main_norms[2](self.main[2](b, vector)))
        if not self.split:
            a = self.side_norms[0](self.side[0](a, vector))
            a = self.relu(self.side_norms[1](self.side[1](a, vector)))
        return self.shuffle(torch.cat([a, b], 1))


def weightnet(m: int = 8, g: int = 1, classes: int = 1000) -> nn.Module:
    """Build ShuffleNetV2 0.5x with WeightNet in every unit: (N, 3, H, W) to logits (N, classes)."""
    from .shufflenet import ShuffleNetV2

    return ShuffleNetV2(
        (48, 96, 192), unit=lambda cin, cout, stride: WeightNetUnit(cin, cout, stride, m, g), classes=classes
    )
