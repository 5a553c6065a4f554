"""Table 2, MicroNet-M1 stand-alone: 59.4 top-1, 2.4M parameters, 12M MAdds."""

_base_ = ["../_base_/classification.py", "../_base_/schedule_600e.py"]

model = dict(backbone=dict(arch="m1"))
# The released code's 12M model (its M2): extra shuffles, another shift, ReLU6 at the first A1.
_activation = dict(shift="group_channel", first_a1=False, relu_max=6.0)
variants = dict(official=dict(backbone=dict(wiring="official", activation=_activation)))
