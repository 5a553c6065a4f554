"""Table 6, Dynamic Shift-Max at A2 and A3: 55.5 top-1, 2.2M parameters, 11.4M MAdds."""

_base_ = ["../_base_/classification.py", "../_base_/schedule_300e.py"]

model = dict(backbone=dict(arch="m1", activation=dict(sites=("A2", "A3"))))
