"""Table 7, J = 1, K = 1: 54.4 top-1, 2.1M parameters, 10.9M MAdds; ReLU follows, as K = 1."""

_base_ = ["../_base_/classification.py", "../_base_/schedule_300e.py"]

model = dict(backbone=dict(arch="m1", activation=dict(j=1, k=1)))
