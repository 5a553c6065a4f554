"""ICCV 2021's MicroNet-M3 as released: 62.5 top-1, 2.6M parameters, 21M MAdds."""

_base_ = ["../_base_/classification.py", "../_base_/schedule_600e.py"]

# The constants are its scripts': INIT_A 1.0,0.5 and INIT_B 0.0,0.5.
_activation = dict(
    shift="group_channel",
    sites=["A1"],
    relu_max=6.0,
    bare_last=True,
    constants=[[1.0, 0.0], [0.5, 0.5]],
)
model = dict(
    backbone=dict(arch="iccv2021_m3", wiring="official", activation=_activation),
    head=dict(channels=864, hidden=1024, dropout=0.1),
)
optim_wrapper = dict(optimizer=dict(lr=0.2, weight_decay=4e-5))
construction = "official"
notes = ["The released script also warms the learning rate up for 5 epochs."]
