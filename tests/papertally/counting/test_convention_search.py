"""Any network's printed cost is answered by the ways of counting that give it, and what is wrong is one line."""

from __future__ import annotations

import itertools
import json

import numpy as np
import pytest
import torch
from torch import nn

from papertally.conventions.axes import any_paper
from papertally.conventions.search import Cost, Printed, search, values_of
from papertally.counting import conventions
from papertally.counting.count import count_network
from papertally.quantities.printed import parse_printed
from pipelines.common import PipelineError


def small() -> nn.Module:
    """3x3 convolution with bias and BatchNorm on 8 x 8, ReLU, average pool, linear layer: counted by hand below."""
    conv = nn.Conv2d(3, 4, 3, padding=1)
    return nn.Sequential(conv, nn.BatchNorm2d(4), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(4, 10))


CONV, LINEAR, MAP = 27 * 4 * 64, 40, 4 * 64


def cost() -> Cost:
    found = count_network(small(), (3, 8, 8))
    return Cost(found.params, found.parts, found.terms)


def test_params_by_hand():
    everything, buffers = 27 * 4 + 4 + 8 + 50, 4 + 4 + 1
    wanted = sorted(
        everything - 8 * norm - (4 * bias + 10 * (bias and not last)) - 50 * last + buffers * held
        for norm, bias, last, unused, held in itertools.product((0, 1), repeat=5)
    )
    assert sorted(values_of(cost(), "params", any_paper()).reshape(-1).tolist()) == wanted


def test_madds_by_hand():
    found = {int(v) for v in values_of(cost(), "madds", any_paper()).reshape(-1)}
    assert found == {
        unit * (CONV + linear * LINEAR + (MAP + 10) * bias + norm * MAP + pool * MAP + relu * MAP)
        for unit, linear, bias, norm, pool, relu in itertools.product((1, 2), (0, 1), (0, 1), (0, 1, 2), (0, 1), (0, 1))
    }


@pytest.fixture
def nets(tmp_path, monkeypatch):
    (tmp_path / "my_nets.py").write_text(
        "from torch import nn\n\ndef net():\n    return nn.Sequential(nn.Conv2d(3, 4, 3), nn.Flatten())\n"
    )
    monkeypatch.syspath_prepend(str(tmp_path))


def test_the_command_answers(nets, capsys):
    module = ["--module", "my_nets:net", "--input", "3,8,8"]
    assert conventions.main([*module, "--params", "112", "--madds", "3888"]) == 0
    text = capsys.readouterr().out
    assert "params 112: 2 of 4 conventions give it" in text  # with biases, rounded or cut
    assert "112  every learned parameter, rounded" in text
    assert "3,888  the weights of all layers, one operation a multiply-add, rounded" in text
    assert conventions.main([*module, "--madds", "9K"]) == 3
    assert "nearest 8,064, -0.94 units of the last place off" in capsys.readouterr().out
    assert conventions.main(["--network", "module:my_nets.net", "--input", "3,8,8", "--params", "112", "--json"]) == 0
    assert [f["holds"] for f in json.loads(capsys.readouterr().out)["params"]].count(True) == 2
    assert conventions.main(module) == 0
    assert "madds: 3,888 to 8,064" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("args", "fault"),
    [
        (["--module", "torch"], "write pkg.function"),
        (["--module", "nowhere_at_all:net"], "install it"),
        (["--module", "torch.nn:Convolution"], "mend the function's name"),
        (["--module", "builtins:list"], "gives list, not a torch.nn.Module"),
        (["--module", "torch.nn:Conv2d"], "cannot be built"),
        (["--module", "torch.nn:Identity", "--params", "2,6M"], "write numbers as"),
        (["--module", "torch.nn:Identity", "--input", "3,x"], "write numbers as"),
        (["--module", "torch.nn:Identity", "--input", "3,0,8"], "above 0"),
        (["--network", "timm:no_such_model_at_all"], "timm has no model"),
    ],
)
def test_what_is_wrong_is_one_line(args, fault):
    with pytest.raises(PipelineError) as caught:
        conventions.main(args)
    assert fault in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_network_that_fails_on_the_input_says_so(monkeypatch):
    class Picky(nn.Module):
        def __init__(self):
            super().__init__()
            self.weight = nn.Parameter(torch.zeros(3))

        def forward(self, x):
            raise RuntimeError("wants 5 channels")

    monkeypatch.setattr(conventions, "own_folder", lambda text: None)
    monkeypatch.setattr("torch.nn.Picky", Picky, raising=False)
    with pytest.raises(PipelineError, match="fails on one 3 x 8 x 8 input .*wants 5 channels"):
        conventions.main(["--module", "torch.nn:Picky", "--input", "3,8,8"])


