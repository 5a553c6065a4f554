"""Dynamic Shift-Max (section 3.3, Eq. 4-5), its static variant, and the shift of the official code.

y_i = max_k sum_j a[i, j, k](x) * x[(i + j * C/G) mod C]
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
import torch.fx
from torch import Tensor, nn
from torch.nn import functional as F

from ..cost.count import Cost, Term, linear_cost, pool_cost
from . import fused, lean, native
from .constants import ConstantsModule
from .eager import SHIFTS, eager_shift_max
from .factorized import Size


def squeeze_width(channels: int, reduction: int) -> int:
    """Return the hidden width of a dynamic activation: channels // reduction to the nearest 4, at least 4."""
    base = channels // reduction
    width = max(4, (base + 2) // 4 * 4)
    return width + 4 if width < 0.9 * base else width


def shift_max(x: Tensor, coefficients: Tensor, groups: int, shift: str = "group") -> Tensor:
    """Apply Eq. 5 to x (N, C, H, W) with coefficients (N or 1, K, J, C); returns (N, C, H, W).

    Faster forms serve by themselves where they gain (registry.ops.fused).
    """
    form = fused.chosen(x, coefficients, groups, shift)
    if form == "lean":
        return lean.shift_max(x, coefficients, groups, shift)
    if form == "native":
        return native.shift_max(x, coefficients, groups, shift)
    if form == "triton":
        from . import kernels

        return kernels.shift_max(x, coefficients, groups, shift)
    return eager_shift_max(x, coefficients, groups, shift)


torch.fx.wrap("shift_max")  # one node in a symbolic trace: which form serves is decided by tensors


#: K rows of J numbers: what is added to the coefficients of every piece and shift.
Constants = Sequence[Sequence[float]]


def default_constants(j: int, k: int) -> Constants:
    """Return 1 for the unshifted channel and 0 for shifted ones, in every piece."""
    return tuple((1.0,) + (0.0,) * (j - 1) for _ in range(k))


def check_constants(constants: Constants, j: int, k: int) -> None:
    """Raise ValueError where constants are not K rows of J."""
    if len(constants) != k or any(len(row) != j for row in constants):
        raise ValueError(f"Shift-Max's constants {constants} are not {k} rows (K) of {j} (J)")


class HyperFunction(nn.Module):
    """Generate activation parameters from the input: average pool, two fully connected layers, hard sigmoid.

    Maps (N, C, H, W) to (N, outputs) in [0, 1] (section 3.3, after Squeeze-and-Excitation); soft: by a sigmoid.
    """

    def __init__(self, channels: int, hidden: int, outputs: int, soft: bool = False) -> None:
        super().__init__()
        self.soft = soft
        self.reduce = nn.Linear(channels, hidden)
        self.generate = nn.Linear(hidden, outputs)

    def forward(self, x: Tensor) -> Tensor:
        hidden = F.relu(self.reduce(x.mean((2, 3))))
        return torch.sigmoid(self.generate(hidden)) if self.soft else F.hardsigmoid(self.generate(hidden))


class DynamicShiftMax(ConstantsModule):
    """Maximize over K dynamic fusions of J group shifts (Eq. 5).

    Coefficients are constants + (h - 0.5) * 4 with h in [0, 1] from the hyper function. `constants` (K rows of J)
    never leave: they are added in every pass, as the official code's INIT_A and INIT_B are. Default: the unshifted
    channel has 1 in every piece and shifted ones 0, as there in all released sizes but the largest.
    """

    def __init__(
        self,
        channels: int,
        groups: int,
        j: int = 2,
        k: int = 2,
        hidden: int = 4,
        shift: str = "group",
        site: str = "",
        constants: Constants | None = None,
    ) -> None:
        super().__init__()
        self.channels, self.groups, self.j, self.k, self.shift, self.site = channels, groups, j, k, shift, site
        self.hyper = HyperFunction(channels, hidden, channels * j * k)
        rows = default_constants(j, k) if constants is None else constants
        check_constants(rows, j, k)
        self.hold_constant("constants", [value for row in rows for value in row], (1, k, j, 1))

    def coefficients(self, x: Tensor) -> Tensor:
        """Return a(x) of Eq. 5 with shape (N, K, J, C)."""
        h = self.hyper(x).view(-1, self.k, self.j, self.channels)
        return (h - 0.5) * 4 + self.constants

    def forward(self, x: Tensor) -> Tensor:
        return shift_max(x, self.coefficients(x), self.groups, self.shift)

    def extra_repr(self) -> str:
        return f"C={self.channels}, G={self.groups}, J={self.j}, K={self.k}, shift={self.shift!r}"


class StaticShiftMax(nn.Module):
    """Apply Eq. 5 with learned coefficients that do not depend on the input (Table 3, static a)."""

    def __init__(
        self, channels: int, groups: int, j: int = 2, k: int = 2, shift: str = "group", site: str = ""
    ) -> None:
        super().__init__()
        self.channels, self.groups, self.j, self.k, self.shift, self.site = channels, groups, j, k, shift, site
        self.weight = nn.Parameter(torch.empty(1, k, j, channels))
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Start piece 0 as the identity and the others as zero, so that K = 2 starts as a ReLU."""
        with torch.no_grad():
            self.weight.zero_()
            self.weight[:, 0, 0] = 1

    def forward(self, x: Tensor) -> Tensor:
        return shift_max(x, self.weight, self.groups, self.shift)

    def extra_repr(self) -> str:
        return f"C={self.channels}, G={self.groups}, J={self.j}, K={self.k}, shift={self.shift!r}"


@dataclass(frozen=True)
class ShiftMaxSpec:
    """Specify a Shift-Max layer; `reduction` sets the hyper function's width, None makes the layer static.

    With one piece (K = 1) at A1 or A3 a ReLU follows, since nothing is left to maximize over (section 5.3);
    `relu` says so.
    """

    channels: int
    groups: int
    site: str
    j: int = 2
    k: int = 2
    reduction: int | None = 8
    shift: str = "group"
    relu: bool = False
    relu_max: float | None = 6.0
    constants: Constants | None = None

    def __post_init__(self) -> None:
        if self.shift not in SHIFTS:
            raise ValueError(f"unknown shift {self.shift!r}; known: {', '.join(SHIFTS)}")
        if self.channels % self.groups:
            raise ValueError(f"Shift-Max at {self.site}: {self.groups} groups must divide {self.channels} channels")

    def build(self) -> nn.Module:
        """Return the module, (N, C, H, W) to the same shape."""
        args = {"j": self.j, "k": self.k, "shift": self.shift, "site": self.site}
        if self.reduction is None:
            layer: nn.Module = StaticShiftMax(self.channels, self.groups, **args)
        else:
            hidden = squeeze_width(self.channels, self.reduction)
            layer = DynamicShiftMax(self.channels, self.groups, hidden=hidden, constants=self.constants, **args)
        return nn.Sequential(layer, SiteReLU(self.site, self.relu_max)) if self.relu else layer

    def cost(self, size: Size) -> tuple[Cost, Size]:
        """Return the cost on an input of `size`, which stays."""
        elements = self.channels * size[0] * size[1]
        outputs = self.channels * self.j * self.k
        cost = Cost(0, (Term("shift_max", elements, self.site, self.j, self.k),))
        if self.relu:
            cost += Cost(0, (Term("relu", elements, self.site),))
        if self.reduction is None:
            return cost + Cost(outputs), size
        hidden = squeeze_width(self.channels, self.reduction)
        cost += pool_cost(self.channels, size)
        return cost + linear_cost(self.channels, hidden) + linear_cost(hidden, outputs), size


class SiteReLU(nn.Module):
    """Apply ReLU (limit None) or ReLU6 (limit 6) and remember the site for the cost tracer."""

    def __init__(self, site: str, limit: float | None = None) -> None:
        super().__init__()
        self.site, self.limit = site, limit

    def forward(self, x: Tensor) -> Tensor:
        return F.relu(x) if self.limit is None else F.hardtanh(x, 0.0, self.limit)

    def extra_repr(self) -> str:
        return f"site={self.site!r}, limit={self.limit}"
