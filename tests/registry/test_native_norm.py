"""BatchNorm of a training batch that a compiler makes: torch's values, statistics and derivatives within rounding."""

from __future__ import annotations

import copy

import pytest
import torch
from compiled_library import library_for_module, needs_compiler
from hypothesis import given
from hypothesis import strategies as st
from torch import nn

from registry.micronet import MicroNet
from registry.ops import folded, native, native_factorized, native_norm

pytestmark = needs_compiler
prepared = library_for_module("-O1")
LIMITS = {torch.float32: 1e-5, torch.float64: 1e-12}
BATCHES = st.fixed_dictionaries({
    "batch": st.integers(1, 5), "channels": st.sampled_from([1, 3, 64, 65, 130]),
    "size": st.sampled_from([(1, 2), (2, 2), (4, 4), (7, 7), (9, 31), (50, 50)]),
    "offset": st.sampled_from([0, 3, -40]), "scale": st.sampled_from([0.1, 1, 20]),
    "momentum": st.sampled_from([0.0, 0.1, 1.0]),
})  # fmt: skip


@pytest.fixture
def calls(monkeypatch):
    """Return the inputs' shapes that were normalized by the library."""
    seen, real = [], native_norm.normalize
    monkeypatch.setattr(native_norm, "normalize", lambda *a: (seen.append(a[2].shape), real(*a))[1])
    return seen


def norm_of(channels, dtype, momentum=0.1):
    torch.manual_seed(0)
    norm = nn.BatchNorm2d(channels, momentum=momentum).to(dtype)
    nn.init.normal_(norm.weight)
    nn.init.normal_(norm.bias)
    return norm


@pytest.mark.slow
@given(BATCHES, st.sampled_from([torch.float32, torch.float64]))
def test_values_statistics_and_derivatives_are_torchs(shape, dtype):
    theirs = norm_of(shape["channels"], dtype, shape["momentum"])
    mine = copy.deepcopy(theirs)
    x = torch.randn(shape["batch"], shape["channels"], *shape["size"]).mul_(shape["scale"]).add_(shape["offset"])
    x = x.to(dtype).requires_grad_()
    assert native_norm.takes(x, mine)
    grad, found = torch.randn(x.shape).to(dtype), []
    for norm, y in ((theirs, theirs(x)), (mine, native_norm.normalize(native.library(), mine, x))):
        found.append((y, *torch.autograd.grad(y, (x, norm.weight, norm.bias), grad), *norm.buffers()))
    # of few values next to each other the spread, and with it every quotient, is known less well than a value
    limit = LIMITS[dtype] * (1 + abs(shape["offset"]) / shape["scale"]) ** 2 * 10
    for one, other in zip(*found, strict=True):
        torch.testing.assert_close(one, other, rtol=limit, atol=limit * max(1.0, float(one.detach().abs().max())))


def test_gradients_are_the_derivative_once_and_twice():
    norm, x = norm_of(3, torch.float64), torch.randn(2, 3, 4, 5, dtype=torch.float64, requires_grad=True)

    def call(x, weight, bias):
        return native_norm.NativeBatchNorm.apply(x, weight, bias, norm.eps, native.library())[0]

    assert torch.autograd.gradcheck(call, (x, norm.weight, norm.bias))
    assert torch.autograd.gradgradcheck(call, (x, norm.weight, norm.bias), fast_mode=True)


def test_frozen_parameters_get_no_gradient():
    norm, x = norm_of(4, torch.float32), torch.randn(2, 4, 5, 5, requires_grad=True)
    norm.weight.requires_grad = False
    native_norm.normalize(native.library(), norm, x).square().sum().backward()
    assert norm.weight.grad is None
    assert norm.bias.grad is not None
    assert x.grad is not None


def test_threads_share_the_work_and_change_nothing():
    norm, x = norm_of(24, torch.float32), torch.randn(4, 24, 40, 40, requires_grad=True)
    assert x.numel() >= native_factorized.THREADED
    held, found = torch.get_num_threads(), []
    try:
        for threads in (1, 3):
            torch.set_num_threads(threads)
            y = native_norm.normalize(native.library(), norm, x)
            found.append((y, *torch.autograd.grad(y.pow(3).sum(), (x, norm.weight, norm.bias))))
    finally:
        torch.set_num_threads(held)
    assert all(torch.equal(one, other) for one, other in zip(*found, strict=True))


def test_not_a_number_stays_one():
    norm, x = norm_of(2, torch.float32), torch.ones(2, 2, 3, 3)
    x[0, 0, 1, 1] = float("nan")
    y = native_norm.normalize(native.library(), norm, x)
    assert y[:, 0].isnan().all()
    assert not y[:, 1].isnan().any()


def test_it_takes_training_batches_in_memorys_order_of_one_dtype():
    norm, x = norm_of(4, torch.float32), torch.randn(2, 4, 5, 6)
    assert native_norm.takes(x, norm)
    for other in (
        x.to(memory_format=torch.channels_last), x.transpose(2, 3), x.double(), x.bfloat16(), x[:, :2], x[:0], x[0],
        x[:1, :, :1, :1],
    ):  # fmt: skip
        assert not native_norm.takes(other, norm)
    assert not native_norm.takes(x, copy.deepcopy(norm).eval())
    for other in (
        nn.BatchNorm2d(4, momentum=None), nn.BatchNorm2d(4, affine=False), nn.SyncBatchNorm(4),
        nn.BatchNorm2d(4, track_running_stats=False),
    ):  # fmt: skip
        assert not native_norm.takes(x, other)


def test_one_value_a_channel_stays_torchs_error():
    layers, x = nn.Sequential(nn.Conv2d(4, 4, 1, groups=4), norm_of(4, torch.float32)), torch.randn(1, 4, 1, 1)
    with pytest.raises(ValueError, match="more than 1 value"):
        folded.run(layers, x)


def test_a_network_trains_through_it(calls):
    torch.manual_seed(0)
    net = MicroNet("m0").double()
    net.init_weights()
    x, found = torch.randn(2, 3, 32, 32).double(), []
    for off in (False, True):
        mine = copy.deepcopy(net)
        with native.disabled() if off else torch.enable_grad():
            loss = sum(f.square().mean() for f in mine(x))
        found.append((loss, *torch.autograd.grad(loss, list(mine.parameters())), *mine.buffers()))
        assert bool(calls) is not off
        calls.clear()
    for one, other in zip(*found, strict=True):
        torch.testing.assert_close(one, other, rtol=1e-8, atol=1e-10)
    net.eval()(x)
    assert calls == []
