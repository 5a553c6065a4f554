"""MicroNet-M1 in mmpretrain: `mim train mmpretrain configs/examples/mmpretrain_micronet_m1.py`.

An example of the backbone and the paper's head in another framework; batch and schedule are mmpretrain's, so no row of
the paper. The paper's recipe: `python -m pipelines train --profile paper`.
"""

_base_ = [
    "mmpretrain::_base_/datasets/imagenet_bs64.py",
    "mmpretrain::_base_/schedules/imagenet_bs256.py",
    "mmpretrain::_base_/default_runtime.py",
]
custom_imports = dict(imports=["micronet_plugin"])

model = dict(
    type="ImageClassifier",
    backbone=dict(type="MicroNet", arch="m1"),
    head=dict(type="ClassificationHead", channels=768),
)
