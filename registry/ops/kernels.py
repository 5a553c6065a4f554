"""Shift-Max as Triton kernels: one launch forward, one backward, for any J and K (Eq. 5).

Forward reads x once and writes y once; backward reads x and the gradient once and writes dx once: the bytes-moved
floor, but for repeated reads of neighbouring groups, which a cache serves. Nothing but x and the coefficients is kept
between the two; the backward kernel computes anew which piece won. Sums are in float32 (float64 for float64 input) and
rounded once, so half-precision results are nearer to the exact ones than the straightforward form's.
"""

from __future__ import annotations

import math
import os
from typing import Any

import torch
import triton
import triton.language as tl
from torch import Tensor
from torch.autograd import Function

from .eager import differentiable_gradients

DTYPES = (torch.float16, torch.bfloat16, torch.float32, torch.float64)
#: Elements of a program's tile.
TILE = 2048
#: Fused multiply-add, said aloud: Triton warns of its changing default. Its interpreter takes no options.
INTERPRETED = os.environ.get("TRITON_INTERPRET") == "1"
OPTIONS = {} if INTERPRETED else {"enable_fp_fusion": True}


@triton.jit
def _source(c, step: tl.constexpr, channels, width, groups, WITHIN: tl.constexpr, RUN: tl.constexpr):
    """Return the channel that lands on c after `step` shifts; a negative step gives the way back.

    RUN promises that runs of so many channels stay together, so that loads along channels are wide.
    """
    if step == 0:
        return c
    moved = (step % groups + groups) % groups * width
    if WITHIN:
        inside = c % width
        source = c - inside + moved
        inside = (inside + step % width + width) % width
        source = tl.where(source >= channels, source - channels, source) + inside
    else:
        source = c + moved
        source = tl.where(source >= channels, source - channels, source)
        if RUN > 1:
            source = tl.max_contiguous(tl.multiple_of(source, [RUN, 1]), [RUN, 1])
    return source


@triton.jit
def _fuse(
    x,
    a,
    c,
    inside,
    p,
    stride_xc,
    stride_xp,
    channels,
    width,
    groups,
    k: tl.constexpr,
    J: tl.constexpr,
    WITHIN: tl.constexpr,
    RUN: tl.constexpr,
    ACC: tl.constexpr,
):
    """Return piece k of Eq. 5 on channels c (column) and pixels p (row); x and a point to one sample."""
    total = tl.zeros([c.shape[0], p.shape[1]], ACC)
    for j in tl.static_range(J):
        source = _source(c, j, channels, width, groups, WITHIN, RUN)
        value = tl.load(x + source * stride_xc + p * stride_xp, mask=inside, other=0.0).to(ACC)
        factor = tl.load(a + (k * J + j) * channels + c, mask=c < channels, other=0.0).to(ACC)
        total += value * factor
    return total


@triton.jit
def _share(
    x,
    a,
    c,
    inside,
    p,
    stride_xc,
    stride_xp,
    channels,
    width,
    groups,
    k: tl.constexpr,
    J: tl.constexpr,
    K: tl.constexpr,
    WITHIN: tl.constexpr,
    RUN: tl.constexpr,
    ACC: tl.constexpr,
):
    """Return piece k's share of the maximum's gradient: 1, 0, or halves at ties, as torch.maximum shares it out.

    Called for every k with the same pieces; the compiler computes each of them once.
    """
    best = _fuse(x, a, c, inside, p, stride_xc, stride_xp, channels, width, groups, 0, J, WITHIN, RUN, ACC)
    share = tl.full([c.shape[0], p.shape[1]], 1.0 if k == 0 else 0.0, ACC)
    for i in tl.static_range(1, K):
        value = _fuse(x, a, c, inside, p, stride_xc, stride_xp, channels, width, groups, i, J, WITHIN, RUN, ACC)
        won = tl.where(value > best, 1.0, tl.where(value == best, 0.5, 0.0)).to(ACC)
        share = won if i == k else share * (1.0 - won)
        best = tl.maximum(best, value, propagate_nan=tl.PropagateNan.ALL)
    return share


