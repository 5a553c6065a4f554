"""Computations on the printed architectures alone (Tables 1 and 10): what the paper's tables say of themselves."""

from __future__ import annotations

import itertools
import math
import re
from dataclasses import dataclass
from functools import cache

from papertally.ledger.load import load_ledger
from pipelines.analysis.computations.base import Result, computation
from pipelines.common import MICRONET, ROOT

MODELS = ("m0", "m1", "m2", "m3")
POSE_INPUT = 256  # the height of a person's box


@dataclass(frozen=True)
class Printed:
    """Hold one printed block: part (backbone, head), output height, Block, k, C, C/R, (G1, G2)."""

    part: str
    height: int
    block: str
    kernel: int
    channels: int
    squeeze: int
    groups: tuple[int, int | None]


@cache
def printed(table: str) -> dict[str, list[Printed]]:
    """Return the printed blocks of Table 1 or 10 by model."""
    architecture = load_ledger(ROOT / MICRONET).tables[table].architecture
    assert architecture is not None
    out: dict[str, list[Printed]] = {model: [] for model in MODELS}
    part, height = "backbone", 0
    for row in architecture.rows:
        part = row.part or part
        height = int(re.split("×", row.output)[0]) if row.output else height
        for model in MODELS:
            if cells := row.cells(model):
                block, k, c, s, groups = cells
                g1, g2 = re.findall(r"[\d-]+", groups)
                pair = (int(g1), None if g2 == "-" else int(g2))
                out[model].append(Printed(part, height, block, int(k), int(c), int(s), pair))
    return out


def _kinds(blocks: list[Printed], part: str = "backbone") -> str:
    """Return 'sAAB...' for the blocks of a part."""
    return "".join("s" if b.block == "stem" else b.block.removeprefix("Micro-")[0] for b in blocks if b.part == part)


def _relaxed(table: str) -> Result:
    off = [
        f"{model} {b.block} C/R={b.squeeze}: {b.groups[0]}*{b.groups[1]}"
        for model, blocks in printed(table).items()
        for b in blocks
        if b.groups[1] is not None and b.block != "stem" and b.groups[0] * b.groups[1] != b.squeeze
    ]
    count = sum(b.groups[1] is not None and b.block != "stem" for blocks in printed(table).values() for b in blocks)
    return Result(not off, f"{count} group pairs of Table {table}; off: {', '.join(off) or 'none'}")


@computation
def relaxed_groups() -> Result:
    """Compare G1 G2 with C/R for every Micro-Block-B and C of Table 1 (section 4)."""
    return _relaxed("1")


@computation
def relaxed_groups_pose() -> Result:
    """Compare G1 G2 with C/R for every Micro-Block-B and C of Table 10."""
    return _relaxed("10")


def _columns() -> list[tuple[str, str, list[Printed]]]:
    """Return (table, model, blocks of the backbone) for every column of Tables 1 and 10."""
    return [
        (table, model, [b for b in blocks if b.part == "backbone"])
        for table in ("1", "10")
        for model, blocks in printed(table).items()
    ]


@computation
def one_block_b_each() -> Result:
    """Count the Micro-Block-Bs of each column of Tables 1 and 10 (section 4)."""
    counts = [_kinds(blocks).count("B") for _, _, blocks in _columns()]
    return Result(counts, f"Tables 1 and 10, M0 to M3: {', '.join(_kinds(b) for _, _, b in _columns())}")


@computation
def block_order() -> Result:
    """Check that every column of Tables 1 and 10 reads stem, A, B, C in this order (section 4)."""
    kinds = [_kinds(blocks) for _, _, blocks in _columns()]
    return Result(all(re.fullmatch("sA+B+C+", k) for k in kinds), f"Tables 1 and 10, M0 to M3: {', '.join(kinds)}")


