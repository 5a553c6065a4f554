"""Every form of Shift-Max equals Eq. 5 as it reads, in value and gradient, and is chosen only where it may be."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from shift_max_cases import case

from registry.ops import fused, lean, native
from registry.ops.eager import SHIFTS, eager_shift_max, shift_channels
from registry.ops.shift_max import DynamicShiftMax, StaticShiftMax, shift_max

SHAPES = st.fixed_dictionaries({
    "batch": st.integers(1, 4), "groups": st.integers(1, 5), "width": st.integers(1, 5), "j": st.integers(1, 4),
    "k": st.integers(1, 3), "shift": st.sampled_from(SHIFTS), "shared": st.booleans(), "seed": st.integers(0, 99),
    "ties": st.booleans(), "portion": st.sampled_from([8, 1 << 18]),
})  # fmt: skip


def values_and_gradients(form, x, a, grad, shape):
    y = form(x, a, shape["groups"], shape["shift"])
    return y, *torch.autograd.grad(y, (x, a), grad)


@given(SHAPES, st.sampled_from([torch.float32, torch.float64, torch.bfloat16]))
def test_lean_gives_the_straightforward_forms_bits(shape, dtype):
    x, a, grad = case(shape, dtype)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(lean, "PORTION", shape["portion"])
        expected = values_and_gradients(eager_shift_max, x, a, grad, shape)
        for got, wanted in zip(values_and_gradients(lean.shift_max, x, a, grad, shape), expected, strict=True):
            assert torch.equal(got, wanted)


@given(SHAPES, st.sampled_from([torch.float32, torch.float64, torch.bfloat16]))
def test_lean_infers_within_rounding(shape, dtype):
    """Each of J products and sums is rounded once at most, which bounds the error."""
    x, a, _ = case(shape, dtype)
    with pytest.MonkeyPatch.context() as patch, torch.no_grad():
        patch.setattr(lean, "PORTION", shape["portion"])
        got = lean.shift_max(x, a, shape["groups"], shape["shift"])
        exact = eager_shift_max(x.double(), a.double(), shape["groups"], shape["shift"])
        bound = eager_shift_max(x.double().abs(), a.double().abs(), shape["groups"], shape["shift"])
    assert got.dtype == dtype
    assert ((got.double() - exact).abs() <= 2 * shape["j"] * torch.finfo(dtype).eps * bound + 1e-300).all()


@pytest.mark.slow
@given(SHAPES)
def test_lean_takes_channels_last_and_keeps_it(shape):
    x, a, grad = case(shape)
    x = x.detach().to(memory_format=torch.channels_last).requires_grad_()
    expected = values_and_gradients(eager_shift_max, x, a, grad, shape)
    got = values_and_gradients(lean.shift_max, x, a, grad, shape)
    assert got[0].is_contiguous(memory_format=torch.channels_last)
    for one, wanted in zip(got, expected, strict=True):
        torch.testing.assert_close(one, wanted)


@pytest.mark.slow
@pytest.mark.parametrize("shift", SHIFTS)
def test_lean_gradients_are_the_derivative(shift):
    torch.manual_seed(0)
    x = torch.randn(2, 6, 2, 2, dtype=torch.float64, requires_grad=True)
    a = torch.randn(2, 3, 2, 6, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(lambda x, a: lean.shift_max(x, a, 3, shift), (x, a))
    # one of the two alone
    for fixed in ((x.detach(), a), (x, a.detach())):
        assert torch.autograd.gradcheck(lambda x, a: lean.shift_max(x, a, 3, shift), fixed)


@given(st.integers(1, 6), st.integers(1, 6), st.integers(0, 7), st.sampled_from(SHIFTS))
def test_pieces_are_the_shift(groups, width, steps, shift):
    x = torch.arange(groups * width, dtype=torch.float32).view(1, -1, 1, 1)
    out = torch.full_like(x, -1)
    for target, source in lean.pieces(groups * width, groups, steps, shift):
        out[:, target] = x[:, source]
    assert torch.equal(out, shift_channels(x, groups, steps, shift))


def test_not_a_number_stays_one():
    x = torch.tensor([1.0, float("nan"), 2.0, 3.0]).view(1, 4, 1, 1)
    a = torch.randn(1, 2, 2, 4)
    with fused.use_backend("lean"):
        assert torch.equal(shift_max(x, a, 2).isnan(), eager_shift_max(x, a, 2).isnan())


@pytest.mark.parametrize("layer", [DynamicShiftMax(8, 2, k=3), StaticShiftMax(8, 2)])
def test_layers_have_the_same_gradients_in_either_form(layer):
    x = torch.randn(2, 8, 3, 3, requires_grad=True)
    results = []
    for name in ("eager", "lean"):
        with fused.use_backend(name):
            results.append(torch.autograd.grad(layer(x).square().sum(), [x, *layer.parameters()]))
    for one, other in zip(*results, strict=True):
        assert torch.equal(one, other)


@pytest.fixture
def uncompiled():
    """Leave out the compiled form, which another test of this process may have made ready."""
    with native.disabled():
        yield


def test_auto_takes_lean_where_it_gains(uncompiled):
    small, a = torch.randn(1, 4, 2, 2), torch.randn(1, 2, 2, 4)
    large = small.expand(2 * fused.INFERENCE_SLICE // 16 + 1, 4, 2, 2)
    middle = small.expand(2 * fused.TRAINING_SLICE["group"] // 16 + 1, 4, 2, 2)
    assert fused.chosen(small, a) == "eager"
    assert fused.chosen(large, a) == "lean"
    assert fused.chosen(middle, a) == "eager"
    assert fused.chosen(middle, a.clone().requires_grad_()) == "lean"
    assert fused.chosen(middle, a[:, :1].clone().requires_grad_()) == "eager"
    with fused.use_backend("eager"):
        assert fused.chosen(large, a) == "eager"
        with fused.use_backend("lean"):
            assert fused.chosen(small, a) == "lean"


def test_auto_leaves_the_official_shift_of_many_groups(uncompiled):
    """It moves inside each group, so a slice is short: the released nets' 60 groups took 30 times as long."""
    x, a = torch.empty(1, 720, 14, 14), torch.empty(1, 2, 2, 720)
    assert fused.chosen(x, a, 60, "group") == "lean"
    assert fused.chosen(x, a, 60, "group_channel") == "eager"
    assert fused.chosen(x.expand(64, -1, -1, -1), a, 60, "group_channel") == "lean"


