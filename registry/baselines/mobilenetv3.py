"""MobileNetV3-small at any width, by timm's blocks: Table 2's MobileNetV3 rows.

The layer list is Table 2 of the MobileNetV3 paper in timm's notation. timm's named models keep the stem at full width
below 0.75; here every width scales but the last fully connected layer's 1024, which fits the printed totals.
"""

from __future__ import annotations

from functools import partial

from timm.models._efficientnet_blocks import SqueezeExcite
from timm.models._efficientnet_builder import decode_arch_def, round_channels
from timm.models.mobilenetv3 import MobileNetV3
from torch import nn

STAGES = (
    ("ds_r1_k3_s2_e1_c16_se0.25_nre",),
    ("ir_r1_k3_s2_e4.5_c24_nre", "ir_r1_k3_s1_e3.67_c24_nre"),
    ("ir_r1_k5_s2_e4_c40_se0.25", "ir_r2_k5_s1_e6_c40_se0.25"),
    ("ir_r2_k5_s1_e3_c48_se0.25",),
    ("ir_r3_k5_s2_e6_c96_se0.25",),
    ("cn_r1_k1_s1_c576",),
)
#: MobileNetV3 0.25x of Table 2 removes two blocks without saying which: the last repeat of the two longest stages.
SHALLOW = (
    *STAGES[:2],
    ("ir_r1_k5_s2_e4_c40_se0.25", "ir_r1_k5_s1_e6_c40_se0.25"),
    STAGES[3],
    ("ir_r2_k5_s2_e6_c96_se0.25",),
    STAGES[5],
)


def mobilenetv3_small(width: float, divisor: int = 8, shallow: bool = False, classes: int = 1000) -> nn.Module:
    """Build MobileNetV3-small mapping (N, 3, H, W) to logits (N, classes).

    width multiplies the channels, rounded to multiples of `divisor`; `shallow` leaves two blocks out (Table 2).
    """
    rounded = partial(round_channels, divisor=divisor)
    return MobileNetV3(
        block_args=decode_arch_def([list(stage) for stage in (SHALLOW if shallow else STAGES)]),
        num_classes=classes,
        num_features=1024,
        stem_size=16,
        fix_stem=False,
        round_chs_fn=partial(rounded, multiplier=width),
        act_layer=nn.Hardswish,
        se_layer=partial(SqueezeExcite, gate_layer="hard_sigmoid", force_act_layer=nn.ReLU, rd_round_fn=rounded),
    )
