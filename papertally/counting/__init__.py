"""Costs of any network: terms counted operator by operator, of a module, an exported program or an ONNX file."""
