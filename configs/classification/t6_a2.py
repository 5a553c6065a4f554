"""Table 6, Dynamic Shift-Max at A2 alone: 53.3 top-1, 2.0M parameters, 10.6M MAdds."""

_base_ = ["../_base_/classification.py", "../_base_/schedule_300e.py"]

model = dict(backbone=dict(arch="m1", activation=dict(sites=("A2",))))
