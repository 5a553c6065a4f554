"""Table 2, WeightNet 8x on ShuffleNetV2 0.5x: 66.0 top-1, 2.7M parameters, 42M MAdds."""

_base_ = ["../_base_/classification.py", "../_base_/schedule_600e.py"]

model = dict(
    _delete_=True,
    type="NetClassifier",
    data_preprocessor=dict(type="ImgDataPreprocessor"),
    net=dict(type="WeightNet", m=8, g=1),
    head=dict(classes=1000),
)
construction = "ours"
notes = [
    "M = 8 and G = 1 in every unit; convolutions and linears alone are 42.0M, this rule adds one per ReLU element."
]
