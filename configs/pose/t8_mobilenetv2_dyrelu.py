"""Table 8, MobileNetV2 x0.5 with Dynamic ReLU in backbone and head; the head's widths are our construction."""

_base_ = ["./_base_/micronet.py"]

model = dict(
    backbone=dict(_delete_=True, type="MobileBackbone", net="MobileNetV2x0.5", dynamic="relu"),
    head=dict(
        _delete_=True,
        type="MobilePoseHead",
        in_channels=1280,
        dynamic="relu",
        out_channels=17,
        loss=dict(type="KeypointMSELoss", use_target_weight=True),
        decoder={{_base_.codec}},
    ),
)
construction = "ours: head widths"
notes = ["The paper prints no widths of the head: three inverted residual blocks (768-256, 768-128, 384-128, k = 5)."]