def test_what_lean_would_change_stays_eager():
    x, a = torch.randn(1, 4, 2, 2), torch.randn(1, 2, 2, 4)
    with fused.use_backend("lean"):
        assert fused.chosen(x, a.double()) == "eager"
        assert fused.chosen(x[:0], a[:0]) == "eager"
        assert fused.chosen(x.to("meta"), a.to("meta")) == "eager"
        with torch.autocast("cpu"):
            assert fused.chosen(x, a) == "eager"
        traced = torch.jit.trace(lambda x, a: shift_max(x, a, 2), (x, a))
    assert "Lean" not in str(traced.graph)


def test_wrong_names_are_named(monkeypatch):
    x, a = torch.randn(1, 4, 2, 2), torch.randn(1, 2, 2, 4)
    with pytest.raises(ValueError, match="unknown backend"), fused.use_backend("gpu"):
        pass
    monkeypatch.setenv(fused.VARIABLE, "nonsense")
    with pytest.raises(ValueError, match="MICRONET_SHIFT_MAX='nonsense': unknown; known: auto, eager, lean, native"):
        fused.chosen(x, a)
    monkeypatch.setenv(fused.VARIABLE, "triton")
    wanted = "needs? a CUDA tensor|need a CUDA tensor|not installed"
    with pytest.raises(RuntimeError, match=wanted):
        fused.chosen(x, a)
