"""Micro-Factorized convolution (section 3.2): depthwise k x 1 and 1 x k, and group-adaptive pointwise.

Each operator is a frozen spec that can both `build()` its module and tell its `cost()` in closed form, so that the
two cannot drift apart unseen: a property test traces the module and compares.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from ..cost.count import Cost, batch_norm_cost, conv2d_cost, conv_out

Size = tuple[int, int]


def _pair(expand: int | tuple[int, int]) -> tuple[int, int]:
    return (expand, expand) if isinstance(expand, int) else expand


def group_adaptive_groups(channels: int, reduction: int) -> float:
    """Return G = sqrt(C / R), at which every output channel meets every input channel once (Eq. 2)."""
    return math.sqrt(channels / reduction)


def relaxed_group_pair(squeeze: int, multiplier: float = 1.0) -> tuple[int, int]:
    """Return integers (G1, G2), G1 <= G2, nearest to multiplier * sqrt(C/R) with G1 * G2 = C/R at multiplier 1.

    Section 4 relaxes Eq. 2 this way; Table 4b scales it by lambda. Each number divides `squeeze` (C/R).
    """
    root = math.sqrt(squeeze)
    low = max(d for d in range(1, squeeze + 1) if squeeze % d == 0 and d <= root)
    if multiplier == 1.0:
        return low, squeeze // low

    def nearest(target: float) -> int:
        return min((d for d in range(1, squeeze + 1) if squeeze % d == 0), key=lambda d: (abs(d - target), d))

    return nearest(multiplier * low), nearest(multiplier * squeeze / low)


class ChannelShuffle(nn.Module):
    """Interleave channel groups: the permutation Phi of Eq. 1. Several group counts are applied one after another.

    Maps (N, C, H, W) to the same shape; C must be divisible by each group count.
    """

    def __init__(self, *groups: int) -> None:
        super().__init__()
        self.groups = groups

    def forward(self, x: Tensor) -> Tensor:
        n, c, h, w = x.shape
        for g in self.groups:
            x = x.view(n, g, c // g, h, w).transpose(1, 2).reshape(n, c, h, w)
        return x

    def extra_repr(self) -> str:
        return f"groups={self.groups}"


@dataclass(frozen=True)
class FactorizedDepthwise:
    """Factorize a k x k depthwise convolution into k x 1 and 1 x k (Figure 2, middle).

    `expand` is each step's number of filters a channel, one number for both or a pair. Stride falls on the height in
    the first and on the width in the second, so the first runs at (H/s, W).
    """

    channels: int
    kernel: int
    stride: int = 1
    expand: int | tuple[int, int] = 1

    @property
    def mid_channels(self) -> int:
        """Return the channels between the two convolutions."""
        return self.channels * _pair(self.expand)[0]

    @property
    def out_channels(self) -> int:
        """Return C times both expansions (the lite combination uses 2 and 2: section 3.2)."""
        return self.mid_channels * _pair(self.expand)[1]

    def build(self) -> nn.Sequential:
        """Return conv k x 1, BatchNorm, conv 1 x k, BatchNorm on (N, C, H, W)."""
        k, mid = self.kernel, self.mid_channels
        return nn.Sequential(
            nn.Conv2d(self.channels, mid, (k, 1), (self.stride, 1), (k // 2, 0), groups=self.channels, bias=False),
            nn.BatchNorm2d(mid),
            nn.Conv2d(mid, self.out_channels, (1, k), (1, self.stride), (0, k // 2), groups=mid, bias=False),
            nn.BatchNorm2d(self.out_channels),
        )

    def cost(self, size: Size) -> tuple[Cost, Size]:
        """Return the cost on an input of `size` and the output size."""
        k, mid = self.kernel, self.mid_channels
        tall = conv_out(size, (k, 1), (self.stride, 1))
        out = conv_out(tall, (1, k), (1, self.stride))
        cost = conv2d_cost(self.channels, mid, (k, 1), tall, groups=self.channels) + batch_norm_cost(mid, tall)
        cost += conv2d_cost(mid, self.out_channels, (1, k), out, groups=mid)
        cost += batch_norm_cost(self.out_channels, out)
        return cost, out


@dataclass(frozen=True)
class FullDepthwise:
    """Convolve each channel with its own k x k kernel: what Micro-Factorized depthwise approximates.

    `expand` is as there, the product of the pair counting, so that it can stand in the same place.
    """

    channels: int
    kernel: int
    stride: int = 1
    expand: int | tuple[int, int] = 1

    @property
    def out_channels(self) -> int:
        """Return C times both expansions, as for the factorized form."""
        first, second = _pair(self.expand)
        return self.channels * first * second

    def build(self) -> nn.Sequential:
        """Return conv k x k and BatchNorm on (N, C, H, W)."""
        k = self.kernel
        return nn.Sequential(
            nn.Conv2d(self.channels, self.out_channels, k, self.stride, k // 2, groups=self.channels, bias=False),
            nn.BatchNorm2d(self.out_channels),
        )

    def cost(self, size: Size) -> tuple[Cost, Size]:
        """Return the cost on an input of `size` and the output size."""
        k = self.kernel
        out = conv_out(size, (k, k), (self.stride, self.stride))
        cost = conv2d_cost(self.channels, self.out_channels, (k, k), out, groups=self.channels)
        return cost + batch_norm_cost(self.out_channels, out), out


@dataclass(frozen=True)
class GroupPointwise:
    """Apply one group-adaptive (grouped 1 x 1) convolution with BatchNorm: Q or P of Eq. 1; groups=1 is plain."""

    in_channels: int
    out_channels: int
    groups: int = 1

    def __post_init__(self) -> None:
        if self.in_channels % self.groups or self.out_channels % self.groups:
            raise ValueError(
                f"group convolution {self.in_channels} -> {self.out_channels}: "
                f"{self.groups} groups must divide both channel numbers"
            )

    def build(self) -> nn.Sequential:
        """Return conv 1 x 1 and BatchNorm on (N, C_in, H, W)."""
        return nn.Sequential(
            nn.Conv2d(self.in_channels, self.out_channels, 1, groups=self.groups, bias=False),
            nn.BatchNorm2d(self.out_channels),
        )

    def cost(self, size: Size) -> tuple[Cost, Size]:
        """Return the cost on an input of `size`, which stays."""
        cost = conv2d_cost(self.in_channels, self.out_channels, (1, 1), size, groups=self.groups)
        return cost + batch_norm_cost(self.out_channels, size), size


@dataclass(frozen=True)
class FactorizedStem:
    """Start the net with a 3 x 1 convolution and a 1 x 3 group convolution at stride 2 (section 4, stem layer)."""

    out_channels: int
    squeeze: int
    in_channels: int = 3
    kernel: int = 3
    stride: int = 2

    def build(self) -> nn.Sequential:
        """Return conv 3 x 1, BatchNorm, conv 1 x 3 in `squeeze` groups, BatchNorm on (N, 3, H, W)."""
        k = self.kernel
        return nn.Sequential(
            nn.Conv2d(self.in_channels, self.squeeze, (k, 1), (self.stride, 1), (k // 2, 0), bias=False),
            nn.BatchNorm2d(self.squeeze),
            nn.Conv2d(
                self.squeeze, self.out_channels, (1, k), (1, self.stride), (0, k // 2), groups=self.squeeze, bias=False
            ),
            nn.BatchNorm2d(self.out_channels),
        )

    def cost(self, size: Size) -> tuple[Cost, Size]:
        """Return the cost on an input of `size` and the output size."""
        k = self.kernel
        tall = conv_out(size, (k, 1), (self.stride, 1))
        out = conv_out(tall, (1, k), (1, self.stride))
        cost = conv2d_cost(self.in_channels, self.squeeze, (k, 1), tall) + batch_norm_cost(self.squeeze, tall)
        cost += conv2d_cost(self.squeeze, self.out_channels, (1, k), out, groups=self.squeeze)
        return cost + batch_norm_cost(self.out_channels, out), out


def pointwise_matrix(squeeze: nn.Conv2d, expand: nn.Conv2d, groups: int, fuse: Tensor | None = None) -> Tensor:
    """Return W = P Phi Q^T (Eq. 1), or P Phi F Q^T with a linear `fuse` F (C/R x C/R) between the convolutions.

    `squeeze` and `expand` are grouped 1 x 1 convolutions; the result has shape (C_out, C_in).
    """
    eye = torch.eye(squeeze.in_channels, dtype=squeeze.weight.dtype).reshape(squeeze.in_channels, -1, 1, 1)
    hidden = nn.functional.conv2d(eye, squeeze.weight, groups=squeeze.groups)
    if fuse is not None:
        hidden = torch.einsum("oc,nchw->nohw", fuse, hidden)
    out = nn.functional.conv2d(ChannelShuffle(groups)(hidden), expand.weight, groups=expand.groups)
    return out.flatten(1).T
