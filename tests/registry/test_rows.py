"""Every row of Tables 2-8 has an experiment, and costs at the paper's own image sizes what its modules do.

What else holds for every row, on small images, stands in test_contract.py.
"""

from __future__ import annotations

import copy

import pytest
import torch
from contract_rows import FIRST, build, without_partner
from helpers import MICRONET
from torch.utils.flop_counter import FlopCounterMode

from papertally.ledger.load import load_ledger
from pipelines.common import configured_rows
from registry.cost.models import model_cost
from registry.cost.trace import trace_cost

SIZES = {"classification": (224, 224), "pose": (256, 192), "segmentation": (1024, 2048)}


def test_every_row_of_tables_2_to_7_has_an_experiment():
    ledger = load_ledger(MICRONET)
    wanted = {
        ledger.canonical(row.id) for t in ("2", "3", "4a", "4b", "4c", "5", "6", "7") for row in ledger.tables[t].rows
    }
    assert wanted == set(configured_rows(tasks=("classification",)))


def test_every_row_of_table_8_has_an_experiment():
    assert {row.id for row in load_ledger(MICRONET).tables["8"].rows} == set(configured_rows(tasks=("pose",)))


@pytest.mark.slow
@pytest.mark.parametrize("row", sorted(row for row in FIRST if row.startswith(("t2_", "t8_", "t9_"))))
def test_costs_at_the_papers_size_agree_with_hooks_and_with_torchs_counter(row):
    """Closed form = hooks on the module; convolutions and linears = torch's FlopCounterMode, exactly."""
    built = build(row)
    size = SIZES[built.task]
    model = without_partner(copy.deepcopy(built.model)).eval().to("meta")  # without arithmetic
    closed = model_cost(built.config, size)
    images = torch.zeros(1, 3, *size, device="meta")
    if built.task != "classification":
        model.forward = lambda images: type(model).forward(model, images, None, mode="tensor")
    with FlopCounterMode(display=False) as counter, torch.no_grad():
        model(images)
    assert counter.get_total_flops() == 2 * closed.convs_and_linears()
    assert sum(p.numel() for p in model.parameters()) == closed.params
    assert trace_cost(model, (3, *size)).by_kind() == closed.by_kind()
