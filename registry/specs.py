"""What an architecture is made of, as data: blocks, stem, classifier, and the rows that Table 1 prints."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from .ops.activations import ActivationRule
from .strict import zip_strict


@dataclass(frozen=True)
class BlockSpec:
    """Specify a Micro-Block: kind A, B or C, kernel k, C, C/R, groups, stride, and its reduction ratio.

    C is the depthwise output for A and the block's output for B and C; an A block puts out C/R (Table 1).
    `ratio` multiplies the dynamic activations' base reduction at this block's A1 and A2, and the A3 before it.
    `expand` False stops Micro-Block-A's depthwise from expanding (Table 10's last block). For ablations: `factors`
    are the depthwise's expansions in k x 1 and 1 x k (default 2 and 2 in A and B, 1 and 1 in C); `before` (channels,
    groups) puts a pointwise expansion with A3's activation before an unexpanding depthwise: the regular combination
    instead of the lite one.
    """

    kind: str
    kernel: int
    channels: int
    squeeze: int
    groups: tuple[int, int | None]
    stride: int = 1
    ratio: int = 1
    expand: bool = True
    factors: tuple[int, int] | None = None
    before: tuple[int, int] | None = None

    def __post_init__(self) -> None:
        if self.kind not in ("A", "B", "C"):
            raise ValueError(f"unknown Micro-Block kind {self.kind!r}; known: A, B, C")
        if (self.groups[1] is None) != (self.kind == "A"):
            raise ValueError(
                f"Micro-Block-{self.kind} with groups {self.groups}: A has (G1, None), B and C two numbers"
            )
        if self.kernel % 2 == 0 or self.stride not in (1, 2) or self.ratio < 1:
            raise ValueError(f"Micro-Block-{self.kind}: k must be odd, stride 1 or 2, ratio at least 1: {self}")

    @property
    def depthwise_factors(self) -> tuple[int, int]:
        """Return the depthwise's expansions in k x 1 and in 1 x k."""
        if self.before is not None:
            return 1, 1
        return self.factors or ((2, 2) if self.kind != "C" and self.expand else (1, 1))

    @property
    def out_channels(self) -> int:
        """Return the channels that the block puts out."""
        return self.squeeze if self.kind == "A" else self.channels


@dataclass(frozen=True)
class ArchSpec:
    """Specify a MicroNet: stem (C, C/R), blocks, the ratio of the last expansion and the classifier's width.

    `k_linear` is K at A2 and after the last expansion; `construction` says where the reading comes from. `ends` False
    says that a head of Micro-Blocks follows, so that the last expansion here is one like any other (section 6.1).
    `stem_stride` is 2 as printed, or 1 for images that are small already.
    """

    stem: tuple[int, int]
    blocks: tuple[BlockSpec, ...]
    last_ratio: int = 1
    hidden: int = 1024
    dropout: float = 0.05
    k_linear: int = 1
    construction: str = "printed"
    ends: bool = True
    stem_stride: int = 2


def parse_blocks(strided: Sequence[int], ratios: Sequence[int], rows: str) -> tuple[BlockSpec, ...]:
    """Read block rows 'A 3 24 8 2' or 'C 5 192 32 4 8'; `strided` numbers the blocks (from 1) with stride 2."""
    out = []
    for number, (row, ratio) in enumerate(zip_strict(rows.strip().split("\n"), ratios), start=1):
        kind, k, c, s, g1, *g2 = row.split()
        groups = (int(g1), int(g2[0]) if g2 else None)
        out.append(BlockSpec(kind, int(k), int(c), int(s), groups, 2 if number in strided else 1, ratio))
    return tuple(out)


def rising_ratios(n: int, first: int) -> list[int]:
    """Return ratio 1 for the first blocks and 2 for the rest."""
    return [1] * first + [2] * (n - first)


def default_rule(arch: ArchSpec, activation: Mapping[str, Any] | None) -> ActivationRule:
    """Return the activation rule from a config mapping (default: Dynamic Shift-Max, J = K = 2)."""
    settings = {"k_linear": arch.k_linear, **(activation or {})}
    if "sites" in settings:
        settings["sites"] = tuple(settings["sites"])
    if settings.get("constants") is not None:
        settings["constants"] = tuple(tuple(map(float, row)) for row in settings["constants"])
    try:
        return ActivationRule(**settings)
    except TypeError as error:
        raise ValueError(f"malformed activation settings {dict(settings)}: {error}") from None
