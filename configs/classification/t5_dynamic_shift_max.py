"""Table 5, Dynamic Shift-Max at J = K = 2: 58.5 top-1, 2.4M parameters, 12.4M MAdds (also in Tables 3, 6 and 7)."""

_base_ = ["../_base_/classification.py", "../_base_/schedule_300e.py"]

model = dict(backbone=dict(arch="m1", activation=dict(type="DynamicShiftMax")))
