"""Table 2, MicroNet-M1 with mutual learning: 61.1 top-1, 2.4M parameters, 12M MAdds."""

_base_ = ["./t2_micronet_m1.py"]

model = dict(type="MutualClassifier")
