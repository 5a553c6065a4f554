"""MicroNet-M3 with MR-ASPP for Cityscapes (Table 9): `mim train mmsegmentation configs/segmentation/micronet_m3.py`."""

_base_ = ["./_base_/micronet.py"]

model = dict(backbone=dict(arch="seg_m3"), decode_head=dict(arch="seg_m3"))
