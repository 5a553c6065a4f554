"""What `mim` runs file: which row, what differs, which batch; the runs themselves stand with the tasks' tests."""

from __future__ import annotations

from types import SimpleNamespace

import pytest
import torch
from mmengine.config import Config
from mmengine.model import BaseModel
from torch import nn

from papertally.evidence.read import read_evidence
from pipelines.common import PipelineError
from pipelines.tasks import row_config
from pipelines.training import mim
from registry.inputs.errors import DataError
from report.rows import ROOT, find_row

ROW = "t8_micronet_m0"


@pytest.fixture
def config():
    found = Config.fromfile(str(ROOT / "configs/micronet_m0.py"), import_custom_modules=False)
    found.launcher, found.work_dir = "pytorch", "elsewhere"  # as mim writes
    return found


@pytest.mark.parametrize(
    ("path", "row"),
    [
        ("configs/micronet_m3.py", "t8_micronet_m3"),
        ("configs/pose/t8_mobilenetv3_dyrelu.py", "t8_mobilenetv3_dyrelu"),
        ("configs/segmentation/micronet_m1.py", "t9_micronet_m1"),
        ("configs/classification/t5_relu.py", None),  # the trainer's, which files its own
    ],
)
def test_a_config_is_of_a_row(path, row):
    found = mim.row_of(Config.fromfile(str(ROOT / path), import_custom_modules=False))
    assert (found and found.id) == row


def test_what_only_starts_a_run_is_no_difference(config):
    own = row_config(find_row(ROW), ROOT)
    config.merge_from_dict({
        "train_dataloader.num_workers": 1, "val_dataloader.persistent_workers": False, "resume": True,
        "default_hooks.checkpoint.interval": 1, "optim_wrapper.type": "AmpOptimWrapper",
        "optim_wrapper.loss_scale": "dynamic", "randomness": {"seed": 3}, "log_level": "ERROR",
    })  # fmt: skip
    assert mim.differences(config, own) == []
    assert mim.precision(config) == "mixed"


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"optim_wrapper.optimizer.lr": 0.002}, "optim_wrapper.optimizer.lr: 0.002 here, 0.001 in the row's config"),
        ({"train_dataloader.batch_size": 64}, "train_dataloader.batch_size: 64 here, 128 in"),
        ({"param_scheduler.0.gamma": 0.5}, "param_scheduler.0.gamma: 0.5 here, 0.1 in"),
        ({"custom_hooks.1.epochs": 5}, "custom_hooks.1.epochs: 5 here, 10 in"),
        ({"model.test_cfg.flip_test": False}, "model.test_cfg.flip_test: False here, True in"),
        ({"optim_wrapper.clip_grad": {"max_norm": 1}}, "optim_wrapper.clip_grad.max_norm: 1 here, absent in"),
        ({"load_from": "/a/b/other.pth"}, "load_from: starts from other.pth"),
    ],
)
def test_what_decides_a_result_is_named(config, change, said):
    config.merge_from_dict(change)
    found = mim.differences(config, row_config(find_row(ROW), ROOT))
    assert len(found) == 1
    assert found[0].startswith(said)


class Net(BaseModel):
    def __init__(self) -> None:
        super().__init__()
        self.w = nn.Linear(1, 1)

    def forward(self, inputs, mode="tensor"):
        return {"loss": self.w(inputs).sum()}


def runner_of(monkeypatch, tmp_path, processes, batch):
    monkeypatch.setattr(mim, "get_world_size", lambda: processes)
    loader = {
        "batch_size": batch,
        "sampler": {"type": "DefaultSampler", "shuffle": True},
        "dataset": torch.zeros(64, 1),
    }
    return mim.SharedBatchRunner(
        Net(), str(tmp_path), train_dataloader=loader, train_cfg={"by_epoch": True, "max_epochs": 1},
        optim_wrapper={"optimizer": {"type": "SGD", "lr": 0.1}}, log_level="ERROR",
        experiment_name=f"{tmp_path.name}-{processes}-{batch}",
    )  # fmt: skip


@pytest.mark.parametrize(("processes", "share"), [(1, 32), (2, 16), (8, 4)])
def test_processes_share_the_configs_batch(monkeypatch, tmp_path, processes, share):
    assert runner_of(monkeypatch, tmp_path, processes, 32).train_dataloader.batch_size == share


