"""A fingerprint changes with what a result depends on, and with nothing else."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from helpers import ROOT

import registry  # noqa: F401  registers the models
from papertally.evidence.fingerprints import read_fingerprint
from papertally.evidence.io import read_json
from papertally.evidence.read import read_evidence
from pipelines.analysis.fingerprint import file_fingerprint, row_fingerprint, same_probe
from pipelines.analysis.probe import probe
from pipelines.analysis.structure import build, digest, model_hash, recipe_hash, structure
from pipelines.tasks import row_config
from registry.ops import shift_max
from report.rows import find_row

ROW = "t5_dynamic_shift_max"
CODE = ("configs", "fingerprints", "papers", "papertally", "pipelines", "registry", "report", "results")


@pytest.fixture
def copy(tmp_path):
    """Return a checkout of its own, code included."""
    for name in CODE:
        shutil.copytree(ROOT / name, tmp_path / name, ignore=shutil.ignore_patterns("__pycache__", "mini", "out"))
    for name in ("params.yaml", "pyproject.toml", "micronet_plugin.py"):
        shutil.copy(ROOT / name, tmp_path)
    return tmp_path


def fingerprint(root: Path, *rows: str, **environment: str) -> str:
    """Write rows' fingerprints in a checkout, and return what was said."""
    done = subprocess.run(
        [sys.executable, "-m", "pipelines", "fingerprint", "--row", *rows], cwd=root, capture_output=True, text=True,
        env={**os.environ, "PYTHONPATH": str(root), "OMP_NUM_THREADS": "1", **environment},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-2000:]
    return done.stdout


@pytest.mark.slow
@pytest.mark.long
def test_a_comment_or_a_docstring_changes_nothing(copy):
    for folder in ("configs", "pipelines", "registry"):
        for path in (copy / folder).rglob("*.py"):
            path.write_text(path.read_text().replace('"""', '"""Said otherwise. ', 1) + "\n# one more comment\n")
    assert "nothing changed" in fingerprint(copy, "t2_micronet_m0", ROW, "t8_micronet_m0", "t9_mobilenetv3")
    assert not read_evidence(copy).problems


@pytest.mark.long
def test_a_changed_epsilon_makes_stale_what_has_it_and_nothing_else(copy):
    path = copy / "registry/baselines/shufflenet.py"
    text = path.read_text()
    assert "nn.BatchNorm2d(" in text
    path.write_text(text.replace("nn.BatchNorm2d(", "nn.BatchNorm2d(eps=1e-3, num_features="))
    have = {"t2_shufflenetv1_0_25"}
    said = fingerprint(copy, "t2_shufflenetv1_0_25", "t2_micronet_m1", "t2_mobilenetv3_0_2", ROW)
    assert f"new or changed: {', '.join(have)}\n" in said
    assert {p.subject for p in read_evidence(copy).problems} == have


@pytest.mark.slow
@pytest.mark.parametrize(
    "setting", [{"ATEN_CPU_CAPABILITY": "default", "ONEDNN_MAX_CPU_ISA": "SSE41"}, {"TZ": "Asia/Tokyo"}]
)
@pytest.mark.long
def test_every_cpu_agrees(copy, setting):
    assert "nothing changed" in fingerprint(copy, "t2_micronet_m3", "t2_ghostnet_0_5", "t8_micronet_m0", **setting)


def test_structure_sees_an_epsilon():
    config = row_config(find_row("t2_micronet_m1"), ROOT)
    assert model_hash(config) == read_fingerprint(ROOT, "t2_micronet_m1").model
    net = build(config.model)
    next(m for m in net.modules() if isinstance(m, torch.nn.BatchNorm2d)).eps = 1e-4
    assert digest(structure(net)) != read_fingerprint(ROOT, "t2_micronet_m1").model


def test_the_recipe_is_what_changes_a_result():
    config = row_config(find_row(ROW), ROOT)
    known = read_fingerprint(ROOT, ROW).recipe
    assert recipe_hash(config) == known
    config.train_dataloader.num_workers = 3
    config.notes = ["more words"]
    config.log_level = "DEBUG"
    assert recipe_hash(config) == known
    config.optim_wrapper.optimizer.lr = 0.03
    assert recipe_hash(config) != known


@pytest.mark.slow
def test_a_probe_sees_an_operator_and_not_its_form(monkeypatch):
    config = row_config(find_row(ROW), ROOT)
    known = read_fingerprint(ROOT, ROW).probe
    assert same_probe(probe(config.model, "classification"), known)
    plain = shift_max.eager_shift_max

    def other_order(x, *arguments, **named):
        return plain(x, *arguments, **named).mul(2).div(2)

    monkeypatch.setattr(shift_max, "eager_shift_max", other_order)
    assert same_probe(probe(config.model, "classification"), known)
    monkeypatch.setattr(shift_max, "eager_shift_max", lambda *a, **k: plain(*a, **k) * 1.001)
    assert not same_probe(probe(config.model, "classification"), known)


def test_the_last_digit_is_another_cpus(tmp_path):
    found = row_fingerprint(find_row("t2_micronet_m0"))
    assert file_fingerprint(tmp_path, found)
    before = (tmp_path / "fingerprints/t2_micronet_m0.json").read_bytes()
    near = {**found, "probe": [f"{float(p) + 1e-5:.5e}" for p in found["probe"]]}
    assert not file_fingerprint(tmp_path, near)
    assert (tmp_path / "fingerprints/t2_micronet_m0.json").read_bytes() == before
    far = {**found, "probe": [f"{float(p) * (1 + 1e-3):.5e}" for p in found["probe"]]}
    assert file_fingerprint(tmp_path, far)
    assert read_json(tmp_path / "fingerprints/t2_micronet_m0.json")["probe"] == far["probe"]


def test_the_committed_ones_are_sound():
    for path in sorted((ROOT / "fingerprints").glob("*.json")):
        if path.stem != "rows":
            assert read_fingerprint(ROOT, path.stem).row == path.stem == json.loads(path.read_text())["row"]
