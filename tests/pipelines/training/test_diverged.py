"""A run whose loss or outputs are not finite stops with one line and files nothing, whatever the task."""

from __future__ import annotations

import shutil

import pytest
import torch
import yaml
from helpers import ROOT

from pipelines.common import PipelineError, guard
from pipelines.data import people, streets
from pipelines.training import released
from pipelines.training.job import mini_job
from pipelines.training.run import run, trained_runner
from registry.classification.models import TopK
from registry.inputs.errors import DivergedError, check_finite

ROW = "t2_micronet_m0"
WEIGHTS = f"checkpoints/mini/{ROW}.pth"
LOST = [float("nan"), float("inf"), float("-inf")]


def change(root, *keys, **values):
    path = root / "params.yaml"
    params = yaml.safe_load(path.read_text())
    inner = params
    for key in keys:
        inner = inner[key]
    inner |= values
    path.write_text(yaml.safe_dump(params))


@pytest.mark.parametrize("value", LOST)
@pytest.mark.parametrize("classes", [2, 10, 1000])
def test_scores_that_are_not_finite_are_never_ranked(value, classes):
    metric = TopK()
    scores = torch.randn(3, classes)
    samples = [{"scores": s, "label": torch.tensor(1)} for s in scores]
    metric.process(None, samples)
    scores[2, 0] = value
    with pytest.raises(DivergedError, match="error: the network's scores are not finite"):
        metric.process(None, samples)


def test_no_scores_at_all_are_no_divergence():
    TopK().process(None, [])
    check_finite(torch.zeros(0))


@pytest.mark.slow
def test_training_stops_at_the_first_loss_that_is_lost(tiny, capsys):
    change(tiny, "mini", "classification", lr=1e25)
    assert guard(lambda: run(mini_job(ROW, tiny)) and 0) == 1
    error = [line for line in capsys.readouterr().err.splitlines() if "error: " in line]
    assert len(error) == 1
    assert f"{ROW}: training diverged: loss is " in error[0]
    assert "epoch 1, step " in error[0]
    assert "lower its lr" in error[0]
    assert not (tiny / WEIGHTS).exists()
    assert not (tiny / "results").exists()


@pytest.mark.slow
def test_weights_that_are_not_finite_are_not_scored(tiny):
    change(tiny, "mini", "classification", epochs=1)
    run(mini_job(ROW, tiny))
    path = tiny / WEIGHTS
    for key, value in zip(("head.fc2", "backbone.stem", "backbone.blocks"), LOST, strict=True):
        saved = torch.load(path, weights_only=True)
        sound = {k: v.clone() for k, v in saved["state_dict"].items()}
        name = next(k for k in sound if k.startswith(key) and k.endswith("weight"))
        saved["state_dict"][name].view(-1)[0] = value
        torch.save(saved, path)
        with pytest.raises(
            PipelineError, match=f"{name} has 1 of .* not finite.*python -m pipelines train --row {ROW}"
        ):
            trained_runner(mini_job(ROW, tiny))
        torch.save({**saved, "state_dict": sound}, path)
    trained_runner(mini_job(ROW, tiny))


@pytest.mark.slow
def test_a_batch_of_more_images_than_there_are_trains_nothing_and_says_so(tiny):
    change(tiny, "mini", "classification", batch_size=5000)
    with pytest.raises(PipelineError, match="batch_size 5000 is more than the 160 training images of digits"):
        run(mini_job(ROW, tiny))


def test_a_released_network_whose_scores_are_lost_has_no_top_1(tmp_path):
    from pipelines.data import imagenet

    root = imagenet.draw_tiny(tmp_path / "imagenet", classes=2, train=1, val=2)

    class Lost(torch.nn.Module):
        def forward(self, images):
            return torch.full((len(images), 1000), torch.nan)

    with pytest.raises(DivergedError, match="not finite"):
        released.score(Lost(), root / "val", 2, 0)


@pytest.fixture(scope="module")
def drawn(tmp_path_factory):
    root = tmp_path_factory.mktemp("drawn")
    for name in ("configs", "fingerprints", "papers"):
        shutil.copytree(ROOT / name, root / name)
    shutil.copy(ROOT / "params.yaml", root)
    people.generate(root / "data/people", 20, 4, 0)
    streets.generate(root / "data/streets", 8, 4, 0)
    change(root, "mini", "pose", lr=1e30, batch_size=4, epochs=2)
    change(root, "mini", "segmentation", lr=1e30, batch_size=4, epochs=2)
    return root


@pytest.mark.slow
@pytest.mark.parametrize("row", [pytest.param("t8_micronet_m0", marks=pytest.mark.long), "t9_micronet_m0"])
def test_pixel_level_training_stops_too(drawn, row, capsys):
    assert guard(lambda: run(mini_job(row, drawn)) and 0) == 1
    error = [line for line in capsys.readouterr().err.splitlines() if "error: " in line]
    assert len(error) == 1
    assert f"{row}: training diverged: " in error[0]
    assert not (drawn / f"checkpoints/mini/{row}.pth").exists()


@pytest.mark.slow
@pytest.mark.parametrize("value", LOST)
def test_heatmaps_and_logits_that_are_not_finite_are_not_decoded(value):
    from mmengine.registry import DefaultScope
    from mmpose.registry import MODELS as POSE
    from mmseg.registry import MODELS as SEGMENTATION

    from pipelines.common import load_config

    for row in ("t8_micronet_m0", "t8_mobilenetv3_dyconv"):
        with DefaultScope.overwrite_default_scope("mmpose"):
            head = POSE.build(load_config(row).model.head)
        maps = torch.zeros(2, 17, 64, 48)
        assert len(head.decode(maps)) == 2
        maps[1, 3, 5, 7] = value
        with pytest.raises(DivergedError, match="heatmaps are not finite"):
            head.decode(maps)
    for row in ("t9_micronet_m0", "t9_mobilenetv3"):
        with DefaultScope.overwrite_default_scope("mmseg"):
            head = SEGMENTATION.build(load_config(row).model.decode_head)
        logits = torch.zeros(1, 19, 8, 16)
        metas = [{"img_shape": (64, 128), "pad_shape": (64, 128)}]
        assert head.predict_by_feat(logits, metas).shape == (1, 19, 64, 128)
        logits[0, 3, 2, 2] = value
        with pytest.raises(DivergedError, match="logits are not finite"):
            head.predict_by_feat(logits, metas)


def test_the_line_is_printed_once_and_the_exit_code_is_1(capsys):
    assert guard(lambda: check_finite(torch.tensor([1.0, float("nan")]))) == 1
    assert capsys.readouterr().err.count("error: ") == 1
