"""Table 9, MobileNetV2 x0.5 with LR-ASPP: MobileNetV3's paper's row, half the filters in the last stage."""

_base_ = ["./_base_/micronet.py"]

model = dict(
    backbone=dict(_delete_=True, type="MobileSegBackbone", net="MobileNetV2x0.5"),
    decode_head=dict(
        _delete_=True,
        type="LiteRASPPHead",
        in_channels=(16, 80),
        num_classes=19,
        loss_decode=dict(type="CrossEntropyLoss", avg_non_ignore=True),
    ),
)
construction = "library"
