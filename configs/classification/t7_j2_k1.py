"""Table 7, J = 2, K = 1: 55.9 top-1, 2.2M parameters, 11.8M MAdds; ReLU follows, as K = 1."""

_base_ = ["../_base_/classification.py", "../_base_/schedule_300e.py"]

model = dict(backbone=dict(arch="m1", activation=dict(j=2, k=1)))
