"""The exported form gives the network's own values by fewer operators that quantizers and converters take."""

from __future__ import annotations

import pytest
import torch
from test_manners import SMALL
from torch import nn

from registry.compat import TORCH
from registry.export import exported_program, missing_packages, varied, write
from registry.micronet import MicroNet
from registry.ops.activations import DynamicReLU, SqueezeExcitation
from registry.ops.exported import ExportedShiftMax, ExportedStem, exported_form
from registry.ops.factorized import FactorizedStem
from registry.ops.shift_max import DynamicShiftMax, StaticShiftMax


class Features(MicroNet):
    """Put out the last features alone."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return super().forward(x)[0]


@pytest.mark.parametrize("gather", [False, True])
@pytest.mark.parametrize("shift", ["group", "group_channel"])
@pytest.mark.parametrize(("groups", "j", "k"), [(4, 2, 2), (3, 3, 1), (1, 2, 2), (2, 4, 3)])
def test_shift_max_keeps_its_values(groups, j, k, shift, gather):
    torch.manual_seed(0)
    x = varied(3, 7, 5, torch.Generator().manual_seed(1)).repeat(1, 4, 1, 1)
    static = StaticShiftMax(12, groups, j, k, shift)
    for layer in (DynamicShiftMax(12, groups, j, k, 4, shift), static, SqueezeExcitation(12, 4)):
        with torch.no_grad():
            for parameter in layer.parameters():
                parameter.normal_()
            torch.testing.assert_close(ExportedShiftMax(layer, gather)(x), layer(x), rtol=1e-5, atol=2e-6)


@pytest.mark.parametrize(("stride", "kernel"), [(2, 3), (1, 3), (2, 5)])
@pytest.mark.parametrize("size", [(8, 8), (9, 11), (7, 6)])
def test_the_stem_keeps_its_values_to_the_borders(stride, kernel, size):
    torch.manual_seed(0)
    stem = FactorizedStem(8, 4, kernel=kernel, stride=stride).build()
    for module in stem.modules():
        if isinstance(module, nn.BatchNorm2d):
            nn.init.normal_(module.bias)
            nn.init.uniform_(module.weight, 0.5, 2)
    with torch.no_grad():
        stem.train()(torch.randn(8, 3, 16, 16) + 1)
        images = torch.randn(2, 3, *size)
        form = exported_form(nn.Sequential(stem.eval()))
        assert isinstance(form[0], ExportedStem)
        torch.testing.assert_close(form(images), stem(images), rtol=1e-5, atol=1e-5)


def test_the_network_itself_stays():
    net = Features(SMALL).eval()
    before = [type(module) for module in net.modules()]
    form = exported_form(net)
    assert [type(module) for module in net.modules()] == before
    assert any(isinstance(module, ExportedShiftMax) for module in form.modules())


@pytest.mark.skipif(TORCH < (2, 6), reason="exporting needs torch 2.6")
def test_no_tensor_has_more_than_five_axes():
    torch.manual_seed(0)
    net = nn.Sequential(Features(SMALL), DynamicReLU(Features(SMALL).out_channels[-1]))
    nodes = exported_program(net.eval(), torch.randn(2, 3, 48, 64)).graph.nodes
    values = [node.meta["val"] for node in nodes if isinstance(node.meta.get("val"), torch.Tensor)]
    assert len(values) > 50
    assert max(value.dim() for value in values) <= 5


@pytest.mark.long
@pytest.mark.skipif(TORCH < (2, 6), reason="exporting needs torch 2.6")
def test_onnx_runtimes_quantizers_take_the_file(tmp_path):
    if lacking := missing_packages("onnx"):
        pytest.skip(f"not installed: {', '.join(lacking)}")
    import onnx
    from onnxruntime.quantization import quantize_dynamic

    torch.manual_seed(0)
    net, path = Features(SMALL).eval(), tmp_path / "net.onnx"
    write(net, torch.randn(2, 3, 48, 64), "onnx", path)
    model = onnx.load(path)
    assert not model.graph.value_info
    assert not any(node.metadata_props or node.doc_string for node in model.graph.node)
    quantize_dynamic(path, tmp_path / "int8.onnx")
    assert any(node.op_type == "MatMulInteger" for node in onnx.load(tmp_path / "int8.onnx").graph.node)
