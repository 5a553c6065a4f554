"""Every row of Tables 2-7 builds from its config, trains a step at 224x224, and two counters agree on its cost."""

from __future__ import annotations

import pytest
import torch
from mmengine.registry import MODELS, DefaultScope
from torch.utils.flop_counter import FlopCounterMode

import registry  # noqa: F401  registers the models
from paper import load_ledger
from pipelines.common import configured_rows, load_config
from registry.cost.models import model_cost
from registry.cost.trace import trace_cost

ROWS = configured_rows(tasks=("classification",))
POSE_ROWS = configured_rows(tasks=("pose",))


def test_every_row_of_tables_2_to_7_has_an_experiment():
    ledger = load_ledger()
    wanted = {
        ledger.canonical(row.id) for t in ("2", "3", "4a", "4b", "4c", "5", "6", "7") for row in ledger.tables[t].rows
    }
    assert wanted == set(ROWS)


def deployed(row: str) -> torch.nn.Module:
    """Return the model as it is used at test time."""
    model = MODELS.build(load_config(row).model)
    for name in ("partner_backbone", "partner_head"):
        if hasattr(model, name):
            delattr(model, name)
    return model.eval()


@pytest.mark.parametrize("row", ROWS)
@pytest.mark.slow
def test_cost_agrees_with_the_real_module_and_with_torchs_counter(row):
    """Closed form = hooks on the module; convolutions and linears = torch's FlopCounterMode, exactly."""
    closed = model_cost(load_config(row).model)
    with torch.device("meta"):
        model = deployed(row)
        with FlopCounterMode(display=False) as counter, torch.no_grad():
            model(torch.zeros(1, 3, 224, 224))
    assert counter.get_total_flops() == 2 * closed.convs_and_linears()
    assert sum(p.numel() for p in model.parameters()) == closed.params
    if load_config(row).model["type"] != "NetClassifier":
        assert trace_cost(model).by_kind() == closed.by_kind()


def test_every_row_of_table_8_has_an_experiment():
    assert {row.id for row in load_ledger().tables["8"].rows} == set(POSE_ROWS)


@pytest.mark.slow
@pytest.mark.parametrize("row", POSE_ROWS)
def test_pose_rows_cost_what_they_are_and_train_at_256x192(row):
    """The same two counters, and a backward pass, on what mmpose builds."""
    config = load_config(row)
    from mmpose.registry import MODELS as POSE_MODELS

    config.model.data_preprocessor = None
    closed = model_cost(config.model, (256, 192))
    with DefaultScope.overwrite_default_scope("mmpose"):
        model = POSE_MODELS.build(config.model).eval()
    assert sum(p.numel() for p in model.parameters()) == closed.params
    images = torch.randn(2, 3, 256, 192)
    with FlopCounterMode(display=False) as counter, torch.no_grad():
        model(images[:1], None, mode="tensor")
    assert counter.get_total_flops() == 2 * closed.convs_and_linears()
    heatmaps = model.train()(images, None, mode="tensor")
    assert heatmaps.shape == (2, 17, 64, 48)
    heatmaps.square().mean().backward()
    assert all(p.grad is not None and torch.isfinite(p.grad).all() for p in model.parameters())


@pytest.mark.parametrize("row", ROWS)
def test_forward_and_backward_at_224(row):
    torch.manual_seed(0)
    model = MODELS.build(load_config(row).model).train()
    images, labels = torch.randn(2, 3, 224, 224), torch.tensor([1, 7])
    losses = model(images, labels, mode="loss")
    sum(losses.values()).backward()
    trained = [p for p in model.parameters() if p.requires_grad]
    assert all(p.grad is not None and torch.isfinite(p.grad).all() for p in trained)
    with torch.no_grad():
        assert model.eval()(images).shape == (2, 1000)
