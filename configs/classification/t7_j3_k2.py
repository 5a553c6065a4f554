"""Table 7, J = 3, K = 2: 59.0 top-1, 2.6M parameters, 14.2M MAdds."""

_base_ = ["../_base_/classification.py", "../_base_/schedule_300e.py"]

model = dict(backbone=dict(arch="m1", activation=dict(j=3, k=2)))
