"""Table 8, MicroNet-M2: Table 10's column as repaired, without the five rows that are M3's."""

_base_ = ["../micronet_m2.py"]

construction = "repaired"
notes = [
    "Five rows of Table 10's M2 column equal M3's on the same line, and with them two group counts do not divide. "
    "Repaired: without them. As printed: the nearest group count that divides stands in."
]
variants = dict(
    as_printed=dict(backbone=dict(arch="pose_m2_printed"), head=dict(arch="pose_m2_printed")),
    upsample_input=dict(head=dict(head=dict(base="pose_m2", upsample="input"))),
    upsample_output=dict(head=dict(head=dict(base="pose_m2", upsample="output"))),
    no_spatial_attention=dict(head=dict(head=dict(base="pose_m2", attention=False))),
)
