"""The later version's four models are built by the same code and cost what their authors print."""

from __future__ import annotations

import pytest
import torch
from helpers import ROOT, under
from mmengine.registry import MODELS

import registry  # noqa: F401  registers the models
from papertally.ledger.load import load_ledger
from pipelines.common import configured_rows, load_config
from registry.cost.models import model_cost

LEDGER = load_ledger(ROOT / "papers/micronet_iccv2021")
#: Parameters of the instantiated released networks, counted from their code.
PARAMS = {"iccv2021_m0": 1_019_590, "iccv2021_m1": 1_777_587, "iccv2021_m2": 2_393_876, "iccv2021_m3": 2_622_960}


def test_every_row_has_a_config():
    assert configured_rows(ledger="micronet_iccv2021") == list(LEDGER.rows) == list(PARAMS)


@pytest.mark.parametrize("row", PARAMS)
def test_closed_form_is_the_built_networks_and_prints_as_it_should(row):
    config = load_config(row).model
    cost = model_cost(config)
    model = MODELS.build(config).eval()
    assert cost.params == PARAMS[row] == sum(p.numel() for p in model.parameters())
    assert cost.params in LEDGER.cell(row, "params").interval
    assert under("S", cost.named()) in LEDGER.cell(row, "madds").interval
    assert (cost.plain_madds() in LEDGER.cell(row, "madds").interval) == (row != "iccv2021_m2")
    with torch.no_grad():
        assert model(torch.zeros(1, 3, 224, 224), mode="tensor").shape == (1, 1000)
