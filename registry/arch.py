"""The architectures of Tables 1 and the adjusted readings of M2 and M3, as data.

A block row reads as Table 1 prints it: Block, k, C, C/R, (G1, G2), with the stride that its resolution implies.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from registry.ops.activations import ActivationRule


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
    """

    stem: tuple[int, int]
    blocks: tuple[BlockSpec, ...]
    last_ratio: int = 1
    hidden: int = 1024
    dropout: float = 0.05
    k_linear: int = 1
    construction: str = "printed"
    ends: bool = True


def _blocks(strided: Sequence[int], ratios: Sequence[int], rows: str) -> tuple[BlockSpec, ...]:
    """Read block rows 'A 3 24 8 2' or 'C 5 192 32 4 8'; `strided` numbers the blocks (from 1) with stride 2."""
    out = []
    for number, (row, ratio) in enumerate(zip(rows.strip().split("\n"), ratios, strict=True), start=1):
        kind, k, c, s, g1, *g2 = row.split()
        groups = (int(g1), int(g2[0]) if g2 else None)
        out.append(BlockSpec(kind, int(k), int(c), int(s), groups, 2 if number in strided else 1, ratio))
    return tuple(out)


def _ratios(n: int, first: int) -> list[int]:
    """Return ratio 1 for the first blocks and 2 for the rest."""
    return [1] * first + [2] * (n - first)


_M2 = """A 3 48 16 4
A 3 64 24 4
B 3 144 24 4 6
C 3 192 32 4 8
C 5 192 32 4 8
C 5 288 48 6 8
C 5 480 80 8 10
C 5 720 120 10 12
C 3 720 120 10 12
C 3 864 144 12 12"""

_M3 = """A 3 64 36 4
B 3 192 48 6 8
C 3 192 48 6 8
C 5 256 64 8 8
C 5 256 64 8 8
C 5 384 96 8 12
C 5 384 96 8 12
C 5 768 192 12 16
C 5 768 192 12 16
C 5 768 192 12 16"""

#: Table 1 as printed. Ratios and the classifier's width are not in the paper: M0's and M1's are the official
#: code's for the same topologies; M2 and M3 follow M1 (ratio 1 for four blocks, then 2).
ARCHS: dict[str, ArchSpec] = {
    "m0": ArchSpec(
        (6, 3),
        _blocks(
            (1, 2, 3, 5),
            _ratios(6, 5),
            """A 3 24 8 2
A 3 32 16 4
B 5 96 16 4 4
C 5 192 32 4 8
C 5 384 64 8 8
C 3 576 96 8 12""",
        ),
        last_ratio=2,
        hidden=960,
    ),
    "m1": ArchSpec(
        (8, 4),
        _blocks(
            (1, 2, 4, 7),
            _ratios(8, 4),
            """A 3 32 12 4
A 3 48 16 4
B 3 144 24 4 6
C 5 192 32 4 8
C 5 192 32 4 8
C 5 384 64 8 8
C 5 576 96 8 12
C 3 768 128 8 16""",
        ),
        last_ratio=2,
    ),
    "m2": ArchSpec((12, 4), _blocks((1, 2, 4, 8), _ratios(10, 4), _M2), last_ratio=2, dropout=0.1),
    "m3": ArchSpec((16, 4), _blocks((1, 2, 4, 8), _ratios(10, 4), _M3), last_ratio=2, dropout=0.1),
}

#: Readings of M2 and M3 that reach the printed totals: fitted to two numbers each, so weak evidence, shown beside.
ARCHS["m2_adjusted"] = replace(
    ARCHS["m2"], blocks=_blocks((1, 2, 5, 8), _ratios(10, 4), _M2), k_linear=2, construction="adjusted"
)
ARCHS["m3_adjusted"] = replace(
    ARCHS["m3"], blocks=_blocks((1, 3, 5, 8), [1] * 10, _M3), last_ratio=1, hidden=960, k_linear=2,
    construction="adjusted",
)  # fmt: skip

#: The four models of the later version (arXiv 2108.05894), as its released code builds them; two are M0 and M1.
ARCHS |= {
    "iccv2021_m0": ArchSpec(
        (4, 2),
        _blocks(
            (1, 2, 3, 5),
            _ratios(6, 5),
            """A 3 16 8 2
A 3 32 12 4
B 5 64 16 4 4
C 5 128 32 4 8
C 5 256 64 8 8
C 3 384 96 8 12""",
        ),
        last_ratio=2,
        hidden=640,
        construction="official",
    ),
    "iccv2021_m1": replace(ARCHS["m0"], construction="official"),
    "iccv2021_m2": replace(ARCHS["m1"], construction="official"),
    "iccv2021_m3": ArchSpec(
        (12, 4),
        _blocks(
            (1, 2, 4, 9),
            _ratios(11, 4),
            """A 3 48 16 4
A 3 64 24 4
B 3 144 24 4 6
C 5 192 32 4 8
C 5 192 32 4 8
C 5 384 64 8 8
C 5 480 80 8 10
C 5 480 80 8 10
C 5 720 120 10 12
C 5 720 120 10 12
C 3 864 144 12 12""",
        ),
        last_ratio=2,
        dropout=0.1,
        construction="official",
    ),
}


def get_arch(arch: str | Mapping[str, Any] | ArchSpec) -> ArchSpec:
    """Return an architecture by name, or from a mapping with ArchSpec's keys (blocks as BlockSpec's keys).

    `base` names the architecture to change; `solve` alone holds solved_m1's arguments (Tables 3 and 4).

    Raises ValueError with the known names, or naming the wrong key.
    """
    if isinstance(arch, ArchSpec):
        return arch
    if isinstance(arch, str):
        if arch not in ARCHS:
            raise ValueError(f"unknown MicroNet {arch!r}; known: {', '.join(ARCHS)}")
        return ARCHS[arch]
    fields = dict(arch)
    base = fields.pop("base", None)
    try:
        if "solve" in fields:
            from registry.ablations import solved_m1

            return solved_m1(**fields["solve"])
        if "blocks" in fields:
            fields["blocks"] = tuple(
                b if isinstance(b, BlockSpec) else BlockSpec(**{**b, "groups": tuple(b["groups"])})
                for b in fields["blocks"]
            )
        if "stem" in fields:
            fields["stem"] = tuple(fields["stem"])
        return replace(get_arch(base), **fields) if base else ArchSpec(**fields)
    except (TypeError, KeyError) as error:
        raise ValueError(f"malformed MicroNet architecture: {error}") from None


def default_rule(arch: ArchSpec, activation: Mapping[str, Any] | None) -> ActivationRule:
    """Return the activation rule from a config mapping (default: Dynamic Shift-Max, J = K = 2)."""
    settings = {"k_linear": arch.k_linear, **(activation or {})}
    if "sites" in settings:
        settings["sites"] = tuple(settings["sites"])
    try:
        return ActivationRule(**settings)
    except TypeError as error:
        raise ValueError(f"malformed activation settings {dict(settings)}: {error}") from None
