"""Table 2, MicroNet-M0 stand-alone: 51.4 top-1, 1.8M parameters, 6M MAdds."""

_base_ = ["../_base_/classification.py", "../_base_/schedule_600e.py"]

model = dict(backbone=dict(arch="m0"), head=dict(channels=576, hidden=960))
# The released code's 6M model (its M1): extra shuffles, another shift, ReLU6 at the first A1.
_activation = dict(shift="group_channel", first_a1=False, relu_max=6.0)
variants = dict(official=dict(backbone=dict(wiring="official", activation=_activation)))
