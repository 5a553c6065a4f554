"""Training is real, killable and exact on resumption; its checkpoints are never half there."""

from __future__ import annotations

import csv
import os
import signal
import subprocess
import sys

import pytest
import torch
import yaml
from cluster_project import until
from hold import Hold

from pipelines.common import PipelineError
from pipelines.training import hooks
from pipelines.training.evaluate import evaluate
from pipelines.training.train import build_model, checkpoint_path, newest_checkpoint, row_params, train

ROW = "t2_micronet_m0"


def weights(root):
    return torch.load(root / checkpoint_path("mini", ROW), weights_only=True)


@pytest.mark.slow
def test_a_run_killed_by_the_system_resumes_to_the_same_weights(tiny, tmp_path_factory):
    import shutil

    other = tmp_path_factory.mktemp("unkilled") / "root"
    shutil.copytree(tiny, other)
    train(ROW, root=other)

    hold = Hold(tiny / "hold")
    hold.after(1)
    code = f"import pathlib, pipelines.training.train as t; t.train({ROW!r}, root=pathlib.Path({str(tiny)!r}))"
    process = subprocess.Popen([sys.executable, "-c", hold.code + code], stderr=subprocess.DEVNULL)
    until(lambda: hold.reached(1) or process.poll() is not None, 600, "its first epoch does not end")
    os.kill(process.pid, signal.SIGKILL)
    assert process.wait() == -signal.SIGKILL
    assert (tiny / "work_dirs/mini" / ROW / "epoch_1.pth").exists()
    assert not (tiny / checkpoint_path("mini", ROW)).exists()

    train(ROW, root=tiny)
    killed, unkilled = weights(tiny), weights(other)
    assert killed["state_dict"].keys() == unkilled["state_dict"].keys()
    assert all(torch.equal(v, unkilled["state_dict"][k]) for k, v in killed["state_dict"].items())
    curves = [(r / f"results/curves/mini/{ROW}.csv").read_text() for r in (tiny, other)]
    assert curves[0] == curves[1]
    assert [row["epoch"] for row in csv.DictReader(curves[0].splitlines())] == ["1", "2", "3"]
    assert not (tiny / "work_dirs/mini" / ROW).exists()
    assert evaluate(ROW, root=tiny)["values"] == evaluate(ROW, root=other)["values"]


def stop_after(monkeypatch, epoch):
    def after(self, runner):
        if runner.epoch + 1 == epoch:
            raise KeyboardInterrupt

    monkeypatch.setattr(hooks.ProgressBar, "after_train_epoch", after, raising=False)


@pytest.mark.slow
def test_a_damaged_checkpoint_is_passed_over(tiny, monkeypatch, capsys):
    with monkeypatch.context() as m:
        stop_after(m, 3)
        with pytest.raises(KeyboardInterrupt):
            train(ROW, root=tiny)
    found = sorted((tiny / "work_dirs/mini" / ROW).glob("epoch_*.pth"))
    assert len(found) == 2
    found[-1].write_bytes(found[-1].read_bytes()[:1000])
    assert newest_checkpoint(found[0].parent) == found[0]
    assert "damaged" in capsys.readouterr().err


@pytest.mark.slow
def test_another_configuration_does_not_resume(tiny, monkeypatch, capsys):
    with monkeypatch.context() as m:
        stop_after(m, 2)
        with pytest.raises(KeyboardInterrupt):
            train(ROW, root=tiny)
    params = yaml.safe_load((tiny / "params.yaml").read_text())
    params["train"]["mini"] |= {"epochs": 1, "lr": 0.05}
    (tiny / "params.yaml").write_text(yaml.safe_dump(params))
    train(ROW, root=tiny)
    assert "resuming" not in capsys.readouterr().err


def test_a_full_disk_is_one_error_and_leaves_no_half_checkpoint(tiny, monkeypatch):
    def full(*_, **__):
        raise RuntimeError("PytorchStreamWriter failed writing file: No space left on device")

    monkeypatch.setattr(torch, "save", full)
    with pytest.raises(PipelineError, match="free disk space"):
        train(ROW, root=tiny)
    assert not list(tiny.rglob("*.pth"))
    assert not list(tiny.rglob("*.partial"))


@pytest.mark.parametrize(
    ("break_it", "message"),
    [
        (lambda r: (r / "params.yaml").unlink(), "params.yaml"),
        (lambda r: (r / "params.yaml").write_text("train: ["), "params.yaml:1: not valid YAML"),
        (lambda r: (r / "data/digits/manifest.json").unlink(), "dvc repro data"),
        (lambda r: (r / "data/digits/manifest.json").write_text("{"), "manifest.json: corrupt"),
        (lambda r: (r / f"configs/classification/{ROW}.py").write_text("model = ("), "t2_micronet_m0.py"),
        (lambda r: next((r / "data/digits/train/3").glob("*.png")).write_bytes(b"no"), "cannot be decoded"),
    ],
)
def test_bad_input_is_one_error_that_names_the_file(tiny, break_it, message):
    from evidence.io import EvidenceError

    break_it(tiny)
    with pytest.raises((PipelineError, EvidenceError)) as caught:
        train(ROW, root=tiny)
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_row_overrides_the_profile_and_unknown_keys_are_refused():
    params = {"train": {"mini": {"epochs": 3, "lr": 0.1}}, "rows": {"a": {"table": "2", "lr": 0.2}, "b": {"lrr": 1}}}
    assert row_params(params, "mini", "a") == {"epochs": 3, "lr": 0.2}
    with pytest.raises(PipelineError, match="unknown keys"):
        row_params(params, "mini", "b")
    with pytest.raises(PipelineError, match="no row 'c'"):
        row_params(params, "mini", "c")


@pytest.mark.slow
def test_what_is_trained_already_is_not_trained_again(tiny, capsys):
    train(ROW, root=tiny)
    before = (tiny / checkpoint_path("mini", ROW)).stat().st_mtime_ns
    train(ROW, root=tiny)
    assert "trained already" in capsys.readouterr().err
    assert (tiny / checkpoint_path("mini", ROW)).stat().st_mtime_ns == before
    params = yaml.safe_load((tiny / "params.yaml").read_text())
    params["train"]["mini"] |= {"epochs": 1}
    (tiny / "params.yaml").write_text(yaml.safe_dump(params))
    train(ROW, root=tiny)
    assert (tiny / checkpoint_path("mini", ROW)).stat().st_mtime_ns > before


def test_an_unknown_row_is_named():
    with pytest.raises(PipelineError, match="t9_none"):
        build_model("t9_none", 10)
