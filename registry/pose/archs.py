"""Table 10's pose MicroNets as data: backbones that end at stride 16, and heads of three blocks."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from ..specs import ArchSpec, BlockSpec

#: Rows read as Table 10 prints them: Block, k, C, C/R, G1 [G2]; `a` is a Micro-A whose depthwise does not expand.
#: The stride follows from the resolution: `/` before a row halves it.
_BACKBONES: dict[str, tuple[int, str]] = {
    "m0": (
        12,
        "a 3 12 12 3 | / A 3 48 16 4 | A 5 64 24 4 | / B 5 192 32 4 8 | C 7 288 48 6 8"
        " | / C 5 384 64 8 8 | C 7 576 96 8 12",
    ),
    "m1": (
        12,
        "a 3 12 12 3 | / A 3 48 16 4 | A 5 64 24 4 | / B 5 192 32 4 8 | C 7 288 48 6 8 | C 5 384 64 8 8"
        " | / C 5 576 96 8 12 | C 7 768 128 8 16 | C 5 768 128 8 16",
    ),
    "m2": (
        16,
        "a 3 16 16 4 | / A 3 64 24 4 | B 5 192 32 4 8"
        " | / C 5 288 48 6 8 | C 7 384 64 8 8 | C 5 480 80 8 10"
        " | / C 5 720 120 10 12 | C 7 720 120 10 12 | C 5 720 120 10 12 | C 7 864 144 12 12",
    ),
    # Two group counts of the printed column do not divide (384 -> 120 by 10; the head's 1024 -> 192 by 12): the
    # nearest that does stands in, the smaller of two equally near.
    "m2_printed": (
        16,
        "a 3 16 16 4 | / A 3 64 24 4 | B 5 192 32 4 8 | C 3 192 48 8 6"
        " | / C 5 288 48 6 8 | C 7 384 64 8 8 | C 5 480 80 8 10 | C 5 384 96 8 12 | C 5 384 96 8 12"
        " | / C 5 720 120 8 12 | C 7 720 120 10 12 | C 5 720 120 10 12 | C 7 864 144 12 12"
        " | C 5 768 192 12 16 | C 5 1024 256 16 16",
    ),
    "m3": (
        16,
        "a 3 16 16 4 | / A 3 64 24 4 | B 5 128 32 4 8 | C 3 192 48 8 6"
        " | / C 5 256 64 8 8 | C 7 256 64 8 8 | C 7 256 64 8 8 | C 5 384 96 8 12 | C 5 384 96 8 12"
        " | / C 5 576 144 12 12 | C 5 576 144 12 12 | C 5 576 144 12 12 | C 7 768 192 12 16"
        " | C 5 768 192 12 16 | C 5 1024 256 16 16",
    ),
}
_HEADS = {
    "m0": "C 5 480 120 12 10 | C 5 320 80 8 10 | a 5 320 48 8",
    "m1": "C 5 640 160 16 10 | C 7 384 96 8 12 | a 5 384 64 8",
    "m2": "C 5 768 192 12 16 | C 7 448 112 8 14 | a 5 448 80 8",
    "m2_printed": "C 5 768 192 8 16 | C 7 448 112 8 14 | a 5 448 80 8",
    "m3": "C 5 1024 256 16 16 | C 7 640 160 16 10 | a 7 640 96 8",
}
UPSAMPLES = ("squeeze", "input", "output")


def _row(text: str, ratio: int) -> BlockSpec:
    stride = 2 if text.startswith("/") else 1
    kind, k, c, s, g1, *g2 = text.lstrip("/ ").split()
    groups = (int(g1), int(g2[0]) if g2 else None)
    return BlockSpec(kind.upper(), int(k), int(c), int(s), groups, stride, ratio, expand=kind != "a")


def _rows(text: str, ratios: Sequence[int]) -> tuple[BlockSpec, ...]:
    rows = [row.strip() for row in text.split("|")]
    return tuple(_row(row, ratio) for row, ratio in zip(rows, [*ratios, *[2] * len(rows)]))


@dataclass(frozen=True)
class HeadSpec:
    """Specify a pose head: blocks, their bilinear upsampling factors, and where in a block that happens.

    `upsample`: at the block's `input`, between its two group convolutions (`squeeze`, the default: the paper does
    not say, and there it is cheapest) or at its `output`.
    """

    blocks: tuple[BlockSpec, ...]
    factors: tuple[int, ...] = (2, 2, 1)
    upsample: str = "squeeze"
    attention: bool = True

    def __post_init__(self) -> None:
        if self.upsample not in UPSAMPLES:
            raise ValueError(f"unknown upsample {self.upsample!r}; known: {', '.join(UPSAMPLES)}")
        if len(self.factors) != len(self.blocks):
            raise ValueError(f"{len(self.blocks)} head blocks, but {len(self.factors)} upsampling factors")


#: Reductions follow Table 1's rule: ratio 1 for the first four blocks, then 2. Heads take 2.
POSE_ARCHS: dict[str, ArchSpec] = {
    f"pose_{name}": ArchSpec(
        (stem, 4),
        _rows(rows, [1] * 4),
        last_ratio=2,
        ends=False,
        construction="repaired" if name == "m2" else "printed",
    )
    for name, (stem, rows) in _BACKBONES.items()
}
POSE_HEADS: dict[str, HeadSpec] = {f"pose_{name}": HeadSpec(_rows(rows, [2] * 3)) for name, rows in _HEADS.items()}


def get_head(head: str | Mapping[str, Any] | HeadSpec) -> HeadSpec:
    """Return a head by name, or a named one changed: {'base': name, 'upsample': ..., 'attention': ...}.

    Raises ValueError with the known names, or naming the wrong key.
    """
    if isinstance(head, HeadSpec):
        return head
    if isinstance(head, str):
        if head not in POSE_HEADS:
            raise ValueError(f"unknown pose head {head!r}; known: {', '.join(POSE_HEADS)}")
        return POSE_HEADS[head]
    fields = dict(head)
    try:
        return replace(get_head(fields.pop("base")), **fields)
    except (TypeError, KeyError) as error:
        raise ValueError(f"malformed pose head {dict(head)}: {error}") from None
