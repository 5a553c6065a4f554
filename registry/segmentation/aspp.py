"""Section 6.2 as plain modules: MicroNets that stop at stride 16, and MR-ASPP, the head whose 1 x 1 are factorized.

The text leaves open what is factorized and which stride-8 feature is merged, so there are two named readings; see
READINGS. The classifier's 19 outputs have no groups and stay a plain 1 x 1 in both.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from math import gcd
from typing import Any

from torch import Tensor, nn
from torch.nn import functional as F

from ..arch import get_arch
from ..cost.count import Cost, batch_norm_cost, conv2d_cost
from ..ops.attention import SpatialAttention
from ..ops.factorized import ChannelShuffle, GroupPointwise, Size
from ..plan import Plan
from ..specs import default_rule

CHANNELS = 256
CLASSES = 19


@dataclass(frozen=True)
class Reading:
    """State a reading of MR-ASPP: R and (G1, G2) of its factorized 1 x 1, and the stride-8 branch.

    low: `bottleneck` (C/R of the last block at stride 8) or `output` (its C); `factorized`: this branch too.
    """

    reduction: int
    groups: tuple[int, int]
    low: str
    factorized: bool


#: `fitted` was chosen, one rule for all four models, by the largest deviation from Table 9's MAdds: no derivation.
#: G = sqrt(C / R) (Eq. 2) holds in both. `literal` factorizes both branches, with the R = 4 of Table 10's heads.
READINGS = {
    "fitted": Reading(1, (16, 16), "bottleneck", False),
    "literal": Reading(4, (8, 8), "output", True),
}


def get_reading(name: str) -> Reading:
    """Return a reading by name. Raises ValueError with the known names."""
    if name not in READINGS:
        raise ValueError(f"unknown reading {name!r} of MR-ASPP; known: {', '.join(READINGS)}")
    return READINGS[name]


@dataclass(frozen=True)
class FactorizedPlan:
    """Plan a Micro-Factorized 1 x 1 convolution: squeeze, activation, shuffle, expand, activation (Eq. 1)."""

    squeeze: GroupPointwise
    act1: Any
    expand: GroupPointwise
    act2: Any
    shuffle: int

    def build(self) -> nn.Sequential:
        """Return the module, (N, C_in, H, W) to (N, C_out, H, W)."""
        narrow = (self.squeeze.build(), self.act1.build(), ChannelShuffle(self.shuffle))
        return nn.Sequential(*narrow, self.expand.build(), self.act2.build())

    def cost(self, size: Size) -> Cost:
        """Return the cost on features of `size`."""
        return sum((op.cost(size)[0] for op in (self.squeeze, self.act1, self.expand, self.act2)), Cost())


class MRASPPPlan:
    """Plan MR-ASPP on an architecture's features at strides 8 and 16, by its activation rule (ratio 2, as late blocks).

    Raises ValueError for an unknown reading or channels that its groups do not divide.
    """

    def __init__(
        self,
        arch: Any,
        reading: str = "fitted",
        activation: Mapping[str, Any] | None = None,
        channels: int = CHANNELS,
        attention: bool = True,
    ) -> None:
        self.reading, self.channels, self.attention = get_reading(reading), channels, attention
        if any((channels // self.reading.reduction) % g for g in self.reading.groups):
            raise ValueError(f"MR-ASPP's {channels} channels are not divisible as {self.reading} needs")
        spec = get_arch(arch)
        self.rule = default_rule(spec, activation)
        last = spec.blocks[Plan(spec, activation).stages[2][-1]]
        self.low_channels = last.squeeze if self.reading.low == "bottleneck" else last.out_channels
        self.high_channels = spec.blocks[-1].out_channels
        self.high = self._factorized(self.high_channels)
        self.low = self._factorized(self.low_channels) if self.reading.factorized else None

    def _factorized(self, cin: int) -> FactorizedPlan:
        squeeze, (g1, g2) = self.channels // self.reading.reduction, self.reading.groups
        g1 = gcd(cin, g1)  # divides the squeezed channels too
        return FactorizedPlan(
            GroupPointwise(cin, squeeze, g1),
            self.rule.spec_at("A2", squeeze, g1, 2),
            GroupPointwise(squeeze, self.channels, g2),
            self.rule.spec_at("A3", self.channels, g2, 2),
            g1,
        )

    def build(self) -> MRASPP:
        """Return the module."""
        if self.low is None:
            conv = nn.Conv2d(self.low_channels, self.channels, 1, bias=False)
            low = nn.Sequential(conv, nn.BatchNorm2d(self.channels))
        else:
            low = self.low.build()
        return MRASPP(self.high.build(), low, SpatialAttention(self.channels) if self.attention else None)

    def cost(self, low: Size, high: Size, classes: int = CLASSES) -> Cost:
        """Return the cost on features of these sizes, with the 1 x 1 classifier; bilinear upsampling counts nothing."""
        total = self.high.cost(high)
        if self.low is None:
            total += conv2d_cost(self.low_channels, self.channels, (1, 1), low)
            total += batch_norm_cost(self.channels, low)
        else:
            total += self.low.cost(low)
        if self.attention:
            total += conv2d_cost(self.channels, 1, (1, 1), low, bias=True)
        return total + conv2d_cost(self.channels, classes, (1, 1), low, bias=True)


class MRASPP(nn.Module):
    """Upsample the stride-16 branch to stride 8, weigh its positions, add the stride-8 branch (section 6.2).

    Maps features (N, C8, H, W) and (N, C16, h, w) to (N, 256, H, W); sizes need not be multiples of each other.
    """

    def __init__(self, high: nn.Module, low: nn.Module, attention: SpatialAttention | None) -> None:
        super().__init__()
        self.high, self.low, self.attention = high, low, attention

    def forward(self, low: Tensor, high: Tensor) -> Tensor:
        x = F.interpolate(self.high(high), size=low.shape[2:], mode="bilinear", align_corners=False)
        if self.attention is not None:
            x = x * self.attention(x)
        return x + self.low(low)
