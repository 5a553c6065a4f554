"""The second reading of section 6.1's augmentation: scale and rotation as the code of [28] (HRNet) draws them."""

from __future__ import annotations

import numpy as np

# isort: split
from mmpose.datasets.transforms.common_transforms import RandomBBoxTransform
from mmpose.registry import TRANSFORMS


@TRANSFORMS.register_module()
class ClippedBBoxTransform(RandomBBoxTransform):
    """Scale and rotate boxes by normals that are clipped, where mmpose draws truncated ones within the ranges.

    With scale_factor (0.65, 1.35) and rotate_factor 45: scale clip(1 + 0.35 N, 0.65, 1.35), rotation clip(45 N, -90,
    90) degrees, so that rotations reach twice the printed range. Source: lib/dataset/JointsDataset.py of
    github.com/leoxiaobin/deep-high-resolution-net.pytorch.
    """

    @staticmethod
    def _truncnorm(low: float = -1.0, high: float = 1.0, size: tuple = ()) -> np.ndarray:
        """Return normals (n, 4) of shift (2), scale and rotation, clipped at 1, the rotation's at 2."""
        drawn = np.random.standard_normal(size)  # noqa: NPY002  the generator that mmengine seeds
        return np.clip(drawn, [-1, -1, -1, -2], [1, 1, 1, 2]).astype(np.float32)
