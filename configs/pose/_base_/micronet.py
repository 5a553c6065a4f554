"""The frame of a pose MicroNet: top-down heatmaps at stride 4 of a 256x192 box, flip test."""

_base_ = ["./coco.py", "./schedule_250e.py", "./runtime.py"]

model = dict(
    type="TopdownPoseEstimator",
    data_preprocessor=dict(
        type="PoseDataPreprocessor", mean=[123.675, 116.28, 103.53], std=[58.395, 57.12, 57.375], bgr_to_rgb=True
    ),
    backbone=dict(type="MicroNet", arch="pose_m0"),
    head=dict(
        type="MicroPoseHead",
        arch="pose_m0",
        out_channels=17,
        loss=dict(type="KeypointMSELoss", use_target_weight=True),
        decoder={{_base_.codec}},
    ),
    test_cfg=dict(flip_test=True, flip_mode="heatmap", shift_heatmap=True),
)
