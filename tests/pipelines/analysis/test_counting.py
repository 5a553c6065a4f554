"""Any module's printed cost is answered by the ways of counting that give it, and what is wrong is one line."""

from __future__ import annotations

import json

import pytest
import torch
from torch import nn

from pipelines.analysis import conventions
from pipelines.common import PipelineError


def small() -> nn.Module:
    """3x3 convolution with bias and BatchNorm on 8 x 8, ReLU, average pool, linear layer: counted by hand below."""
    conv = nn.Conv2d(3, 4, 3, padding=1)
    return nn.Sequential(conv, nn.BatchNorm2d(4), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(4, 10))


CONV, LINEAR, MAP = 27 * 4 * 64, 40, 4 * 64


def test_params_and_madds_by_hand():
    params = {tuple(c.items()): n for c, n in conventions.params_under(small())}
    everything = 27 * 4 + 4 + 8 + 50
    assert max(params.values()) == everything
    assert sorted(params.values()) == sorted(
        everything - 8 * norm - (4 * (bias and 1) + 10 * (bias and not last)) - 50 * last
        for norm in (0, 1) for bias in (0, 1) for last in (0, 1)
    )  # fmt: skip
    from registry.cost.trace import trace_cost

    found = conventions.madds_under(trace_cost(small(), (3, 8, 8)).named())
    values = {frozenset(c.items()): n for c, n in found}
    assert len(values) == len(found) == 2 * 2 * 2 * 3 * 2 * 2  # this net has no activation but ReLU
    assert min(values.values()) == CONV
    assert max(values.values()) == 2 * (CONV + LINEAR + MAP + 10 + 2 * MAP + MAP + MAP)


def test_the_command_answers(monkeypatch, capsys, tmp_path):
    (tmp_path / "my_nets.py").write_text(
        "from torch import nn\n\ndef net():\n    return nn.Sequential(nn.Conv2d(3, 4, 3), nn.Flatten())\n"
    )
    monkeypatch.syspath_prepend(str(tmp_path))
    module = ["--module", "my_nets:net", "--input", "3,8,8"]
    assert conventions.main([*module, "--params", "112", "--madds", "3888"]) == 0
    text = capsys.readouterr().out
    assert "params 112: 1 of 2 conventions give it" in text
    assert "3,888  unit: multiply-adds, biases: left out" in text
    assert conventions.main([*module, "--madds", "9K"]) == 3
    assert "nearest 8,064, -0.94 units of the last place off" in capsys.readouterr().out
    assert conventions.main([*module, "--params", "112", "--json"]) == 0
    assert [f["holds"] for f in json.loads(capsys.readouterr().out)["params"]] == [True, False]
    assert conventions.main(module) == 0
    assert "madds: 3,888 to 8,064 over 4 conventions" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("args", "fault"),
    [
        (["--module", "torch"], "no package:factory"),
        (["--module", "nowhere_at_all:net"], "install it"),
        (["--module", "torch.nn:Convolution"], "mend the name"),
        (["--module", "builtins:list"], "gives list, not a torch.nn.Module"),
        (["--module", "torch.nn:Conv2d"], "cannot be built"),
        (["--module", "torch.nn:Identity", "--params", "2,6M"], "write numbers as"),
        (["--module", "torch.nn:Identity", "--input", "3,x"], "write numbers as"),
        (["--module", "torch.nn:Identity", "--input", "3,0,8"], "above 0"),
    ],
)
def test_what_is_wrong_is_one_line(args, fault):
    with pytest.raises(PipelineError) as caught:
        conventions.main(args)
    assert fault in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_network_that_fails_on_the_input_says_so():
    class Picky(nn.Module):
        def __init__(self):
            super().__init__()
            self.weight = nn.Parameter(torch.zeros(3))

        def forward(self, x):
            raise RuntimeError("wants 5 channels")

    import sys
    import types

    module = types.ModuleType("picky_nets")
    module.net = Picky
    sys.modules["picky_nets"] = module
    try:
        with pytest.raises(PipelineError, match="fails on one 3 x 8 x 8 input .wants 5 channels"):
            conventions.main(["--module", "picky_nets:net", "--input", "3,8,8"])
    finally:
        del sys.modules["picky_nets"]
