"""Micro-Block-A, B and C (section 4, Figure 5): plans that build modules and sum closed-form costs.

paper wiring: Phi (Eq. 1) between the two group convolutions only; skip around a block whose shape is kept.
shuffled wiring: the paper's, with Phi after Micro-Block-A's one group convolution too, which no text mentions.
official wiring: the official code's extra shuffles, group-and-channel shift, and skips between bottlenecks.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from torch import Tensor, nn

from .cost.count import Cost
from .ops.activations import ActivationRule, ReLUSpec
from .ops.factorized import (
    ChannelShuffle,
    FactorizedDepthwise,
    FactorizedStem,
    FullDepthwise,
    GroupPointwise,
    Size,
)
from .ops.folded import run
from .specs import ArchSpec, BlockSpec

WIRINGS = ("paper", "shuffled", "official")


class MicroBlock(nn.Module):
    """Run depthwise, A1, squeeze, A2 and, in B and C, shuffle, expand, A3 on (N, C_in, H, W).

    Returns the output and the bottleneck's features (N, C/R, H', W'), which the official wiring adds across blocks.
    """

    def __init__(
        self,
        depthwise: nn.Module,
        act1: nn.Module,
        squeeze: nn.Module,
        act2: nn.Module,
        expand: nn.Module | None = None,
        act3: nn.Module | None = None,
        shuffle1: nn.Module | None = None,
        shuffle2: nn.Module | None = None,
        shuffle3: nn.Module | None = None,
        before: nn.Module | None = None,
        act0: nn.Module | None = None,
        skip: bool = False,
        bottleneck_skip: bool = False,
    ) -> None:
        super().__init__()
        self.before, self.act0 = before or nn.Identity(), act0 or nn.Identity()
        self.depthwise, self.act1 = depthwise, act1
        self.shuffle1 = shuffle1 or nn.Identity()
        self.squeeze, self.act2 = squeeze, act2
        self.shuffle2 = shuffle2 or nn.Identity()
        self.expand, self.act3 = expand, act3 or nn.Identity()
        self.shuffle3 = shuffle3 or nn.Identity()
        self.skip, self.bottleneck_skip = skip, bottleneck_skip

    def forward(self, x: Tensor, bottleneck: Tensor | None = None) -> tuple[Tensor, Tensor]:
        y = self.shuffle1(self.act1(run(self.depthwise, self.act0(run(self.before, x)))))
        y = self.shuffle2(self.act2(run(self.squeeze, y)))
        if self.bottleneck_skip and bottleneck is not None:
            y = y + bottleneck
        narrow = y
        if self.expand is not None:
            y = self.shuffle3(self.act3(run(self.expand, y)))
        if self.skip:
            y = y + x
        return y, narrow


@dataclass(frozen=True)
class BlockPlan:
    """Hold a block's operator specs in order, its shuffles (group counts) and its skips."""

    ops: dict[str, Any]
    shuffles: dict[str, tuple[int, ...]]
    skip: bool
    bottleneck_skip: bool
    in_channels: int
    out_channels: int
    stride: int

    def build(self) -> MicroBlock:
        """Return the module."""
        parts: dict[str, Any] = {name: op.build() for name, op in self.ops.items()}
        parts |= {name: ChannelShuffle(*groups) for name, groups in self.shuffles.items() if groups}
        return MicroBlock(**parts, skip=self.skip, bottleneck_skip=self.bottleneck_skip)

    def cost(self, size: Size) -> tuple[Cost, Size]:
        """Return the cost on an input of `size` and the output size; shuffles and skips cost nothing."""
        total = Cost()
        for op in self.ops.values():
            cost, size = op.cost(size)
            total += cost
        return total, size


@dataclass(frozen=True)
class StemPlan:
    """Hold the stem's convolutions, its ReLU and, in the official wiring, its shuffle."""

    conv: FactorizedStem
    relu: ReLUSpec
    shuffle: tuple[int, ...] = ()

    def build(self) -> nn.Sequential:
        """Return the module, (N, 3, H, W) to (N, C, H/2, W/2)."""
        shuffle = [ChannelShuffle(*self.shuffle)] if self.shuffle else []
        return nn.Sequential(self.conv.build(), *shuffle, self.relu.build())

    def cost(self, size: Size) -> tuple[Cost, Size]:
        """Return the cost on an input of `size` and the output size."""
        conv, size = self.conv.cost(size)
        relu, size = self.relu.cost(size)
        return conv + relu, size