@triton.jit
def forward_kernel(
    x,
    a,
    y,
    channels,
    pixels,
    width,
    groups,
    stride_xn,
    stride_xc,
    stride_xp,
    stride_yn,
    stride_yc,
    stride_yp,
    stride_an,
    J: tl.constexpr,
    K: tl.constexpr,
    WITHIN: tl.constexpr,
    RUN: tl.constexpr,
    ACC: tl.constexpr,
    CHANNELS: tl.constexpr,
    PIXELS: tl.constexpr,
):
    """Write y of a tile of CHANNELS x PIXELS of one sample."""
    n = tl.program_id(0).to(tl.int64)
    c = tl.program_id(1) * CHANNELS + tl.arange(0, CHANNELS)[:, None]
    p = tl.program_id(2) * PIXELS + tl.arange(0, PIXELS)[None, :]
    inside = (c < channels) & (p < pixels)
    x += n * stride_xn
    a += n * stride_an
    best = _fuse(x, a, c, inside, p, stride_xc, stride_xp, channels, width, groups, 0, J, WITHIN, RUN, ACC)
    for k in tl.static_range(1, K):
        value = _fuse(x, a, c, inside, p, stride_xc, stride_xp, channels, width, groups, k, J, WITHIN, RUN, ACC)
        best = tl.maximum(best, value, propagate_nan=tl.PropagateNan.ALL)
    tl.store(y + n * stride_yn + c * stride_yc + p * stride_yp, best.to(y.dtype.element_ty), mask=inside)


@triton.jit
def backward_kernel(
    x,
    a,
    grad,
    dx,
    da,
    channels,
    pixels,
    width,
    groups,
    stride_xn,
    stride_xc,
    stride_xp,
    stride_gn,
    stride_gc,
    stride_gp,
    stride_dn,
    stride_dc,
    stride_dp,
    stride_an,
    J: tl.constexpr,
    K: tl.constexpr,
    KJ: tl.constexpr,
    WITHIN: tl.constexpr,
    RUN: tl.constexpr,
    ACC: tl.constexpr,
    CHANNELS: tl.constexpr,
    PIXELS: tl.constexpr,
):
    """Write dx and da of CHANNELS channels of one sample: all its pixels, tile by tile, so that da sums in registers.

    da is (N, K, J, C) in ACC. dx of a channel gathers from the J channels that it was shifted to.
    """
    n = tl.program_id(0).to(tl.int64)
    c = tl.program_id(1) * CHANNELS + tl.arange(0, CHANNELS)[:, None]
    x += n * stride_xn
    grad += n * stride_gn
    a += n * stride_an
    index = tl.arange(0, KJ)[None, :]
    sums = tl.zeros([CHANNELS, KJ], ACC)
    for start in range(0, pixels, PIXELS):
        p = start + tl.arange(0, PIXELS)[None, :]
        inside = (c < channels) & (p < pixels)
        out = tl.zeros([CHANNELS, PIXELS], ACC)
        for j in tl.static_range(J):
            target = _source(c, -j, channels, width, groups, WITHIN, RUN)  # reads c at step j; c itself for j = 0
            g = tl.load(grad + target * stride_gc + p * stride_gp, mask=inside, other=0.0).to(ACC)
            for k in tl.static_range(K):
                mine = g * _share(
                    x, a, target, inside, p, stride_xc, stride_xp, channels, width, groups, k, J, K, WITHIN, RUN, ACC
                )
                out += mine * tl.load(a + (k * J + j) * channels + target, mask=c < channels, other=0.0).to(ACC)
                if j == 0:
                    for i in tl.static_range(J):
                        source = _source(c, i, channels, width, groups, WITHIN, RUN)
                        value = tl.load(x + source * stride_xc + p * stride_xp, mask=inside, other=0.0).to(ACC)
                        total = tl.sum(value * mine, axis=1)[:, None]
                        sums += tl.where(index == k * J + i, total, 0.0)
        tl.store(dx + n * stride_dn + c * stride_dc + p * stride_dp, out.to(dx.dtype.element_ty), mask=inside)
    tl.store(da + n * K * J * channels + index * channels + c, sums, mask=(c < channels) & (index < K * J))


def refusal(x: Tensor) -> str | None:
    """Return why the kernels do not take a tensor, or None."""
    if x.device.type != "cuda" and not INTERPRETED:
        return f"the kernels need a CUDA tensor, this one is on {x.device.type}"
    if x.dtype not in DTYPES:
        return f"the kernels do not take {x.dtype}"
    return None


def dense(x: Tensor) -> Tensor:
    """Return (N, C, H, W) with height and width as one axis of pixels: contiguous or channels-last stay as they are."""
    return x if x.stride(2) == x.stride(3) * x.shape[3] or x.shape[2] == 1 else x.contiguous()


