"""Stage `figures`: compute what the paper's Figures 2 to 4 show, on real modules, for the report to draw.

python -m pipelines figures
"""

from __future__ import annotations

import math
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from papertally.evidence.checksum import file_computed
from papertally.evidence.figures import FigureEvidence
from papertally.evidence.io import remove_others
from papertally.evidence.provenance import environment
from papertally.evidence.revision import code_revision
from papertally.evidence.schema import formed
from pipelines import arguments
from pipelines.analysis.computations.operators import _ones, _pair, _shift_matrix, block_ranks, draw_exact
from pipelines.common import ROOT, PipelineError, guard, told
from registry.ops.factorized import ChannelShuffle, FactorizedDepthwise, pointwise_matrix

RESULTS = Path("results/figures")
#: Figure 2's example.
C, R, G = 18, 2, 3
#: Figure 3's balance: C = E at G = 16, and group numbers at which Eq. 3 gives whole channels that divide.
BALANCE_R, BALANCE_O, BALANCE_GROUPS = 2, 16384, (1, 4, 16, 64, 256)
PLACES = 3


def panel(name: str, matrix: Tensor, groups: int = 1, ranks: list[list[int]] | None = None) -> dict[str, Any]:
    """Return a matrix for drawing, rounded; ranks: of its blocks, taken before rounding.

    Its numbers are exact (`draw_exact`), and Python rounds by decimals, so the same on every CPU.
    """
    values = [[round(v, PLACES) + 0.0 for v in row] for row in matrix.tolist()]
    return {"name": name, "groups": groups, "values": values, "ranks": ranks}


def shuffle_matrix(channels: int, groups: int) -> Tensor:
    """Return the permutation Phi of Eq. 1 as a matrix (C, C)."""
    eye = torch.eye(channels, dtype=torch.float64)[..., None, None]
    return ChannelShuffle(groups)(eye)[..., 0, 0].T


def factors() -> tuple[Tensor, Tensor]:
    """Return Q^T (C/R, C) and P (C, C/R) of Figure 2's example as full matrices."""
    squeeze, expand = _pair(C, R, G)

    def full(conv: torch.nn.Conv2d) -> Tensor:
        eye = torch.eye(conv.in_channels, dtype=torch.float64)[..., None, None]
        return conv(eye)[..., 0, 0].T.detach()

    return full(squeeze), full(expand)


