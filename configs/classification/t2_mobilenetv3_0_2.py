"""Table 2, MobileNetV3 0.2x, the authors' own: 41.1 top-1, 1.2M parameters, 6M MAdds."""

_base_ = ["../_base_/classification.py", "../_base_/schedule_600e.py"]

model = dict(
    _delete_=True,
    type="NetClassifier",
    data_preprocessor=dict(type="ImgDataPreprocessor"),
    net=dict(type="MobileNetV3Small", width=0.2, divisor=4),
    head=dict(classes=1000),
)
construction = "ours"
notes = ["Only the width is printed; channels are rounded to multiples of 4, which comes nearest to 6M."]
