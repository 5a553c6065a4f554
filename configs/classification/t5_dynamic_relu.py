"""Table 5, Dynamic ReLU: 56.0 top-1, 2.4M parameters, 11.8M MAdds."""

_base_ = ["../_base_/classification.py", "../_base_/schedule_300e.py"]

model = dict(backbone=dict(arch="m1", activation=dict(type="DynamicReLU")))
variants = dict(own=dict(backbone=dict(activation=dict(rivals="own"))))
