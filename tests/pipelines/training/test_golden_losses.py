"""Ten steps of each recipe's own optimizer, in float64 on fixed integers, against losses that every CPU gives.

The losses are this project's own at the commit that wrote them: a change here is a changed network, loss or optimizer.
"""

from __future__ import annotations

import numpy as np
import pytest
import torch
from mmengine.optim import build_optim_wrapper
from mmengine.registry import MODELS

import registry  # noqa: F401  registers the models
from pipelines.analysis.probe import TARGETS, fill, images
from pipelines.analysis.structure import scope
from pipelines.common import ROOT
from pipelines.tasks import row_config
from registry.ops.fused import use_backend
from report.rows import find_row

#: The first, fifth and tenth loss.
GOLDEN: dict[str, tuple[float, float, float]] = {
    "t2_micronet_m0": (6.964028, 7.126522, 7.207057),
    "t2_micronet_m3": (7.201453, 7.476756, 6.971416),
    "t5_relu": (7.50343, 7.182207, 6.629224),
    "t8_micronet_m0": (0.4517747, 0.3546445, 0.3202652),
    "t9_micronet_m0": (3.239121, 3.003655, 2.998285),
}


def losses(row: str, steps: int = 10) -> list[float]:
    """Return the losses of a row's network trained by its own optimizer, without mixup, at 64 x 64."""
    handle = find_row(row)
    config = row_config(handle, ROOT)
    rng = np.random.default_rng(0)
    out = []
    with scope(config), use_backend("eager"):
        net = MODELS.build(config.model).double().train()
        fill(net, rng)
        batch = images(rng)
        wrapper = build_optim_wrapper(net, config.optim_wrapper)
        for step in range(steps):
            found = net(batch, TARGETS[handle.task](np.random.default_rng(step), net), mode="loss")
            total, _ = net.parse_losses(found)
            wrapper.update_params(total)
            out.append(float(total.detach()))
    return out


@pytest.mark.slow
@pytest.mark.parametrize("row", sorted(GOLDEN))
def test_ten_steps_give_the_golden_losses(row):
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        found = losses(row)
    finally:
        torch.set_num_threads(threads)
    assert (found[0], found[4]) == pytest.approx(GOLDEN[row][:2], rel=1e-4)
    assert found[9] == pytest.approx(GOLDEN[row][2], rel=1e-2)  # by then the last digit has grown to 1e-3
