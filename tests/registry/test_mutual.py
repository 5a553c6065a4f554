"""Mutual learning moves both nets towards each other and leaves the MicroNet alone behind."""

from __future__ import annotations

import pytest
import torch
from mmengine.registry import MODELS
from torch.nn import functional as F

from pipelines.analysis.structure import classifier
from pipelines.common import load_config


@pytest.fixture
def model():
    torch.manual_seed(0)
    config = load_config("t2_micronet_m0_ml").model
    config["head"]["classes"] = 10
    return MODELS.build(config).train()


def batch():
    torch.manual_seed(1)
    return torch.randn(8, 3, 64, 64), torch.arange(8)


def test_both_sides_get_gradients_of_labels_and_of_each_other(model):
    images, labels = batch()
    losses = model(images, labels, mode="loss")
    assert set(losses) == {"loss_ce", "loss_ce_partner", "loss_kl", "loss_kl_partner"}
    own = [p for n, p in model.named_parameters() if not n.startswith("partner_")]
    partner = [p for n, p in model.named_parameters() if n.startswith("partner_")]
    losses["loss_kl"].backward(retain_graph=True)
    assert any(p.grad is not None and p.grad.abs().max() > 0 for p in own)
    assert all(p.grad is None for p in partner)  # the teacher's side is fixed
    losses["loss_kl_partner"].backward()
    assert any(p.grad is not None and p.grad.abs().max() > 0 for p in partner)


def test_kl_is_the_divergence_from_the_partners_distribution(model):
    images, labels = batch()
    model.eval()  # dropout off: both calls see the same nets
    losses = model(images, labels, mode="loss")
    with torch.no_grad():
        p = F.softmax(model.partner_head(model.partner_backbone(images)), 1)
        q = F.softmax(model(images), 1)
    expected = (p * (p.log() - q.log())).sum(1).mean()
    assert float(losses["loss_kl"].detach()) == pytest.approx(float(expected), rel=2e-3)


@pytest.mark.slow
def test_training_lowers_kl_and_moves_both(model):
    images, labels = batch()
    before = {k: v.clone() for k, v in model.state_dict().items()}
    optimizer = torch.optim.SGD(model.parameters(), lr=0.05, momentum=0.9)
    kl = []
    for _ in range(30):
        optimizer.zero_grad()
        losses = model(images, labels, mode="loss")
        sum(losses.values()).backward()
        optimizer.step()
        kl.append(float(losses["loss_kl"].detach()))
    assert sum(kl[-5:]) < 0.7 * max(sum(kl[i : i + 5]) for i in range(20))
    for side in ("backbone", "partner_backbone"):
        assert not torch.equal(model.state_dict()[f"{side}.stem.0.0.weight"], before[f"{side}.stem.0.0.weight"])


def test_the_saved_model_is_the_micronet_alone(model):
    state = model.deployed_state_dict()
    assert not any("partner" in k for k in state)
    alone = classifier("t2_micronet_m0_ml", 10, alone=True)
    alone.load_state_dict(state)
    images, _ = batch()
    with torch.no_grad():
        assert torch.equal(alone.eval()(images), model.eval()(images))
