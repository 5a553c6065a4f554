"""ICCV 2021's MicroNet-M1 as released: 51.4 top-1, 1.8M parameters, 6M MAdds."""

_base_ = ["../_base_/classification.py", "../_base_/schedule_600e.py"]

_activation = dict(shift="group_channel", first_a1=False, relu_max=6.0)
model = dict(
    backbone=dict(arch="iccv2021_m1", wiring="official", activation=_activation),
    head=dict(channels=576, hidden=960, dropout=0.05),
)
optim_wrapper = dict(optimizer=dict(lr=0.2, weight_decay=3e-5))
construction = "official"
