"""Table 8, MicroNet-M1."""

_base_ = ["../micronet_m1.py"]

construction = "printed"
# Where a head block upsamples is not said; between its group convolutions costs least. These are the other two.
variants = dict(
    upsample_input=dict(head=dict(head=dict(base="pose_m1", upsample="input"))),
    upsample_output=dict(head=dict(head=dict(base="pose_m1", upsample="output"))),
    no_spatial_attention=dict(head=dict(head=dict(base="pose_m1", attention=False))),
)
