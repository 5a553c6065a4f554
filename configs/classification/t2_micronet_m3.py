"""Table 2, MicroNet-M3 stand-alone: 69.8 top-1, 4.5M parameters, 44M MAdds."""

_base_ = ["../_base_/classification.py", "../_base_/schedule_600e.py"]

model = dict(backbone=dict(arch="m3"), head=dict(channels=768, dropout=0.1), label_smoothing=0.1)
optim_wrapper = dict(optimizer=dict(weight_decay=4e-5))
train_dataloader = dict(collate_fn=dict(alpha=0.2))
# The reading of Table 1 that reaches the printed totals: fitted to two numbers, so weak evidence.
variants = dict(adjusted=dict(backbone=dict(arch="m3_adjusted"), head=dict(hidden=960)))
notes = ["Table 1 as it reads does not reach the printed totals; see known issue m2_m3_totals."]
