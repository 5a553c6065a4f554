"""Networks of Tables 3 and 4 whose widths the paper does not print: one deterministic construction for all.

MicroNet-M1's topology with ReLU and one multiplier w on all widths: the stem to multiples of 2, bottlenecks C/R to
multiples of 4, hidden widths 4 or 6 times the bottleneck as in M1. Group numbers are lambda * sqrt(w) times M1's, or
one fixed number, to the nearest divisor. w is the step of 0.005 that comes nearest to the printed MAdds under the rule
`plain`: MAdds are met by construction as far as widths allow, and params are what it predicts. Every such row is marked
as this project's construction.
"""

from __future__ import annotations

import math
from functools import cache

from .classification.models import classifier_cost
from .plan import Plan
from .specs import ArchSpec, BlockSpec
from .strict import zip_strict

#: MicroNet-M1 by bottleneck: C/R, kernel, stride, G1, G2 (Table 1); hidden widths are 4 (low) or 6 (high) times C/R.
M1 = (
    (12, 3, 2, 4, 3),
    (16, 3, 2, 4, 4),
    (24, 3, 1, 4, 6),
    (32, 5, 2, 4, 8),
    (32, 5, 1, 4, 8),
    (64, 5, 1, 8, 8),
    (96, 5, 2, 8, 12),
    (128, 3, 1, 8, 16),
)
LOW = 3  # blocks at low levels: Micro-Block-A, A and B
STEPS = [i / 200 for i in range(60, 501)]


def _multiple_of_4(x: float) -> int:
    return max(4, 4 * math.floor(x / 4 + 0.5))


def _nearest_divisor(target: float, *channels: int) -> int:
    """Return the common divisor of `channels` nearest to target; the smaller of two as near."""
    n = math.gcd(*channels)
    return min((d for d in range(1, n + 1) if n % d == 0), key=lambda d: (abs(d - target), d))


def scaled_m1(
    width: float,
    multiplier: float = 1.0,
    groups: int | None = None,
    lite_low: bool = True,
    lite_high: bool = False,
) -> ArchSpec:
    """Return M1's topology at a width.

    multiplier is lambda of Table 4b, groups the fixed number of Table 4a (1: plain pointwise convolutions). lite_low
    False expands low levels by a pointwise convolution; lite_high True lets the depthwise expand at high levels too.
    """

    def number(g: int, *channels: int) -> int:
        return _nearest_divisor(groups if groups else multiplier * math.sqrt(width) * g, *channels)

    stem = max(2, 2 * math.floor(4 * width + 0.5))
    narrow = [_multiple_of_4(row[0] * width) for row in M1]
    blocks, cin, previous = [], stem, 1
    for i, ((_, k, stride, g1, g2), s) in enumerate(zip_strict(M1, narrow)):
        low, last = i < LOW, i == len(M1) - 1
        lite = lite_low if low else lite_high
        ratio = 1 if i < 4 else 2
        factors = before = None
        if low or lite_high:  # the block starts from a bottleneck and widens it itself
            factors = (2, 2) if low else (2, 3)
            hidden = cin * factors[0] * factors[1]
            if not lite:
                before = (hidden, number(max(1, cin // previous), cin, hidden))
                factors = None
        else:
            hidden = cin
        first = number(g1, hidden, s)
        # The next block takes over a bottleneck if it widens by itself, so this one ends there: Micro-Block-A.
        ends_narrow = not last and (i + 1 < LOW or lite_high)
        kind = "A" if ends_narrow else "B" if low or lite_high else "C"
        channels = hidden if kind == "A" else 6 * s
        pair = (first, None if kind == "A" else number(g2, s, channels))
        blocks.append(BlockSpec(kind, k, channels, s, pair, stride, ratio, factors=factors, before=before))
        cin, previous = blocks[-1].out_channels, first
    return ArchSpec((stem, stem // 2), tuple(blocks), last_ratio=2, construction="ours")


@cache
def solved_m1(
    madds: float,
    multiplier: float = 1.0,
    groups: int | None = None,
    lite_low: bool = True,
    lite_high: bool = False,
    factorized: bool = True,
) -> ArchSpec:
    """Return scaled_m1 at the width whose MAdds (ReLU, 224x224, 1000 classes) come nearest to `madds`.

    factorized False costs k x k depthwise convolutions, as Table 3's first row has them.
    """

    def distance(width: float) -> tuple[float, float]:
        arch = scaled_m1(width, multiplier, groups, lite_low, lite_high)
        cost, out = Plan(arch, {"type": "ReLU"}, factorized=factorized).cost((224, 224))
        total = cost + classifier_cost(arch.blocks[-1].out_channels, arch.hidden, 1000, out)
        return abs(total.plain_madds() - madds), width

    best = min(STEPS, key=distance)
    return scaled_m1(best, multiplier, groups, lite_low, lite_high)
