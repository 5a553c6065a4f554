"""Factorized convolutions (section 3.2: k x 1 and 1 x k) by the compiled library of registry.ops.native.

General libraries run these thin convolutions far from what memory allows, most of all backward. Results are equal to
torch's within rounding: products are summed tap by tap.
"""

from __future__ import annotations

import ctypes
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.autograd import Function
from torch.nn import functional as F

#: What the library is built for.
DTYPES = {torch.float32: "float", torch.float64: "double"}
#: Taps that the source has room for.
MANY = 128
#: Elements from which more threads than one gain.
THREADED = 1 << 17


@dataclass(frozen=True)
class Axis:
    """Hold which axis a convolution runs along (2: height, 3: width), and how."""

    axis: int
    kernel: int
    stride: int
    padding: int
    groups: int

    def arguments(self, shape: tuple[int, ...], channels: int) -> tuple[int, ...]:
        """Return the library's numbers for an input's shape and a number of output channels."""
        n, cin, height, width = shape
        sizes = (1, height, width) if self.axis == 2 else (height, width, 1)
        return (
            n,
            cin,
            self.groups,
            channels,
            *sizes,
            self.out(shape[self.axis]),
            self.kernel,
            self.stride,
            self.padding,
        )

    def out(self, length: int) -> int:
        """Return the output's length along the axis."""
        return (length + 2 * self.padding - self.kernel) // self.stride + 1

    def torch(self) -> dict[str, Any]:
        """Return the same as keywords of torch's convolution."""
        along = (lambda v, other: (v, other)) if self.axis == 2 else (lambda v, other: (other, v))
        return {"stride": along(self.stride, 1), "padding": along(self.padding, 0), "groups": self.groups}


def axis_of(conv: nn.Conv2d) -> Axis | None:
    """Return along which axis a convolution runs; None where it is not of k x 1 or 1 x k, or of too many taps."""
    if conv.padding_mode != "zeros" or conv.dilation != (1, 1) or isinstance(conv.padding, str):
        return None
    (a, b), (s, t), (p, q) = conv.kernel_size, conv.stride, conv.padding
    if max(conv.in_channels, conv.out_channels) // conv.groups * a * b > MANY:
        return None
    if (b, t, q) == (1, 1, 0):
        return Axis(2, a, s, int(p), conv.groups)
    if (a, s, p) == (1, 1, 0):
        return Axis(3, b, t, int(q), conv.groups)
    return None


def takes(x: Tensor, weight: Tensor, bias: Tensor | None, axis: Axis) -> bool:
    """Tell whether the library takes an input (N, C, H, W): on the CPU, in memory's order, all of one dtype."""
    return (
        x.device.type == "cpu"
        and x.dtype in DTYPES
        and weight.dtype == x.dtype
        and (bias is None or bias.dtype == x.dtype)
        and x.ndim == 4
        and x.numel() > 0
        and x.shape[1] == weight.shape[1] * axis.groups
        and x.is_contiguous()
        and axis.out(x.shape[axis.axis]) > 0
    )


def declare(library: ctypes.CDLL) -> None:
    """Set the types of the library's functions."""
    for kind in DTYPES.values():
        for name, pointers in ((f"axis_conv_{kind}", 4), (f"axis_conv_backward_{kind}", 5)):
            function = getattr(library, name)
            function.argtypes = [ctypes.c_void_p] * pointers + [ctypes.c_int64] * 12
            function.restype = ctypes.c_int64


def _pointer(tensor: Tensor | None) -> int | None:
    return None if tensor is None else tensor.data_ptr()


def _forward(library: ctypes.CDLL, x: Tensor, weight: Tensor, bias: Tensor | None, axis: Axis) -> Tensor:
    weight, bias = weight.contiguous(), None if bias is None else bias.contiguous()
    shape = [len(x), len(weight), x.shape[2], x.shape[3]]
    shape[axis.axis] = axis.out(shape[axis.axis])
    y = x.new_empty(shape)
    failed = getattr(library, f"axis_conv_{DTYPES[x.dtype]}")(
        x.data_ptr(),
        weight.data_ptr(),
        _pointer(bias),
        y.data_ptr(),
        *axis.arguments(tuple(x.shape), len(weight)),
        threads(y),
    )
    if failed:
        raise MemoryError("no memory for a factorized convolution")
    return y


