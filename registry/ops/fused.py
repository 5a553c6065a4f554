"""Choose how Shift-Max is computed: straightforward, in fewer passes over memory, or by one Triton kernel.

`eager`: Eq. 5 as it reads (registry.ops.shift_max). `lean`: fewer passes, in training the same bits
(registry.ops.lean). `native`: one pass each way on a CPU, compiled by the machine's C compiler (registry.ops.native),
values of the same bits, gradients equal within rounding. `triton`: one kernel each way on CUDA (registry.ops.kernels),
equal within the dtype's rounding. `auto` takes triton on CUDA; on a CPU native where it was prepared, else lean where
what it moves is large enough to gain; and else eager.
MICRONET_SHIFT_MAX=NAME or `use_backend(NAME)` switches.
"""

from __future__ import annotations

import math
import os
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache

import torch
import torch.autograd.forward_ad
from torch import Tensor
from torch.nn import Parameter

from ..compat import TORCH
from . import native, verified

#: torch.compiler has it from 2.2 on.
_namespaces = (getattr(torch, "compiler", None), torch._utils)
is_compiling = next((n.is_compiling for n in _namespaces if hasattr(n, "is_compiling")), lambda: False)
#: Modes see torch's operators alone: counters of FLOPs, fake tensors.
_dispatch_modes = getattr(torch._C, "_len_torch_dispatch_stack", lambda: 0)
BACKENDS = ("auto", "eager", "lean", "native", "triton")
VARIABLE = "MICRONET_SHIFT_MAX"
#: Elements of a slice from which `lean` gains on a CPU. `group` moves whole groups, in two slices a shift;
#: `group_channel` has two for every group, so that its slices are short. Measured on the layers of M0, M1 and the 21M
#: net at batch 1 and 16 with one thread: from these numbers on the straightforward form took 0.9 to 5.5 times as long
#: in inference and 0.96 to 3.7 times in training; below them down to 0.03 (720 channels of 7 x 7 in 60 groups).
INFERENCE_SLICE = 37_000
TRAINING_SLICE = {"group": 15_000, "group_channel": 25_000}
TRAINING_SLICE_ONE_PIECE = 50_000
_forced: list[str] = []


def backend() -> str:
    """Return the name in force. Raises ValueError for an unknown one in MICRONET_SHIFT_MAX."""
    name = _forced[-1] if _forced else os.environ.get(VARIABLE, "auto")
    if name not in BACKENDS:
        raise ValueError(f"{VARIABLE}={name!r}: unknown; known: {', '.join(BACKENDS)}")
    return name


@contextmanager
def use_backend(name: str) -> Iterator[None]:
    """Use one backend inside a with block. Raises ValueError for an unknown name."""
    if name not in BACKENDS:
        raise ValueError(f"unknown backend {name!r}; known: {', '.join(BACKENDS)}")
    _forced.append(name)
    try:
        yield
    finally:
        _forced.pop()


@cache
def has_triton() -> bool:
    """Tell whether Triton can be imported."""
    try:
        import triton  # noqa: F401
    except ImportError:
        return False
    return True


def lean_gains(shape: tuple[int, ...], pieces: int, groups: int, shift: str, grad: bool) -> bool:
    """Tell whether `lean` takes less time than Eq. 5 as it reads on x of a shape, for K pieces."""
    elements = math.prod(shape) // (2 if shift == "group" else 2 * groups)
    if not grad:
        return elements >= INFERENCE_SLICE
    return elements >= (TRAINING_SLICE[shift] if pieces > 1 else TRAINING_SLICE_ONE_PIECE)


def chosen(x: Tensor, coefficients: Tensor, groups: int = 1, shift: str = "group") -> str:
    """Return eager, lean, native or triton for a call of shift_max.

    Traced and compiled calls stay eager, so that the compiler sees plain operators; so do torch.func's transforms,
    forward-mode derivatives and tensors of other classes. Lean and native calls keep their inputs'
    dtype, so mixed ones stay eager. Raises RuntimeError where `triton` or `native` is asked for and cannot run.
    """
    name = backend()
    if name == "eager" or needs_plain_operators(x) or not x.numel() or x.is_meta:
        return "eager"
    if name == "triton" or (name == "auto" and on_gpu(x) and has_triton()):
        return _triton(x, forced=name == "triton")
    if autocasts(x.device.type) or x.dtype != coefficients.dtype:
        return "eager"
    if name == "lean":
        return "lean"
    if name == "native" and not native.prepare():
        raise RuntimeError(f"{VARIABLE}=native: it cannot be compiled here; choose another backend")
    if x.device.type == "cpu" and native.library() is not None and native.takes(x, coefficients):
        return "native"
    if name == "native":
        return "eager"
    grad = torch.is_grad_enabled() and (x.requires_grad or coefficients.requires_grad)
    gains = x.device.type == "cpu" and lean_gains(tuple(x.shape), coefficients.shape[1], groups, shift, grad)
    return "lean" if gains else "eager"


def needs_plain_operators(x: Tensor) -> bool:
    """Tell whether what runs now takes plain operators only: a tracer, compiler, counter or transform of functions."""
    return (
        is_compiling()
        or _dispatch_modes() > 0
        or torch.jit.is_tracing()
        or torch._C._are_functorch_transforms_active()
        or torch.autograd.forward_ad._current_level >= 0
        or type(x) not in (Tensor, Parameter)
    )


def autocasts(device: str) -> bool:
    """Tell whether autocast is on for a type of device."""
    if TORCH >= (2, 4):
        return torch.is_autocast_enabled(device)
    return torch.is_autocast_cpu_enabled() if device == "cpu" else torch.is_autocast_enabled()


def on_gpu(x: Tensor) -> bool:
    """Tell whether a tensor lies on a card that Triton's kernels are for."""
    return x.device.type == "cuda"


def _triton(x: Tensor, forced: bool) -> str:
    """Return triton where the kernels take this tensor and agree with Eq. 5 here (registry.ops.verified), else eager.

    What was asked for is not tried. Raises RuntimeError where it cannot run.
    """
    if not has_triton():
        raise RuntimeError(f"{VARIABLE}=triton: Triton is not installed; install it or choose another backend")
    from . import kernels

    fault = kernels.refusal(x)
    if fault and forced:
        raise RuntimeError(f"{VARIABLE}=triton: {fault}; choose another backend")
    if fault or not (forced or verified.serves(x)):
        return "eager"
    return "triton"
