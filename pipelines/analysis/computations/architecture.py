"""Computations on the printed architectures (Tables 1 and 10) and on the networks built from them."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cache

import torch
from torch import nn

from paper import load_ledger
from pipelines.analysis.computations import Result, computation
from registry.arch import ARCHS
from registry.micronet import MicroNet
from registry.ops.shift_max import DynamicShiftMax

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
    architecture = load_ledger().tables[table].architecture
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


@computation
def one_block_b_each() -> Result:
    """Count the Micro-Block-Bs of each column of Table 1 (section 4)."""
    counts = [_kinds(blocks).count("B") for blocks in printed("1").values()]
    return Result(counts, f"M0 to M3: {', '.join(_kinds(b) for b in printed('1').values())}")


@computation
def block_order() -> Result:
    """Check that every column of Table 1 reads stem, A, B, C in this order (section 4)."""
    kinds = [_kinds(blocks) for blocks in printed("1").values()]
    return Result(all(re.fullmatch("sA+B+C+", k) for k in kinds), f"M0 to M3: {', '.join(kinds)}")


@computation
def stem_expands_by_r() -> Result:
    """Compare the built stems' channels after each convolution with Table 1's C/R and C (section 4)."""
    ok, seen = True, []
    for model, blocks in printed("1").items():
        net = MicroNet(model)
        tall, wide = [m for m in net.stem.modules() if isinstance(m, nn.Conv2d)]
        stem = blocks[0]
        ok &= tall.kernel_size == (stem.kernel, 1) and wide.kernel_size == (1, stem.kernel)
        ok &= (tall.out_channels, wide.out_channels) == (stem.squeeze, stem.channels) and wide.groups == stem.groups[1]
        seen.append(f"{model} 3 to {tall.out_channels} to {wide.out_channels}")
    return Result(bool(ok), "; ".join(seen))


@computation
def skip_when_shapes_match() -> Result:
    """Find by two forward passes where a block adds its input, and compare with where shapes match (section 4)."""
    ok, count, skips = True, 0, 0
    torch.manual_seed(0)
    for model in MODELS:
        net = MicroNet(model).eval()
        x = net.stem(torch.randn(1, 3, 64, 64))
        for block in net.blocks:
            with torch.no_grad():
                y, _ = block(x)
                had, block.skip = block.skip, False
                bare, _ = block(x)
                block.skip = had
            matches = y.shape == x.shape
            adds = matches and not torch.equal(y, bare) and torch.allclose(y, bare + x)
            ok &= adds == matches and (matches or torch.equal(y, bare))
            count, skips = count + 1, skips + adds
            x = y
    return Result(bool(ok), f"{count} blocks of M0 to M3; {skips} add their input, all where shapes match")


@computation
def micro_a_expands_then_squeezes() -> Result:
    """Compare the channels through Micro-Block-A as built: more after depthwise, fewer after (section 4)."""
    ok, seen = True, []
    for model in MODELS:
        net = MicroNet(model)
        cin = ARCHS[model].stem[0]
        for spec, block in zip(ARCHS[model].blocks, net.blocks, strict=True):
            if spec.kind == "A":
                convs = [m for m in block.modules() if isinstance(m, nn.Conv2d)]
                mid, out = convs[1].out_channels, convs[2].out_channels
                ok &= len(convs) == 3 and cin < mid > out and convs[2].groups == spec.groups[0]
                seen.append(f"{model} {cin} to {mid} to {out}")
            cin = spec.out_channels
    return Result(bool(ok), "; ".join(seen))


@computation
def micro_b_is_full_factorized() -> Result:
    """Compare the two group convolutions of Micro-Block-B: first squeezing, then expanding (section 4)."""
    ok, seen = True, []
    for model in MODELS:
        for spec, block in zip(ARCHS[model].blocks, MicroNet(model).blocks, strict=True):
            if spec.kind == "B":
                first, second = (
                    next(m for m in p.modules() if isinstance(m, nn.Conv2d)) for p in (block.squeeze, block.expand)
                )
                ok &= first.in_channels > first.out_channels and second.in_channels < second.out_channels
                ok &= (first.groups, second.groups) == spec.groups
                seen.append(f"{model} {first.in_channels} to {first.out_channels} to {second.out_channels}")
    return Result(bool(ok), "; ".join(seen))


@computation
def all_use_shift_max() -> Result:
    """Count the sites A1, A2 and A3 of the built networks that hold Dynamic Shift-Max (section 4)."""
    sites = dynamic = 0
    for model in MODELS:
        for block in MicroNet(model).blocks:
            for act in (block.act1, block.act2, *([block.act3] if block.expand is not None else [])):
                sites += 1
                dynamic += any(isinstance(m, DynamicShiftMax) for m in act.modules())
    return Result(dynamic == sites, f"{dynamic} of {sites} activation sites of M0 to M3 as built")


@computation
def micro_a_at_high_resolution() -> Result:
    """Compare the output sizes of Micro-Block-A with those of B and C in Table 1 (section 4)."""
    ok, seen = True, []
    for model, blocks in printed("1").items():
        a = [b.height for b in blocks if b.block == "Micro-A"]
        others = [b.height for b in blocks if b.block in ("Micro-B", "Micro-C")]
        ok &= min(a) >= max(others)
        seen.append(f"{model} A at {sorted(set(a), reverse=True)}, B and C from {max(others)}")
    return Result(bool(ok), "; ".join(seen))


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
