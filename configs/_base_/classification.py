"""ImageNet classification at 224x224: the model frame that every row of Tables 2-7 builds on."""

_base_ = ["./imagenet.py", "./runtime.py"]

model = dict(
    type="Classifier",
    data_preprocessor=dict(type="ImgDataPreprocessor"),
    backbone=dict(type="MicroNet", arch="m1"),
    head=dict(type="ClassificationHead", channels=768, hidden=1024, classes=1000, dropout=0.05),
)
# Where the architecture comes from: printed, adjusted, official or ours.
construction = "printed"