def factorized() -> dict[str, Any]:
    """Return Figure 2: W = P Phi Q^T at C = 18, R = 2, G = 3 and its blocks' ranks; a factorized k x k kernel."""
    q, p = factors()
    w = pointwise_matrix(*_pair(C, R, G), groups=G).detach()
    tall, _, wide, _ = FactorizedDepthwise(1, 5).build().double()
    draw_exact(0, tall.weight, wide.weight)
    column, row = tall.weight.detach()[0, 0], wide.weight.detach()[0, 0]
    kernel = column @ row
    return {
        "form": "matrices",
        "rows": [
            {
                "name": f"Pointwise: W = P Φ Qᵀ at C = {C}, R = {R}, G = {G}",
                "panels": [
                    panel("W", w, G, block_ranks(w, G)),
                    panel("P", p, G),
                    panel("Φ", shuffle_matrix(C // R, G), G),
                    panel("Qᵀ", q, G),
                ],
            },
            {
                "name": "Depthwise: a k × k kernel from k × 1 and 1 × k, k = 5",
                "panels": [
                    panel("kernel", kernel, 1, block_ranks(kernel, 1)),
                    panel("k × 1", column),
                    panel("1 × k", row),
                ],
            },
        ],
    }


def shifted() -> dict[str, Any]:
    """Return Figure 4: F between the convolutions, by Eq. 4 on either side of Phi, and by the official code's shift."""
    pair = _pair(C, R, G)
    phi = shuffle_matrix(C // R, G)
    group, official = _shift_matrix("group"), _shift_matrix("group_channel")
    cases = [
        ("Group shift by Eq. 4, before Φ", group, group),
        ("Group shift by Eq. 4, after Φ", group, phi.T @ group @ phi),  # F Phi = Phi (Phi^-1 F Phi)
        ("Group and channel shift of the official code, before Φ", official, official),
    ]
    rows = []
    for name, shown, fuse in cases:
        w = pointwise_matrix(*pair, groups=G, fuse=fuse).detach()
        rows.append({"name": name, "panels": [panel("W", w, G, block_ranks(w, G)), panel("F", shown, G)]})
    return {"form": "matrices", "rows": rows}


def balance() -> dict[str, Any]:
    """Return Figure 3: Eq. 3's curves, and channels and connections counted on pairs of convolutions of ones."""
    # In decimal arithmetic, which is software and the same everywhere: pow and cube roots of the CPU's libm are not.
    xs = [Decimal(2) ** (Decimal(i) / 4) for i in range(4 * (BALANCE_GROUPS[-1].bit_length() - 1) + 1)]
    channels, connections = [], []
    for g in BALANCE_GROUPS:
        c = math.isqrt(BALANCE_O * BALANCE_R * g // 2)
        pair = _pair(c, BALANCE_R, g)
        _ones(pair)
        cost = sum(conv.weight.numel() for conv in pair)
        paths = pointwise_matrix(*pair, groups=g).sum(1).unique().tolist()
        if cost != BALANCE_O or len(paths) != 1:
            raise PipelineError(f"pipelines/analysis: G = {g} costs {cost}, not {BALANCE_O}; choose dividing groups")
        channels.append([g, c])
        connections.append([g, round(paths[0])])

    def shown(value: Decimal) -> float:
        return float(round(value, PLACES))

    def curve(formula: Callable[[Decimal], Decimal]) -> list[list[float]]:
        return [[shown(x), shown(formula(x))] for x in xs]

    meets = (Decimal(BALANCE_O) / (2 * BALANCE_R)) ** (Decimal(1) / 3)  # C = E in Eq. 3
    return {
        "form": "curves",
        "x": "groups G",
        "y": "channels, connections",
        "series": [
            {
                "name": "C, channels",
                "line": curve(lambda g: (BALANCE_O * BALANCE_R * g / 2).sqrt()),
                "points": channels,
            },
            {
                "name": "E, connections an output channel",
                "line": curve(lambda g: BALANCE_O / (2 * g)),
                "points": connections,
            },
        ],
        "mark": {"x": shown(meets), "y": shown(BALANCE_O / (2 * meets)), "name": "G = √(C/R)"},
    }


FIGURES = {
    "2": (
        factorized,
        "Micro-Factorized convolutions and the ranks of their blocks",
        "Random weights for the project's own modules (multiples of 1/128, seed 0). A block bears its exact rank.",
    ),
    "3": (
        balance,
        "Channels C and connectivity E over the number of groups G",
        f"Lines: Eq. 3 at a cost of {BALANCE_O} multiply-adds a position and R = {BALANCE_R}. Points: counted on "
        "pairs of grouped convolutions.",
    ),
    "4": (
        shifted,
        "Group shift between the two convolutions",
        "y = a₀ x + a₁ shift(x) as the matrix F between Figure 2's convolutions. A block bears its exact rank; "
        "the paper states 2.",
    ),
}


def results(root: Path = ROOT) -> dict[str, dict[str, Any]]:
    """Return the evidence behind every figure, by its number."""
    common = {"schema": 1, "kind": "figure", "code_revision": code_revision(root), "environment": environment()}
    return {
        number: formed(FigureEvidence, {**common, "figure": number, "title": title, "caption": caption, **compute()})
        for number, (compute, title, caption) in FIGURES.items()
    }


def main(argv: list[str] | None = None) -> int:
    """Write results/figures/, one file a figure."""
    arguments.figures().parse_args(argv)
    found = results()
    files = {f"figure_{number}": evidence for number, evidence in found.items()}
    new = [name for name, evidence in files.items() if file_computed(ROOT / RESULTS / f"{name}.json", evidence)]
    gone = remove_others(ROOT / RESULTS, files.keys())
    print(f"{RESULTS.as_posix()}: {len(found)} figures; {told(new, gone)}")
    return 0


if __name__ == "__main__":
    raise SystemExit(guard(main))