PLANTED = [
    ({"batch_norm": "left out"}, {"rounding": "cut"}, "params"),
    ({"batch_norm": "counted", "buffers": "counted"}, {"rounding": "nearest"}, "params"),
    ({"linear": "1", "biases": "all"}, {"rounding": "cut"}, "madds"),
    ({"linear": "0", "unit": "2"}, {"rounding": "nearest"}, "madds"),
    ({"linear": "1", "relu": "all", "batch_norm": "2"}, {"rounding": "nearest", "base": "1024"}, "madds"),
]


@pytest.mark.parametrize(("chosen", "printing", "column"), PLANTED)
def test_a_planted_convention_is_found(chosen, printing, column):
    """Seventeen made-up networks, printed to three digits under one convention: it is among those that tie."""
    draw = np.random.default_rng(3)
    costs, cells = [], []
    for i in range(17):
        conv, head, norm, maps = (int(n) for n in draw.integers(10**6, 10**8, 4))
        parts = {"conv": conv, "head_fc": head // 50, "batch_norm": norm // 5, "head_bias": 1000, "buffers": norm // 5}
        terms = {"conv": conv, "head_fc": head, "batch_norm": maps // 2, "relu@body": maps // 3, "head_bias": maps // 9}
        costs.append(Cost(sum(parts.values()) - parts["buffers"], parts, terms))
        unit, kept = 1, dict(parts) if column == "params" else dict(terms)
        if column == "params":
            if chosen["batch_norm"] == "left out":
                del kept["batch_norm"]
            if chosen.get("buffers") != "counted":
                del kept["buffers"]
        else:
            unit = int(chosen.get("unit", "1"))
            kept["head_fc"] *= int(chosen["linear"])
            kept["head_bias"] *= chosen.get("biases") == "all"
            kept["relu@body"] *= chosen.get("relu") == "all"
            kept["batch_norm"] *= int(chosen.get("batch_norm", "0"))
        millions = unit * sum(kept.values()) / (2**20 if printing.get("base") == "1024" else 10**6)
        text = f"{int(millions * 10) / 10 if printing['rounding'] == 'cut' else round(millions, 1):.1f}M"
        cells.append(Printed(f"r{i}", parse_printed(text), 2))
    found = search(column, cells, costs, any_paper())
    assert found.best == 17
    assert found.explained
    wanted = {**chosen, **printing}
    at = found.convention(found.simplest)
    assert {axis: at[axis] for axis in at if axis in wanted} == {a: v for a, v in wanted.items() if a in at}


def test_random_numbers_are_not_explained():
    draw = np.random.default_rng(5)
    costs, cells = [], []
    for i in range(12):
        terms = {"conv": int(draw.integers(10**8, 10**9)), "head_fc": 10**6, "relu@body": 10**7, "batch_norm": 10**7}
        costs.append(Cost(10**6, {"conv": 10**6}, terms))
        cells.append(Printed(f"r{i}", parse_printed(f"{int(draw.integers(100, 1000))}M"), 2))
    found = search("madds", cells, costs, any_paper())
    assert found.best < 6
    assert not found.explained
