"""MicroNet-M2 with MR-ASPP for Cityscapes (Table 9): `mim train mmsegmentation configs/segmentation/micronet_m2.py`."""

_base_ = ["./_base_/micronet.py"]

model = dict(backbone=dict(arch="seg_m2"), decode_head=dict(arch="seg_m2"))
