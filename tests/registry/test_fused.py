"""The gradient-free form of Shift-Max gives the straightforward form's bits, and is chosen only where it may be."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from registry.ops import fused
from registry.ops.shift_max import SHIFTS, DynamicShiftMax, shift_channels, shift_max


@given(
    st.integers(1, 3), st.integers(1, 5), st.integers(1, 5), st.integers(1, 4), st.integers(1, 3),
    st.sampled_from(SHIFTS), st.booleans(), st.booleans(), st.integers(0, 99),
)  # fmt: skip
def test_bits_are_equal(batch, groups, width, j, k, shift, shared, last, seed):
    generator = torch.Generator().manual_seed(seed)
    x = torch.randn(batch, groups * width, 3, 4, generator=generator)
    x = x.to(memory_format=torch.channels_last) if last else x
    a = torch.randn(1 if shared else batch, k, j, groups * width, generator=generator)
    with fused.use_backend("eager"):
        expected = shift_max(x, a, groups, shift)
    assert torch.equal(fused.shift_max_inplace(x, a, groups, shift), expected)


@given(st.integers(1, 6), st.integers(1, 6), st.integers(0, 7), st.sampled_from(SHIFTS))
def test_pieces_are_the_shift(groups, width, steps, shift):
    x = torch.arange(groups * width, dtype=torch.float32).view(1, -1, 1, 1)
    out = torch.full_like(x, -1)
    for target, source in fused.pieces(groups * width, groups, steps, shift):
        out[:, target] = x[:, source]
    assert torch.equal(out, shift_channels(x, groups, steps, shift))


def test_it_serves_only_calls_without_gradients(monkeypatch):
    x, a = torch.randn(1, 4, 2, 2), torch.randn(1, 2, 2, 4)
    with fused.use_backend("inplace"):
        assert fused.serves(x, a)
        assert not fused.serves(x, a.clone().requires_grad_())
        with torch.no_grad():
            assert fused.serves(x.clone().requires_grad_(), a)
        assert not fused.serves(x, a.double())
        with torch.autocast("cpu"):
            assert not fused.serves(x, a)
    assert not fused.serves(x, a)  # small
    assert fused.serves(x.expand(fused.SMALL, 4, 2, 2), a)
    with fused.use_backend("eager"):
        assert not fused.serves(x.expand(fused.SMALL, 4, 2, 2), a)
    monkeypatch.setenv(fused.VARIABLE, "nonsense")
    with pytest.raises(ValueError, match="MICRONET_SHIFT_MAX='nonsense': unknown; known: auto, eager, inplace"):
        fused.serves(x, a)
    with pytest.raises(ValueError, match="unknown form"), fused.use_backend("gpu"):
        pass


def test_gradients_are_the_straightforward_forms():
    layer = DynamicShiftMax(8, 2)
    x = torch.randn(2, 8, 3, 3, requires_grad=True)
    results = []
    for name in ("eager", "inplace"):
        with fused.use_backend(name):
            results.append(torch.autograd.grad(layer(x).square().sum(), x)[0])
    assert torch.equal(*results)
