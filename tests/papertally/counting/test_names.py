"""Networks are found by name and counted at the input that is asked for; what is wrong is one line."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from papertally.counting.names import build_network, measure, parse_network
from pipelines.common import PipelineError

SOURCE = """
from torch import nn

class Small(nn.Module):
    def __init__(self, width=4, settings=None):
        super().__init__()
        self.stem = nn.Conv2d(3, width, 3, 2, 1)
        self.head = nn.Linear(width, 10)
        self.settings = settings

    def forward(self, x):
        return self.head(self.stem(x).relu().mean((2, 3)))

def broken(width):
    raise RuntimeError("first line\\nsecond line")
"""


@pytest.fixture
def folder(tmp_path, monkeypatch):
    (tmp_path / "some_own_nets.py").write_text(SOURCE)
    return tmp_path


@pytest.mark.slow
@pytest.mark.parametrize("size", [(3, 96, 96), (3, 224, 224), (3, 32, 64)])
def test_the_input_decides_the_products(size):
    found = measure("timm:mobilenetv2_050", size).counted
    small = measure("timm:mobilenetv2_050", (3, 32, 32)).counted
    assert found.params == small.params
    assert found.terms["conv"] == small.terms["conv"] * (size[1] // 32) * (size[2] // 32)


@pytest.mark.slow
def test_without_an_input_the_librarys_own_is_taken_and_told():
    found = measure("torchvision:inception_v3")
    assert found.size == (3, 299, 299)
    assert "none is stated" in found.notes[0]
    assert measure("timm:efficientnet_b1").size == (3, 240, 240)


def test_a_module_of_a_ledgers_own_folder(folder):
    found = measure("module:some_own_nets.Small(width=7, settings={'a': [1, (2, None)]})", (3, 8, 8), folder)
    assert found.counted.params == 7 * 28 + 80
    assert found.counted.terms["conv"] == 7 * 27 * 16


@pytest.mark.slow
def test_an_exported_program_and_an_onnx_file_say_what_the_module_says(folder):
    net = nn.Sequential(
        nn.Conv2d(3, 4, 3, padding=1), nn.ReLU(), nn.ConvTranspose2d(4, 6, 3, 2), nn.Sigmoid(), nn.MaxPool2d(3, 2),
        nn.Conv2d(6, 6, 3, groups=3, bias=False), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(6, 9),
    ).eval()  # fmt: skip
    x = torch.zeros(1, 3, 16, 16)
    torch.export.save(torch.export.export(net, (x,)), folder / "net.pt2")
    torch.onnx.export(net, (x,), str(folder / "net.onnx"), dynamo=False)
    from papertally.counting.count import count_network

    program, graph = measure("net.pt2", None, folder), measure("net.onnx", None, folder)
    wanted = count_network(net, (3, 16, 16))
    assert program.size == graph.size == (3, 16, 16)
    assert program.counted.terms == graph.counted.terms == wanted.terms
    assert program.counted.params == graph.counted.params == wanted.params
    assert graph.counted.parts == wanted.parts
    other = measure("net.onnx", (3, 8, 8), folder)
    assert other.counted.terms["conv"] < wanted.terms["conv"]


@pytest.mark.parametrize(
    ("name", "size", "fault"),
    [
        ("timm:mobilnetv2_100", None, "close: mobilenetv2_100"),
        ("torchvision:resnet19", None, "close: resnet18"),
        ("resnet18", None, "is none; write timm:NAME"),
        ("http:resnet18", None, "is none; write timm:NAME"),
        ("module:torch", None, "write pkg.function"),
        ("module:nowhere_at_all.net", None, "install it, put it into the ledger's folder"),
        ("module:torch.nn.Convolution", None, "mend the function's name"),
        ("module:torch.nn.Conv2d(3, 4, 3)", None, "a setting has no name"),
        ("module:torch.nn.Conv2d(in_channels=open('x'))", None, "no literals"),
        ("module:torch.nn.Conv2d(in_channels=3)", None, "cannot be built (TypeError"),
        ("module:some_own_nets.broken(width=1)", (3, 8, 8), "first line second line"),
        ("module:some_own_nets.Small", None, "no input size is stated"),
        ("module:some_own_nets.Small", (5, 8, 8), "fails on one 5 x 8 x 8 input"),
        ("module:builtins.list", (3, 8, 8), "gives list, not a torch.nn.Module"),
        ("absent.pt2", None, "no such file"),
        ("some_own_nets.onnx", None, "is no ONNX file"),
        ("wrong.pt2", None, "is no exported program"),
    ],
)
def test_what_is_wrong_is_one_line(name, size, fault, folder):
    (folder / "some_own_nets.onnx").write_text("no graph")
    (folder / "wrong.pt2").write_text("no program")
    with pytest.raises(PipelineError) as caught:
        measure(name, size, folder)
    assert fault in str(caught.value)
    assert "\n" not in str(caught.value)
    assert name.split("(")[0] in str(caught.value)


def test_settings_run_nothing(tmp_path):
    target = tmp_path / "made"
    with pytest.raises(PipelineError, match="no literals"):
        parse_network(f"module:torch.nn.Identity(a=__import__('pathlib').Path({str(target)!r}).touch())")
    assert not target.exists()


READS_NUMBERS = """
import torch
from torch import nn

class Tied(nn.Module):
    def __init__(self):
        super().__init__()
        self.rates = [rate.item() for rate in torch.linspace(0, 0.1, 4)]
        self.embedding, self.head = nn.Embedding(100, 32), nn.Linear(32, 100, bias=False)
        self.head.weight = self.embedding.weight
        nn.init.normal_(self.head.weight)

    def forward(self, x):
        return self.head(self.embedding(x))
"""


def test_a_network_that_reads_numbers_while_it_is_built_holds_no_weights(tmp_path):
    (tmp_path / "some_tied_net.py").write_text(READS_NUMBERS)
    net = build_network(parse_network("module:some_tied_net.Tied"), tmp_path)
    assert {p.device.type for p in net.parameters()} == {"meta"}
    assert net.head.weight is net.embedding.weight
    assert measure("module:some_tied_net.Tied", (10,), tmp_path).counted.params == 3200
