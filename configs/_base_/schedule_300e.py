"""Section 5.3's schedule for ablations: section 5.1's with 300 epochs."""

_base_ = ["./schedule_600e.py"]
train_cfg = dict(max_epochs=300)
param_scheduler = dict(end=300)