@computation
def closest_groups() -> Result:
    """Compare every pair (G1, G2) of Tables 1 and 10 with the two integers of product C/R that differ least."""
    off, count = [], 0
    for table in ("1", "10"):
        for model, blocks in printed(table).items():
            for b in blocks:
                if b.block == "stem" or b.groups[1] is None:
                    continue
                count += 1
                low = max(d for d in range(1, math.isqrt(b.squeeze) + 1) if b.squeeze % d == 0)
                if sorted(b.groups) != [low, b.squeeze // low]:  # type: ignore[type-var]
                    off.append(f"Table {table} {model} C/R = {b.squeeze}: {b.groups}")
    return Result(off == [], f"{count} pairs of Tables 1 and 10; not the closest: {', '.join(off) or 'none'}")


@computation
def micro_a_at_high_resolution() -> Result:
    """Check that Micro-Block-A stands before B and C, and at no smaller output, in Tables 1 and 10 (section 4)."""
    ok, seen = True, []
    for table, model, blocks in _columns():
        a = [(i, b.height) for i, b in enumerate(blocks) if b.block == "Micro-A"]
        others = [(i, b.height) for i, b in enumerate(blocks) if b.block in ("Micro-B", "Micro-C")]
        ok &= max(i for i, _ in a) < min(i for i, _ in others) and min(h for _, h in a) >= max(h for _, h in others)
        seen.append(f"Table {table} {model} A at {sorted({h for _, h in a}, reverse=True)}, then from {others[0][1]}")
    return Result(bool(ok), "; ".join(seen))


@computation
def pose_backbone_a_expands() -> Result:
    """Find the Micro-Block-As of Table 10's backbones whose depthwise convolution does not expand (sections 4, 8.1).

    Section 8.1 calls the head's last block different from those of the backbone in just this.
    """
    flat = []
    for model, blocks in printed("10").items():
        backbone = [b for b in blocks if b.part == "backbone"]
        for before, b in itertools.pairwise(backbone):
            cin = before.squeeze if before.block.startswith("Micro-A") else before.channels
            if b.block == "Micro-A" and b.channels <= cin:
                flat.append(f"{model} {cin} to {b.channels} to {b.squeeze}")
    return Result(len(flat), f"Micro-As of Table 10's backbones that do not expand: {', '.join(flat) or 'none'}")


def _divides(table: str) -> Result:
    bad = []
    for model, blocks in printed(table).items():
        cin = 3
        for number, b in enumerate(blocks):
            g1, g2 = b.groups
            if b.block == "stem":
                channels = [(cin, g1), (b.squeeze, g1), (b.squeeze, g2), (b.channels, g2)]
            elif b.block.startswith("Micro-A"):
                channels = [(b.channels, g1), (b.squeeze, g1)]
            else:
                hidden = cin * 4 if b.block == "Micro-B" else cin
                channels = [(hidden, g1), (b.squeeze, g1), (b.squeeze, g2), (b.channels, g2)]
            bad += [f"{model} block {number}: {g} does not divide {c}" for c, g in channels if g and c % g]
            cin = b.squeeze if b.block.startswith("Micro-A") else b.channels
    return Result(not bad, "; ".join(bad) or f"every group number of Table {table} divides its channels")


@computation
def group_counts_divide() -> Result:
    """Check that every group number of Table 1 divides the channels on both of its sides."""
    return _divides("1")


@computation
def group_counts_divide_pose() -> Result:
    """Check that every group number of Table 10 divides the channels on both of its sides."""
    return _divides("10")


@computation
def pose_head_three_blocks() -> Result:
    """Return the strides of each pose head's blocks by Table 10's output sizes (section 6.1)."""
    columns = printed("10").values()
    strides = [[POSE_INPUT // b.height for b in blocks if b.part == "head"] for blocks in columns]
    return Result(strides, f"input height {POSE_INPUT}; heads: {', '.join(_kinds(b, 'head') for b in columns)}")


@computation
def pose_backbone_stops_at_16() -> Result:
    """Return the stride of each pose backbone's last block by Table 10's output sizes (section 8.1)."""
    last = [[b for b in blocks if b.part == "backbone"][-1] for blocks in printed("10").values()]
    return Result([POSE_INPUT // b.height for b in last], f"output heights {[b.height for b in last]} of {POSE_INPUT}")


@computation
def pose_last_block_does_not_expand() -> Result:
    """Compare the C of each head's last Micro-Block-A with the channels before it (section 8.1)."""
    ok, seen = True, []
    for model, blocks in printed("10").items():
        before, last = blocks[-2:]
        ok &= last.block.startswith("Micro-A") and last.channels == before.channels
        seen.append(f"{model} {before.channels} to {last.channels} to {last.squeeze}")
    return Result(bool(ok), "; ".join(seen))
