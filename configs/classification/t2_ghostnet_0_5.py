"""Table 2, GhostNet 0.5x: 66.2 top-1, 2.6M parameters, 42M MAdds."""

_base_ = ["../_base_/classification.py", "../_base_/schedule_600e.py"]

model = dict(
    _delete_=True,
    type="NetClassifier",
    data_preprocessor=dict(type="ImgDataPreprocessor"),
    net=dict(type="GhostNet0.5"),
    head=dict(classes=1000),
)
construction = "library"
notes = ["Convolutions and linears alone are 42.3M; this rule adds one per ReLU element."]
