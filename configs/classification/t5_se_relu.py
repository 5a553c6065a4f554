"""Table 5, SE+ReLU: 54.4 top-1, 2.1M parameters, 10.9M MAdds."""

_base_ = ["../_base_/classification.py", "../_base_/schedule_300e.py"]

model = dict(backbone=dict(arch="m1", activation=dict(type="SE")))
variants = dict(own=dict(backbone=dict(activation=dict(rivals="own"))))
