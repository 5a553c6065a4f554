"""Cityscapes fine, 19 classes, whole images in the test. CITYSCAPES_ROOT moves the data folder."""

dataset_type = "CityscapesScenes"
data_root = "{{$CITYSCAPES_ROOT:data/cityscapes}}"
# Section 6.2 uses "the data augmentation in [4]" (DeepLabV3): scale 0.5-2.0, flip, and on Cityscapes crops of 769.
crop_size = (769, 769)

train_pipeline = [
    dict(type="LoadScene"),
    dict(type="LoadTrainIds"),
    dict(type="RandomResize", scale=(2048, 1024), ratio_range=(0.5, 2.0), keep_ratio=True),
    dict(type="RandomCrop", crop_size=crop_size),
    dict(type="RandomFlip", prob=0.5),
    dict(type="PackSegInputs"),
]
test_pipeline = [
    dict(type="LoadScene"),
    dict(type="LoadTrainIds"),
    dict(type="PackSegInputs"),
]

# 16 images a step, as [4]: the paper does not print it.
train_dataloader = dict(
    batch_size=16,
    num_workers=8,
    persistent_workers=True,
    drop_last=True,
    sampler=dict(type="DefaultSampler", shuffle=True),
    dataset=dict(
        type=dataset_type,
        data_root=data_root,
        data_prefix=dict(img_path="leftImg8bit/train", seg_map_path="gtFine/train"),
        pipeline=train_pipeline,
    ),
)
val_dataloader = dict(
    batch_size=1,
    num_workers=4,
    persistent_workers=True,
    sampler=dict(type="DefaultSampler", shuffle=False),
    dataset=dict(
        type=dataset_type,
        data_root=data_root,
        data_prefix=dict(img_path="leftImg8bit/val", seg_map_path="gtFine/val"),
        test_mode=True,
        pipeline=test_pipeline,
    ),
)
test_dataloader = val_dataloader
val_evaluator = dict(type="IoUMetric", iou_metrics=["mIoU"])
test_evaluator = val_evaluator
