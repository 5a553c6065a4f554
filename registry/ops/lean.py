"""Shift-Max in fewer passes over memory, in plain PyTorch.

Shifted channels are read in place as slices, so no shifted copy is made, and buffers are allocated once. Without
gradients, products are added as they are made: equal to Eq. 5 as it reads within rounding. With gradients, values and
gradients are the straightforward form's, bit for bit, so that training gives what it gave: autograd of that form keeps
every product and every shifted copy, here one byte an element and further piece says which piece won, and sums run in
autograd's own order. For channels-last input the coefficients' gradient alone differs, within rounding.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torch.autograd import Function

from .eager import differentiable_gradients


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


Steps = list[list[tuple[slice, slice]]]

#: Elements of a portion of a batch: large enough for torch to share it out among threads, small enough for a cache.
PORTION = 1 << 20


def _portions(x: Tensor) -> list[slice]:
    """Return the samples of a batch (N, ...) in portions of about PORTION elements."""
    size = max(1, PORTION // max(1, x[0].numel()))
    return [slice(i, i + size) for i in range(0, len(x), size)]


def _infer(x: Tensor, a: Tensor, steps: Steps) -> Tensor:
    """Return Eq. 5 without what a gradient needs."""
    _, k, j, _ = a.shape
    a = a[..., None, None]
    out = torch.empty_like(x)
    portions = _portions(x)
    others = torch.empty_like(x[portions[0]])
    for portion in portions:
        xs, best, coefficients = x[portion], out[portion], a[portion] if len(a) > 1 else a
        for piece in range(k):
            total = others[: len(xs)] if piece else best
            torch.mul(xs, coefficients[:, piece, 0], out=total)
            for step in range(1, j):
                for target, source in steps[step]:
                    total[:, target].addcmul_(xs[:, source], coefficients[:, piece, step, target])
            if piece:
                torch.maximum(best, total, out=best)
    return out


def _forward(x: Tensor, a: Tensor, steps: Steps, wins: list[Tensor]) -> Tensor:
    """Return Eq. 5; `wins` (uint8, one for each of pieces 2 to K) gets twice their share of the gradient."""
    _, k, j, _ = a.shape
    a = a[..., None, None]
    out = torch.empty_like(x)
    portions = _portions(x)
    products, others = torch.empty_like(x[portions[0]]), torch.empty_like(x[portions[0]])
    for portion in portions:
        xs, best, coefficients = x[portion], out[portion], a[portion] if len(a) > 1 else a
        product = products[: len(xs)]
        for piece in range(k):
            total = others[: len(xs)] if piece else best
            torch.mul(xs, coefficients[:, piece, 0], out=total)
            for step in range(1, j):
                for target, source in steps[step]:
                    torch.mul(xs[:, source], coefficients[:, piece, step, target], out=product[:, target])
                total += product  # rounded between product and sum, as the straightforward form is
            if not piece:
                continue
            share = wins[piece - 1][portion]  # 2 above, 1 at a tie, which torch.maximum shares out in halves
            torch.gt(total, best, out=share)
            share += torch.ge(total, best)
            torch.maximum(best, total, out=best)
    return out


class LeanShiftMax(Function):
    """Apply Eq. 5 and its derivative to x (N, C, H, W) and coefficients (N or 1, K, J, C) of one dtype."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, a: Tensor, groups: int, shift: str) -> Tensor:
        ctx.groups, ctx.shift = groups, shift
        ctx.steps = [pieces(a.shape[3], groups, step, shift) for step in range(a.shape[2])]
        wins = [torch.empty_like(x, dtype=torch.uint8) for _ in range(a.shape[1] - 1)]
        out = _forward(x, a, ctx.steps, wins)
        ctx.save_for_backward(x, a, *wins)
        return out

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor | None, Tensor | None, None, None]:
        x, a, *wins = ctx.saved_tensors
        if torch.is_grad_enabled():  # to be differentiated again
            return *differentiable_gradients(x, a, ctx.groups, ctx.shift, grad), None, None
        dx = torch.empty_like(x) if ctx.needs_input_grad[0] else None
        da = torch.empty_like(a) if ctx.needs_input_grad[1] else None
        # Coefficients that all samples share sum over the batch, in autograd's order: no portions.
        shared = len(a) == 1 < len(x)
        portions = [slice(None)] if shared else _portions(x)
        buffers = _Buffers(torch.empty_like(x[portions[0]]), a.shape[1])
        for portion in portions:
            rows = slice(None) if shared else portion
            _backward(
                x[portion],
                a[rows],
                [w[portion] for w in wins],
                grad[portion],
                ctx.steps,
                buffers,
                None if dx is None else dx[portion],
                None if da is None else da[rows],
            )
        return dx, da, None, None


class _Buffers:
    """Hold what a portion's derivative needs, allocated once."""

    def __init__(self, like: Tensor, pieces: int) -> None:
        self.product, self.part = like, torch.empty_like(like)
        self.grads = [torch.empty_like(like) for _ in range(pieces if pieces > 1 else 0)]


def _backward(
    x: Tensor,
    a: Tensor,
    wins: list[Tensor],
    grad: Tensor,
    steps: Steps,
    buffers: _Buffers,
    dx: Tensor | None,
    da: Tensor | None,
) -> None:
    """Fill dx (N, C, H, W) and da (N or 1, K, J, C) where wanted."""
    _, k, j, _ = a.shape
    product, spare = buffers.product[: len(x)], buffers.part[: len(x)]
    # Pieces 2 to K hold twice their gradient; halving is exact, so it waits for the smaller tensors.
    grads = [g[: len(x)] for g in buffers.grads] or [grad]
    rest = grad
    for piece in range(k - 1, 0, -1):
        torch.mul(rest, wins[piece - 1], out=grads[piece])
        rest = torch.sub(rest, grads[piece], alpha=0.5, out=grads[0])
    full, half = a[..., None, None], (a * 0.5)[..., None, None]
    over = (0, 2, 3) if len(a) == 1 < len(x) else (2, 3)
    for step in [0, *range(j - 1, 0, -1)]:
        part = spare if step else dx
        for piece in range(k - 1, -1, -1):
            if dx is not None:
                factor = (half if piece else full)[:, piece, step]
                first = piece == k - 1
                torch.mul(grads[piece], factor, out=part if first else product)
                if not first:
                    part += product
            if da is not None:
                for target, source in steps[step]:
                    torch.mul(grads[piece][:, target], x[:, source], out=product[:, target])
                    da[:, piece, step, target] = product[:, target].sum(over) * (0.5 if piece else 1.0)
        if step and dx is not None:
            for target, source in steps[step]:
                dx[:, source] += part[:, target]


def shift_max(x: Tensor, coefficients: Tensor, groups: int, shift: str = "group") -> Tensor:
    """Apply Eq. 5 to x (N, C, H, W) with coefficients (N or 1, K, J, C) of the same dtype; returns (N, C, H, W)."""
    if torch.is_grad_enabled() and (x.requires_grad or coefficients.requires_grad):
        return LeanShiftMax.apply(x, coefficients, groups, shift)
    steps = [pieces(coefficients.shape[3], groups, step, shift) for step in range(coefficients.shape[2])]
    return _infer(x, coefficients, steps)
