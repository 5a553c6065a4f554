"""Table 6, Dynamic Shift-Max at A3 alone: 54.8 top-1, 2.1M parameters, 11.2M MAdds."""

_base_ = ["../_base_/classification.py", "../_base_/schedule_300e.py"]

model = dict(backbone=dict(arch="m1", activation=dict(sites=("A3",))))
