"""The frame of a segmentation MicroNet: strides 8 and 16 into MR-ASPP, 19 classes."""

_base_ = ["./cityscapes.py", "./schedule_240e.py", "./runtime.py"]

model = dict(
    type="EncoderDecoder",
    data_preprocessor=dict(
        type="SegDataPreProcessor",
        mean=[123.675, 116.28, 103.53],
        std=[58.395, 57.12, 57.375],
        bgr_to_rgb=True,
        pad_val=0,
        seg_pad_val=255,
        size={{_base_.crop_size}},
    ),
    backbone=dict(type="SegMicroNet", arch="seg_m0", reading="fitted"),
    decode_head=dict(
        type="MRASPPHead",
        arch="seg_m0",
        reading="fitted",
        num_classes=19,
        loss_decode=dict(type="CrossEntropyLoss", avg_non_ignore=True),
    ),
    train_cfg=dict(),
    test_cfg=dict(mode="whole"),
)
