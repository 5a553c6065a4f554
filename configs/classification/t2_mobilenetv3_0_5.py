"""Table 2, MobileNetV3 0.5x: 58.0 top-1, 1.6M parameters, 21M MAdds."""

_base_ = ["../_base_/classification.py", "../_base_/schedule_600e.py"]

model = dict(
    _delete_=True,
    type="NetClassifier",
    data_preprocessor=dict(type="ImgDataPreprocessor"),
    net=dict(type="MobileNetV3Small", width=0.5),
    head=dict(classes=1000),
)
construction = "library"
notes = ["All widths scale but the last layer's 1024, as the printed parameters ask."]
