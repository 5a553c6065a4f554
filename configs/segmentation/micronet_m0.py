"""MicroNet-M0 with MR-ASPP for Cityscapes (Table 9): `mim train mmsegmentation configs/segmentation/micronet_m0.py`."""

_base_ = ["./_base_/micronet.py"]

model = dict(backbone=dict(arch="seg_m0"), decode_head=dict(arch="seg_m0"))
