"""The forms in which networks are written for other runtimes: few operators, and no tensor of more than five axes.

They give the modules' own values within rounding, in eval mode and without gradients. Training never sees them.
"""

from __future__ import annotations

import copy

import torch
from torch import Tensor, nn

from .activations import SqueezeExcitation
from .eager import shift_channels, shift_index
from .shift_max import DynamicShiftMax, StaticShiftMax


class ExportedShiftMax(nn.Module):
    """Apply Eq. 5 with one split for the coefficients, and shifts along the channel axis.

    Maps (N, C, H, W) to the same shape.

    Args:
        layer: the layer whose values it gives.
        gather: shift by one gather, a pass over memory less than by a split and a concatenation, which more runtimes
            have.
    """

    def __init__(self, layer: DynamicShiftMax | StaticShiftMax, gather: bool = False) -> None:
        super().__init__()
        self.layer, self.gather = layer, gather
        if type(layer) is DynamicShiftMax:
            # (hardsigmoid(v) - 0.5) * 4 + c = clamp(v * 2/3 + 2, 0, 4) + (c - 2); the line goes into the weights
            generate = layer.hyper.generate
            added = (layer.constants - 2).expand(1, layer.k, layer.j, layer.channels)
            self.register_buffer("added", added.reshape(1, -1).clone())
            self.register_buffer("weight", (generate.weight.detach().double() * 4 / 6).to(generate.weight.dtype))
            self.register_buffer("bias", (generate.bias.detach().double() * 4 / 6 + 2).to(generate.bias.dtype))

    def coefficients(self, x: Tensor) -> Tensor:
        """Return a(x) of Eq. 5 in one row an image: (N or 1, K J C)."""
        if isinstance(self.layer, StaticShiftMax):
            return self.layer.weight.flatten(1)
        if isinstance(self.layer, SqueezeExcitation):
            return self.layer.hyper(x)
        hidden = nn.functional.relu(self.layer.hyper.reduce(x.mean((2, 3))))
        return nn.functional.linear(hidden, self.weight, self.bias).clamp(0.0, 4.0) + self.added

    def shifted(self, x: Tensor, step: int) -> Tensor:
        """Return x shifted by `step` groups (Eq. 4)."""
        layer = self.layer
        if step == 0:
            return x
        if self.gather:
            return x.index_select(1, shift_index(layer.channels, layer.groups, step, layer.shift).to(x.device))
        at = step % layer.groups * (layer.channels // layer.groups)
        if at == 0 or layer.shift != "group":
            return shift_channels(x, layer.groups, step, layer.shift)
        head, tail = x.split([at, layer.channels - at], 1)
        return torch.cat((tail, head), 1)

    def forward(self, x: Tensor) -> Tensor:
        layer = self.layer
        a = self.coefficients(x)[..., None, None].split(layer.channels, 1)
        moved = [self.shifted(x, step) for step in range(layer.j)]
        out = None
        for piece in range(layer.k):
            total = moved[0] * a[piece * layer.j]
            for step in range(1, layer.j):
                total = total + moved[step] * a[piece * layer.j + step]
            out = total if out is None else torch.maximum(out, total)
        assert out is not None
        return out


def _folded(conv: nn.Conv2d, norm: nn.BatchNorm2d) -> tuple[Tensor, Tensor]:
    """Return weight and bias, in double precision, of a convolution without bias and its BatchNorm."""
    assert norm.running_mean is not None
    assert norm.running_var is not None
    scale = norm.weight.double() / (norm.running_var.double() + norm.eps).sqrt()
    return conv.weight.double() * scale.view(-1, 1, 1, 1), norm.bias.double() - norm.running_mean.double() * scale


class ExportedStem(nn.Module):
    """Run a dense k x 1 convolution and a grouped 1 x k one, with their BatchNorms, as one k x k convolution.

    What the first adds to every column is missing in the columns that pad the second, so what is added is a row of its
    own for each column.
    """

    def __init__(self, layers: nn.Sequential) -> None:
        super().__init__()
        tall, first, wide, second = layers
        tall_weight, tall_bias = _folded(tall, first)
        wide_weight, wide_bias = _folded(wide, second)
        source = torch.arange(wide.out_channels) // (wide.out_channels // wide.groups)
        kind = tall.weight.dtype
        self.stride = (tall.stride[0], wide.stride[1])
        self.padding = (tall.padding[0], wide.padding[1])
        self.groups = wide.groups
        self.register_buffer("weight", (tall_weight[source] * wide_weight).to(kind))
        self.register_buffer("row", tall_bias.view(1, -1, 1, 1).to(kind))
        self.register_buffer("wide", wide_weight.to(kind))
        self.register_buffer("bias", wide_bias.to(kind))

    def forward(self, x: Tensor) -> Tensor:
        row = self.row.expand(1, self.groups, 1, x.shape[3])
        stride, padding = (1, self.stride[1]), (0, self.padding[1])
        added = nn.functional.conv2d(row, self.wide, self.bias, stride, padding, groups=self.groups)
        return nn.functional.conv2d(x, self.weight, None, self.stride, self.padding) + added


def _is_stem(module: nn.Module) -> bool:
    """Tell whether a module is a dense k x 1 convolution and a 1 x k one with a filter's groups, each with its norm."""
    if type(module) is not nn.Sequential or len(module) != 4:
        return False
    tall, first, wide, second = module
    return (
        all(type(conv) is nn.Conv2d and conv.bias is None and conv.padding_mode == "zeros" for conv in (tall, wide))
        and all(
            type(norm) is nn.BatchNorm2d and not norm.training and norm.affine and norm.track_running_stats
            for norm in (first, second)
        )
        and (tall.groups, wide.groups) == (1, tall.out_channels)
        and all(conv.dilation == (1, 1) for conv in (tall, wide))
        and (tall.kernel_size[1], tall.stride[1], tall.padding[1]) == (1, 1, 0)
        and (wide.kernel_size[0], wide.stride[0], wide.padding[0]) == (1, 1, 0)
    )


def exported_form(net: nn.Module, gather: bool = False) -> nn.Module:
    """Return a copy of an eval-mode network in the operators that other runtimes take.

    Args:
        net: the network; it stays as it is.
        gather: shift channels by one gather: faster in ONNX Runtime, unknown to some other runtimes.
    """
    net = copy.deepcopy(net).eval()
    for module in list(net.modules()):
        for name, child in module.named_children():
            if type(child) in (DynamicShiftMax, SqueezeExcitation, StaticShiftMax):
                setattr(module, name, ExportedShiftMax(child, gather))  # type: ignore[arg-type]
            elif _is_stem(child):
                setattr(module, name, ExportedStem(child))  # type: ignore[arg-type]
    return net
