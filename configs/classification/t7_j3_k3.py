"""Table 7, J = 3, K = 3: 59.1 top-1, 2.8M parameters, 15.3M MAdds."""

_base_ = ["../_base_/classification.py", "../_base_/schedule_300e.py"]

model = dict(backbone=dict(arch="m1", activation=dict(j=3, k=3)))
