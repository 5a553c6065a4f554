"""Table 2, ShuffleNetV2 0.5x: 60.3 top-1, 1.4M parameters, 41M MAdds."""

_base_ = ["../_base_/classification.py", "../_base_/schedule_600e.py"]

model = dict(
    _delete_=True,
    type="NetClassifier",
    data_preprocessor=dict(type="ImgDataPreprocessor"),
    net=dict(type="ShuffleNetV2x0.5"),
    head=dict(classes=1000),
)
construction = "library"