def plan_stem(arch: ArchSpec, wiring: str, relu_max: float | None) -> StemPlan:
    """Plan the stem layer (section 4)."""
    channels, squeeze = arch.stem
    shuffle = (squeeze,) if wiring == "official" else ()
    stem = FactorizedStem(channels, squeeze, stride=arch.stem_stride)
    return StemPlan(stem, ReLUSpec(channels, "stem", relu_max), shuffle)


def plan_block(
    spec: BlockSpec,
    cin: int,
    rule: ActivationRule,
    wiring: str = "paper",
    a1_groups: int | None = None,
    previous_squeeze: int | None = None,
    a3_ratio: int = 1,
    last: bool = False,
    first: bool = False,
    factorized: bool = True,
) -> BlockPlan:
    """Plan one Micro-Block on `cin` channels.

    a1_groups: groups of the features at A1 (default: one per input channel in A and B, where each channel's filters
    are a group; the groups of the block before in C). a3_ratio: the ratio at A3 (the next block's); last: this is the
    net's last expansion, whose activation uses k_linear.
    previous_squeeze: C/R of the block before, for the official wiring's skip. factorized False plans the full-rank
    partner: k x k depthwise and ungrouped pointwise (section 5.1).
    """
    if wiring not in WIRINGS:
        raise ValueError(f"unknown wiring {wiring!r}; known: {', '.join(WIRINGS)}")
    official = wiring == "official"
    g1, g2 = spec.groups
    width = spec.before[0] if spec.before else cin
    make = FactorizedDepthwise if factorized else FullDepthwise
    depthwise = make(width, spec.kernel, spec.stride, spec.depthwise_factors)
    mid = depthwise.out_channels
    if spec.kind == "A" and mid != spec.channels:
        raise ValueError(f"Micro-Block-A on {cin} channels makes {mid}, not C = {spec.channels}")
    groups_in = a1_groups or cin
    # The official code shuffles C before A1, so there a group has a1_groups channels.
    act1_groups = mid // groups_in if official and spec.kind == "C" else groups_in
    dynamic1 = rule.type != "ReLU" and "A1" in rule.sites and not (first and not rule.first_a1)
    ops: dict[str, Any] = {}
    if spec.before:
        groups_in = spec.before[1] if factorized else 1
        ops |= {
            "before": GroupPointwise(cin, width, groups_in),
            "act0": rule.spec_at("A3", width, groups_in, spec.ratio),
        }
    ops |= {
        "depthwise": depthwise,
        "act1": rule.spec_at("A1", mid, act1_groups, spec.ratio, first),
        "squeeze": GroupPointwise(mid, spec.squeeze, g1 if factorized else 1),
        "act2": rule.spec_at("A2", spec.squeeze, g1, spec.ratio),
    }
    shuffles: dict[str, tuple[int, ...]] = {}
    if official:
        # Its further shuffles stand only where the activations beside them are dynamic.
        dynamic2, dynamic3 = (rule.type != "ReLU" and site in rule.sites for site in ("A2", "A3"))
        halves = (mid // 2,) if dynamic1 else ()
        if spec.kind == "C":
            shuffles["shuffle1"] = (mid // 4,) if dynamic1 and dynamic3 else (mid // 2,) if dynamic1 or dynamic3 else ()
        else:
            shuffles["shuffle1"] = (groups_in, *halves)
        # The last expansion's input is a bottleneck like any other: it is shuffled too.
        shuffles["shuffle2"] = (g1, spec.squeeze // 2) if dynamic2 else (g1,)
    elif spec.kind != "A" or wiring == "shuffled":
        shuffles["shuffle2"] = (g1,)
    if g2 is not None:
        ops["expand"] = GroupPointwise(spec.squeeze, spec.channels, g2 if factorized else 1)
        ops["act3"] = rule.spec_at("last" if last else "A3", spec.channels, g2, a3_ratio)
        if official and not last:
            shuffles["shuffle3"] = (g2,)
    keeps = spec.stride == 1
    return BlockPlan(
        ops,
        shuffles,
        skip=not official and keeps and cin == spec.out_channels,
        bottleneck_skip=official and keeps and previous_squeeze == spec.squeeze,
        in_channels=cin,
        out_channels=spec.out_channels,
        stride=spec.stride,
    )
