"""mmsegmentation plugins (section 6.2): MicroNets at stride 16, MR-ASPP, Table 9's baselines, Cityscapes with errors.

Name this module in `custom_imports`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from mmengine.model import BaseModule
from torch import Tensor, nn

from ..inputs.errors import check_finite
from ..inputs.images import check_image
from ..micronet import DEFAULT_INIT, MicroNet
from ..ops import temperature  # noqa: F401  registers the hook
from ..ops.attention import SpatialAttention
from .aspp import CHANNELS, MRASPPPlan, get_reading
from .cityscapes import check_headers, check_ids, check_size, pairs, read_label, unreadable
from .mobile_seg import FILTERS, LRASPP, mobile_features

# isort: split
from mmcv.transforms import LoadImageFromFile
from mmseg.datasets import CityscapesDataset
from mmseg.datasets.transforms import LoadAnnotations
from mmseg.models.decode_heads.decode_head import BaseDecodeHead
from mmseg.registry import DATASETS, MODELS, TRANSFORMS

INIT = [*DEFAULT_INIT, {"type": "Normal", "std": 0.01, "override": {"type": "Normal", "name": "conv_seg", "std": 0.01}}]


@MODELS.register_module()
class SegMicroNet(MicroNet):
    """Compute MicroNet features at strides 8 and 16, nothing at 32 (section 6.2).

    arch: seg_m0 ... seg_m3, or any whose fourth stride is gone; reading: MR-ASPP's, which says what the stride-8
    feature is. Further arguments are MicroNet's.
    """

    def __init__(self, arch: Any = "seg_m0", reading: str = "fitted", **kwargs: Any) -> None:
        super().__init__(arch, out_indices=(2, 3), **kwargs)
        self.bottleneck = get_reading(reading).low == "bottleneck"
        self.low_block = next(block for block, stage in self._last_of_stage.items() if stage == 2) - 1

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Return features (N, C8, H/8, W/8) and (N, C16, H/16, W/16) of images (N, 3, H, W)."""
        x, narrow = self.stem(x), None
        for i, block in enumerate(self.blocks):
            x, narrow = self.run_block(block, x, narrow)
            if i == self.low_block:
                low = narrow if self.bottleneck else x
        return low, x


class _FiniteHead(BaseDecodeHead):
    """Refuse logits that are not finite where classes are read off them."""

    def predict_by_feat(self, seg_logits: Tensor, batch_img_metas: list[dict]) -> Tensor:
        """Return logits at the images' size. Raises DivergedError for logits that are not finite."""
        check_finite(seg_logits, what="logits")
        return super().predict_by_feat(seg_logits, batch_img_metas)


@MODELS.register_module()
class MRASPPHead(_FiniteHead):
    """Predict class logits (N, 19, H/8, W/8) by MR-ASPP (section 6.2).

    arch and reading: the backbone's; losses and upsampling to the labels are BaseDecodeHead's. No dropout, as in the
    LR-ASPP heads that it is compared with; mmsegmentation's default is 0.1. Raises ValueError for an unknown name.
    """

    def __init__(
        self,
        arch: Any = "seg_m0",
        reading: str = "fitted",
        activation: Mapping[str, Any] | None = None,
        channels: int = CHANNELS,
        attention: bool = True,
        dropout_ratio: float = 0.0,
        init_cfg: Any = None,
        **kwargs: Any,
    ) -> None:
        plan = MRASPPPlan(arch, reading, activation, channels, attention)
        super().__init__(
            (plan.low_channels, plan.high_channels),
            channels,
            in_index=(0, 1),
            input_transform="multiple_select",
            dropout_ratio=dropout_ratio,
            init_cfg=INIT if init_cfg is None else init_cfg,
            **kwargs,
        )
        self.aspp = plan.build()

    def init_weights(self) -> None:
        """Initialize as configured, but attention to the same weight everywhere."""
        super().init_weights()
        for module in self.modules():
            if isinstance(module, SpatialAttention):
                module.reset_parameters()

    def forward(self, inputs: Sequence[Tensor]) -> Tensor:
        """Return class logits at the stride of the first features."""
        return self.cls_seg(self.aspp(*self._transform_inputs(inputs)))


@MODELS.register_module()
class MobileSegBackbone(BaseModule):
    """Compute MobileNet features at strides 8 and 16: MobileNetV2x0.5 or MobileNetV3Small (Table 9's baselines)."""

    def __init__(self, net: str = "MobileNetV3Small", init_cfg: Any = None) -> None:
        super().__init__(init_cfg)
        self.features, self.out_channels = mobile_features(net)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Return both features."""
        return self.features(x)


@MODELS.register_module()
class LiteRASPPHead(_FiniteHead):
    """Predict class logits by torchvision's LR-ASPP with 128 filters, which pools whole images of any size.

    mmsegmentation's LRASPPHead pools by 49 x 49 windows and needs inputs that large.
    """

    def __init__(self, in_channels: Sequence[int], num_classes: int = 19, init_cfg: Any = None, **kwargs: Any) -> None:
        super().__init__(
            in_channels,
            FILTERS,
            num_classes=num_classes,
            in_index=(0, 1),
            input_transform="multiple_select",
            dropout_ratio=0.0,
            init_cfg=INIT[:-1] if init_cfg is None else init_cfg,
            **kwargs,
        )
        self.aspp = LRASPP(*in_channels, num_classes)
        self.conv_seg = nn.Identity()  # LR-ASPP has a classifier on each branch

    def forward(self, inputs: Sequence[Tensor]) -> Tensor:
        """Return class logits at the stride of the first features."""
        return self.aspp(*self._transform_inputs(inputs))


@DATASETS.register_module()
class CityscapesScenes(CityscapesDataset):
    """Serve Cityscapes as mmsegmentation's CityscapesDataset does, stopping with one clear line where files are wrong.

    Raises DataError before training for a missing pair, or a file that is cut off, of another size or no label.
    """

    def load_data_list(self) -> list[dict]:
        """Check all pairs, then list them: links are followed, hidden files left out."""
        found = pairs(self.data_prefix["img_path"], self.data_prefix["seg_map_path"])
        check_headers(found)
        listed = [
            {
                "img_path": str(image),
                "seg_map_path": str(label),
                "label_map": self.label_map,
                "reduce_zero_label": self.reduce_zero_label,
                "seg_fields": [],
            }
            for image, label in found
        ]
        return sorted(listed, key=lambda item: item["img_path"])


@TRANSFORMS.register_module()
class LoadScene(LoadImageFromFile):
    """Load an image; raises DataError naming a file that is truncated or none."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**{"imdecode_backend": "pillow", **kwargs})  # OpenCV fills a truncated PNG up silently

    def transform(self, results: dict) -> dict | None:
        """Add the image (H, W, 3) BGR and its shapes."""
        check_image(results["img_path"])
        try:
            return super().transform(results)
        except Exception as error:  # Pillow's decoders raise nearly every kind
            raise unreadable(results["img_path"], error) from None


@TRANSFORMS.register_module()
class LoadTrainIds(LoadAnnotations):
    """Load labels; raises DataError naming a file that is truncated, of another size, or has ids but 0-18 and 255."""

    def _load_seg_map(self, results: dict) -> None:
        path = results["seg_map_path"]
        label: np.ndarray = read_label(path)
        if "ori_shape" in results:
            check_size(path, label.shape, results["ori_shape"])
        check_ids(label, path)
        if results.get("label_map") is not None:  # a subset of the classes
            before = label.copy()
            for old, new in results["label_map"].items():
                label[before == old] = new
        results["gt_seg_map"] = label
        results["seg_fields"].append("gt_seg_map")
