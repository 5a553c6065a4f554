"""Table 7, J = 2, K = 3: 58.1 top-1, 2.6M parameters, 13.8M MAdds."""

_base_ = ["../_base_/classification.py", "../_base_/schedule_300e.py"]

model = dict(backbone=dict(arch="m1", activation=dict(j=2, k=3)))
