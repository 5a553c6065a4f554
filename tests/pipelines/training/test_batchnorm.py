"""Where processes have few samples each, BatchNorm takes the statistics of all, and evidence says so."""

from __future__ import annotations

import json
from types import SimpleNamespace

import pytest
from mmengine.config import Config
from mmengine.runner import Runner
from torch import nn

from pipelines.training import batchnorm, mim
from pipelines.training import run as runs
from pipelines.training.job import Options, paper_job
from report.rows import find_row


@pytest.fixture
def gpus(monkeypatch):
    """Return what sets the number of processes, each with a GPU to itself."""

    def set_to(processes, cuda=True):
        for module in (batchnorm, mim, runs):
            monkeypatch.setattr(module, "get_world_size", lambda: processes)
        seen = SimpleNamespace(cuda=SimpleNamespace(is_available=lambda: cuda))  # by this rule alone
        monkeypatch.setattr(batchnorm, "torch", seen)

    return set_to


def job_of(row, tmp_path, recipe="paper"):
    task = find_row(row).task
    if task == "classification":
        (tmp_path / "train/n00000001").mkdir(parents=True, exist_ok=True)
    return paper_job(row, recipe, 0, tmp_path, "pin", Options(), out=tmp_path)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("row", "processes", "synced"),
    [
        ("t9_micronet_m0", 1, False),  # 16 crops in one process
        ("t9_micronet_m0", 2, True),
        ("t9_micronet_m0", 8, True),
        ("t8_micronet_m0", 4, False),  # 32 boxes each, as [28]'s code
        ("t8_micronet_m0", 8, True),
        ("t5_relu", 8, False),  # 64 images each
    ],
)
def test_few_samples_a_process_are_synchronised(row, processes, synced, gpus, tmp_path):
    gpus(processes)
    job = job_of(row, tmp_path)
    assert (runs.resolve(job, tmp_path).get("sync_bn") == "torch") == synced
    assert runs.synced(job) == synced
    told = batchnorm.told(synced)
    assert told == {"processes": str(processes), **({"batchnorm": "synchronised"} if synced else {})}


def test_what_has_no_gpu_is_not(gpus, tmp_path):
    gpus(8, cuda=False)
    assert "sync_bn" not in runs.resolve(job_of("t9_micronet_m0", tmp_path), tmp_path)


def test_a_recipe_that_says_how_many_images_is_not(gpus, tmp_path):
    gpus(4)
    config = runs.resolve(job_of("t2_micronet_m0", tmp_path, "official"), tmp_path)
    assert (config.get("sync_bn"), config.model.parts, config.train_dataloader.batch_size) == (None, 1, 128)


@pytest.mark.parametrize(("processes", "expected"), [(1, None), (2, "torch"), (8, "torch")])
def test_mims_runner_does_so_too(processes, expected, gpus, monkeypatch):
    gpus(processes)
    monkeypatch.setattr(Runner, "wrap_model", lambda self, config, model: model)
    runner = mim.SharedBatchRunner.__new__(mim.SharedBatchRunner)
    runner.cfg, runner._train_dataloader = Config({}), {"batch_size": 16}
    runner.wrap_model(None, nn.BatchNorm2d(1))
    assert runner.cfg.get("sync_bn") == expected
    assert mim.differences(Config({"sync_bn": "torch"}), Config({})) == []  # stated with the environment


def test_a_run_that_went_on_elsewhere_says_so():
    first, now = ({"code_revision": r, "environment": {"processes": n, "cpu": r}} for r, n in (("a", "8"), ("b", "4")))
    found = batchnorm.resumed(first, now)
    assert found == {"code_revision": "a", "environment": {"processes": "8, then 4", "cpu": "a"}}
    assert batchnorm.resumed(found, now) == found
    assert batchnorm.resumed(first, first) == first
    assert batchnorm.resumed({"environment": {}}, now) == {"environment": {}}


def test_a_resumed_run_notes_both_numbers_of_processes(tmp_path, monkeypatch):
    job = job_of("t8_micronet_m0", tmp_path)
    work_dir = tmp_path / "work_dirs/paper" / job.stem / job.identity[:12]
    work_dir.mkdir(parents=True)
    start = {"code_revision": "a", "environment": {"processes": "2"}}
    (work_dir / "start.json").write_text(json.dumps(start))
    monkeypatch.setattr(runs, "newest_checkpoint", lambda folder: SimpleNamespace(name="epoch_0.pth"))

    def stop(job, folder):
        raise RuntimeError("begins to train")

    monkeypatch.setattr(runs, "resolve", stop)
    with pytest.raises(RuntimeError, match="begins to train"):
        runs.run(job)
    assert json.loads((work_dir / "start.json").read_text())["environment"]["processes"] == "2, then 1"
