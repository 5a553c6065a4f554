"""MicroNet-M1 for COCO keypoints (Tables 8 and 10): `mim train mmpose configs/micronet_m1.py`."""

_base_ = ["./pose/_base_/micronet.py"]

model = dict(backbone=dict(arch="pose_m1"), head=dict(arch="pose_m1"))
