"""mmpose plugins (section 6.1): the MicroNet pose head, Table 8's baselines, and COCO with clear errors.

Name this module in `custom_imports`.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from mmengine.model import BaseModule
from torch import Tensor, nn

from ..arch import get_arch
from ..inputs.errors import DataError, check_finite
from ..inputs.files import shown
from ..inputs.images import check_image, decode_fault
from ..ops import temperature  # noqa: F401  registers the hook
from ..ops.attention import SpatialAttention
from . import augment  # noqa: F401  registers the transform
from .coco import KEYPOINTS, check_coco
from .head import HeadPlan
from .mobile import mobile_backbone, mobile_head

# isort: split
from mmpose.datasets.datasets.body.coco_dataset import CocoDataset
from mmpose.models.heads.heatmap_heads.heatmap_head import HeatmapHead
from mmpose.registry import DATASETS, MODELS

INIT = [
    {"type": "Kaiming", "layer": "Conv2d", "mode": "fan_out", "nonlinearity": "relu"},
    {"type": "Normal", "layer": "Linear", "std": 0.01},
    {"type": "Constant", "layer": ["_BatchNorm"], "val": 1},
    {"type": "Normal", "std": 0.001, "override": {"type": "Normal", "name": "final_layer", "std": 0.001}},
]


class _BlocksHead(HeatmapHead):
    """Predict heatmaps through blocks that upsample, then one pointwise convolution."""

    def __init__(self, blocks: nn.Module, channels: int, out_channels: int, init_cfg: Any, **kwargs: Any) -> None:
        super().__init__(
            channels,
            out_channels,
            deconv_out_channels=None,
            final_layer={"kernel_size": 1},
            init_cfg=INIT if init_cfg is None else init_cfg,
            **kwargs,
        )
        self.blocks = blocks

    def init_weights(self) -> None:
        """Initialize as configured, but attention to the same weight everywhere."""
        super().init_weights()
        for module in self.modules():
            if isinstance(module, SpatialAttention):
                module.reset_parameters()

    def decode(self, batch_outputs: Any) -> Any:
        """Return keypoints of heatmaps. Raises DivergedError for heatmaps that are not finite."""
        check_finite(*([batch_outputs] if isinstance(batch_outputs, Tensor) else batch_outputs), what="heatmaps")
        return super().decode(batch_outputs)

    def forward(self, feats: Sequence[Tensor]) -> Tensor:
        """Return heatmaps (N, K, 4H, 4W), or (N, K, 8H, 8W) after a stride of 32, of features (N, C, H, W)."""
        return self.final_layer(self.blocks(feats[-1]))


@MODELS.register_module()
class MicroPoseHead(_BlocksHead):
    """Upsample by three Micro-Blocks, the second Micro-A without expansion (section 6.1, Table 10).

    arch: the backbone's; head: pose_m0 ... pose_m3, pose_m2_printed, or {'base': name, 'upsample', 'attention'}.
    `loss` and `decoder` are HeatmapHead's. Raises ValueError for an unknown name or setting.
    """

    def __init__(
        self,
        arch: Any = "pose_m0",
        head: Any = None,
        activation: dict | None = None,
        out_channels: int = KEYPOINTS,
        init_cfg: Any = None,
        **kwargs: Any,
    ) -> None:
        plan = HeadPlan(get_arch(arch), arch if head is None else head, activation)
        super().__init__(plan.build(), plan.out_channels, out_channels, init_cfg, **kwargs)


@MODELS.register_module()
class MobileBackbone(BaseModule):
    """Compute MobileNet features at stride 32, each layer dynamic (Table 8's baselines).

    net: MobileNetV2x0.5 or MobileNetV3Small; dynamic: conv, relu or None. Returns ((N, C, H/32, W/32),).
    """

    def __init__(self, net: str = "MobileNetV2x0.5", dynamic: str | None = None, init_cfg: Any = None) -> None:
        super().__init__(init_cfg)
        self.features, self.out_channels = mobile_backbone(net, dynamic)

    def forward(self, x: Tensor) -> tuple[Tensor]:
        """Return the last features."""
        return (self.features(x),)


@MODELS.register_module()
class MobilePoseHead(_BlocksHead):
    """Upsample by three Mobile-Blocks: our construction of Table 8's head, whose widths the paper does not print."""

    def __init__(
        self,
        in_channels: int,
        dynamic: str | None = None,
        out_channels: int = KEYPOINTS,
        init_cfg: Any = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(mobile_head(in_channels, dynamic), 128, out_channels, init_cfg, **kwargs)


@DATASETS.register_module()
class CocoKeypoints(CocoDataset):
    """Serve COCO keypoints as mmpose's CocoDataset does, stopping with one clear line where files are not right.

    Raises DataError before training for a file, an entry or an image that is missing, cut off or malformed
    (registry.pose.coco), and in training for an image that has become so.
    """

    def full_init(self) -> None:
        """Check the files, then load them."""
        if not self._fully_initialized:
            check_coco(self.ann_file, self.data_prefix["img"], self.bbox_file)
        super().full_init()

    def prepare_data(self, idx: int) -> Any:
        """Return an item; OpenCV would fill a truncated JPEG up with grey, silently."""
        path = self.get_data_info(idx)["img_path"]
        check_image(path)
        try:
            return super().prepare_data(idx)
        except Exception:
            if fault := decode_fault(Path(path).read_bytes()):
                raise DataError(f"error: {shown(path)}: {fault}; unpack it anew") from None
            raise
