"""Find an architecture by name or by its settings: one list of classifiers, pose and segmentation backbones."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from .ablations import solved_m1
from .classification.archs import CLASSIFIER_ARCHS
from .pose.archs import POSE_ARCHS
from .segmentation.archs import SEG_ARCHS
from .specs import ArchSpec, BlockSpec

#: Every named architecture; `import registry` alone knows them all.
ARCHS: dict[str, ArchSpec] = {**CLASSIFIER_ARCHS, **POSE_ARCHS, **SEG_ARCHS}


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
