"""RetinaNet on MicroNet-M1 for COCO detection: `mim train mmdet configs/examples/retinanet_micronet_m1.py`.

No row of the paper: an example of the backbone in another framework. Testing needs full mmcv (NMS is compiled).
"""

_base_ = [
    "mmdet::_base_/models/retinanet_r50_fpn.py",
    "mmdet::_base_/datasets/coco_detection.py",
    "mmdet::_base_/schedules/schedule_1x.py",
    "mmdet::_base_/default_runtime.py",
]
custom_imports = dict(imports=["micronet_plugin"])

model = dict(
    # strides 8, 16 and 32; init_cfg=dict(type="Pretrained", checkpoint="...") takes a trained classifier's weights
    backbone=dict(_delete_=True, type="MicroNet", arch="m1", out_indices=(2, 3, 4)),
    neck=dict(in_channels=[144, 384, 768], start_level=0),
)
