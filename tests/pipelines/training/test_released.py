"""A released checkpoint is scored on ImageNet's layout and filed as evidence of its own kind."""

from __future__ import annotations

import dataclasses
import json

import pytest
import torch
from released_nets import Released

from papertally.evidence.schema import TrainingEvidence
from pipelines.common import PipelineError
from pipelines.data import imagenet
from pipelines.data.verify import PINS, check_imagenet, verify
from pipelines.training import released


@pytest.fixture
def val_only(tmp_path):
    root = imagenet.draw_tiny(tmp_path / "data/imagenet", classes=3, train=1, val=2)
    import shutil

    shutil.rmtree(root / "train")
    return root


def released_weights(path, size="6M"):
    """Save random weights under the released names, as the oracle of the loader's test draws them."""
    net = Released(size)
    net(torch.zeros(1, 3, 224, 224))
    torch.save({"state_dict": net.state}, path)
    return path


def test_validation_images_alone_are_verified(val_only, tmp_path):
    with pytest.raises(PipelineError, match="run `python -m pipelines verify imagenet_val"):
        check_imagenet(val_only, tmp_path, val_only=True)
    pin = dataclasses.replace(PINS["imagenet_val"], counts={"val_images": 6, "val_classes": 3})
    found = verify("imagenet_val", val_only, pin, tmp_path)
    assert check_imagenet(val_only, tmp_path, val_only=True) == found["sha256"]
    with pytest.raises(PipelineError, match="not verified yet; run `python -m pipelines verify imagenet "):
        check_imagenet(val_only, tmp_path)
    image = next((val_only / "val").glob("*/*.JPEG"))
    image.write_bytes(b"x")
    with pytest.raises(PipelineError, match="altered since"):
        check_imagenet(val_only, tmp_path, val_only=True)


@pytest.mark.slow
def test_its_scores_are_the_loaded_networks_and_are_filed(val_only, tmp_path):
    from registry import official

    checkpoint = released_weights(tmp_path / "weights.pth")
    evidence = released.evaluate(checkpoint, "6M", val_only, "pin", tmp_path, batch_size=4, workers=0)
    stored = json.loads((tmp_path / "results/paper/t2_micronet_m0.released.json").read_text())
    assert stored == evidence
    run = TrainingEvidence.model_validate(stored)
    assert (run.recipe, run.seed, run.epochs) == ("released", None, None)
    assert run.params["train"]["entry"] == "state_dict"
    model = official.load(checkpoint)
    data = imagenet.ImageNetFolder(str(val_only / "val"), 224, train=False)
    with torch.no_grad():
        ranks = [
            int(
                (model(item["inputs"][None])[0].argsort(descending=True, stable=True) == item["data_samples"]).nonzero()
            )
            for item in data
        ]
    assert stored["values"]["top1"] == pytest.approx(100 * sum(r < 1 for r in ranks) / 6, abs=1e-5)
    assert stored["values"]["top5"] == pytest.approx(100 * sum(r < 5 for r in ranks) / 6, abs=1e-5)


def test_bad_input_is_one_error(val_only, tmp_path, monkeypatch):
    with pytest.raises(PipelineError, match="no such file; give the path"):
        released.main(["--checkpoint", str(tmp_path / "none.pth"), "--size", "6M", "--data", str(val_only)])
    (tmp_path / "broken.pth").write_bytes(b"no")
    monkeypatch.setattr(released, "check_imagenet", lambda *_, **__: "pin")
    with pytest.raises(PipelineError, match="broken.pth: not a readable"):
        released.main(["--checkpoint", str(tmp_path / "broken.pth"), "--size", "6M", "--data", str(val_only)])
    weights = released_weights(tmp_path / "weights.pth")
    with pytest.raises(PipelineError, match="another size"):
        released.main(["--checkpoint", str(weights), "--size", "12M", "--data", str(val_only)])


def test_the_later_versions_models_are_filed_in_its_ledger(val_only, tmp_path, capsys):
    checkpoint = released_weights(tmp_path / "weights.pth", "4M")
    evidence = released.evaluate(checkpoint, "4M", val_only, "pin", tmp_path, 4, 0, ledger="micronet_iccv2021")
    stored = json.loads((tmp_path / "papers/micronet_iccv2021/results/paper/iccv2021_m0.released.json").read_text())
    assert stored == evidence
    assert (stored["row"], stored["config"]) == ("iccv2021_m0", "configs/iccv2021/iccv2021_m0.py")
    with pytest.raises(PipelineError, match="--size 4M: this paper has no such model; add --ledger micronet_iccv2021"):
        released.main(["--checkpoint", str(checkpoint), "--size", "4M"])
