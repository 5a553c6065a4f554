"""The pose head of section 6.1 as a plain module: three Micro-Blocks with bilinear upsampling and spatial attention."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from torch import Tensor, nn

from ..arch import get_arch
from ..blocks import BlockPlan, plan_block
from ..cost.count import Cost, conv2d_cost
from ..ops.activations import IdentitySpec, ReLUSpec
from ..ops.attention import AttendedSpec, Upsample
from ..ops.factorized import Size
from ..specs import default_rule
from .archs import HeadSpec, get_head

ACTIVATIONS = ("act1", "act2", "act3")


@dataclass(frozen=True)
class HeadBlockPlan:
    """Hold a block's plan, its upsampling factor and where in the block it upsamples."""

    block: BlockPlan
    factor: int
    upsample: str

    def build(self) -> nn.Module:
        """Return the module, (N, C_in, H, W) to (N, C_out, factor H, factor W)."""
        block = self.block.build()
        if self.factor == 1:
            return HeadBlock(block)
        up = Upsample(self.factor)
        if self.upsample == "squeeze":
            block.shuffle2 = nn.Sequential(block.shuffle2, up)
            return HeadBlock(block)
        return HeadBlock(block, **{"before" if self.upsample == "input" else "after": up})

    def cost(self, size: Size) -> tuple[Cost, Size]:
        """Return the cost on an input of `size` and the output size."""
        larger = (size[0] * self.factor, size[1] * self.factor)
        if self.upsample == "input":
            return self.block.cost(larger)
        total, now = Cost(), size
        for name, op in self.block.ops.items():
            if name == "expand" and self.upsample == "squeeze":
                now = larger
            cost, now = op.cost(now)
            total += cost
        return total, larger


class HeadBlock(nn.Module):
    """Run a Micro-Block and an upsampling before or after it; one inside it is the block's own."""

    def __init__(self, block: nn.Module, before: nn.Module | None = None, after: nn.Module | None = None) -> None:
        super().__init__()
        self.before, self.block, self.after = before or nn.Identity(), block, after or nn.Identity()

    def forward(self, x: Tensor) -> Tensor:
        return self.after(self.block(self.before(x))[0])


def _attended(plan: BlockPlan) -> BlockPlan:
    """Put spatial attention on every activation that is one: 'per layer' (section 6.1)."""
    ops = dict(plan.ops)
    channels = {"act1": plan.ops["depthwise"].out_channels, "act2": plan.ops["squeeze"].out_channels}
    if "expand" in ops:
        channels["act3"] = ops["expand"].out_channels
    for name in ACTIVATIONS:
        if name in ops and not isinstance(ops[name], (IdentitySpec, ReLUSpec)):
            ops[name] = AttendedSpec(ops[name], channels[name])
    return replace(plan, ops=ops)


class HeadPlan:
    """Plan a pose head on what a backbone puts out, by the backbone's activation rule."""

    def __init__(self, arch: Any, head: str | Mapping[str, Any] | HeadSpec, activation: Mapping | None = None) -> None:
        backbone, self.spec = get_arch(arch), get_head(head)
        rule = default_rule(backbone, activation)
        previous, self.blocks = backbone.blocks[-1], []
        for i, spec in enumerate(self.spec.blocks):
            following = self.spec.blocks[min(i + 1, len(self.spec.blocks) - 1)]
            plan = plan_block(
                spec,
                previous.out_channels,
                rule,
                a1_groups=previous.groups[1] or previous.groups[0],
                previous_squeeze=previous.squeeze,
                a3_ratio=following.ratio,
            )
            factor = self.spec.factors[i]
            if factor != 1:
                plan = replace(plan, skip=False)  # the input is smaller than the output
            plan = _attended(plan) if self.spec.attention else plan
            self.blocks.append(HeadBlockPlan(plan, factor, self.spec.upsample))
            previous = spec
        self.out_channels = previous.out_channels

    def build(self) -> nn.Sequential:
        """Return the three blocks, (N, C, H, W) to (N, C/R, 4H, 4W)."""
        return nn.Sequential(*(block.build() for block in self.blocks))

    def cost(self, size: Size, keypoints: int = 17) -> Cost:
        """Return the cost on features of `size`, with the pointwise convolution to the heatmaps."""
        total = Cost()
        for block in self.blocks:
            cost, size = block.cost(size)
            total += cost
        return total + conv2d_cost(self.out_channels, keypoints, (1, 1), size, bias=True)
