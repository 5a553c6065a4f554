"""Run a block's convolutions by the fastest form that may serve: compiled ones, and folded with their BatchNorm.

Where nothing is learned, a convolution and its BatchNorm run as one: a pass over memory less each. Convolutions along
one axis, and a training batch's BatchNorm, run compiled where the library was prepared (registry.ops.native).

The folded weights are made anew in each pass, from what the modules hold at that time, so nothing can grow stale.
Results differ from the two steps' by rounding alone. Whatever needs the steps apart gets them: gradients, hooks,
tracers and compilers, training BatchNorms, and modules of other classes.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.modules import module as _hooks

from . import fused, native, native_factorized, native_norm

#: Elements of a BatchNorm's input from which folding takes less time than the pass it saves: measured, one thread.
GAINS = 20_000


def run(layers: nn.Module, x: Tensor) -> Tensor:
    """Return layers(x) of a Sequential or another module, its convolutions by what serves best."""
    if not isinstance(x, Tensor) or type(layers) is not nn.Sequential or not _plain(layers) or not _free(x):
        return layers(x)
    learned = torch.is_grad_enabled()
    if learned and native.library() is None:
        return layers(x)
    for step, norm in _steps(layers):
        if norm is None:
            plain = type(step) is nn.Conv2d and _plain(step)
            x = _convolve(step, x, step.weight, step.bias) if plain else run(step, x)
        elif learned or norm.training or _outputs(step, x) < GAINS:
            x = _normalize(norm, _convolve(step, x, step.weight, step.bias))
        else:
            x = _folded(step, norm, x)
    return x


def _convolve(conv: nn.Conv2d, x: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
    """Return a convolution by other weights than its own: compiled where it runs along one axis and that serves."""
    library, axis = native.library(), native_factorized.axis_of(conv)
    if library is not None and axis is not None and native_factorized.takes(x, weight, bias, axis):
        return native_factorized.convolve(library, x, weight, bias, axis)
    return conv._conv_forward(x, weight, bias)


def _normalize(norm: nn.BatchNorm2d, x: Tensor) -> Tensor:
    """Return norm(x): compiled where it is by the batch's own statistics and that serves."""
    library = native.library()
    if library is not None and native_norm.takes(x, norm):
        return native_norm.normalize(library, norm, x)
    return norm(x)


def _steps(layers: nn.Sequential) -> Iterator[tuple[Any, nn.BatchNorm2d | None]]:
    """Yield the layers in order, a convolution with the BatchNorm that follows it."""
    held: nn.Module | None = None
    for layer in layers:
        if held is not None and isinstance(layer, nn.BatchNorm2d) and _foldable(held, layer):
            yield held, layer
            held = None
            continue
        if held is not None:
            yield held, None
        held = layer
    if held is not None:
        yield held, None


def _foldable(conv: nn.Module, norm: nn.Module) -> bool:
    return (
        type(conv) is nn.Conv2d
        and type(norm) is nn.BatchNorm2d
        and conv.padding_mode == "zeros"
        and norm.track_running_stats
        and norm.affine
        and conv.weight.dtype == norm.weight.dtype
        and _plain(conv)
        and _plain(norm)
    )


def _plain(module: nn.Module) -> bool:
    """Tell whether nobody watches a module's passes, and nothing stands in the place of its parameters."""
    return not (
        module._forward_hooks
        or module._forward_pre_hooks
        or module._backward_hooks
        or _hooks._global_forward_hooks
        or _hooks._global_forward_pre_hooks
        or "parametrizations" in module._modules
        or "forward" in vars(module)
    )


def _free(x: Tensor) -> bool:
    """Tell whether a tensor is a plain one of full precision, outside of tracers, compilers and autocast."""
    return (
        x.dtype in (torch.float32, torch.float64)
        and not x.is_meta
        and not fused.needs_plain_operators(x)
        and not fused.autocasts(x.device.type)
        and fused.backend() != "eager"
    )


def _outputs(conv: nn.Conv2d, x: Tensor) -> int:
    """Return about how many elements a convolution gives."""
    return x.numel() // x.shape[1] * conv.out_channels // (conv.stride[0] * conv.stride[1])


def _folded(conv: nn.Conv2d, norm: nn.BatchNorm2d, x: Tensor) -> Tensor:
    assert norm.running_var is not None
    assert norm.running_mean is not None
    scale = norm.weight * torch.rsqrt(norm.running_var + norm.eps)
    mean = norm.running_mean if conv.bias is None else norm.running_mean - conv.bias
    bias = torch.addcmul(norm.bias, mean, scale, value=-1)
    return _convolve(conv, x, conv.weight * scale.view(-1, 1, 1, 1), bias)
