"""MR-ASPP's readings, Table 9's models through mmsegmentation, and Cityscapes' errors."""

from __future__ import annotations

import subprocess
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from helpers import MICRONET
from mim_tools import as_mim, check_filed, mim
from mmengine.config import Config
from mmengine.registry import DefaultScope
from torch.utils.flop_counter import FlopCounterMode

from papertally.ledger.load import load_ledger
from pipelines.common import ROOT, configured_rows, load_config
from pipelines.data.streets import generate
from registry.arch import get_arch
from registry.cost.models import model_cost
from registry.cost.trace import trace_cost
from registry.inputs.errors import DataError
from registry.segmentation.archs import at_stride_16
from registry.segmentation.aspp import MRASPPPlan
from registry.segmentation.cityscapes import IMAGE, LABEL, check_ids, pairs

ROWS = configured_rows(tasks=("segmentation",))


@pytest.fixture(scope="module")
def streets(tmp_path_factory):
    folder = tmp_path_factory.mktemp("scenes") / "streets"
    generate(folder, train=6, val=4, seed=5)
    return folder


def build(config):
    from mmseg.registry import MODELS

    config.model.data_preprocessor = None
    with DefaultScope.overwrite_default_scope("mmseg"):
        return MODELS.build(config.model)


def test_every_row_of_table_9_has_an_experiment():
    assert {row.id for row in load_ledger(MICRONET).tables["9"].rows} == set(ROWS)


@pytest.mark.parametrize("row", ROWS)
@pytest.mark.slow
def test_rows_cost_what_they_are_and_train(row):
    """Closed form, modules and torch's counter agree at a size that no stride divides; every weight learns."""
    config = load_config(row)
    size = (97, 131)
    closed = model_cost(config.model, size)
    model = build(config).eval()
    assert sum(p.numel() for p in model.parameters()) == closed.params
    images = torch.randn(2, 3, *size)
    with FlopCounterMode(display=False) as counter, torch.no_grad():
        model(images[:1])
    assert counter.get_total_flops() == 2 * closed.convs_and_linears()
    if row.startswith("t9_micronet"):
        traced = trace_cost(model, (3, *size))
        assert traced.by_kind() == closed.by_kind()
    logits = model.train()(images)
    assert logits.shape == (2, 19, 13, 17)
    logits.square().mean().backward()
    assert all(p.grad is not None and torch.isfinite(p.grad).all() for p in model.parameters())


@pytest.mark.slow
def test_the_fitted_reading_is_within_five_percent_and_the_literal_one_below():
    ledger = load_ledger(MICRONET)
    for row in ROWS:
        printed = ledger.row(row).cells["madds"].value
        config = load_config(row, plugins=False)
        found = model_cost(config.model, (1024, 2048)).plain_madds()
        assert abs(found / printed - 1) < 0.05
        if "micronet" in row:
            model = config.model
            model.backbone.reading = model.decode_head.reading = "literal"
            literal = model_cost(model, (1024, 2048)).plain_madds()
            assert 0.80 < literal / printed < 0.93


def test_backbones_and_heads_of_different_readings_are_refused():
    model = load_config("t9_micronet_m0", plugins=False).model
    model.decode_head.reading = "literal"
    with pytest.raises(ValueError, match="the head is for 'literal', the backbone is 'fitted'"):
        model_cost(model, (64, 128))
    with pytest.raises(ValueError, match="known: fitted, literal"):
        MRASPPPlan("seg_m0", "guessed")


def test_only_the_last_stride_goes():
    before, after = get_arch("m1"), get_arch("seg_m1")
    assert [b.stride for b in after.blocks] == [2, 2, 1, 2, 1, 1, 1, 1]
    assert [b.channels for b in after.blocks] == [b.channels for b in before.blocks]
    with pytest.raises(ValueError, match="four strided blocks"):
        at_stride_16(after)


def test_sound_folders_pass_and_ids_are_checked(streets):
    found = pairs(streets / "leftImg8bit/val", streets / "gtFine/val")
    assert len(found) == 4
    label = cv2.imread(str(found[0][1]), cv2.IMREAD_UNCHANGED)
    check_ids(label, found[0][1])
    label[3, 4] = 19
    with pytest.raises(DataError, match="holds id 19, but train ids are 0 to 18 and 255"):
        check_ids(label, "x.png")
    with pytest.raises(DataError, match="not one channel"):
        check_ids(label[..., None].repeat(3, 2), "x.png")


def spoilt(streets: Path, tmp_path: Path, change) -> Path:
    import shutil

    root = tmp_path / "spoilt"
    shutil.copytree(streets, root)
    change(root)
    return root


def first(root: Path, kind: str, split: str = "train") -> Path:
    top = "leftImg8bit" if kind == IMAGE else "gtFine"
    return sorted((root / top / split).rglob(f"*{kind}"))[0]


def _wrong_id(root: Path) -> None:
    path = first(root, LABEL)
    label = cv2.imread(str(path), cv2.IMREAD_UNCHANGED)
    label[:] = 33
    cv2.imwrite(str(path), label)


def _other_size(root: Path) -> None:
    cv2.imwrite(str(first(root, LABEL)), np.zeros((10, 10), np.uint8))


def _cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


