"""Table 2, MicroNet-M2 with mutual learning: 65.7 top-1, 3.3M parameters, 21M MAdds."""

_base_ = ["./t2_micronet_m2.py"]

model = dict(type="MutualClassifier")
