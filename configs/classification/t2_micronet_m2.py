"""Table 2, MicroNet-M2 stand-alone: 64.1 top-1, 3.3M parameters, 21M MAdds."""

_base_ = ["../_base_/classification.py", "../_base_/schedule_600e.py"]

model = dict(backbone=dict(arch="m2"), head=dict(channels=864, dropout=0.1))
optim_wrapper = dict(optimizer=dict(weight_decay=4e-5))
# The reading of Table 1 that reaches the printed totals: fitted to two numbers, so weak evidence.
variants = dict(adjusted=dict(backbone=dict(arch="m2_adjusted")))
notes = ["Table 1 as it reads does not reach the printed totals; see known issue m2_m3_totals."]
