"""Table 2, ShuffleNetV2 with the butterfly transform: 57.8 top-1, 21M MAdds."""

_base_ = ["../_base_/classification.py", "../_base_/schedule_600e.py"]

model = dict(
    _delete_=True,
    type="NetClassifier",
    data_preprocessor=dict(type="ImgDataPreprocessor"),
    net=dict(type="ButterflyShuffleNetV2", channels=(32, 64, 128)),
    head=dict(classes=1000),
)
construction = "ours, solved to the printed MAdds"
notes = ["No width is printed: stages c, 2c, 4c with the multiple of 8 that comes nearest to 21M."]
