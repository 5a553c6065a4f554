"""Computations on the formulas of sections 3.2 and 3.3, measured on real modules or counted exhaustively."""

from __future__ import annotations

import itertools
import math
from collections import Counter
from collections.abc import Iterator

import torch
from torch import Tensor, nn

from pipelines.analysis.computations.base import Result, computation
from pipelines.analysis.computations.operators import _ones, _pair, _shift_matrix, exact_rank
from registry.ops.factorized import pointwise_matrix
from registry.ops.shift_max import DynamicShiftMax, ShiftMaxSpec

#: (C, R, G) off the balance G = sqrt(C / R): fewer groups than it, and more.
UNBALANCED = ((24, 2, 2), (48, 4, 2), (96, 4, 3), (32, 2, 2), (24, 2, 6), (48, 2, 12))


@computation
def connectivity_unbalanced() -> Result:
    """Count connections at other G than sqrt(C / R): E = C^2 / (R G^2) (section 3.2).

    On convolutions of ones: an output's connections to hidden channels, a hidden channel's to inputs, and the paths
    from an output to all inputs.
    """
    ok, seen = True, []
    for c, r, g in UNBALANCED:
        squeeze, expand = _pair(c, r, g)
        _ones((squeeze, expand))
        hidden = {int(n) for n in expand.weight.flatten(1).sum(1)}
        inputs = {int(n) for n in squeeze.weight.flatten(1).sum(1)}
        paths = {int(n) for n in pointwise_matrix(squeeze, expand, groups=g).sum(1)}
        ok &= hidden == {c // (r * g)} and inputs == {c // g} and paths == {c * c // (r * g * g)}
        seen.append(f"({c}, {r}, {g}): {hidden.pop()} x {inputs.pop()} = {paths.pop()}")
    return Result(bool(ok), f"(C, R, G): hidden x inputs = paths an output; {'; '.join(seen)}")


@computation
def lambda_trades_channels_for_connectivity() -> Result:
    """Follow C and E at fixed cost as lambda grows with G = lambda sqrt(C / R) (section 5.3, Table 4b).

    O = 2 C^2 / (R G) = 2 C^1.5 / (lambda sqrt(R)), solved for C.
    """
    cost, r = 4096.0, 4.0
    channels, edges = [], []
    for factor in (0.25, 0.5, 1.0, 2.0, 4.0):
        c = (cost * factor * math.sqrt(r) / 2) ** (2 / 3)
        g = factor * math.sqrt(c / r)
        if not math.isclose(2 * c * c / (r * g), cost):
            return Result(False, f"the cost is not kept at lambda = {factor}")
        channels.append(c)
        edges.append(c * c / (r * g * g))
    ok = channels == sorted(channels) and edges == sorted(edges, reverse=True)
    return Result(
        ok,
        f"O = 4096, R = 4, lambda 0.25 to 4: C {channels[0]:.0f} to {channels[-1]:.0f}, "
        f"E {edges[0]:.0f} to {edges[-1]:.1f}",
    )


def _work(layer: DynamicShiftMax, size: int) -> tuple[int, int, int]:
    """Return (elements pooled, multiplications that generate, products applied) of a layer on size x size."""
    seen = Counter[str]()
    handles = [
        m.register_forward_hook(lambda module, given, put: seen.update(generate=module.weight.numel()))
        for m in layer.modules()
        if isinstance(m, nn.Linear)
    ]
    x = torch.zeros(1, layer.channels, size, size)
    with torch.no_grad():
        coefficients = layer.coefficients(x)
    for handle in handles:
        handle.remove()
    return x.numel(), seen["generate"], coefficients.numel() * size * size


@computation
def shift_max_cost_terms() -> Result:
    """Measure how Dynamic Shift-Max's three costs grow: HWC, C^2 JK and HWC JK (section 3.3).

    Generating takes C (1 + JK) C / r multiplications at reduction r, which is C^2 JK / r for large JK: its share of
    J and K tends to proportionality, and it is quadratic in C exactly.
    """
    c, size = 64, 8

    def layer(channels: int, j: int, k: int) -> DynamicShiftMax:
        made = ShiftMaxSpec(channels, 4, "A1", j, k, 8).build()
        return next(m for m in made.modules() if isinstance(m, DynamicShiftMax))

    base = _work(layer(c, 1, 1), size)
    wide, large = _work(layer(2 * c, 1, 1), size), _work(layer(c, 1, 1), 2 * size)
    pairs = [(j, k) for j in (1, 2, 3) for k in (1, 2, 3)]
    grown = [_work(layer(c, j, k), size) for j, k in pairs]
    pooled = base[0] == c * size * size and (wide[0], large[0]) == (2 * base[0], 4 * base[0])
    quadratic = wide[1] == 4 * base[1] and large[1] == base[1]
    linear = all(w[1] * 2 == base[1] * (1 + j * k) for (j, k), w in zip(pairs, grown, strict=True))
    applied = all(w[2] == size * size * c * j * k for (j, k), w in zip(pairs, grown, strict=True))
    ok = pooled and quadratic and linear and applied and large[2] == 4 * base[2] and wide[2] == 2 * base[2]
    return Result(
        ok,
        f"C = {c}, {size} x {size}, J = K = 1: {base[0]} pooled, {base[1]} to generate, {base[2]} applied; "
        "generating is 4 times as much at 2C and (1 + JK)/2 times at J, K",
    )


def figure_2_shuffles() -> Iterator[tuple[tuple[int, ...], ...]]:
    """Yield every shuffle of 9 hidden channels in 3 groups that sends one channel of each group to each group.

    sigma[i][o] is the place in group i of the channel that goes to group o: 6^3 = 216 of them. Where in group o it
    lands only orders the sum.
    """
    yield from itertools.product(itertools.permutations(range(3)), repeat=3)


def shuffle_ranks(sigma: tuple[tuple[int, ...], ...], fuse: Tensor, p: Tensor, q: Tensor) -> list[int]:
    """Return the ranks of the blocks of P Phi F Q^T, whose hidden channels are 3 groups of 3.

    p (9, 6): each hidden channel's weights to its output group, by its place after the shuffle; q (9, 6): each
    hidden channel's weights from its input group; fuse (9, 9) before the shuffle.
    """

    ranks = []
    for o in range(3):
        for i in range(3):
            block = torch.zeros(6, 6, dtype=torch.float64)
            for source in range(3):  # the hidden group whose channel goes to output group o
                place = source * 3 + sigma[source][o]
                for h in range(3 * i, 3 * i + 3):
                    if fuse[place, h]:
                        block += fuse[place, h] * torch.outer(p[3 * o + source], q[h])
            ranks.append(exact_rank(block))
    return ranks


@computation
def fig4_shuffles() -> Result:
    """Count the shuffles Phi of Figure 2's kind for which Eq. 4's static shift makes every block's rank 2 (Figure 4).

    All 216 permutations that send one channel of each of 3 groups to each group, the shift before Phi.
    """
    squeeze, expand = _pair(18, 2, 3)
    q = squeeze.weight.flatten(1).detach()
    p = expand.weight.detach().flatten(1).reshape(3, 6, 3).transpose(1, 2).reshape(9, 6)
    fuse = _shift_matrix("group")
    found: Counter[str] = Counter()
    example = None
    shufflenet = sorted(set(shuffle_ranks(((0, 1, 2),) * 3, fuse, p, q)))
    for sigma in figure_2_shuffles():
        ranks = set(shuffle_ranks(sigma, fuse, p, q))
        found["mixed" if len(ranks) > 1 else str(ranks.pop())] += 1
        if example is None and set(shuffle_ranks(sigma, fuse, p, q)) == {2}:
            example = sigma
    return Result(
        found["2"],
        f"of {found.total()} shuffles {found['2']} have rank 2 in every block, {found['1']} rank 1 in every block, "
        f"{found['mixed']} a mixture; ShuffleNet's own: ranks {shufflenet}; one of the first kind: {example}",
    )
