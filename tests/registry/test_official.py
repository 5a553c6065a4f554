"""Released checkpoints load by structure and give the released models' logits.

The reference below restates the released networks' computation from their published tables of numbers, with the
released parameter names, and draws random weights: an oracle for sizes whose weights are not at hand.
"""

from __future__ import annotations

import pytest
import torch
from released_nets import Released

from registry import official
from registry.official import CheckpointError
from registry.ops.fused import use_backend


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


@pytest.mark.parametrize("form", ["eager", "auto"])
def test_released_6m_weights_give_the_released_logits(shared, form):
    golden = torch.load(shared / "golden/official_6M.pt", map_location="cpu", weights_only=True)
    state = golden["state_dict"]
    with torch.no_grad(), use_backend(form):
        got = official.build(state, "6M")(golden["input"])
    assert float((got - golden["logits"]).abs().max()) < 1e-5
