"""The benchmark measures real steps and files what the planner reads; the planner's command prints it."""

from __future__ import annotations

import json

import pytest

from pipelines import bench, plan
from pipelines.common import PipelineError
from report.plan import Bench


def test_two_networks_are_measured_side_by_side(tmp_path, capsys):
    out = tmp_path / "cpu.json"
    rows = ["t2_micronet_m0", "t2_mobilenetv3_0_2"]
    assert bench.main(["--rows", *rows, "--batch-size", "2", "--rounds", "1", "--out", str(out)]) == 0
    found = Bench.model_validate(json.loads(out.read_text()))
    assert list(found.models) == rows
    ratio = found.ratios["t2_mobilenetv3_0_2 / t2_micronet_m0 train"]
    assert ratio == pytest.approx(found.models[rows[1]].train / found.models[rows[0]].train, rel=1e-3)
    assert "t2_mobilenetv3_0_2" in capsys.readouterr().out


def test_bad_arguments_are_named():
    with pytest.raises(PipelineError, match="no config of t2_none"):
        bench.main(["--rows", "t2_none"])
    with pytest.raises(PipelineError, match="at least"):
        bench.main(["--rounds", "0"])
    with pytest.raises(PipelineError, match="no benchmark under results/bench"):
        plan.main(["--bench", "elsewhere.json"])


def test_the_plan_is_printed(capsys):
    assert plan.main(["--by", "run", "--limit", "3"]) == 0
    text = capsys.readouterr().out
    assert "next: t5_dynamic_shift_max settles" in text
    assert "more; --limit 0 lists all" in text
    assert plan.main(["--json"]) == 0
    assert json.loads(capsys.readouterr().out)["next"] == "t5_dynamic_shift_max"
