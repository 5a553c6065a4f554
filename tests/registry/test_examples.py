"""The example configs train a few steps in the frameworks that they are for."""

from __future__ import annotations

import zipfile
from importlib.util import find_spec

import pytest
import torch
from helpers import ROOT
from mmengine.config import Config
from mmengine.registry import DefaultScope
from mmengine.runner import Runner
from test_mim import draw_people

pytestmark = pytest.mark.slow
EXAMPLES = ROOT / "configs/examples"


class Losses:
    """Take down what a runner's model returns."""

    def __init__(self, model: torch.nn.Module) -> None:
        self.found: list[dict[str, torch.Tensor]] = []
        step = model.parse_losses
        model.parse_losses = lambda losses: (self.found.append(losses), step(losses))[1]


@pytest.mark.long
def test_retinanet_trains_on_coco(tmp_path, request):
    """On real images and boxes where MICRONET_SHARED has them, else on drawn ones."""
    pytest.importorskip("mmdet")
    config = Config.fromfile(EXAMPLES / "retinanet_micronet_m1.py")
    try:
        archive = request.getfixturevalue("shared") / "data/coco_kpts.zip"
        with zipfile.ZipFile(archive) as file:
            file.extractall(tmp_path)
        names = ("annotations/person_keypoints_train2017.json", "train2017/")
    except pytest.skip.Exception:
        draw_people(tmp_path)
        names = ("annotations.json", "images/")
    dataset = config.train_dataloader.dataset
    dataset.update(data_root=f"{tmp_path}/", ann_file=names[0], data_prefix={"img": names[1]})
    dataset.metainfo = {"classes": ("person",)}
    next(t for t in dataset.pipeline if t["type"] == "Resize")["scale"] = (160, 160)
    config.train_dataloader.update(num_workers=0, persistent_workers=False)
    config.train_cfg = {"by_epoch": False, "max_iters": 2, "val_interval": 9}
    for name in ("val", "test"):
        config[f"{name}_dataloader"] = config[f"{name}_cfg"] = config[f"{name}_evaluator"] = None
    config.param_scheduler, config.log_level, config.work_dir = None, "ERROR", str(tmp_path / "work")
    runner = Runner.from_cfg(config)
    before = [p.detach().clone() for p in runner.model.backbone.parameters()]
    losses = Losses(runner.model)
    runner.train()
    assert len(losses.found) == 2
    assert all(torch.isfinite(torch.stack(list(v))).all() for found in losses.found for v in found.values())
    after = runner.model.backbone.parameters()
    assert not any(torch.equal(one, other) for one, other in zip(before, after, strict=True))


@pytest.mark.skipif(find_spec("mmpretrain") is None, reason="mmpretrain is not installed")
def test_mmpretrains_classifier_trains_and_predicts():
    from mmpretrain.registry import MODELS
    from mmpretrain.structures import DataSample

    config = Config.fromfile(EXAMPLES / "mmpretrain_micronet_m1.py")
    with DefaultScope.overwrite_default_scope("mmpretrain"):
        config.model.data_preprocessor = config.data_preprocessor
        model = MODELS.build(config.model).train()
    images = torch.randint(0, 255, (4, 3, 64, 64), generator=torch.Generator().manual_seed(0))
    samples = [DataSample().set_gt_label(i) for i in range(4)]
    data = model.data_preprocessor({"inputs": list(images), "data_samples": samples}, training=True)
    loss = model(**data, mode="loss")["loss"]
    mixed = [DataSample().set_gt_score(torch.eye(1000)[i]) for i in range(4)]
    torch.testing.assert_close(loss, model.loss(data["inputs"], mixed)["loss"], rtol=0.1, atol=0)
    loss.backward()
    assert all(p.grad is not None for p in model.parameters())
    with torch.no_grad():
        predicted = model.eval()(**data, mode="predict")
        alone = model.predict(data["inputs"])
        logits = model(data["inputs"], mode="tensor")
    assert torch.equal(torch.cat([s.pred_label for s in predicted]), logits.argmax(1))
    assert torch.equal(alone[0].pred_score, logits[0].softmax(0))