def strides(x: Tensor) -> tuple[int, int, int]:
    """Return the strides of samples, channels and pixels."""
    # a single row has any stride between rows, and a single column any between columns
    return x.stride(0), x.stride(1), x.stride(3) if x.shape[3] > 1 else x.stride(2)


def tile(channels: int, pixels: int, channels_last: bool) -> tuple[int, int]:
    """Return a tile's channels and pixels (powers of two): long along the axis that lies together in memory."""
    if channels_last:
        wide = min(triton.next_power_of_2(channels), 128)
        return wide, max(1, min(triton.next_power_of_2(pixels), TILE // 2 // wide))
    wide = min(triton.next_power_of_2(pixels), 1024)
    return max(1, min(triton.next_power_of_2(channels), TILE // wide)), wide


def constants(x: Tensor, j: int, k: int, groups: int, shift: str) -> dict[str, Any]:
    """Return the compile-time arguments that both kernels share."""
    last = x.stride(1) == 1 and x.shape[1] > 1
    channels, pixels = tile(x.shape[1], x.shape[2] * x.shape[3], last)
    return {
        "J": j,
        "K": k,
        "WITHIN": shift == "group_channel",
        "RUN": math.gcd(8, x.shape[1] // groups) if last else 1,
        "ACC": tl.float64 if x.dtype == torch.float64 else tl.float32,
        "CHANNELS": channels,
        "PIXELS": pixels,
    }


class TritonShiftMax(Function):
    """Apply Eq. 5 and its derivative to x (N, C, H, W) and coefficients (N or 1, K, J, C)."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, a: Tensor, groups: int, shift: str) -> Tensor:
        ctx.save_for_backward(x, a)
        x, a = dense(x), a.contiguous()
        n, channels, height, width = x.shape
        _, k, j, _ = a.shape
        y = torch.empty_like(x)
        ctx.groups, ctx.shift = groups, shift
        shared = constants(x, j, k, groups, shift)
        pixels = height * width
        grid = (n, triton.cdiv(channels, shared["CHANNELS"]), triton.cdiv(pixels, shared["PIXELS"]))
        with torch.cuda.device_of(x):
            forward_kernel[grid](
                x,
                a,
                y,
                channels,
                pixels,
                channels // groups,
                groups,
                *strides(x),
                *strides(y),
                a.stride(0) if len(a) > 1 else 0,
                **shared,
                **OPTIONS,
            )
        return y

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor, Tensor, None, None]:
        x, a = ctx.saved_tensors
        if torch.is_grad_enabled():  # to be differentiated again
            return *differentiable_gradients(x, a, ctx.groups, ctx.shift, grad), None, None
        x, a, grad = dense(x), a.contiguous(), dense(grad)
        n, channels, height, width = x.shape
        _, k, j, _ = a.shape
        dx = torch.empty_like(x)
        shared = constants(x, j, k, ctx.groups, ctx.shift)
        wide = torch.float64 if x.dtype == torch.float64 else torch.float32
        da = torch.empty(n, k, j, channels, device=x.device, dtype=wide)
        grid = (n, triton.cdiv(channels, shared["CHANNELS"]))
        with torch.cuda.device_of(x):
            backward_kernel[grid](
                x,
                a,
                grad,
                dx,
                da,
                channels,
                height * width,
                channels // ctx.groups,
                ctx.groups,
                *strides(x),
                *strides(grad),
                *strides(dx),
                a.stride(0) if len(a) > 1 else 0,
                KJ=triton.next_power_of_2(k * j),
                **shared,
                **OPTIONS,
            )
        if len(a) == 1 < n:
            da = da.sum(0, keepdim=True)
        return dx, da.to(a.dtype), None, None


def shift_max(x: Tensor, coefficients: Tensor, groups: int, shift: str = "group") -> Tensor:
    """Apply Eq. 5 to x (N, C, H, W) with coefficients (N or 1, K, J, C); returns x's shape, dtype and memory format.

    Under autocast x is half and the coefficients often are not: the result is half, where the straightforward form's
    is float32. Raises RuntimeError for a tensor that the kernels do not take.
    """
    if fault := refusal(x):
        raise RuntimeError(fault)
    return TritonShiftMax.apply(x, coefficients, groups, shift)
