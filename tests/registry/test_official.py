"""Released checkpoints load by structure and give the released models' logits.

The reference below restates the released networks' computation from their published tables of numbers, with the
released parameter names, and draws random weights: an oracle for sizes whose weights are not at hand.
"""

from __future__ import annotations

import pytest
import torch
from released_nets import Released
from torch.nn import functional as F

from registry import official
from registry.official import CheckpointError
from registry.ops.fused import use_backend
from registry.ops.shift_max import DynamicShiftMax


@pytest.fixture(autouse=True)
def straightforward():
    """Random weights magnify roundings, which the faster forms place elsewhere than the reference does."""
    with use_backend("eager"):
        yield


@pytest.fixture(scope="module", params=list(official.SIZES))
def released(request):
    net = Released(request.param)
    torch.manual_seed(1)
    images = torch.randn(2, 3, 224, 224)
    with torch.no_grad():
        return request.param, images, net(images), net.state


def test_logits_equal_the_reference(released):
    size, images, logits, state = released
    net = official.build(state, size)
    assert not net.training
    with torch.no_grad():
        got = net(images)
    assert got.shape == (2, 1000)
    assert float(logits.std()) > 0.1
    torch.testing.assert_close(got, logits, rtol=1e-4, atol=1e-5)


def test_keys_map_whatever_their_order_wrapper_or_prefix(released):
    size, images, logits, state = released
    wrapped = {"state_dict": {f"module.{k}": state[k] for k in sorted(state, reverse=True)}}
    with torch.no_grad():
        torch.testing.assert_close(official.build(wrapped, size)(images), logits, rtol=1e-4, atol=1e-5)


@pytest.mark.slow
def test_faults_are_named(released):
    size, _, _, state = released
    other = {"4M": "6M", "6M": "12M", "12M": "6M", "21M": "12M"}[size]
    with pytest.raises(CheckpointError, match="another size"):
        official.build(state, other)
    with pytest.raises(CheckpointError, match="lacks"):
        official.build({k: v for k, v in state.items() if k != "features.1.layers.0.conv.1.bias"}, size)
    with pytest.raises(CheckpointError, match="no counterpart"):
        official.build({**state, "features.1.layers.0.conv.0.bias": torch.zeros(1)}, size)
    with pytest.raises(CheckpointError, match="shape"):
        official.build({**state, "classifier.2.linear.0.bias": torch.zeros(10)}, size)
    with pytest.raises(CheckpointError, match="operators"):
        official.build({**state, "features.99.layers.0.weight": torch.zeros(1)}, size)
    with pytest.raises(CheckpointError, match="not a state dict"):
        official.build({"epoch": 3}, size)
    with pytest.raises(CheckpointError, match="released sizes"):
        official.build(state, "44M")


def test_files_are_read_weights_only(tmp_path, released):
    size, images, logits, state = released
    torch.save({"state_dict": state}, tmp_path / "good.pth")
    with torch.no_grad():
        torch.testing.assert_close(official.load(tmp_path / "good.pth", size)(images), logits, rtol=1e-4, atol=1e-5)
    (tmp_path / "cut.pth").write_bytes((tmp_path / "good.pth").read_bytes()[:5000])
    torch.save({"state_dict": state, "code": Released}, tmp_path / "code.pth")
    for name, message in (("cut", "not a readable"), ("code", "not a readable"), ("none", "no such file")):
        with pytest.raises(CheckpointError, match=message) as caught:
            official.load(tmp_path / f"{name}.pth", size)
        assert f"{name}.pth" in str(caught.value)


@pytest.mark.slow
@pytest.mark.parametrize("size", official.SIZES)
def test_a_training_step_equals_the_reference(size):
    """In float64: loss, every gradient and the running statistics, at the scripts' settings; dropout of one seed."""
    reference = Released(size, torch.float64)
    images = torch.randn(4, 3, 96, 96, generator=torch.Generator().manual_seed(3)).double()
    labels = torch.tensor([1, 20, 300, 999])
    with torch.no_grad():
        reference(images)  # draws the weights
    net = official.build(reference.state, size).double()
    net.load_state_dict(official.map_state_dict(reference.state, net))  # built in float32
    weights = {k: v for k, v in reference.state.items() if v.is_floating_point() and "running" not in k}
    for weight in weights.values():
        weight.requires_grad_()
    reference.training, losses = True, []
    for model in (reference, net.train()):
        torch.manual_seed(0)
        losses.append(F.cross_entropy(model(images), labels))
        losses[-1].backward()
    torch.testing.assert_close(losses[0], losses[1], rtol=0, atol=1e-12)
    grads = official.map_state_dict(
        {k: weights[k].grad if k in weights else v for k, v in reference.state.items()}, net
    )
    for name, parameter in net.named_parameters():
        wanted = grads[name]
        # a bias before BatchNorm has gradient 0 but for rounding; torch's hard-swish rounds its constants to float32
        limit = 1e-5 * max(float(wanted.abs().max()), 1e-6)
        assert float((parameter.grad - wanted).abs().max()) <= limit, name
    for name, value in official.map_state_dict(reference.state, net).items():
        if "running" in name:
            torch.testing.assert_close(net.state_dict()[name], value, rtol=0, atol=1e-12)


def test_the_constants_of_the_largest_matter():
    """They are INIT_A 1.0,0.5 and INIT_B 0.0,0.5 of its scripts; with those of the other sizes it is another net."""
    net = official.build(_drawn("21M"), "21M")
    layers = [m for m in net.modules() if isinstance(m, DynamicShiftMax)]
    assert [m.constants.flatten().tolist() for m in layers] == [[1.0, 0.0, 0.5, 0.5]] * 11
    images = torch.randn(2, 3, 96, 96, generator=torch.Generator().manual_seed(3))
    with torch.no_grad():
        right = net(images)
        for layer in layers:
            layer.constants.copy_(torch.tensor([1.0, 0.0, 1.0, 0.0]).view_as(layer.constants))
        assert float((net(images) - right).abs().max()) > 1e-3


def _drawn(size: str) -> dict[str, torch.Tensor]:
    reference = Released(size)
    with torch.no_grad():
        reference(torch.zeros(1, 3, 32, 32))
    return reference.state


@pytest.mark.parametrize("form", ["eager", "auto"])
def test_the_golden_6m_file_gives_its_logits(shared, form):
    """The file's weights are random, not released ones: it shows that the mapping computes what the code computes."""
    golden = torch.load(shared / "golden/official_6M.pt", map_location="cpu", weights_only=True)
    state = golden["state_dict"]
    with torch.no_grad(), use_backend(form):
        got = official.build(state, "6M")(golden["input"])
    assert float((got - golden["logits"]).abs().max()) < 1e-5
