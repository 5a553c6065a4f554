"""Table 9, MobileNetV3-small with LR-ASPP: MobileNetV3's paper's row, half the filters in the last stage."""

_base_ = ["./_base_/micronet.py"]

model = dict(
    backbone=dict(_delete_=True, type="MobileSegBackbone", net="MobileNetV3Small"),
    decode_head=dict(
        _delete_=True,
        type="LiteRASPPHead",
        in_channels=(24, 288),
        num_classes=19,
        loss_decode=dict(type="CrossEntropyLoss", avg_non_ignore=True),
    ),
)
construction = "library"
