"""Try the Triton kernels on a card before they serve there: small tensors, forward and backward, in the dtype in use.

A card and software that a committed measurement covers are taken as they are; on any other the first use in a process
compares the kernels with Eq. 5 as it reads, and where they do not compile or disagree one warning says so and the
straightforward form serves.
"""

from __future__ import annotations

import warnings
from functools import cache

import torch
from torch import Tensor

from .eager import eager_shift_max

#: (card, torch's version, Triton's version) of the committed measurements, results/bench/gpu.json. None yet.
MEASURED: frozenset[tuple[str, str, str]] = frozenset()
#: Largest difference by dtype, relative and four times as much absolute; half-precision kernels sum in float32.
TOLERANCE = {torch.float16: 2e-3, torch.bfloat16: 1.6e-2, torch.float32: 1e-5, torch.float64: 1e-12}
#: (batch, channels, groups, height, width, K, J), shift, shared coefficients, channels-last.
CASES = (
    ((2, 24, 4, 5, 7, 2, 2), "group", False, False),
    ((2, 24, 4, 5, 7, 2, 2), "group_channel", False, True),
    ((3, 40, 8, 3, 3, 1, 2), "group", True, False),
)


def serves(x: Tensor) -> bool:
    """Tell whether the kernels may serve tensors of x's device and dtype; tried once a process.

    While a CUDA graph is captured nothing can be tried: they may not, unless they were before.
    """
    if (x.device, x.dtype) in _known:
        return _known[x.device, x.dtype]
    if x.device.type == "cuda" and torch.cuda.is_current_stream_capturing():
        return False
    _known[x.device, x.dtype] = measured(x.device) or tried(x.device, x.dtype)
    return _known[x.device, x.dtype]


_known: dict[tuple[torch.device, torch.dtype], bool] = {}


def measured(device: torch.device) -> bool:
    """Tell whether a committed measurement covers a device with today's software."""
    return device.type == "cuda" and (torch.cuda.get_device_name(device), *_versions()) in MEASURED


@cache
def _versions() -> tuple[str, str]:
    import triton

    return str(torch.__version__), str(triton.__version__)


def tried(device: torch.device, dtype: torch.dtype) -> bool:
    """Run the kernels beside Eq. 5 as it reads; return whether they agree, and warn where they do not."""
    try:
        fault = difference(device, dtype)
    except Exception as error:  # a compiler or a driver fails in ways of its own
        fault = f"they fail with {type(error).__name__}: {str(error).strip().splitlines()[0] if str(error) else ''}"
    if fault:
        name = torch.cuda.get_device_name(device) if device.type == "cuda" else str(device)
        warnings.warn(
            f"Shift-Max's Triton kernels do not serve on {name} in {dtype}: {fault}; the straightforward form does",
            stacklevel=2,
        )
    return not fault


def difference(device: torch.device, dtype: torch.dtype) -> str:
    """Return in words where the kernels' values or gradients differ from Eq. 5's, or an empty text."""
    from . import kernels

    exact = torch.promote_types(dtype, torch.float32)
    generator = torch.Generator().manual_seed(0)  # the process's own random state stays as it is
    with torch.inference_mode(False), torch.enable_grad(), torch.autocast(device.type, enabled=False):
        for (batch, channels, groups, height, width, k, j), shift, shared, last in CASES:
            x = torch.randn(batch, channels, height, width, generator=generator).to(device, dtype)
            a = torch.randn(1 if shared else batch, k, j, channels, generator=generator).to(device, dtype)
            grad = torch.randn(x.shape, generator=generator).to(device, dtype)
            x = x.to(memory_format=torch.channels_last) if last else x
            found = []
            for form, to in ((kernels.shift_max, dtype), (eager_shift_max, exact)):
                own, coefficients = x.to(to).requires_grad_(), a.to(to).requires_grad_()
                y = form(own, coefficients, groups, shift)
                found.append((y.detach(), *torch.autograd.grad(y, (own, coefficients), grad.to(to))))
            limit = TOLERANCE[dtype]
            for what, got, wanted in zip(("values", "gradients of x", "gradients of the coefficients"), *found):
                if not torch.allclose(got.to(exact), wanted, rtol=limit, atol=4 * limit):
                    return f"their {what} differ for the shift {shift!r}"
    return ""
