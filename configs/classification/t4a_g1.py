"""Table 4a, fixed G = 1: 48.8 top-1, 1.3M parameters, 10.6M MAdds."""

_base_ = ["../_base_/classification.py", "../_base_/schedule_300e.py"]

model = dict(
    backbone=dict(
        arch=dict(_delete_=True, solve=dict(madds=10.6e6, groups=1)),
        activation=dict(type="ReLU"),
    ),
    head=dict(_delete_=True, type="ClassificationHead", hidden=1024, classes=1000, dropout=0.05),
)
construction = "ours, solved to the printed MAdds"
notes = ["The paper prints no widths: M1 scaled by one multiplier to the printed MAdds (registry/ablations.py)."]
