"""Table 5, ReLU: 51.7 top-1, 1.8M parameters, 10.5M MAdds (also in Tables 3, 4 and 6)."""

_base_ = ["../_base_/classification.py", "../_base_/schedule_300e.py"]

model = dict(backbone=dict(arch="m1", activation=dict(type="ReLU")))
variants = dict(shuffled=dict(backbone=dict(wiring="shuffled")))