BROKEN = [
    (lambda root: first(root, LABEL).unlink(), "labelTrainIds.png: missing, though"),
    (lambda root: first(root, IMAGE).unlink(), "a label without its image"),
    (_wrong_id, "holds id 33"),
    (_other_size, "is 10 x 10, its image 256 x 128"),
    (lambda root: _cut(first(root, IMAGE)), "cannot be read as an image"),
    (lambda root: _cut(first(root, LABEL)), "cannot be read as an image"),
]


@pytest.mark.slow
@pytest.mark.parametrize(("change", "message"), BROKEN)
@pytest.mark.parametrize("workers", [0, 1])
def test_broken_data_is_one_line_that_names_the_file(streets, tmp_path, monkeypatch, change, message, workers):
    root = spoilt(streets, tmp_path, change)
    monkeypatch.setenv("CITYSCAPES_ROOT", str(root))
    config = Config.fromfile(ROOT / "configs/segmentation/micronet_m0.py")
    loader = config.train_dataloader
    loader.update(batch_size=2, num_workers=workers, persistent_workers=False)
    from mmengine.runner import Runner

    with DefaultScope.overwrite_default_scope("mmseg"), pytest.raises(DataError) as error:
        for _ in Runner.build_dataloader(loader):
            pass
    text = str(error.value)
    assert text.startswith("error: ")
    assert "\n" not in text
    assert message in text
    assert str(root) in text


def test_iou_metric_is_the_textbooks(streets):
    """IoUMetric's mIoU equals one from a confusion matrix written down here."""
    from mmseg.datasets import CityscapesDataset
    from mmseg.evaluation import IoUMetric

    rng = np.random.default_rng(0)
    metric = IoUMetric(iou_metrics=["mIoU"])
    metric.dataset_meta = CityscapesDataset.METAINFO
    confusion = np.zeros((19, 19))
    for _, path in pairs(streets / "leftImg8bit/val", streets / "gtFine/val"):
        label = cv2.imread(str(path), cv2.IMREAD_UNCHANGED)
        guess = np.where(rng.random(label.shape) < 0.6, label, rng.integers(0, 19, label.shape)) % 19
        sample = {
            "pred_sem_seg": {"data": torch.tensor(guess)[None]},
            "gt_sem_seg": {"data": torch.tensor(label.astype(np.int64))[None]},
        }
        metric.process({}, [sample])
        kept = label != 255
        np.add.at(confusion, (label[kept], guess[kept]), 1)
    union = confusion.sum(0) + confusion.sum(1) - np.diag(confusion)
    ious = np.diag(confusion)[union > 0] / union[union > 0]
    assert metric.evaluate(4)["mIoU"] == pytest.approx(100 * ious.mean(), abs=0.01)


SMALL = [
    "--cfg-options", "train_dataloader.batch_size=2", "train_dataloader.num_workers=0",
    "train_dataloader.persistent_workers=False", "val_dataloader.num_workers=0",
    "val_dataloader.persistent_workers=False", "test_dataloader.num_workers=0",
    "test_dataloader.persistent_workers=False", "train_cfg.max_epochs={}", "train_cfg.val_interval=1",
    "default_hooks.checkpoint.interval=1", "train_dataloader.dataset.pipeline.2.scale=(256,128)",
    "train_dataloader.dataset.pipeline.3.crop_size=(96,128)", "model.data_preprocessor.size=(96,128)",
]  # fmt: skip


@pytest.mark.slow
@pytest.mark.long
def test_mim_trains_resumes_and_tests(streets, tmp_path, forks):
    config = ROOT / "configs/segmentation/micronet_m0.py"

    def small(epochs: int) -> list[str]:
        return [option.format(epochs) for option in SMALL]

    def said(done: subprocess.CompletedProcess[str]) -> str:
        assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-2000:]
        return done.stdout + done.stderr

    package, where = "mmsegmentation", {"cwd": ROOT, "CITYSCAPES_ROOT": streets, "MICRONET_OUT": tmp_path}
    work = tmp_path / "work"
    assert "mIoU" in said(mim("train", package, config, "--work-dir", work, *small(1), **where))
    again = as_mim(forks, "train", package, config, "--work-dir", work, "--resume", *small(2), **where)
    assert "Epoch(train) [2]" in said(again)
    options = [option for option in small(1) if not option.startswith("train_") and "checkpoint" not in option]
    tested = as_mim(forks, "test", package, config, work / "epoch_2.pth", "--work-dir", work, *options, **where)
    assert "mIoU" in said(tested)
    check_filed(tmp_path, "t9_micronet_m0", "miou", "streets", {"train": 2})


@pytest.mark.slow
@pytest.mark.long
def test_mim_without_cityscapes_says_so_in_one_line(tmp_path, forks):
    config = ROOT / "configs/segmentation/micronet_m0.py"
    missing = {"cwd": ROOT, "CITYSCAPES_ROOT": tmp_path / "none"}
    done = as_mim(forks, "train", "mmsegmentation", config, "--work-dir", tmp_path / "w", **missing)
    assert done.returncode != 0
    lines = [line for line in done.stderr.splitlines() if line.startswith("error: ")]
    assert len(lines) == 1
    assert "python -m pipelines streets" in lines[0]
    assert str(tmp_path / "none") in lines[0]
