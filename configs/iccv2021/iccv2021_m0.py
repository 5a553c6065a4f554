"""ICCV 2021's MicroNet-M0 as released: 46.6 top-1, 1.0M parameters, 4M MAdds."""

_base_ = ["../_base_/classification.py", "../_base_/schedule_600e.py"]

_activation = dict(shift="group_channel", first_a1=False, relu_max=6.0)
model = dict(
    backbone=dict(arch="iccv2021_m0", wiring="official", activation=_activation),
    head=dict(channels=384, hidden=640, dropout=0.05),
)
optim_wrapper = dict(optimizer=dict(lr=0.2, weight_decay=3e-5))
construction = "official"
