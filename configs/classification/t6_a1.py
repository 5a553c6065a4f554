"""Table 6, Dynamic Shift-Max at A1 alone: 55.9 top-1, 2.1M parameters, 11.3M MAdds."""

_base_ = ["../_base_/classification.py", "../_base_/schedule_300e.py"]

model = dict(backbone=dict(arch="m1", activation=dict(sites=("A1",))))
