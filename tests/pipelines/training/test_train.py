"""Training is real, killable and exact on resumption; its checkpoints are never half there."""

from __future__ import annotations

import csv
import json
import os
import signal
import subprocess
import sys

import pytest
import torch
import yaml
from hold import Hold, until

from papertally.ledger.load import LedgerError
from pipelines.common import PipelineError
from pipelines.training import hooks
from pipelines.training.checkpoints import newest_checkpoint
from pipelines.training.job import mini_job
from pipelines.training.run import run, run_seed

ROW = "t2_micronet_m0"
WEIGHTS = f"checkpoints/mini/{ROW}.pth"


def train(root):
    return run(mini_job(ROW, root))


def work_dir(root):
    (found,) = (root / "work_dirs/mini" / ROW).iterdir()
    return found


def weights(root):
    return torch.load(root / WEIGHTS, weights_only=True)


@pytest.mark.slow
@pytest.mark.long
def test_a_run_killed_by_the_system_resumes_to_the_same_weights(tiny, tmp_path_factory):
    import shutil

    other = tmp_path_factory.mktemp("unkilled") / "root"
    shutil.copytree(tiny, other)
    train(other)

    hold = Hold(tiny / "hold")
    hold.after(1)
    code = (
        "import pathlib; from pipelines.training import __main__; from pipelines.training.job import mini_job;"
        f"from pipelines.training.run import run; run(mini_job({ROW!r}, pathlib.Path({str(tiny)!r})))"
    )
    process = subprocess.Popen([sys.executable, "-c", hold.code + code], stderr=subprocess.DEVNULL)
    until(lambda: hold.reached(1) or process.poll() is not None, 600, "its first epoch does not end")
    os.kill(process.pid, signal.SIGKILL)
    assert process.wait() == -signal.SIGKILL
    assert (work_dir(tiny) / "epoch_1.pth").exists()
    assert not (tiny / WEIGHTS).exists()

    train(tiny)
    killed, unkilled = weights(tiny), weights(other)
    assert killed["state_dict"].keys() == unkilled["state_dict"].keys()
    assert all(torch.equal(v, unkilled["state_dict"][k]) for k, v in killed["state_dict"].items())
    curves = [(r / f"results/curves/mini/{ROW}.csv").read_text() for r in (tiny, other)]
    assert curves[0] == curves[1]
    assert [row["epoch"] for row in csv.DictReader(curves[0].splitlines())] == ["1", "2", "3"]
    assert not (tiny / "work_dirs/mini" / ROW).exists()
    files = [json.loads((r / f"results/mini/{ROW}.json").read_text()) for r in (tiny, other)]
    assert files[0]["values"] == files[1]["values"]


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
            train(tiny)
    found = sorted(work_dir(tiny).glob("epoch_*.pth"))
    assert len(found) == 2
    found[-1].write_bytes(found[-1].read_bytes()[:1000])
    assert newest_checkpoint(found[0].parent) == found[0]
    assert "damaged" in capsys.readouterr().err


@pytest.mark.slow
def test_another_configuration_does_not_resume(tiny, monkeypatch, capsys):
    with monkeypatch.context() as m:
        stop_after(m, 2)
        with pytest.raises(KeyboardInterrupt):
            train(tiny)
    params = yaml.safe_load((tiny / "params.yaml").read_text())
    params["mini"]["classification"] |= {"epochs": 1, "lr": 0.05}
    (tiny / "params.yaml").write_text(yaml.safe_dump(params))
    other = work_dir(tiny)
    train(tiny)
    said = capsys.readouterr().err
    assert "resuming" not in said
    assert f"keeps unfinished runs of another configuration, data or code ({other.name}); starting anew" in said
    assert list(other.glob("epoch_*.pth"))  # another's checkpoints are never deleted


@pytest.mark.slow
def test_a_full_disk_is_one_error_and_leaves_no_half_checkpoint(tiny, monkeypatch):
    def full(*_, **__):
        raise RuntimeError("PytorchStreamWriter failed writing file: No space left on device")

    monkeypatch.setattr(torch, "save", full)
    with pytest.raises(PipelineError, match="free disk space"):
        train(tiny)
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
    from papertally.evidence.io import EvidenceError

    break_it(tiny)
    with pytest.raises((PipelineError, EvidenceError)) as caught:
        train(tiny)
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.slow
def test_what_is_trained_already_is_not_trained_again(tiny, capsys):
    train(tiny)
    before = (tiny / WEIGHTS).stat().st_mtime_ns
    train(tiny)
    assert "trained already" in capsys.readouterr().err
    assert (tiny / WEIGHTS).stat().st_mtime_ns == before
    params = yaml.safe_load((tiny / "params.yaml").read_text())
    params["mini"]["classification"] |= {"epochs": 1}
    (tiny / "params.yaml").write_text(yaml.safe_dump(params))
    train(tiny)
    assert (tiny / WEIGHTS).stat().st_mtime_ns > before


def test_an_unknown_row_is_named(tiny):
    with pytest.raises(LedgerError, match="t9_none"):
        mini_job("t9_none", tiny)
    with pytest.raises(PipelineError, match="no such config; row 't10_m0' has no experiment of its own"):
        mini_job("t10_m0", tiny)


def test_a_stale_fingerprint_is_one_line(tiny):
    config = tiny / f"configs/classification/{ROW}.py"
    config.write_text(config.read_text() + "\nmodel['head']['dropout'] = 0.3\n")
    with pytest.raises(PipelineError, match=f"fingerprints/{ROW}.json: is not of today's config and network; run"):
        train(tiny)


def test_no_two_streams_of_random_numbers_are_one():
    seeds = {hooks.epoch_seed(s, e, r) for s in (0, 1, 2) for e in range(600) for r in range(8)}
    assert len(seeds) == 3 * 600 * 8
    orders = {run_seed(seed) + epoch for seed in range(10) for epoch in range(600)}  # as samplers add them
    assert len(orders) == 10 * 600
