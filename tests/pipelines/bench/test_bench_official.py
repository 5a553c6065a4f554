"""The public code is measured beside ours where a folder holds it; what is no such folder is named."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from papertally.evidence.bench import OfficialSpeed
from pipelines.bench import latency, official
from pipelines.bench import run as bench
from pipelines.common import PipelineError

SCRIPT = "python main.py MODEL.MICRONETS.NET_CONFIG small MODEL.MICRONETS.STEM_GROUPS 4,2 MODEL.MICRONETS.DROPOUT 0.1"


def test_settings_are_the_scripts(tmp_path):
    (tmp_path / "scripts").mkdir()
    (tmp_path / "scripts/eval_micronet_m1.sh").write_text(SCRIPT + " MODEL.ACTIVATION.LINEARSE_BIAS False \\\n")
    found = official.settings(tmp_path, "6M").MODEL
    assert vars(found.MICRONETS) == {"NET_CONFIG": "small", "STEM_GROUPS": [4, 2], "DROPOUT": 0.1}
    assert vars(found.ACTIVATION) == {"LINEARSE_BIAS": False}


def test_another_folder_is_named(tmp_path):
    with pytest.raises(PipelineError, match=r"eval_micronet_m1\.sh.*--official names a checkout"):
        bench.main(["official", "--official", str(tmp_path)])
    (tmp_path / "scripts").mkdir()
    (tmp_path / "scripts/eval_micronet_m1.sh").write_text(SCRIPT)
    with pytest.raises(PipelineError, match="not the public code"):
        bench.main(["official", "--official", str(tmp_path)])
    (tmp_path / "backbone").mkdir()
    (tmp_path / "backbone/micronet.py").write_text("class MicroNet:\n    def __init__(self, c): self.x = c.y\n")
    with pytest.raises(PipelineError, match="not the public code"):
        bench.main(["official", "--official", str(tmp_path)])
    with pytest.raises(PipelineError, match="at least 6"):
        bench.main(["official", "--official", str(tmp_path), "--rounds", "2"])


@pytest.mark.slow
def test_the_public_code_is_measured(monkeypatch, tmp_path, capsys):
    folder = os.environ.get("MICRONET_OFFICIAL")
    if not folder or not (Path(folder) / "backbone/micronet.py").is_file():
        pytest.skip("MICRONET_OFFICIAL names no folder with the public code (liyunsheng13/micronet)")
    monkeypatch.setattr(latency, "TURN", 0.0)
    out = tmp_path / "official.json"
    arguments = ["official", "--official", folder, "--sizes", "4M", "--rounds", "6", "--out", str(out)]
    assert bench.main(arguments) == 0
    found = OfficialSpeed.model_validate(json.loads(out.read_text()))
    assert {r.runtime for r in found.ratios} >= {"4M, inference, batch 1", "4M, training step, batch 16"}
    assert "official / ours" in capsys.readouterr().out
