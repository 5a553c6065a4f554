"""What every row that has a network keeps, on small images; tests of one row share one network."""

from __future__ import annotations

import copy
import io
from dataclasses import replace

import pytest
import torch
from contract_rows import FIRST, ROWS, build, without_partner
from torch.utils.flop_counter import FlopCounterMode

from registry.cost.models import model_cost
from registry.cost.trace import trace_cost
from registry.micronet import MicroNet

#: By task: channels of the outputs, and what the images' sides are divided by.
OUTPUTS = {"classification": (1000, None), "pose": (17, 4), "segmentation": (19, 8)}


@pytest.fixture(
    scope="module",
    params=[row if row in FIRST else pytest.param(row, marks=[pytest.mark.slow, pytest.mark.long]) for row in ROWS],
)
def built(request):
    return build(request.param)


@pytest.mark.slow
def test_outputs_have_their_shape(built):
    channels, divisor = OUTPUTS[built.task]
    with torch.no_grad():
        built.model.eval()
        out = built.outputs(built.images())
    size = () if divisor is None else tuple(n // divisor for n in built.size)
    assert out.shape == (2, channels, *size)
    assert torch.isfinite(out).all()


@pytest.mark.slow
def test_every_parameter_gets_a_gradient(built):
    built.model.train().zero_grad()
    built.loss(built.images()).backward()
    lacking = [n for n, p in built.model.named_parameters() if p.grad is None or not torch.isfinite(p.grad).all()]
    assert lacking == []


@pytest.mark.slow
def test_weights_go_through_a_file_into_another_network(built):
    other = build(built.row, seed=1)
    file = io.BytesIO()
    torch.save(built.model.state_dict(), file)
    file.seek(0)
    other.model.load_state_dict(torch.load(file, weights_only=True), strict=True)
    with torch.no_grad():
        built.model.eval(), other.model.eval()
        assert torch.equal(built.outputs(built.images()), other.outputs(built.images()))


@pytest.mark.slow
def test_closed_form_cost_is_what_the_modules_do(built):
    """Hooks count what the closed form says, and torch's own counter its convolutions and fully connected layers."""
    built = replace(built, model=without_partner(copy.deepcopy(built.model)).eval())
    closed, model = model_cost(built.config, built.size), built.model
    assert closed.params == sum(p.numel() for p in model.parameters())
    with torch.no_grad(), FlopCounterMode(display=False) as counter:
        built.outputs(built.images(1))
    assert counter.get_total_flops() == 2 * closed.convs_and_linears()
    if built.task == "classification":
        assert trace_cost(model, (3, *built.size)).by_kind() == closed.by_kind()
    else:
        model.forward = lambda images: type(model).forward(model, images, None, mode="tensor")
        assert trace_cost(model, (3, *built.size)).by_kind() == closed.by_kind()


@pytest.mark.slow
def test_features_have_their_strides(built):
    backbone = getattr(built.model, "backbone", None)
    if backbone is None:
        pytest.skip("a whole network of a library: it has no features of its own")
    if not isinstance(backbone, MicroNet):
        with torch.no_grad():
            features = backbone.eval()(built.images(1))
        strides = (8, 16) if built.task == "segmentation" else (32,)
        features = features if isinstance(features, tuple) else (features,)
    else:
        config = {k: v for k, v in built.config.backbone.items() if k not in ("type", "reading")}
        stages = len(set(backbone._last_of_stage.values()))
        with torch.no_grad():
            features = MicroNet(**{**config, "out_indices": range(stages)}).eval()(built.images(1))
        strides = tuple(2 ** (i + 1) for i in range(stages))
        assert stages == {"classification": 5, "segmentation": 4}.get(built.task, stages)
    assert [tuple(f.shape[2:]) for f in features] == [tuple(-(-n // s) for n in built.size) for s in strides]
