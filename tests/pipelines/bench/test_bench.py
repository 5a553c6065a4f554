"""The benchmark measures real steps and files what the planner reads; the planner's command prints it."""

from __future__ import annotations

import json

import pytest
import torch

from papertally.verdicts.plan import Bench
from pipelines.bench import operators as bench_ops
from pipelines.bench import run as bench
from pipelines.common import PipelineError
from report import plan


@pytest.mark.slow
def test_two_networks_are_measured_side_by_side(tmp_path, capsys):
    out = tmp_path / "cpu.json"
    rows = ["t2_micronet_m0", "t2_mobilenetv3_0_2"]
    assert bench.main(["--rows", *rows, "--batch-size", "2", "--rounds", "1", "--sections", "--out", str(out)]) == 0
    found = Bench.model_validate(json.loads(out.read_text()))
    assert list(found.models) == rows
    ratio = found.ratios["t2_mobilenetv3_0_2 / t2_micronet_m0 train"]
    assert ratio == pytest.approx(found.models[rows[1]].train / found.models[rows[0]].train, rel=1e-3)
    assert "t2_mobilenetv3_0_2" in capsys.readouterr().out


@pytest.mark.slow
def test_the_operators_forms_are_measured_where_the_network_has_them(monkeypatch):
    found = bench_ops.sites("t2_micronet_m0")
    assert (8, 2, 112, 2, 2) not in found  # M0's first block has a ReLU there
    assert all(channels % groups == 0 for channels, groups, *_ in found)
    ratios = bench_ops.operator_ratios(found[-1:] * 2, 1, 2, torch.device("cpu"), None)
    assert {name.partition(": ")[2] for name in ratios} == {
        "auto / eager", "time of eager / floor", "time of auto / floor"
    }  # fmt: skip
    assert all(r > 0 for r in ratios.values())
    monkeypatch.setattr(bench_ops, "NETWORKS", ("t2_micronet_m0",))
    assert set(bench_ops.network_ratios(1, 2, torch.device("cpu"), False)) == {
        "t2_micronet_m0 training step, batch 2: auto / eager", "t2_micronet_m0 inference, batch 2: auto / eager"
    }  # fmt: skip


def test_turns_are_medians_after_a_warm_one(monkeypatch):
    times = iter([0, 0, 0, 1, 0, 2, 0, 3, 0, 4, 0, 5, 0, 60])
    monkeypatch.setattr(bench_ops, "clock", lambda _: next(times))
    calls = {"a": lambda: None, "b": lambda: None}
    assert bench_ops.take_turns(calls, 3, torch.device("cpu")) == {"a": 3, "b": 4}


def test_bad_arguments_are_named():
    with pytest.raises(PipelineError, match="no config of t2_none"):
        bench.main(["--rows", "t2_none"])
    with pytest.raises(PipelineError, match="at least"):
        bench.main(["--rounds", "0"])
    with pytest.raises(PipelineError, match="no benchmark under results/bench"):
        plan.main(["--bench", "elsewhere.json"])


@pytest.mark.slow
def test_the_plan_is_printed(capsys):
    assert plan.main(["--by", "run", "--limit", "3"]) == 0
    text = capsys.readouterr().out
    assert "next: t5_dynamic_shift_max settles" in text
    assert "more; --limit 0 lists all" in text
    assert plan.main(["--json"]) == 0
    assert json.loads(capsys.readouterr().out)["next"] == "t5_dynamic_shift_max"
