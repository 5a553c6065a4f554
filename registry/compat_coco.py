"""pycocotools' keypoint evaluation behind the signature that mmpose calls."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from pycocotools import cocoeval


class COCOeval(cocoeval.COCOeval):
    """Evaluate as pycocotools does, taking keypoint sigmas as mmpose passes them.

    Raises NotImplementedError for what only xtcocotools has: whole-body kinds, and annotations without areas.
    """

    def __init__(
        self,
        cocoGt: Any = None,
        cocoDt: Any = None,
        iouType: str = "keypoints",
        sigmas: Sequence[float] | None = None,
        use_area: bool = True,
    ) -> None:
        if iouType not in ("keypoints", "bbox", "segm") or not use_area:
            raise NotImplementedError(
                f"COCO evaluation of {iouType!r} with use_area={use_area} needs xtcocotools: install it from source"
            )
        super().__init__(cocoGt, cocoDt, iouType)
        if sigmas is not None:
            self.params.kpt_oks_sigmas = np.asarray(sigmas, dtype=np.float64)
