"""Triton's kernels serve on an unmeasured card only once they agreed with Eq. 5 there; kernels broken on purpose."""

from __future__ import annotations

import json
import warnings

import pytest
import torch
from helpers import ROOT

from registry.ops import fused, verified
from registry.ops.eager import eager_shift_max
from registry.ops.shift_max import shift_max

pytest.importorskip("triton")
kernels = pytest.importorskip("registry.ops.kernels")


@pytest.fixture(autouse=True)
def untried(monkeypatch):
    """Forget what was tried, and let a CPU pass for a card that the kernels take."""
    monkeypatch.setattr(verified, "_known", {})
    monkeypatch.setattr(kernels, "refusal", lambda x: None)
    monkeypatch.setattr(fused, "on_gpu", lambda x: True)


def wrong_value(x, a, groups, shift="group"):
    return eager_shift_max(x, a, groups, shift) * 1.1


class WrongGradient(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x, a, groups, shift):
        ctx.save_for_backward(x, a)
        ctx.rest = groups, shift
        return eager_shift_max(x, a, groups, shift)

    @staticmethod
    def backward(ctx, grad):
        with torch.enable_grad():
            inputs = [t.detach().requires_grad_() for t in ctx.saved_tensors]
            dx, da = torch.autograd.grad(eager_shift_max(*inputs, *ctx.rest), inputs, grad)
        return dx, -da, None, None


def fails(x, a, groups, shift="group"):
    raise RuntimeError("ptxas fatal: no such card\nand more")


BROKEN = {
    "values differ": wrong_value,
    "gradients of the coefficients differ": lambda x, a, g, s="group": WrongGradient.apply(x, a, g, s),
    "fail with RuntimeError: ptxas fatal: no such card;": fails,
    "values differ for the shift 'group_channel'": lambda x, a, g, s="group": eager_shift_max(x, a, g, "group"),
}


@pytest.mark.parametrize("said", BROKEN)
def test_broken_kernels_give_one_warning_and_the_straightforward_form(monkeypatch, said):
    monkeypatch.setattr(kernels, "shift_max", BROKEN[said])
    x, a = torch.randn(1, 4, 2, 2), torch.randn(1, 2, 2, 4)
    with pytest.warns(UserWarning, match=said) as caught:
        assert torch.equal(shift_max(x, a, 2), eager_shift_max(x, a, 2))
    assert len(caught) == 1
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert fused.chosen(x, a) == "eager"


def test_sound_kernels_serve_and_are_tried_once_for_a_dtype(monkeypatch):
    calls = []

    def sound(x, a, groups, shift="group"):
        calls.append(x.dtype)
        exact = torch.promote_types(x.dtype, torch.float32)
        return eager_shift_max(x.to(exact), a.to(exact), groups, shift).to(x.dtype)

    monkeypatch.setattr(kernels, "shift_max", sound)
    state = torch.get_rng_state()
    x, a = torch.zeros(1, 4, 2, 2), torch.zeros(1, 2, 2, 4)
    with torch.inference_mode():
        for _ in range(2):
            for dtype in (torch.float32, torch.bfloat16, torch.float16):
                assert fused.chosen(x.to(dtype), a.to(dtype)) == "triton"
    assert len(calls) == 3 * len(verified.CASES)
    assert torch.equal(torch.get_rng_state(), state)


def test_what_is_asked_for_is_not_tried(monkeypatch):
    monkeypatch.setattr(kernels, "shift_max", fails)
    with fused.use_backend("triton"):
        assert fused.chosen(torch.randn(1, 4, 2, 2), torch.randn(1, 2, 2, 4)) == "triton"


def test_a_measured_card_is_taken_as_it_is(monkeypatch):
    monkeypatch.setattr(torch.cuda, "get_device_name", lambda device: "A Card")
    monkeypatch.setattr(verified, "MEASURED", frozenset({("A Card", *verified._versions())}))
    assert verified.measured(torch.device("cuda:0"))
    assert not verified.measured(torch.device("cpu"))
    monkeypatch.setattr(torch.cuda, "get_device_name", lambda device: "Another")
    assert not verified.measured(torch.device("cuda:0"))


def test_measured_cards_have_a_committed_measurement():
    found = {
        (bench["hardware"], bench["environment"].get("torch"))
        for path in (ROOT / "results/bench").glob("*.json")
        if (bench := json.loads(path.read_text("utf-8"))).get("gpu")
    }
    assert {(card, torch_version) for card, torch_version, _ in verified.MEASURED} <= found
