"""Dynamic convolution and Dynamic ReLU as their own papers define them: Table 8's baselines [5] and [6]."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from .activations import OwnDynamicReLU
from .attention import SpatialAttention
from .temperature import Annealed

#: From torch 2.7 on; before it every network is written by its training form.
_is_exporting = getattr(getattr(torch, "compiler", None), "is_exporting", lambda: False)


def convolve_each(x: Tensor, kernels: Tensor, stride: int, padding: int, groups: int) -> Tensor:
    """Convolve each image (N, C_in, H, W) with its own kernels (N, C_out, C_in / groups, k, k).

    One convolution of N x groups groups; of an exported network, whose groups must be a number while N stays free,
    products of matrices.
    """
    n, cin, h, w = x.shape
    cout, k = kernels.shape[1], kernels.shape[-1]
    if not _is_exporting():
        out = F.conv2d(x.reshape(1, n * cin, h, w), kernels.flatten(0, 1), None, stride, padding, 1, n * groups)
        return out.view(n, cout, *out.shape[2:])
    size = [(side + 2 * padding - k) // stride + 1 for side in (h, w)]
    columns = x if (k, stride, padding) == (1, 1, 0) else F.unfold(x, k, padding=padding, stride=stride)
    columns = columns.reshape(n, groups, cin // groups * k * k, size[0] * size[1])
    return (kernels.reshape(n, groups, cout // groups, -1) @ columns).reshape(n, cout, *size)


class DynamicConv2d(Annealed):
    """Convolve each image with its own mixture of K kernels (Dynamic convolution, the paper's reference [5]).

    Mixture weights come from average pooling, two fully connected layers (reduction 4) and a softmax whose
    temperature falls from 30 to 1. Maps (N, C_in, H, W) to (N, C_out, H', W'). No bias: BatchNorm follows.
    """

    start_temperature = 30.0

    def __init__(
        self, cin: int, cout: int, kernel: int, stride: int = 1, padding: int = 0, groups: int = 1, kernels: int = 4
    ) -> None:
        super().__init__()
        if cin % groups or cout % groups:
            raise ValueError(f"dynamic convolution {cin} -> {cout}: {groups} groups must divide both channel numbers")
        self.cin, self.cout, self.kernel, self.kernels = cin, cout, kernel, kernels
        self.stride, self.padding, self.groups = stride, padding, groups
        hidden = max(4, cin // 4)
        self.reduce, self.mix = nn.Linear(cin, hidden), nn.Linear(hidden, kernels)
        self.weight = nn.Parameter(torch.empty(kernels, cout, cin // groups, kernel, kernel))
        nn.init.normal_(self.weight, 0, math.sqrt(2 / (kernel * kernel * cout / groups)))

    @classmethod
    def like(cls, conv: nn.Conv2d, kernels: int = 4) -> DynamicConv2d:
        """Return a dynamic convolution of a static one's shape."""
        kernel, stride, padding = conv.kernel_size[0], conv.stride[0], conv.padding[0]
        return cls(conv.in_channels, conv.out_channels, kernel, stride, padding, conv.groups, kernels)

    def mixture(self, x: Tensor) -> Tensor:
        """Return the kernels' weights (N, K), which sum to 1."""
        return F.softmax(self.mix(F.relu(self.reduce(x.mean((2, 3))))) / self.temperature, dim=1)

    def forward(self, x: Tensor) -> Tensor:
        kernels = self.mixture(x) @ self.weight.flatten(1)
        kernels = kernels.view(-1, self.cout, self.cin // self.groups, self.kernel, self.kernel).to(x.dtype)
        return convolve_each(x, kernels, self.stride, self.padding, self.groups)

    def extra_repr(self) -> str:
        return f"{self.cin}, {self.cout}, kernel={self.kernel}, K={self.kernels}, groups={self.groups}"


class DYReLU(OwnDynamicReLU):
    """Be Dynamic ReLU as Table 8's baseline [6] has it: K = 2 lines and a plain reduction.

    `spatial` gives variant C, whose coefficients SpatialAttention weighs at every position; else variant B.
    """

    def __init__(self, channels: int, spatial: bool = False, k: int = 2, reduction: int = 8) -> None:
        super().__init__(channels, k, max(1, channels // reduction))
        self.attention = SpatialAttention(channels) if spatial else None

    def gates(self, x: Tensor) -> Tensor:
        # not by the hyper function itself, whose pooling the cost tracer would then count in these baselines
        return torch.sigmoid(self.hyper.generate(F.relu(self.hyper.reduce(x.mean((2, 3))))))

    def forward(self, x: Tensor) -> Tensor:
        out = super().forward(x)
        return out if self.attention is None else out * self.attention(x)
