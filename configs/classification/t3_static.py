"""Table 3, static Shift-Max (learned a of Eq. 5): 54.4 top-1, 1.9M parameters, 11.8M MAdds."""

_base_ = ["../_base_/classification.py", "../_base_/schedule_300e.py"]

model = dict(backbone=dict(arch="m1", activation=dict(type="StaticShiftMax")))
