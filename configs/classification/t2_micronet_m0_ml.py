"""Table 2, MicroNet-M0 with mutual learning: 53.0 top-1, 1.8M parameters, 6M MAdds."""

_base_ = ["./t2_micronet_m0.py"]

model = dict(type="MutualClassifier")