def _backward(
    library: ctypes.CDLL, x: Tensor, weight: Tensor, grad: Tensor, axis: Axis, wants: tuple[bool, bool]
) -> tuple[Tensor | None, Tensor | None]:
    grad, weight = grad.contiguous(), weight.contiguous()
    dx, dw = torch.empty_like(x) if wants[0] else None, torch.empty_like(weight) if wants[1] else None
    failed = getattr(library, f"axis_conv_backward_{DTYPES[x.dtype]}")(
        x.data_ptr(),
        weight.data_ptr(),
        grad.data_ptr(),
        _pointer(dx),
        _pointer(dw),
        *axis.arguments(tuple(x.shape), len(weight)),
        threads(grad),
    )
    if failed:
        raise MemoryError("no memory for a factorized convolution's gradient")
    return dx, dw


def threads(y: Tensor) -> int:
    """Return how many threads share the work: torch's own number where that gains."""
    return torch.get_num_threads() if y.numel() >= THREADED else 1


class NativeAxisConv(Function):
    """Convolve x (N, C, H, W) along one axis by weight (C', C / groups, k, 1) or (.., 1, k), and its derivative."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, weight: Tensor, bias: Tensor | None, axis: Axis, library: ctypes.CDLL) -> Tensor:
        ctx.axis, ctx.library = axis, library
        ctx.save_for_backward(x, weight)
        return _forward(library, x, weight, bias, axis)

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor | None, Tensor | None, Tensor | None, None, None]:
        x, weight = ctx.saved_tensors
        wants = (ctx.needs_input_grad[0], ctx.needs_input_grad[1])
        dbias = grad.sum((0, 2, 3)) if ctx.needs_input_grad[2] else None
        if torch.is_grad_enabled():  # to be differentiated again: torch's own operators
            keywords = ctx.axis.torch()
            dx = torch.nn.grad.conv2d_input(x.shape, weight, grad, **keywords) if wants[0] else None
            dw = torch.nn.grad.conv2d_weight(x, weight.shape, grad, **keywords) if wants[1] else None
            return dx, dw, dbias, None, None
        return *_backward(ctx.library, x, weight, grad, ctx.axis, wants), dbias, None, None


def convolve(library: ctypes.CDLL, x: Tensor, weight: Tensor, bias: Tensor | None, axis: Axis) -> Tensor:
    """Return the convolution of x (N, C, H, W), which `takes` allows, along one axis. Raises MemoryError."""
    wanted = x.requires_grad or weight.requires_grad or (bias is not None and bias.requires_grad)
    if torch.is_grad_enabled() and wanted:
        return NativeAxisConv.apply(x, weight, bias, axis, library)
    return _forward(library, x, weight, bias, axis)


def fault(library: ctypes.CDLL) -> str | None:
    """Return how the library differs from torch on small tensors, forward and backward; None where it agrees."""
    generator = torch.Generator().manual_seed(0)
    for axis, shape in _CASES:
        for dtype, limit in ((torch.float32, 1e-5), (torch.float64, 1e-12)):
            x = torch.randn(2, 4, 9, 10, generator=generator).to(dtype).requires_grad_()
            w = torch.randn(shape, generator=generator).to(dtype).requires_grad_()
            bias = torch.randn(len(w), generator=generator).to(dtype)
            wanted = F.conv2d(x, w, bias, **axis.torch())
            grad = torch.randn(wanted.shape, generator=generator).to(dtype)
            theirs = (wanted, *torch.autograd.grad(wanted, (x, w), grad))
            x, w = x.detach(), w.detach()
            mine = (_forward(library, x, w, bias, axis), *_backward(library, x, w, grad, axis, (True, True)))
            if any(a is None or not torch.allclose(a, b, rtol=limit, atol=10 * limit) for a, b in zip(mine, theirs)):
                return f"its factorized convolutions differ from torch's in {dtype}"
    return None


#: By stride, expansion and groups, as the paper's layers have them: (along, the weight's shape).
_CASES = (
    (Axis(2, 3, 2, 1, 1), (4, 4, 3, 1)),
    (Axis(3, 3, 2, 1, 4), (8, 1, 1, 3)),
    (Axis(2, 5, 1, 2, 4), (4, 1, 5, 1)),
    (Axis(3, 5, 1, 2, 4), (4, 1, 1, 5)),
    (Axis(2, 1, 1, 0, 2), (6, 2, 1, 1)),
)
