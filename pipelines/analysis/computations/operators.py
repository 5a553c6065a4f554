"""Computations on the operators themselves: Eq. 1-5 and Figures 2-4, measured on real modules.

What they find is the same on every CPU: random weights are integers over 128, so that double precision holds every
product and sum exactly, however a kernel orders or fuses them, and ranks are taken by exact elimination.
"""

from __future__ import annotations

import itertools
import math
from fractions import Fraction

import numpy as np
import torch
from torch import Tensor, nn

from pipelines.analysis.computations.base import Result, computation
from registry.arch import ARCHS
from registry.blocks import plan_stem
from registry.cost.count import conv2d_cost
from registry.ops.eager import shift_channels, shift_index
from registry.ops.factorized import FactorizedDepthwise, FullDepthwise, GroupPointwise, pointwise_matrix
from registry.ops.shift_max import DynamicShiftMax, StaticShiftMax, shift_max

#: (C, R, G) with G = sqrt(C / R): the paper's own example first.
BALANCED = ((18, 2, 3), (32, 2, 4), (64, 4, 4), (100, 4, 5), (72, 2, 6))


def draw_exact(seed: int, *tensors: Tensor) -> None:
    """Fill tensors with random multiples of 1 / 128 from -0.5 to 0.5, the same on every CPU."""
    rng = np.random.default_rng(seed)
    with torch.no_grad():
        for tensor in tensors:
            tensor.copy_(torch.from_numpy(rng.integers(-64, 65, tuple(tensor.shape)) / 128))


def exact_rank(matrix: Tensor) -> int:
    """Return the rank of a matrix by elimination in fractions: of the very numbers that it holds, without tolerance."""
    rows = [[Fraction(value) for value in row] for row in matrix.tolist()]
    rank = 0
    for column in range(matrix.shape[1]):
        pivot = next((row for row in rows[rank:] if row[column]), None)
        if pivot is None:
            continue
        rows.remove(pivot)
        rows.insert(rank, pivot)
        rank += 1
        for i in range(rank, len(rows)):
            if factor := rows[i][column] / pivot[column]:
                rows[i] = [a - factor * b for a, b in zip(rows[i], pivot, strict=True)]
    return rank


def block_ranks(matrix: Tensor, groups: int) -> list[list[int]]:
    """Return the rank of each of the groups x groups blocks of a matrix, as rows of blocks."""
    height, width = matrix.shape[0] // groups, matrix.shape[1] // groups
    blocks = matrix.reshape(groups, height, groups, width).transpose(1, 2)
    return [[exact_rank(block) for block in row] for row in blocks]


