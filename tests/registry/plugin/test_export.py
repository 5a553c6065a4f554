"""Written networks give what the network gives, at other sizes too; forms whose packages are absent are skipped."""

from __future__ import annotations

import pytest
import torch
from test_manners import SMALL
from torch import nn

from registry.compat import TORCH
from registry.export import FORMS, ExportError, differences, missing_packages, write
from registry.micronet import MicroNet
from registry.ops.dynamic import DynamicConv2d

pytestmark = pytest.mark.skipif(TORCH < (2, 6), reason="exporting needs torch 2.6")


class Features(MicroNet):
    """Put out the last features alone; a classifier's BatchNorm would magnify what random weights hardly vary in."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return super().forward(x)[0]


@pytest.fixture(scope="module")
def net() -> nn.Module:
    """Return a small backbone whose running statistics are those of its images."""
    torch.manual_seed(0)
    net = Features(SMALL)
    for module in net.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.momentum = 1.0
    with torch.no_grad():
        net.train()(torch.randn(16, 3, 48, 64))
    return net.eval()


def images(*size: int) -> torch.Tensor:
    return torch.randn(*size, generator=torch.Generator().manual_seed(1))


@pytest.mark.slow
@pytest.mark.long
@pytest.mark.parametrize("form", FORMS)
def test_a_written_network_gives_what_the_network_gives(net, tmp_path, form):
    if lacking := missing_packages(form):
        pytest.skip(f"not installed: {', '.join(lacking)}")
    path = tmp_path / ("net" + FORMS[form][0])
    error = write(net, images(2, 3, 48, 64), form, path, [images(4, 3, 48, 64)] if form == "int8" else ())
    assert path.stat().st_size > 1000
    assert [p.name for p in tmp_path.iterdir()] == [path.name]
    assert error < (0.5 if form == "int8" else 1e-5)
    assert form != "int8" or error > 1e-6  # or nothing was quantized


@pytest.mark.parametrize("form", ["exported", "onnx"])
@pytest.mark.long
def test_batch_and_size_stay_free(net, tmp_path, form):
    if lacking := missing_packages(form):
        pytest.skip(f"not installed: {', '.join(lacking)}")
    from registry.export import _run

    path = tmp_path / "net"
    write(net, images(2, 3, 48, 64), form, path)
    for size in ((1, 3, 64, 64), (3, 3, 97, 50)):
        with torch.no_grad():
            wanted = net(images(*size))
        torch.testing.assert_close(_run(form, path, images(*size)), wanted, rtol=1e-4, atol=1e-5)


class Blind(nn.Module):
    """Put out one number for all images."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x.mean((1, 2, 3)) * 1e-9 + 1


def test_what_no_image_changes_is_not_compared(tmp_path):
    if lacking := missing_packages("onnx"):
        pytest.skip(f"not installed: {', '.join(lacking)}")
    found = differences(Blind(), [(2, 48, 64)], tmp_path)
    fault = "its output is nearly the same for any image, so that nothing can be compared"
    assert (found["exported"], found["onnx"]) == (fault, fault)


class Each(nn.Module):
    """Convolve each image by its own kernels."""

    def __init__(self, groups: int) -> None:
        super().__init__()
        self.first, self.second = (
            DynamicConv2d(3, 8, 3, 2, 1),
            DynamicConv2d(8, 16, 1 if groups == 1 else 3, 1, 0, groups),
        )

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.second(self.first(x))


@pytest.mark.long
@pytest.mark.parametrize("groups", [1, 8])
def test_kernels_of_each_image_are_written_for_any_number_of_images(tmp_path, groups):
    if lacking := missing_packages("onnx"):
        pytest.skip(f"not installed: {', '.join(lacking)}")
    found = differences(Each(groups), [(2, 48, 64), (3, 65, 50)], tmp_path)
    assert set(found) == {"exported", "onnx", "float32"}
    assert max(one.error for one in found.values()) < 1e-5
    assert max(one.rounding for one in found.values()) < 1e-5
    assert found["float32"].error > 0


def test_what_lacks_is_named(net, tmp_path, monkeypatch):
    with pytest.raises(ExportError, match="unknown form 'tflite'; known: exported"):
        write(net, images(2, 3, 48, 64), "tflite", tmp_path / "net")
    monkeypatch.setitem(FORMS, "onnx", (".onnx", ("no_such_package",)))
    with pytest.raises(ExportError, match="onnx needs no_such_package: pip install"):
        write(net, images(2, 3, 48, 64), "onnx", tmp_path / "net")
    assert list(tmp_path.iterdir()) == []
