"""The architectures of Table 1, the adjusted readings of M2 and M3, and the later version's, as data.

A block row reads as Table 1 prints it: Block, k, C, C/R, (G1, G2), with the stride that its resolution implies.
"""

from __future__ import annotations

from dataclasses import replace

from ..specs import ArchSpec, parse_blocks, rising_ratios

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
CLASSIFIER_ARCHS: dict[str, ArchSpec] = {
    "m0": ArchSpec(
        (6, 3),
        parse_blocks(
            (1, 2, 3, 5),
            rising_ratios(6, 5),
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
        parse_blocks(
            (1, 2, 4, 7),
            rising_ratios(8, 4),
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
    "m2": ArchSpec((12, 4), parse_blocks((1, 2, 4, 8), rising_ratios(10, 4), _M2), last_ratio=2, dropout=0.1),
    "m3": ArchSpec((16, 4), parse_blocks((1, 2, 4, 8), rising_ratios(10, 4), _M3), last_ratio=2, dropout=0.1),
}

#: Readings of M2 and M3 that reach the printed totals: fitted to two numbers each, so weak evidence, shown beside.
CLASSIFIER_ARCHS["m2_adjusted"] = replace(
    CLASSIFIER_ARCHS["m2"],
    blocks=parse_blocks((1, 2, 5, 8), rising_ratios(10, 4), _M2),
    k_linear=2,
    construction="adjusted",
)
CLASSIFIER_ARCHS["m3_adjusted"] = replace(
    CLASSIFIER_ARCHS["m3"],
    blocks=parse_blocks((1, 3, 5, 8), [1] * 10, _M3),
    last_ratio=1,
    hidden=960,
    k_linear=2,
    construction="adjusted",
)

#: The four models of the later version (arXiv 2108.05894), as its released code builds them; two are M0 and M1.
CLASSIFIER_ARCHS |= {
    "iccv2021_m0": ArchSpec(
        (4, 2),
        parse_blocks(
            (1, 2, 3, 5),
            rising_ratios(6, 5),
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
    "iccv2021_m1": replace(CLASSIFIER_ARCHS["m0"], construction="official"),
    "iccv2021_m2": replace(CLASSIFIER_ARCHS["m1"], dropout=0.1, construction="official"),
    "iccv2021_m3": ArchSpec(
        (12, 4),
        parse_blocks(
            (1, 2, 4, 9),
            rising_ratios(11, 4),
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
