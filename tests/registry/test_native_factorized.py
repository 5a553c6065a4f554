"""Factorized convolutions that a compiler makes: torch's values and derivatives within rounding, for any such layer."""

from __future__ import annotations

import pytest
import torch
from compiled_library import library_for_module, needs_compiler
from hypothesis import assume, given
from hypothesis import strategies as st
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

from registry.micronet import MicroNet
from registry.ops import fused, native, native_factorized
from registry.ops.native_factorized import axis_of

pytestmark = needs_compiler
prepared = library_for_module("-O1")
LAYERS = st.fixed_dictionaries({
    "groups": st.integers(1, 4), "into": st.integers(1, 3), "out": st.integers(1, 9), "tall": st.booleans(),
    "kernel": st.integers(1, 7), "stride": st.integers(1, 4), "padding": st.integers(0, 4), "bias": st.booleans(),
    "batch": st.integers(1, 3), "size": st.sampled_from([(1, 1), (7, 7), (9, 14), (28, 5), (70, 80)]),
})  # fmt: skip


def layer(shape):
    """Return a convolution along one axis, and its input."""
    along = (lambda v, other: (v, other)) if shape["tall"] else (lambda v, other: (other, v))
    torch.manual_seed(0)
    conv = nn.Conv2d(
        shape["groups"] * shape["into"], shape["groups"] * shape["out"], along(shape["kernel"], 1),
        along(shape["stride"], 1), along(shape["padding"], 0), groups=shape["groups"], bias=shape["bias"],
    )  # fmt: skip
    return conv, torch.randn(shape["batch"], conv.in_channels, *shape["size"])


@pytest.mark.slow
@given(LAYERS, st.sampled_from([torch.float32, torch.float64]))
def test_values_and_derivatives_are_torchs(shape, dtype):
    conv, x = layer(shape)
    length = x.shape[2 if shape["tall"] else 3]
    assume(length + 2 * shape["padding"] >= shape["kernel"])
    conv, x = conv.to(dtype), x.to(dtype).requires_grad_()
    axis = axis_of(conv)
    assert native_factorized.takes(x, conv.weight, conv.bias, axis)
    inputs = [x, *conv.parameters()]
    found = []
    for y in (conv(x), native_factorized.convolve(native.library(), x, conv.weight, conv.bias, axis)):
        grad = torch.linspace(-1, 1, y.numel(), dtype=dtype).view(y.shape)
        found.append((y, *torch.autograd.grad(y, inputs, grad)))
    limit = {torch.float32: 1e-5, torch.float64: 1e-12}[dtype]
    for one, other in zip(*found, strict=True):
        torch.testing.assert_close(one, other, rtol=limit, atol=limit * max(1.0, float(one.detach().abs().max())))


@pytest.mark.parametrize("tall", [True, False])
def test_gradients_are_the_derivative_once_and_twice(tall):
    shape = {"groups": 2, "into": 1, "out": 2, "tall": tall, "kernel": 3, "stride": 2, "padding": 1, "bias": True}
    conv, x = layer({**shape, "batch": 2, "size": (5, 4)})
    conv, x, axis = conv.double(), x.double().requires_grad_(), axis_of(conv)

    def call(x, weight, bias):
        return native_factorized.convolve(native.library(), x, weight, bias, axis)

    assert torch.autograd.gradcheck(call, (x, conv.weight, conv.bias))
    assert torch.autograd.gradgradcheck(call, (x, conv.weight, conv.bias), fast_mode=True)


def test_threads_share_the_work_and_change_nothing():
    x, w = torch.randn(4, 24, 40, 40, requires_grad=True), torch.randn(24, 1, 3, 1, requires_grad=True)
    axis = native_factorized.Axis(2, 3, 1, 1, 24)
    assert x.numel() >= native_factorized.THREADED
    held, found = torch.get_num_threads(), []
    try:
        for threads in (1, 3):
            torch.set_num_threads(threads)
            y = native_factorized.convolve(native.library(), x, w, None, axis)
            found.append((y, *torch.autograd.grad(y.square().sum(), (x, w))))
    finally:
        torch.set_num_threads(held)
    assert all(torch.equal(one, other) for one, other in zip(*found, strict=True))


@pytest.mark.parametrize(
    "conv",
    [
        nn.Conv2d(4, 4, 3), nn.Conv2d(4, 4, (3, 1), stride=2), nn.Conv2d(4, 4, (3, 1), padding=1),
        nn.Conv2d(4, 4, (3, 1), dilation=(2, 1)), nn.Conv2d(4, 4, (3, 1), padding="same"),
        nn.Conv2d(4, 4, (1, 3), padding=(0, 1), padding_mode="reflect"), nn.Conv2d(4, 200, 1), nn.Conv2d(200, 4, 1),
    ],
    ids=str,
)  # fmt: skip
def test_other_convolutions_stay_torchs(conv):
    assert axis_of(conv) is None


@pytest.fixture
def calls(monkeypatch):
    """Return how many convolutions ran compiled."""
    seen, real = [], native_factorized.convolve
    monkeypatch.setattr(native_factorized, "convolve", lambda *a: (seen.append(a[-1]), real(*a))[1])
    return seen


def test_a_network_trains_through_them(calls):
    torch.manual_seed(0)
    net = MicroNet("m0").double()
    net.init_weights()
    x, found = torch.randn(2, 3, 32, 32).double(), []
    for off in (False, True):
        with native.disabled() if off else torch.enable_grad():
            loss = sum(f.square().mean() for f in net(x))
        found.append((loss, *torch.autograd.grad(loss, list(net.parameters()))))
        assert bool(calls) is not off
        calls.clear()
    for one, other in zip(*found, strict=True):
        torch.testing.assert_close(one, other, rtol=1e-8, atol=1e-10)


@pytest.mark.slow
def test_whoever_must_see_torchs_operators_does(calls):
    net, x = MicroNet("m0").eval(), torch.randn(1, 3, 96, 96)
    with FlopCounterMode(display=False) as flops:
        net(x)
    assert flops.get_total_flops() > 0
    with torch.no_grad():
        torch.jit.trace(net, x, check_trace=False, strict=False)
        with torch.autocast("cpu", torch.bfloat16):
            net(x)
        with fused.use_backend("eager"):
            net(x)
    assert calls == []
    with torch.no_grad():
        net(x)
    assert calls


def test_it_takes_what_lies_in_memorys_order_and_is_of_one_dtype():
    conv, x = nn.Conv2d(4, 8, (3, 1), padding=(1, 0), groups=4), torch.randn(2, 4, 5, 6)
    axis = axis_of(conv)
    assert native_factorized.takes(x, conv.weight, conv.bias, axis)
    for other in (
        x.to(memory_format=torch.channels_last), x.transpose(2, 3), x.double(), x.bfloat16(), x[:, :2], x[:0],
        torch.randn(2, 8, 5, 6), x[0],
    ):  # fmt: skip
        assert not native_factorized.takes(other, conv.weight, conv.bias, axis)
    assert not native_factorized.takes(x.double(), conv.weight.double(), conv.bias, axis)
    assert not native_factorized.takes(
        torch.randn(2, 4, 5, 6),
        *(nn.Conv2d(4, 8, (9, 1), groups=4).weight, None),
        axis_of(nn.Conv2d(4, 8, (9, 1), groups=4)),
    )
