"""ICCV 2021's MicroNet-M2 as released: 59.4 top-1, 2.4M parameters, 12M MAdds."""

_base_ = ["../_base_/classification.py", "../_base_/schedule_600e.py"]

_activation = dict(shift="group_channel", first_a1=False, relu_max=6.0)
model = dict(
    backbone=dict(arch="iccv2021_m2", wiring="official", activation=_activation),
    head=dict(channels=768, hidden=1024, dropout=0.1),
)
optim_wrapper = dict(optimizer=dict(lr=0.2, weight_decay=3e-5))
construction = "official"
