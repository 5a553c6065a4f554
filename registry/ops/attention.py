"""Spatial attention of Dynamic ReLU's paper (DY-ReLU-C), which section 6.1 puts into every layer of the pose head."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from torch import Tensor, nn
from torch.nn import functional as F

from ..cost.count import Cost, conv2d_cost
from .factorized import Size
from .temperature import Annealed


class SpatialAttention(Annealed):
    """Weigh positions: pi = min(gamma * softmax(z / T), 1) with gamma = H W / 3 and z a 1 x 1 convolution of x.

    Maps (N, C, H, W) to (N, 1, H, W) in (0, 1]. T starts at 10 and is annealed to 1.
    """

    start_temperature = 10.0

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.score = nn.Conv2d(channels, 1, 1)
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Start with the same weight everywhere: scores of random weights over many channels are one-hot already."""
        nn.init.zeros_(self.score.weight)
        nn.init.zeros_(self.score.bias)

    def forward(self, x: Tensor) -> Tensor:
        z = self.score(x) / self.temperature
        n, _, h, w = z.shape
        weights = F.softmax(z.flatten(1), dim=1).view(n, 1, h, w)
        return (weights * (h * w / 3)).clamp(max=1).to(x.dtype)


class AttendedActivation(nn.Module):
    """Make an activation spatial: its dynamic coefficients are weighed by SpatialAttention at every position.

    The weight is positive and the same for all pieces, so it comes out of the maximum: pi * act(x).
    """

    def __init__(self, activation: nn.Module, channels: int) -> None:
        super().__init__()
        self.activation, self.attention = activation, SpatialAttention(channels)

    def forward(self, x: Tensor) -> Tensor:
        return self.activation(x) * self.attention(x)


@dataclass(frozen=True)
class AttendedSpec:
    """Specify an activation under spatial attention: the activation's cost and a 1 x 1 convolution to one map."""

    activation: Any
    channels: int

    def build(self) -> nn.Module:
        """Return the module, (N, C, H, W) to the same shape."""
        return AttendedActivation(self.activation.build(), self.channels)

    def cost(self, size: Size) -> tuple[Cost, Size]:
        """Return the cost on an input of `size`, which stays; products with the map are not counted."""
        cost, size = self.activation.cost(size)
        return cost + conv2d_cost(self.channels, 1, (1, 1), size, bias=True), size


class Upsample(nn.Module):
    """Upsample (N, C, H, W) bilinearly by a whole factor; no parameters, not counted."""

    def __init__(self, factor: int) -> None:
        super().__init__()
        self.factor = factor

    def forward(self, x: Tensor) -> Tensor:
        return F.interpolate(x, scale_factor=self.factor, mode="bilinear", align_corners=False)

    def extra_repr(self) -> str:
        return f"factor={self.factor}"
