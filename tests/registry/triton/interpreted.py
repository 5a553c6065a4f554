"""Run by test_kernels.py in a process of its own, under TRITON_INTERPRET=1: the kernels' results, without a GPU."""

from __future__ import annotations

import pytest
import torch

from registry.ops import fused, kernels, verified
from registry.ops.eager import eager_shift_max
from registry.ops.shift_max import shift_max

TOLERANCE = {torch.float64: 1e-12, torch.float32: 1e-5, torch.float16: 2e-3, torch.bfloat16: 1.6e-2}
#: (batch, channels, groups, height, width, K, J), shift, shared coefficients, channels-last, dtype
CASES = [
    ((2, 8, 4, 5, 3, 2, 2), "group", False, False, torch.float32),
    ((2, 8, 2, 3, 3, 2, 2), "group_channel", False, True, torch.float32),
    ((3, 12, 3, 1, 4, 3, 3), "group", True, False, torch.float16),
    ((1, 12, 4, 4, 1, 3, 3), "group_channel", False, True, torch.bfloat16),
    ((2, 6, 2, 4, 4, 1, 2), "group", False, True, torch.float64),
    ((1, 4, 1, 3, 3, 2, 1), "group", True, False, torch.float64),
    ((2, 40, 4, 7, 1, 2, 2), "group", False, False, torch.float16),
    ((1, 136, 17, 2, 1, 2, 2), "group", False, True, torch.float32),  # more channels than a tile
    ((1, 2, 2, 33, 33, 2, 2), "group", False, False, torch.float32),  # more pixels than a tile
    ((1, 6, 3, 2, 2, 2, 5), "group", False, False, torch.float32),  # more shifts than groups
]


@pytest.mark.parametrize(("size", "shift", "shared", "last", "dtype"), CASES)
def test_values_and_gradients(size, shift, shared, last, dtype):
    batch, channels, groups, height, width, k, j = size
    torch.manual_seed(0)
    x = torch.randn(batch, channels, height, width).to(dtype)
    x[:, 0] = 0
    a = torch.randn(1 if shared else batch, k, j, channels).to(dtype)
    a[:, -1, :, 1] = a[:, 0, :, 1]  # ties
    x = x.to(memory_format=torch.channels_last) if last else x
    grad = torch.randn(x.shape).to(dtype)
    exact = torch.promote_types(dtype, torch.float32)  # half input, sums in float32
    results = []
    for form, to in ((eager_shift_max, exact), (kernels.shift_max, dtype)):
        own, coefficients = x.detach().to(to).requires_grad_(), a.to(to).requires_grad_()
        y = form(own, coefficients, groups, shift)
        results.append([y.detach(), *torch.autograd.grad(y, (own, coefficients), grad.to(to))])
    for wanted, got in zip(*results, strict=True):
        assert got.dtype == dtype
        torch.testing.assert_close(got.to(exact), wanted, atol=TOLERANCE[dtype] * 4, rtol=TOLERANCE[dtype])
    assert results[1][0].stride() == x.stride()


@pytest.mark.parametrize("shift", ["group", "group_channel"])
def test_gradients_are_the_derivative(shift):
    torch.manual_seed(1)
    x = torch.randn(1, 4, 1, 2, dtype=torch.float64, requires_grad=True)
    a = torch.randn(1, 2, 2, 4, dtype=torch.float64, requires_grad=True)
    # along random directions: one by one, each of the 24 numbers starts the interpreted kernels twice
    assert torch.autograd.gradcheck(lambda x, a: kernels.shift_max(x, a, 2, shift), (x, a), fast_mode=True)


def test_mixed_precision_stays_half():
    x = torch.randn(1, 4, 2, 2).half().requires_grad_()
    a = torch.randn(1, 2, 2, 4, requires_grad=True)
    with fused.use_backend("triton"):
        y = shift_max(x, a, 2)
    assert y.dtype == torch.float16
    dx, da = torch.autograd.grad(y.float().sum(), (x, a))
    assert (dx.dtype, da.dtype) == (torch.float16, torch.float32)


def test_not_a_number_and_odd_strides():
    x = torch.randn(2, 4, 6, 5)[:, :, ::2, 1:4]
    x[0, 1, 0, 0] = float("nan")
    a = torch.randn(2, 2, 2, 4)
    got, wanted = kernels.shift_max(x, a, 2), eager_shift_max(x, a, 2)
    torch.testing.assert_close(got, wanted, equal_nan=True)


def test_expanded_gradients():
    x = torch.randn(1, 4, 2, 3, requires_grad=True)
    a = torch.randn(1, 2, 2, 4)
    sums = [torch.autograd.grad(form(x, a, 2).sum(), x)[0] for form in (kernels.shift_max, eager_shift_max)]
    torch.testing.assert_close(*sums)


def test_integers_are_refused():
    assert "int64" in kernels.refusal(torch.zeros(1, 2, 2, 2, dtype=torch.int64))


def test_kernels_are_tried_against_eq_5_and_found_broken(monkeypatch):
    """Their own values and gradients agree; with the two shifts exchanged they do not."""
    assert verified.difference(torch.device("cpu"), torch.float16) == ""
    real = kernels.constants

    def broken(x, j, k, groups, shift):
        return {**real(x, j, k, groups, shift), "WITHIN": shift == "group"}

    monkeypatch.setattr(kernels, "constants", broken)
    assert "values differ" in verified.difference(torch.device("cpu"), torch.float16)
