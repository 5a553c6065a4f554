"""The activations that Dynamic Shift-Max is compared with (Tables 5-7), and the rule that places them in a net."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from ..cost.count import Cost, Term, linear_cost, pool_cost
from .constants import ConstantsModule
from .factorized import Size
from .shift_max import (
    SHIFTS,
    Constants,
    DynamicShiftMax,
    HyperFunction,
    ShiftMaxSpec,
    SiteReLU,
    check_constants,
    squeeze_width,
)

TYPES = ("ReLU", "SE", "DynamicReLU", "DynamicShiftMax", "StaticShiftMax")
SITES = ("A1", "A2", "A3")
RIVALS = ("shift_max", "own")


class DynamicReLU(ConstantsModule):
    """Maximize over K dynamic lines a * x + b per channel (Dynamic ReLU, the paper's reference [6]).

    Slopes start at (1, 0, ...) and intercepts at 0. Ranges are +-2 and +-1 around that: Shift-Max's own range of
    coefficients, and half of it for what is no coefficient. OwnDynamicReLU has its paper's.
    """

    #: Twice the ranges of slopes and intercepts.
    ranges = (4.0, 2.0)
    soft = False

    def __init__(self, channels: int, k: int = 2, hidden: int = 4, site: str = "") -> None:
        super().__init__()
        self.channels, self.k, self.site = channels, k, site
        self.hyper = HyperFunction(channels, hidden, 2 * k * channels, self.soft)
        self.hold_constant("scale", self.ranges, (1, 2, 1, 1))
        self.hold_constant("initial", [1.0] + [0.0] * (2 * k - 1), (1, 2, k, 1))

    def gates(self, x: Tensor) -> Tensor:
        """Return what the ranges are scaled by, (N, 2 K C) in [0, 1]."""
        return self.hyper(x)

    def forward(self, x: Tensor) -> Tensor:
        h = self.gates(x).view(-1, 2, self.k, self.channels)
        slopes, intercepts = ((h - 0.5) * self.scale + self.initial).unbind(1)
        lines = [[a[:, piece, :, None, None] for a in (slopes, intercepts)] for piece in range(self.k)]
        out = x * lines[0][0] + lines[0][1]
        for slope, intercept in lines[1:]:
            out = torch.maximum(out, x * slope + intercept)
        return out

    def extra_repr(self) -> str:
        return f"C={self.channels}, K={self.k}"


class OwnDynamicReLU(DynamicReLU):
    """Be Dynamic ReLU as its own paper defines it: residuals 2 sigmoid - 1, ranges 1 (slopes) and 0.5 (intercepts)."""

    ranges = (2.0, 1.0)
    soft = True


class SqueezeExcitation(DynamicShiftMax):
    """Weigh channels as Squeeze-and-Excitation does: Eq. 5 with J = K = 1 whose coefficient is a sigmoid in [0, 1]."""

    def __init__(self, channels: int, hidden: int, site: str = "") -> None:
        super().__init__(channels, 1, 1, 1, hidden, site=site)
        self.hyper.soft = True

    def coefficients(self, x: Tensor) -> Tensor:
        return self.hyper(x).view(-1, 1, 1, self.channels)


@dataclass(frozen=True)
class ReLUSpec:
    """Specify a ReLU at a site; `limit` 6 gives ReLU6, None the plain ReLU."""

    channels: int
    site: str
    limit: float | None = None

    def build(self) -> nn.Module:
        """Return the module, (N, C, H, W) to the same shape."""
        return SiteReLU(self.site, self.limit)

    def cost(self, size: Size) -> tuple[Cost, Size]:
        """Return one element-wise term; no parameters."""
        return Cost(0, (Term("relu", self.channels * size[0] * size[1], self.site),)), size


@dataclass(frozen=True)
class IdentitySpec:
    """Specify no activation: the linear bottleneck at A2."""

    def build(self) -> nn.Module:
        """Return an identity."""
        return nn.Identity()

    def cost(self, size: Size) -> tuple[Cost, Size]:
        """Return no cost."""
        return Cost(), size


@dataclass(frozen=True)
class DynamicReLUSpec:
    """Specify a Dynamic ReLU with K slopes and K intercepts a channel; own: as its paper has it."""

    channels: int
    site: str
    k: int = 2
    reduction: int = 8
    own: bool = False

    def build(self) -> nn.Module:
        """Return the module, (N, C, H, W) to the same shape."""
        make = OwnDynamicReLU if self.own else DynamicReLU
        return make(self.channels, self.k, squeeze_width(self.channels, self.reduction), self.site)

    def cost(self, size: Size) -> tuple[Cost, Size]:
        """Return the cost on an input of `size`, which stays."""
        elements = self.channels * size[0] * size[1]
        hidden = squeeze_width(self.channels, self.reduction)
        cost = Cost(0, (Term("dynamic_relu", elements, self.site, 1, self.k),))
        cost += pool_cost(self.channels, size)
        return cost + linear_cost(self.channels, hidden) + linear_cost(hidden, 2 * self.k * self.channels), size


@dataclass(frozen=True)
class SESpec:
    """Specify Squeeze-and-Excitation as its paper has it, a ReLU after it where one follows; cost: Shift-Max's."""

    shift_max: ShiftMaxSpec

    def build(self) -> nn.Module:
        """Return the module, (N, C, H, W) to the same shape."""
        of = self.shift_max
        layer = SqueezeExcitation(of.channels, squeeze_width(of.channels, of.reduction or 8), of.site)
        return nn.Sequential(layer, SiteReLU(of.site, of.relu_max)) if of.relu else layer

    def cost(self, size: Size) -> tuple[Cost, Size]:
        """Return the cost on an input of `size`, which stays."""
        return self.shift_max.cost(size)


@dataclass(frozen=True)
class ActivationRule:
    """State which activation stands at which site of a whole net (Tables 5, 6 and 7).

    `sites` are those that get `type`; the others are ReLU at A1 and A3 and linear at A2. K applies at A1 and A3,
    `k_linear` at A2 and after the last expansion (1 in the official code). `base_reduction` times a block's ratio is
    the hyper function's reduction; A2, being narrow, uses half of it. `bare_last`: without A2 among the sites nothing
    follows the last expansion either, as in the released 21M model, whose classifier begins with a ReLU6.
    `constants`: Dynamic Shift-Max's at A1 and A3 (K rows of J), which are added to its coefficients in every pass; the
    others, with `k_linear` pieces, keep the default. `rivals`: what SE's and Dynamic ReLU's coefficients span:
    `shift_max`, the ranges of Shift-Max's own (SE [-1, 3]), so that forms are compared at equal ranges, or `own`, their
    papers' (SE [0, 1]). Neither changes a cost.
    """

    type: str = "DynamicShiftMax"
    j: int = 2
    k: int = 2
    k_linear: int = 1
    sites: tuple[str, ...] = SITES
    shift: str = "group"
    base_reduction: int = 8
    first_a1: bool = True
    relu_max: float | None = None
    bare_last: bool = False
    constants: Constants | None = None
    rivals: str = "shift_max"

    def __post_init__(self) -> None:
        if self.rivals not in RIVALS:
            raise ValueError(f"unknown rivals {self.rivals!r}; known: {', '.join(RIVALS)}")
        if self.type not in TYPES:
            raise ValueError(f"unknown activation type {self.type!r}; known: {', '.join(TYPES)}")
        if self.shift not in SHIFTS:
            raise ValueError(f"unknown shift {self.shift!r}; known: {', '.join(SHIFTS)}")
        if unknown := set(self.sites) - set(SITES):
            raise ValueError(f"unknown activation site {sorted(unknown)}; known: {', '.join(SITES)}")
        if min(self.j, self.k, self.k_linear) < 1:
            raise ValueError(f"J, K and k_linear must be at least 1, not {self.j}, {self.k}, {self.k_linear}")
        if self.constants is not None:
            if self.type != "DynamicShiftMax":
                raise ValueError(f"constants are Dynamic Shift-Max's; {self.type} has none")
            check_constants(self.constants, self.j, self.k)

    def spec_at(self, site: str, channels: int, groups: int, ratio: int, first: bool = False):
        """Return the spec for one site (A1, A2, A3 or last) of `channels` in `groups`, at a block's ratio."""
        linear = site in ("A2", "last")
        covered = self.type != "ReLU" and ("A2" if site == "last" else site) in self.sites
        if not covered or (first and site == "A1" and not self.first_a1):
            bare = site == "A2" or (site == "last" and self.bare_last)
            return IdentitySpec() if bare else ReLUSpec(channels, site, self.relu_max)
        reduction = self.base_reduction * ratio // (2 if site == "A2" else 1)
        k = self.k_linear if linear else self.k
        if self.type == "DynamicReLU":
            return DynamicReLUSpec(channels, site, k, reduction, self.rivals == "own")
        j, k = (1, 1) if self.type == "SE" else (self.j, k)
        static = self.type == "StaticShiftMax"
        spec = ShiftMaxSpec(
            channels,
            groups,
            site,
            j,
            k,
            None if static else reduction,
            self.shift,
            relu=k == 1 and not linear,
            relu_max=self.relu_max,
            constants=None if linear else self.constants,
        )
        return SESpec(spec) if self.type == "SE" and self.rivals == "own" else spec
