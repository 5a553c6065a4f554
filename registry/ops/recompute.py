"""Compute a block anew in the backward pass instead of keeping its activations (`with_cp`)."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm
from torch.utils.checkpoint import checkpoint

STATISTICS = ("running_mean", "running_var", "num_batches_tracked")


@contextmanager
def kept_statistics(block: nn.Module) -> Iterator[None]:
    """Keep BatchNorms' running statistics as they are inside a with block."""
    held = [
        (module, name, module._buffers[name])
        for module in block.modules()
        if isinstance(module, _BatchNorm)
        for name in STATISTICS
        if module._buffers.get(name) is not None
    ]
    try:
        for module, name, buffer in held:
            module._buffers[name] = buffer.clone()
        yield
    finally:
        for module, name, buffer in held:
            module._buffers[name] = buffer


def recomputed(block: nn.Module, *inputs: Tensor | None) -> Any:
    """Return block(*inputs), whose activations are computed anew in the backward pass: the same bits, less memory.

    A second pass does not count for running statistics.
    """
    passes = 0

    def run(*arguments: Tensor | None) -> Any:
        nonlocal passes
        passes += 1
        if passes == 1:
            return block(*arguments)
        with kept_statistics(block):
            return block(*arguments)

    return checkpoint(run, *inputs, use_reentrant=False)
