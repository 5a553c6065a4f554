"""Plan a MicroNet backbone: its stem and blocks by stage, and their cost in closed form."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from .blocks import BlockPlan, StemPlan, plan_block, plan_stem
from .cost.count import Cost
from .ops.factorized import Size
from .specs import ArchSpec, default_rule


class Plan:
    """Plan a whole backbone: stem and blocks, grouped into stages of equal stride.

    Stage 0 is the stem; every block with stride 2 opens the next stage. With Table 1's models, stages 0 to 4 have
    strides 2, 4, 8, 16 and 32.
    """

    def __init__(
        self, arch: ArchSpec, activation: Mapping[str, Any] | None, wiring: str = "paper", factorized: bool = True
    ) -> None:
        rule = default_rule(arch, activation)
        self.stem: StemPlan = plan_stem(arch, wiring, rule.relu_max)
        self.blocks: list[BlockPlan] = []
        self.stages: list[list[int]] = [[]]
        self.stage_channels = [arch.stem[0]]
        cin, previous = arch.stem[0], None
        for i, spec in enumerate(arch.blocks):
            last = i == len(arch.blocks) - 1
            produced = (previous.groups[1] or previous.groups[0]) if previous else arch.stem[1]
            plan = plan_block(
                spec,
                cin,
                rule,
                wiring,
                # an expanding depthwise makes a group of every channel; without it the groups before remain
                a1_groups=produced if spec.kind == "C" or not spec.expand else None,
                previous_squeeze=previous.squeeze if previous else None,
                a3_ratio=arch.last_ratio if last else arch.blocks[i + 1].ratio,
                last=last and arch.ends,
                first=i == 0,
                factorized=factorized,
            )
            if spec.stride == 2:
                self.stages.append([])
                self.stage_channels.append(0)
            self.stages[-1].append(i)
            self.stage_channels[-1] = spec.out_channels
            self.blocks.append(plan)
            cin, previous = spec.out_channels, spec

    def cost(self, size: Size) -> tuple[Cost, Size]:
        """Return the backbone's cost on an input of `size` and the last feature map's size, without any tensor."""
        total, size = self.stem.cost(size)
        for block in self.blocks:
            cost, size = block.cost(size)
            total += cost
        return total, size
