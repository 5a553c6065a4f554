"""BatchNorm of a training batch by the compiled library of registry.ops.native: torch's results within rounding.

torch's own on a CPU goes over memory element by element; beside compiled convolutions it would be what takes longest.
"""

from __future__ import annotations

import ctypes
from typing import Any

import torch
from torch import Tensor, nn
from torch.autograd import Function
from torch.nn import functional as F

from .native_factorized import DTYPES, threads


def takes(x: Tensor, norm: nn.BatchNorm2d) -> bool:
    """Tell whether the library normalizes x (N, C, H, W): in training, on the CPU, in memory's order, of one dtype."""
    return (
        norm.training
        and type(norm) is nn.BatchNorm2d
        and norm.affine
        and norm.track_running_stats
        and norm.running_mean is not None
        and norm.momentum is not None
        and x.device.type == "cpu"
        and x.dtype in DTYPES
        and norm.weight.dtype == norm.running_mean.dtype == x.dtype
        and x.ndim == 4
        and x.shape[1] == norm.num_features
        and x.numel() > x.shape[1]
        and x.is_contiguous()
    )


def declare(library: ctypes.CDLL) -> None:
    """Set the types of the library's functions."""
    for kind in DTYPES.values():
        for name, pointers in ((f"batch_norm_{kind}", 6), (f"batch_norm_backward_{kind}", 8)):
            function = getattr(library, name)
            function.argtypes = [*[ctypes.c_void_p] * pointers, *[ctypes.c_int64] * 3, ctypes.c_double, ctypes.c_int64]
            function.restype = None


def _sizes(x: Tensor, eps: float) -> tuple[int, int, int, float, int]:
    return len(x), x.shape[1], x.shape[2] * x.shape[3], eps, threads(x)


def _forward(
    library: ctypes.CDLL, x: Tensor, weight: Tensor, bias: Tensor, eps: float
) -> tuple[Tensor, Tensor, Tensor]:
    weight, bias = weight.contiguous(), bias.contiguous()
    y, mean, variance = torch.empty_like(x), torch.empty_like(weight), torch.empty_like(weight)
    getattr(library, f"batch_norm_{DTYPES[x.dtype]}")(
        x.data_ptr(),
        weight.data_ptr(),
        bias.data_ptr(),
        y.data_ptr(),
        mean.data_ptr(),
        variance.data_ptr(),
        *_sizes(x, eps),
    )
    return y, mean, variance


def _backward(
    library: ctypes.CDLL, saved: tuple[Tensor, ...], grad: Tensor, eps: float, wants_x: bool
) -> tuple[Tensor | None, Tensor, Tensor]:
    x, weight, mean, variance = saved
    weight, grad = weight.contiguous(), grad.contiguous()
    dx, dw, db = torch.empty_like(x) if wants_x else None, torch.empty_like(weight), torch.empty_like(weight)
    getattr(library, f"batch_norm_backward_{DTYPES[x.dtype]}")(
        x.data_ptr(),
        weight.data_ptr(),
        grad.data_ptr(),
        mean.data_ptr(),
        variance.data_ptr(),
        None if dx is None else dx.data_ptr(),
        dw.data_ptr(),
        db.data_ptr(),
        *_sizes(x, eps),
    )
    return dx, dw, db


class NativeBatchNorm(Function):
    """Normalize x (N, C, H, W) by its own statistics, and its derivative; gives mean and biased variance (C) too."""

    @staticmethod
    def forward(
        ctx: Any, x: Tensor, weight: Tensor, bias: Tensor, eps: float, library: ctypes.CDLL
    ) -> tuple[Tensor, Tensor, Tensor]:
        y, mean, variance = _forward(library, x, weight, bias, eps)
        ctx.eps, ctx.library = eps, library
        ctx.save_for_backward(x, weight, mean, variance)
        ctx.mark_non_differentiable(mean, variance)
        return y, mean, variance

    @staticmethod
    def backward(ctx: Any, grad: Tensor, *_: Any) -> tuple[Tensor | None, Tensor | None, Tensor | None, None, None]:
        if torch.is_grad_enabled():  # to be differentiated again: torch's own operators
            x, weight = ctx.saved_tensors[:2]
            found = _differentiable(x, weight, grad, ctx.eps)
        else:
            found = _backward(ctx.library, ctx.saved_tensors, grad, ctx.eps, ctx.needs_input_grad[0])
        dx, dw, db = (one if wanted else None for one, wanted in zip(found, ctx.needs_input_grad))
        return dx, dw, db, None, None


def _differentiable(x: Tensor, weight: Tensor, grad: Tensor, eps: float) -> tuple[Tensor, Tensor, Tensor]:
    over = (0, 2, 3)
    centred = x - x.mean(over, keepdim=True)
    inverse = torch.rsqrt(centred.square().mean(over, keepdim=True) + eps)
    normal = centred * inverse
    product = grad * normal
    dx = grad - grad.mean(over, keepdim=True) - normal * product.mean(over, keepdim=True)
    return dx * inverse * weight.view(1, -1, 1, 1), product.sum(over), grad.sum(over)


def normalize(library: ctypes.CDLL, norm: nn.BatchNorm2d, x: Tensor) -> Tensor:
    """Return norm(x) of x (N, C, H, W), which `takes` allows; running statistics move as torch's do."""
    assert norm.running_mean is not None
    assert norm.running_var is not None
    assert norm.momentum is not None
    wanted = x.requires_grad or norm.weight.requires_grad or norm.bias.requires_grad
    if torch.is_grad_enabled() and wanted:
        y, mean, variance = NativeBatchNorm.apply(x, norm.weight, norm.bias, norm.eps, library)
    else:
        y, mean, variance = _forward(library, x, norm.weight, norm.bias, norm.eps)
    count = x.numel() // x.shape[1]
    with torch.no_grad():
        if norm.num_batches_tracked is not None:
            norm.num_batches_tracked.add_(1)
        norm.running_mean.mul_(1 - norm.momentum).add_(mean, alpha=norm.momentum)
        norm.running_var.mul_(1 - norm.momentum).add_(variance, alpha=norm.momentum * count / (count - 1))
    return y


def fault(library: ctypes.CDLL) -> str | None:
    """Return how the library differs from torch on small tensors, forward and backward; None where it agrees."""
    generator = torch.Generator().manual_seed(0)
    for dtype, limit in ((torch.float32, 1e-5), (torch.float64, 1e-12)):
        x = (3 * torch.randn(3, 5, 7, 9, generator=generator) + 2).to(dtype).requires_grad_()
        weight, bias = torch.randn(2, 5, generator=generator).to(dtype).requires_grad_()
        wanted = F.batch_norm(x, None, None, weight, bias, training=True)
        grad = torch.randn(wanted.shape, generator=generator).to(dtype)
        theirs = (wanted, *torch.autograd.grad(wanted, (x, weight, bias), grad))
        with torch.no_grad():
            y, *statistics = _forward(library, x, weight, bias, 1e-5)
            mine = (y, *_backward(library, (x, weight, *statistics), grad, 1e-5, True))
        if any(a is None or not torch.allclose(a, b, rtol=limit, atol=100 * limit) for a, b in zip(mine, theirs)):
            return f"its BatchNorm differs from torch's in {dtype}"
    return None
