"""Table 2, MobileNetV3 0.5x with the butterfly transform: 55.2 top-1, 15M MAdds."""

_base_ = ["../_base_/classification.py", "../_base_/schedule_600e.py"]

model = dict(
    _delete_=True,
    type="NetClassifier",
    data_preprocessor=dict(type="ImgDataPreprocessor"),
    net=dict(type="ButterflyMobileNetV3Small", width=0.5),
    head=dict(classes=1000),
)
construction = "ours"
notes = [
    "Butterflies of gcd(C_in, C_out) channels replace the blocks' pointwise convolutions; the layout is not printed."
]
