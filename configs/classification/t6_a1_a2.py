"""Table 6, Dynamic Shift-Max at A1 and A2: 56.6 top-1, 2.2M parameters, 11.5M MAdds."""

_base_ = ["../_base_/classification.py", "../_base_/schedule_300e.py"]

model = dict(backbone=dict(arch="m1", activation=dict(sites=("A1", "A2"))))
