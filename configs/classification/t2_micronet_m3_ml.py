"""Table 2, MicroNet-M3 with mutual learning: 71.2 top-1, 4.5M parameters, 44M MAdds."""

_base_ = ["./t2_micronet_m3.py"]

model = dict(type="MutualClassifier")
