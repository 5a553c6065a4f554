"""The smallest mmpose experiment on a MicroNet: one epoch of top-down heatmaps on a handful of images."""

custom_imports = dict(imports=["micronet_plugin"])
default_scope = "mmpose"
codec = dict(type="MSRAHeatmap", input_size=(48, 64), heatmap_size=(12, 16), sigma=1)
model = dict(
    type="TopdownPoseEstimator",
    data_preprocessor=dict(type="PoseDataPreprocessor"),
    backbone=dict(type="MicroNet", arch="m0", out_indices=(2,)),
    head=dict(
        type="HeatmapHead",
        in_channels=16,
        out_channels=17,
        deconv_out_channels=(16,),
        deconv_kernel_sizes=(4,),
        loss=dict(type="KeypointMSELoss", use_target_weight=True),
        decoder=codec,
    ),
)
data_root = "data/pose/"
pipeline = [
    dict(type="LoadImage"),
    dict(type="GetBBoxCenterScale"),
    dict(type="TopdownAffine", input_size=codec["input_size"]),
    dict(type="GenerateTarget", encoder=codec),
    dict(type="PackPoseInputs"),
]
train_dataloader = dict(
    batch_size=2,
    num_workers=0,
    sampler=dict(type="DefaultSampler", shuffle=True),
    dataset=dict(
        type="CocoDataset",
        data_root=data_root,
        data_mode="topdown",
        ann_file="annotations.json",
        data_prefix=dict(img="images/"),
        pipeline=pipeline,
    ),
)
train_cfg = dict(by_epoch=True, max_epochs=1)
optim_wrapper = dict(optimizer=dict(type="Adam", lr=1e-3))
default_hooks = dict(checkpoint=dict(type="CheckpointHook", interval=1))
