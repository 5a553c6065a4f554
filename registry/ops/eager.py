"""Eq. 4 and Eq. 5 as they read, in plain PyTorch operators: the reference for every other form.

y_i = max_k sum_j a[i, j, k](x) * x[(i + j * C/G) mod C]
"""

from __future__ import annotations

import torch
from torch import Tensor

#: `group`: Eq. 4, whole groups only. `group_channel`: the official code also moves one channel inside the group.
SHIFTS = ("group", "group_channel")


def shift_index(channels: int, groups: int, steps: int, shift: str = "group") -> Tensor:
    """Return the source channel of every output channel after `steps` shifts: int64 of shape (C,) (Eq. 4)."""
    index = torch.arange(channels).view(groups, channels // groups)
    return _roll(index, (0, 1), steps, shift).reshape(channels)


def _roll(x: Tensor, dims: tuple[int, int], steps: int, shift: str) -> Tensor:
    if shift == "group":
        return torch.roll(x, -steps, dims[0])
    return torch.roll(x, (-steps, -steps), dims)


def shift_channels(x: Tensor, groups: int, steps: int, shift: str = "group") -> Tensor:
    """Shift (N, C, ...) circularly by `steps` groups along the channels (Eq. 4); steps=0 returns x."""
    if steps == 0:
        return x
    n, c = x.shape[:2]
    grouped = x.reshape(n, groups, c // groups, *x.shape[2:])
    return _roll(grouped, (1, 2), steps, shift).reshape(x.shape)


def eager_shift_max(x: Tensor, coefficients: Tensor, groups: int, shift: str = "group") -> Tensor:
    """Apply Eq. 5 as it reads: the reference for every other form."""
    _, k, j, _ = coefficients.shape
    a = [[coefficients[:, piece, step, :, None, None] for step in range(j)] for piece in range(k)]
    shifted = [shift_channels(x, groups, step, shift) for step in range(j)]
    out = None
    for piece in range(k):
        total = shifted[0] * a[piece][0]
        for step in range(1, j):
            total = total + shifted[step] * a[piece][step]
        out = total if out is None else torch.maximum(out, total)
    assert out is not None
    return out


def differentiable_gradients(
    x: Tensor, coefficients: Tensor, groups: int, shift: str, grad: Tensor
) -> tuple[Tensor, Tensor]:
    """Return Eq. 5's gradients by x and coefficients as functions of x, coefficients and `grad` themselves.

    For the backward pass of the faster forms where it is to be differentiated again.
    """
    with torch.enable_grad():
        # views: coefficients are made from x, and what reaches x through them is not Eq. 5's own derivative
        inputs = [t.view_as(t) if t.requires_grad else t.detach().requires_grad_() for t in (x, coefficients)]
        y = eager_shift_max(*inputs, groups, shift)
        dx, da = torch.autograd.grad(y, inputs, grad, create_graph=True)
    return dx, da