@pytest.mark.parametrize("processes", [3, 64])
def test_a_batch_that_cannot_be_shared_is_one_line(monkeypatch, tmp_path, processes):
    with pytest.raises(DataError, match=f"error: {processes} processes cannot share the config's batch of 32 evenly"):
        runner_of(monkeypatch, tmp_path, processes, 32)


def told(monkeypatch, tmp_path, config, name="coco"):
    """Return the hook after a run that ended, and what it logged; the training itself is left out."""
    monkeypatch.setenv(mim.OUT, str(tmp_path))
    monkeypatch.setattr(mim, "data_of", lambda *_: (name, "0" * 64))
    lines = []
    logger = SimpleNamespace(info=lines.append, warning=lines.append)
    runner = SimpleNamespace(
        cfg=config, epoch=0, seed=7, max_epochs=250, logger=logger, model=nn.Linear(1, 1),
        train_dataloader=SimpleNamespace(batch_size=config.train_dataloader.batch_size),
    )  # fmt: skip
    hook = mim.FileEvidence()
    hook.before_train(runner)
    hook.after_val_epoch(runner, {
        "coco/AP": 0.503, "coco/AP .5": 0.796, "coco/AP .75": 0.539, "coco/AP (M)": 0.483, "coco/AP (L)": 0.548
    })  # fmt: skip
    hook.after_train(runner)
    return hook, lines


def evidence_of(tmp_path):
    (tmp_path / "fingerprints").symlink_to(ROOT / "fingerprints")
    return read_evidence(tmp_path)


def test_an_unchanged_run_on_the_papers_data_is_judged(monkeypatch, tmp_path, config):
    _, lines = told(monkeypatch, tmp_path, config)
    assert f"evidence: row {ROW}, by the row's recipe" in lines[0]
    found = evidence_of(tmp_path)
    assert (found.problems, found.beside) == ([], {})
    (run,) = found.runs["paper"][ROW]
    assert (run.seed, run.recipe, run.values["AP"], run.data.name) == (7, "paper", 50.3, "coco")
    assert run.params["train"] == {"epochs": 250, "batch_size": 128, "lr": 0.001, "recipe": "paper", "seed": 7}


@pytest.mark.parametrize(
    ("change", "name", "profile"),
    [({"optim_wrapper.optimizer.lr": 0.01}, "coco", "paper"), ({}, "people", "mini")],
)
def test_a_changed_run_is_a_variant_and_decides_nothing(monkeypatch, tmp_path, config, change, name, profile):
    config.merge_from_dict(change)
    told(monkeypatch, tmp_path, config, name)
    found = evidence_of(tmp_path)
    assert (found.problems, found.runs) == ([], {})
    ((_, run),) = found.beside[profile, ROW]
    assert not run.judged
    assert run.told.startswith("a variant (")


def test_more_images_a_step_than_stated_are_a_difference(monkeypatch, tmp_path, config):
    monkeypatch.setattr(mim, "get_world_size", lambda: 8)  # by a runner that does not share the batch
    told(monkeypatch, tmp_path, config)
    ((_, run),) = evidence_of(tmp_path).beside["paper", ROW]
    assert run.differs == ["train_dataloader.batch_size: 1024 in 8 processes, 128 in the row's config"]


def test_data_that_nobody_verified_is_said_at_the_start_and_files_nothing(monkeypatch, tmp_path, config):
    def not_there(*_):
        raise PipelineError("data/coco: not verified yet")

    monkeypatch.setattr(mim, "check_verified", not_there)
    lines = []
    runner = SimpleNamespace(cfg=config, epoch=0, logger=SimpleNamespace(warning=lines.append))
    hook = mim.FileEvidence()
    hook.before_train(runner)
    hook.after_train(runner)
    assert lines == ["evidence: this run will not be filed: data/coco: not verified yet"]


def test_a_command_names_no_folder_of_the_machine():
    argv = [str(ROOT / "configs/micronet_m0.py"), "--work-dir", "/tmp/x", "--launcher", "none", "--amp"]
    assert mim.command("train", "mmpose", argv) == "mim train mmpose configs/micronet_m0.py --amp"
