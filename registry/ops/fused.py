"""Shift-Max without gradients, on fewer passes over memory: same result, bit for bit, as the straightforward form.

Shifted channels are read in place as slices, so no shifted copy of the input is made, and products are added and
maximized into buffers that are allocated once. `registry.ops.shift_max.shift_max` chooses this form by itself where
no gradient is wanted; MICRONET_SHIFT_MAX=eager (or use_backend) switches it off, =inplace asks for it always.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import Tensor

BACKENDS = ("auto", "eager", "inplace")
VARIABLE = "MICRONET_SHIFT_MAX"
#: Below this many elements the slices' own cost outweighs the copies saved (see pipelines.bench).
SMALL = 150_000
_chosen: list[str] = []


def backend() -> str:
    """Return the form in force. Raises ValueError for an unknown name in MICRONET_SHIFT_MAX."""
    name = _chosen[-1] if _chosen else os.environ.get(VARIABLE, "auto")
    if name not in BACKENDS:
        raise ValueError(f"{VARIABLE}={name!r}: unknown; known: {', '.join(BACKENDS)}")
    return name


@contextmanager
def use_backend(name: str) -> Iterator[None]:
    """Use one form (auto, eager, inplace) inside a with block. Raises ValueError for an unknown name."""
    if name not in BACKENDS:
        raise ValueError(f"unknown form {name!r}; known: {', '.join(BACKENDS)}")
    _chosen.append(name)
    try:
        yield
    finally:
        _chosen.pop()


def serves(x: Tensor, coefficients: Tensor) -> bool:
    """Tell whether shift_max_inplace may and should compute this call: eager, no gradient, no tracing."""
    name = backend()
    if name == "eager" or torch.compiler.is_compiling() or torch.jit.is_tracing():
        return False
    if torch.is_grad_enabled() and (x.requires_grad or coefficients.requires_grad):
        return False
    if torch.is_autocast_enabled(x.device.type) or x.dtype != coefficients.dtype:
        return False
    return name == "inplace" or (x.device.type == "cpu" and x.numel() >= SMALL)


def pieces(channels: int, groups: int, steps: int, shift: str) -> list[tuple[slice, slice]]:
    """Return (target, source) channel slices that shift by `steps` groups (Eq. 4): two at most for `group`.

    `group_channel` also moves inside each group, so it has pieces a group.
    """
    width = channels // groups
    if shift == "group":
        moved = steps * width % channels
        return [s for s in _turn(channels, moved, 0, 0) if s[0].start < s[0].stop]
    out = []
    for group in range(groups):
        source = (group + steps) % groups * width
        out += [s for s in _turn(width, steps % width, group * width, source) if s[0].start < s[0].stop]
    return out


def _turn(length: int, moved: int, target: int, source: int) -> list[tuple[slice, slice]]:
    """Return the two pieces of a circular shift of `length` channels, from `source` to `target`."""
    rest = length - moved
    return [
        (slice(target, target + rest), slice(source + moved, source + length)),
        (slice(target + rest, target + length), slice(source, source + moved)),
    ]


def shift_max_inplace(x: Tensor, coefficients: Tensor, groups: int, shift: str = "group") -> Tensor:
    """Apply Eq. 5 to x (N, C, H, W) with coefficients (N or 1, K, J, C), without gradients; returns (N, C, H, W)."""
    _, k, j, channels = coefficients.shape
    a = coefficients[..., None, None]
    steps = [pieces(channels, groups, step, shift) for step in range(j)]
    product = torch.empty_like(x) if j > 1 else None
    out = None
    for piece in range(k):
        fused = x * a[:, piece, 0]
        for step in range(1, j):
            for target, source in steps[step]:
                torch.mul(x[:, source], a[:, piece, step, target], out=product[:, target])
                # rounded between product and sum, as the straightforward form is
                fused[:, target] += product[:, target]
        out = fused if out is None else torch.maximum(out, fused, out=out)
    assert out is not None
    return out
