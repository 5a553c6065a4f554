"""Table 2, MobileNetV3 0.25x, two blocks fewer: 41.8 top-1, 1.2M parameters, 6M MAdds."""

_base_ = ["../_base_/classification.py", "../_base_/schedule_600e.py"]

model = dict(
    _delete_=True,
    type="NetClassifier",
    data_preprocessor=dict(type="ImgDataPreprocessor"),
    net=dict(type="MobileNetV3Small", width=0.25, divisor=4, shallow=True),
    head=dict(classes=1000),
)
construction = "ours"
notes = [
    "Which two blocks are removed is not printed: here the last repeat of the 40-channel and of the 96-channel stage."
]
