"""The MicroNet backbone, registered in mmengine's root registry so that every OpenMMLab framework finds it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from mmengine.model import BaseModule
from mmengine.registry import MODELS
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm

from .arch import get_arch
from .checkpoints import CheckpointError, load_pretrained
from .inputs.errors import DataError
from .ops.folded import run
from .ops.norms import exchange_norms, reset_untrained
from .ops.recompute import recomputed
from .plan import Plan
from .strict import zip_strict


@MODELS.register_module()
class MicroNet(BaseModule):
    """Compute MicroNet features of images (N, 3, H, W) at several strides (Table 1).

    Args:
        arch: a name (m0, m1, m2, m3, m2_adjusted, m3_adjusted) or a mapping with ArchSpec's keys, `base` naming
            the one to change.
        activation: keys of ActivationRule (type, j, k, sites, shift ...); default Dynamic Shift-Max, J = K = 2.
        wiring: `paper` (Eq. 1, Figure 5), `shuffled` (with a shuffle in Micro-Block-A too) or `official` (the released
            code's shuffles and skips).
        out_indices: stages to return, one or several: 0 is the stem (stride 2), then strides 4, 8, 16, 32; negatives
            count from the end. The default is the last stage alone. Stages after the last one returned are not built.
        frozen_stages: freeze stages 0 to this one (-1: none): no gradient, BatchNorm in eval mode.
        norm_eval: keep every BatchNorm in eval mode while training.
        norm_cfg: what stands in BatchNorm's place: {'type': 'SyncBN'}, {'type': 'GN', 'num_groups': 8}, or
            {'type': 'BN', 'requires_grad': False}; default BatchNorm.
        with_cp: compute blocks anew in the backward pass instead of keeping their activations.
        factorized: False builds the full-rank partner of mutual learning (section 5.1).
        init_cfg: mmengine's; default normal for convolutions as in the official code, small for linears.

    Raises ValueError for an unknown name, stage or setting.
    """

    def __init__(
        self,
        arch: str | Mapping[str, Any] = "m1",
        activation: Mapping[str, Any] | None = None,
        wiring: str = "paper",
        out_indices: int | Sequence[int] = (-1,),
        frozen_stages: int = -1,
        norm_eval: bool = False,
        factorized: bool = True,
        norm_cfg: Mapping[str, Any] | None = None,
        with_cp: bool = False,
        init_cfg: Any = None,
    ) -> None:
        super().__init__(init_cfg=init_cfg if init_cfg is not None else DEFAULT_INIT)
        self.arch = get_arch(arch)
        plan = Plan(self.arch, activation, wiring, factorized)
        n = len(plan.stages)
        out_indices = (out_indices,) if isinstance(out_indices, int) else tuple(out_indices)
        if not out_indices:
            raise ValueError(f"out_indices is empty: this MicroNet has stages 0 to {n - 1}")
        if bad := [i for i in out_indices if not -n <= i < n]:
            raise ValueError(f"out_indices {bad}: this MicroNet has stages 0 to {n - 1}")
        if not -1 <= frozen_stages < n:
            raise ValueError(f"frozen_stages {frozen_stages}: this MicroNet has stages 0 to {n - 1} (-1: none)")
        self.out_indices = tuple(sorted({i % n for i in out_indices}))
        self.frozen_stages, self.norm_eval, self.with_cp = frozen_stages, norm_eval, with_cp
        stages = plan.stages[: self.out_indices[-1] + 1]  # with DDP, what is built and unused stops the training
        self.stem = plan.stem.build()
        self.blocks = nn.ModuleList(plan.blocks[i].build() for stage in stages for i in stage)
        self._last_of_stage = {0 if not s else s[-1] + 1: i for i, s in enumerate(stages)}
        self._stage_of_block = [i for i, s in enumerate(stages) for _ in s]
        if norm_cfg is not None:
            exchange_norms(self, norm_cfg)
        self.out_channels = tuple(plan.stage_channels[i] for i in self.out_indices)
        self._freeze()

    def forward(self, x: Tensor) -> tuple[Tensor, ...]:
        """Return the features of `out_indices`, each (N, C, H/stride, W/stride)."""
        outs = []
        x, bottleneck = run(self.stem, x), None
        if self._last_of_stage.get(0) in self.out_indices:  # pose backbones have a block at the stem's stride
            outs.append(x)
        for i, block in enumerate(self.blocks, start=1):
            x, bottleneck = self.run_block(block, x, bottleneck)
            if self._last_of_stage.get(i) in self.out_indices:
                outs.append(x)
        return tuple(outs)

    def run_block(self, block: nn.Module, x: Tensor, bottleneck: Tensor | None) -> tuple[Tensor, Tensor]:
        """Return a block's output and bottleneck, computed anew in the backward pass where `with_cp` says so."""
        if self.with_cp and torch.is_grad_enabled() and self.training:
            return recomputed(block, x, bottleneck)
        return block(x, bottleneck)

    def init_weights(self) -> None:
        """Initialize as configured; weights from a local file (`Pretrained`) must be there for every parameter."""
        config = self.init_cfg if isinstance(self.init_cfg, Mapping) else {}
        path = str(config.get("checkpoint", ""))
        if config.get("type") != "Pretrained" or "://" in path:
            super().init_weights()
            reset_untrained(self)
            return
        try:
            load_pretrained(self, path, config.get("prefix"))
        except CheckpointError as error:
            raise DataError(f"error: {error}") from None
        self._is_init = True

    def _freeze(self) -> None:
        if self.frozen_stages < 0:
            return
        frozen = [b for b, s in zip_strict(self.blocks, self._stage_of_block) if s <= self.frozen_stages]
        for module in (self.stem, *frozen):
            module.eval()
            for p in module.parameters():
                p.requires_grad = False

    def train(self, mode: bool = True) -> MicroNet:
        """Switch to training, keeping frozen stages (and, if asked, all BatchNorms) in eval mode."""
        super().train(mode)
        if mode:
            self._freeze()
            if self.norm_eval:
                for m in self.modules():
                    if isinstance(m, _BatchNorm):
                        m.eval()
        return self


DEFAULT_INIT = [
    {"type": "Kaiming", "layer": "Conv2d", "mode": "fan_out", "nonlinearity": "relu"},
    {"type": "Normal", "layer": "Linear", "std": 0.01},
    {"type": "Constant", "layer": ["_BatchNorm", "GroupNorm"], "val": 1},
]