def _pair(c: int, r: int, g: int) -> tuple[nn.Conv2d, nn.Conv2d]:
    """Return Q^T and P of Eq. 1 as grouped convolutions with random weights, in double precision."""
    squeeze, expand = GroupPointwise(c, c // r, g).build()[0].double(), GroupPointwise(c // r, c, g).build()[0].double()
    draw_exact(0, squeeze.weight, expand.weight)
    return squeeze, expand


def _block_ranks(matrix: Tensor, groups: int) -> list[int]:
    """Return the distinct ranks of the groups x groups blocks of a matrix."""
    return sorted({rank for row in block_ranks(matrix, groups) for rank in row})


def _ones(convs: tuple[nn.Conv2d, nn.Conv2d]) -> None:
    for conv in convs:
        nn.init.ones_(conv.weight)


@computation
def stem_madds_m3() -> Result:
    """Count the convolutions of M3's stem at 224 x 224 (section 4)."""
    cost, _ = plan_stem(ARCHS["m3"], "paper", None).cost((224, 224))
    convs = [t.count for t in cost.terms if t.kind == "conv"]
    return Result(sum(convs), f"3x1 conv {convs[0]} + 1x3 group conv {convs[1]} = {sum(convs)} MAdds")


@computation
def thin_stem_madds() -> Result:
    """Count a 3 x 3 convolution from 3 to 8 channels over 112 x 112 (section 1)."""
    n = conv2d_cost(3, 8, (3, 3), (112, 112)).convs_and_linears()
    return Result(n, f"3 x 8 x 3 x 3 x 112 x 112 = {n} MAdds")


@computation
def eq1_complexity() -> Result:
    """Compare two group convolutions' multiply-adds a position with 2 C^2 / (R G) (section 3.2)."""
    cases = [(c, r, g) for c, r, g in itertools.product((24, 48, 96), (2, 4), (1, 2, 3, 6)) if c // r % g == 0]
    ok = all(sum(conv.weight.numel() for conv in _pair(c, r, g)) * r * g == 2 * c * c for c, r, g in cases)
    n = sum(conv.weight.numel() for conv in _pair(18, 2, 3))
    return Result(ok, f"C=18, R=2, G=3: {n} = 2*18^2/(2*3); {len(cases)} further (C, R, G) compared")


@computation
def eq2_example_groups() -> Result:
    """Evaluate Eq. 2 for the example of Figure 2."""
    return Result(math.isqrt(18 // 2), "sqrt(18 / 2) = 3")


@computation
def eq3_curves() -> Result:
    """Follow C and E of Eq. 3 as G grows at fixed cost, and check the cost that they imply (Figure 3)."""
    cost, r = 4096.0, 4.0
    gs = [1 + i / 4 for i in range(253)]
    cs = [math.sqrt(cost * r * g / 2) for g in gs]
    es = [cost / (2 * g) for g in gs]
    monotone = all(a < b for a, b in itertools.pairwise(cs)) and all(a > b for a, b in itertools.pairwise(es))
    consistent = all(
        math.isclose(2 * c * c / (r * g), cost) and math.isclose(c * c / (r * g * g), e)
        for c, e, g in zip(cs, es, gs, strict=True)
    )
    return Result(monotone and consistent, f"O=4096, R=4: C {cs[0]:.1f} to {cs[-1]:.1f}, E {es[0]:.0f} to {es[-1]:.1f}")


@computation
def eq3_intersection() -> Result:
    """Find where C meets E at fixed cost, by bisection, and compare G with sqrt(C / R) (section 3.2)."""
    worst = 0.0
    for cost, r in itertools.product((512.0, 4096.0, 1e6), (1.0, 2.0, 4.0, 8.0)):
        low, high = 1e-3, 1e6
        for _ in range(200):
            g = math.sqrt(low * high)
            low, high = (g, high) if math.sqrt(cost * r * g / 2) < cost / (2 * g) else (low, g)
        worst = max(worst, abs(g / math.sqrt(math.sqrt(cost * r * g / 2) / r) - 1))
    ok = worst < 1e-9
    return Result(ok, f"at 12 (cost, R) that G {'is' if ok else 'is not'} sqrt(C/R) to nine digits")


@computation
def connects_once() -> Result:
    """Count the paths from every input to every output at G = sqrt(C / R), on convolutions of ones."""
    counts = []
    for c, r, g in BALANCED:
        pair = _pair(c, r, g)
        _ones(pair)
        counts.append(pointwise_matrix(*pair, groups=g).unique().tolist())
    return Result(all(n == [1.0] for n in counts), f"distinct path counts at (C, R, G) in {list(BALANCED)}: {counts}")


@computation
def fig2_block_rank() -> Result:
    """Take the rank of every block of W = P Phi Q^T at C = 18, R = 2, G = 3 (Figure 2, left)."""
    ranks = _block_ranks(pointwise_matrix(*_pair(18, 2, 3), groups=3), 3)
    return Result(ranks, f"3 x 3 blocks of 6 x 6, random weights: ranks {ranks}")


def _shift_matrix(shift: str) -> Tensor:
    """Return F of a static group shift y = a0 x + a1 shift(x) on 9 channels in 3 groups, as a 9 x 9 matrix."""
    coefficients = torch.empty(1, 1, 2, 9, dtype=torch.float64)
    draw_exact(1, coefficients)
    eye = torch.eye(9, dtype=torch.float64)[..., None, None]
    return shift_max(eye, coefficients, groups=3, shift=shift)[..., 0, 0].T


def _fig4_ranks(shift: str) -> list[int]:
    """Return the blocks' ranks with a static shift before ShuffleNet's shuffle."""
    return _block_ranks(pointwise_matrix(*_pair(18, 2, 3), groups=3, fuse=_shift_matrix(shift)), 3)


@computation
def fig4_block_rank_official() -> Result:
    """Take the same ranks with the official code's shift, which also moves one channel inside the group."""
    ranks = _fig4_ranks("group_channel")
    return Result(ranks, f"3 x 3 blocks of 6 x 6 with the group-and-channel shift before Phi: ranks {ranks}")


@computation
def depthwise_rank() -> Result:
    """Take the largest rank of the k x k kernels that k x 1 and 1 x k convolutions compose to (section 3.2)."""
    ranks = set()
    for k in (3, 5, 7):
        tall, _, wide, _ = FactorizedDepthwise(8, k).build().double()
        draw_exact(0, tall.weight, wide.weight)
        kernels = tall.weight * wide.weight  # (C, 1, k, k)
        ranks |= {exact_rank(w[0]) for w in kernels}
    return Result(max(ranks), f"k = 3, 5, 7 with random weights: ranks {sorted(ranks)}")


@computation
def depthwise_complexity() -> Result:
    """Compare how the factorized and the full depthwise convolution's cost grows with k (section 3.2)."""

    def weights(spec: FactorizedDepthwise | FullDepthwise) -> int:
        return spec.cost((1, 1))[0].convs_and_linears()

    c, ks = 16, (3, 5, 7, 9)
    ok = all(weights(FactorizedDepthwise(c, k)) == 2 * k * c and weights(FullDepthwise(c, k)) == k * k * c for k in ks)
    return Result(ok, "2kC multiply-adds a position against k^2 C, for k = 3, 5, 7, 9")


@computation
def shift_max_parameters() -> Result:
    """Count the coefficients that the hyper function generates (section 3.3)."""
    cases = list(itertools.product((12, 24), (1, 2, 3), (1, 2, 3)))
    ok = all(DynamicShiftMax(c, 3, j, k).coefficients(torch.ones(1, c, 2, 2)).numel() == c * j * k for c, j, k in cases)
    return Result(ok, f"C*J*K coefficients an image in {len(cases)} cases")


@computation
def dynamic_relu_is_j1() -> Result:
    """Compare Shift-Max at J = 1 with the maximum of K dynamic slopes, channel by channel (section 3.3)."""
    layer, x = DynamicShiftMax(12, 3, j=1, k=2).double(), torch.empty(4, 12, 5, 5, dtype=torch.float64)
    draw_exact(0, *layer.parameters(), x)
    slopes = layer.coefficients(x)[:, :, 0, :, None, None]
    ok = bool(torch.allclose(layer(x), (x[:, None] * slopes).amax(1), rtol=0, atol=1e-12))
    return Result(
        ok, f"{'equal' if ok else 'unequal'} within 1e-12; intercepts of Dynamic ReLU have no counterpart in Eq. 5"
    )


@computation
def static_shift_is_special_case() -> Result:
    """Compare static Shift-Max at K = 1, J = 2 with y = a0 x + a1 shift(x) (section 3.3)."""
    layer, x = StaticShiftMax(12, 3, j=2, k=1).double(), torch.empty(2, 12, 4, 4, dtype=torch.float64)
    draw_exact(0, layer.weight, x)
    a0, a1 = layer.weight[0, 0, :, :, None, None]
    gap = float((layer(x) - (a0 * x + a1 * torch.roll(x, -4, 1))).abs().max().detach())
    return Result(gap == 0, f"largest difference {gap:g} on exact numbers")


@computation
def group_shift_is_circular() -> Result:
    """Compare the shift with Eq. 4's index (i + j C / G) mod C for every channel and j."""
    ok = True
    for c, g in ((12, 3), (24, 4), (30, 5), (8, 8), (8, 1)):
        x = torch.arange(c, dtype=torch.float64).reshape(1, c, 1, 1)
        for j in range(g):
            expected = [(i + j * (c // g)) % c for i in range(c)]
            ok &= shift_index(c, g, j).tolist() == expected
            ok &= shift_channels(x, g, j).flatten().tolist() == [float(i) for i in expected]
    return Result(ok, "every i and j = 0..G-1 for five (C, G)")


@computation
def lite_is_cheaper_in_pointwise() -> Result:
    """Compare the pointwise share of the lite and the regular combination between equal widths (section 3.2)."""

    def madds(*specs: FactorizedDepthwise | GroupPointwise) -> int:
        return sum(s.cost((56, 56))[0].convs_and_linears() for s in specs)

    shares: dict[str, list[float]] = {"lite": [], "regular": []}
    for c, k in itertools.product((8, 16, 32), (3, 5)):
        out = 2 * c
        lite = FactorizedDepthwise(c, k, expand=2)
        point = madds(GroupPointwise(4 * c, out, 4))
        shares["lite"].append(point / (madds(lite) + point))
        point = madds(GroupPointwise(c, c // 2, 2), GroupPointwise(c // 2, out, 2))
        regular = madds(FactorizedDepthwise(c, k)) + point
        shares["regular"].append(point / regular)
    ok = all(a < b for a, b in zip(shares["lite"], shares["regular"], strict=True))
    pairs = [f"{a:.2f}/{b:.2f}" for a, b in zip(shares["lite"], shares["regular"], strict=True)]
    return Result(ok, f"pointwise share lite/regular at C = 8, 16, 32 and k = 3, 5: {', '.join(pairs)}")
