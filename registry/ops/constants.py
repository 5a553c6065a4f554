"""Modules with fixed tensors that are no weights: they follow device and dtype, and stand in no checkpoint."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor, nn


class ConstantsModule(nn.Module):
    """Hold constant tensors as buffers outside the state dict, and fill them anew wherever the module moves.

    So a module built on the meta device and given memory by `to_empty` has them, which no checkpoint would bring.
    """

    def __init__(self) -> None:
        super().__init__()
        self._constant_values: dict[str, tuple[float, ...]] = {}

    def hold_constant(self, name: str, values: Sequence[float], shape: tuple[int, ...]) -> None:
        """Register the constant `name` of a shape, from its values in order."""
        self._constant_values[name] = tuple(map(float, values))
        self.register_buffer(name, torch.tensor(self._constant_values[name]).view(shape), persistent=False)

    def _apply(self, fn: Callable[[Tensor], Tensor], *args: Any, **kwargs: Any) -> ConstantsModule:
        super()._apply(fn, *args, **kwargs)
        for name, values in self._constant_values.items():
            held = self._buffers[name]
            if held is not None and not held.is_meta:
                held.copy_(torch.tensor(values, dtype=torch.float64).view(held.shape))
        return self
