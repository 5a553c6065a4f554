"""Table 6, Dynamic Shift-Max at A1 and A3: 57.9 top-1, 2.3M parameters, 12.2M MAdds."""

_base_ = ["../_base_/classification.py", "../_base_/schedule_300e.py"]

model = dict(backbone=dict(arch="m1", activation=dict(sites=("A1", "A3"))))
