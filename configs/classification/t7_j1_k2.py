"""Table 7, J = 1, K = 2: 55.5 top-1, 2.2M parameters, 11.2M MAdds."""

_base_ = ["../_base_/classification.py", "../_base_/schedule_300e.py"]

model = dict(backbone=dict(arch="m1", activation=dict(j=1, k=2)))
