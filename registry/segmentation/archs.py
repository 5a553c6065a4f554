"""Table 9's backbones as data: Table 1's, stopped at stride 16."""

from __future__ import annotations

from dataclasses import replace

from ..classification.archs import CLASSIFIER_ARCHS
from ..specs import ArchSpec


def at_stride_16(arch: ArchSpec) -> ArchSpec:
    """Return an architecture whose blocks at stride 32 run at stride 16 (section 6.2).

    A factorized convolution follows, so that the last expansion is one like any other.
    """
    strided = [i for i, block in enumerate(arch.blocks) if block.stride == 2]
    if len(strided) != 4:
        raise ValueError(f"a MicroNet at stride 16 needs four strided blocks to change the last, not {len(strided)}")
    blocks = list(arch.blocks)
    blocks[strided[-1]] = replace(blocks[strided[-1]], stride=1)
    return replace(arch, blocks=tuple(blocks), ends=False)


SEG_ARCHS = {
    f"seg_{name}": at_stride_16(CLASSIFIER_ARCHS[name])
    for name in ("m0", "m1", "m2", "m3", "m2_adjusted", "m3_adjusted")
}
