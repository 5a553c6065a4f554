"""Operators do what Eq. 1-5 say."""

from __future__ import annotations

import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from registry.ops.activations import TYPES, ActivationRule
from registry.ops.eager import shift_channels, shift_index
from registry.ops.factorized import (
    ChannelShuffle,
    FactorizedDepthwise,
    GroupPointwise,
    group_adaptive_groups,
    pointwise_matrix,
    relaxed_group_pair,
)
from registry.ops.shift_max import (
    DynamicShiftMax,
    ShiftMaxSpec,
    StaticShiftMax,
    shift_max,
    squeeze_width,
)

groups_and_size = st.tuples(st.integers(1, 6), st.integers(1, 6))


@given(groups_and_size, st.integers(0, 7))
def test_group_shift_is_eq_4(gs, steps):
    groups, size = gs
    c = groups * size
    index = shift_index(c, groups, steps)
    assert index.tolist() == [(i + steps * size) % c for i in range(c)]
    x = torch.arange(c, dtype=torch.float32).view(1, c, 1, 1)
    assert torch.equal(shift_channels(x, groups, steps).flatten(), x.flatten()[index])


@given(groups_and_size)
def test_official_shift_moves_a_group_and_a_channel(gs):
    groups, size = gs
    index = shift_index(groups * size, groups, 1, "group_channel")
    expected = [((g + 1) % groups) * size + (i + 1) % size for g in range(groups) for i in range(size)]
    assert index.tolist() == expected


@pytest.mark.slow
@given(groups_and_size, st.integers(1, 3), st.integers(1, 3), st.integers(0, 10**6))
def test_shift_max_equals_eq_5_channel_by_channel(gs, j, k, seed):
    groups, size = gs
    c = groups * size
    torch.manual_seed(seed)
    x, a = torch.randn(2, c, 1, 1, dtype=torch.float64), torch.randn(2, k, j, c, dtype=torch.float64)
    got = shift_max(x, a, groups)
    for n in range(2):
        for i in range(c):
            sums = [sum(a[n, p, s, i] * x[n, (i + s * size) % c, 0, 0] for s in range(j)) for p in range(k)]
            assert float(got[n, i, 0, 0]) == pytest.approx(float(max(sums)))


def test_dynamic_shift_max_starts_near_the_identity_and_follows_its_input():
    torch.manual_seed(0)
    layer = DynamicShiftMax(12, 3)
    for p in layer.hyper.generate.parameters():
        torch.nn.init.zeros_(p)
    x = torch.randn(2, 12, 4, 4)
    torch.testing.assert_close(layer(x), x)  # hard-sigmoid(0) = 0.5: coefficients are their initial values
    torch.nn.init.normal_(layer.hyper.generate.weight)
    a = layer.coefficients(x)
    assert a.shape == (2, 2, 2, 12)
    assert not torch.equal(a[0], a[1])


def test_static_shift_max_starts_as_relu_and_ignores_its_input():
    layer = StaticShiftMax(12, 3)
    x = torch.randn(2, 12, 4, 4)
    torch.testing.assert_close(layer(x), x.relu())
    assert layer.weight.shape == (1, 2, 2, 12)


@given(st.integers(1, 2000), st.integers(1, 64))
def test_squeeze_width_is_a_multiple_of_four_near_the_ratio(channels, reduction):
    width = squeeze_width(channels, reduction)
    assert width % 4 == 0
    assert width >= 4
    assert width >= 0.9 * (channels // reduction)


@given(st.integers(1, 5), st.integers(1, 5), st.integers(1, 4))
def test_composed_pointwise_is_p_phi_q(g1, g2, mult):
    """At G1 G2 = C/R every output meets every input once (Eq. 2-3), for relaxed pairs too."""
    hidden, c = g1 * g2, g1 * g2 * mult
    squeeze, expand = GroupPointwise(c, hidden, g1).build()[0], GroupPointwise(hidden, c, g2).build()[0]
    for conv in (squeeze, expand):
        torch.nn.init.ones_(conv.weight)
    paths = pointwise_matrix(squeeze, expand, groups=g1)
    assert torch.equal(paths, torch.ones(c, c))


@given(st.integers(1, 400))
def test_relaxed_pair_multiplies_to_the_squeeze(squeeze):
    low, high = relaxed_group_pair(squeeze)
    assert low * high == squeeze
    assert low <= group_adaptive_groups(squeeze, 1) <= high + 1e-9


def test_shuffle_is_a_permutation():
    x = torch.arange(12.0).view(1, 12, 1, 1)
    assert ChannelShuffle(3)(x).flatten().tolist() == [0, 4, 8, 1, 5, 9, 2, 6, 10, 3, 7, 11]
    assert torch.equal(ChannelShuffle(3, 4)(x), x)


def test_factorized_depthwise_composes_to_rank_one_kernels_and_runs_tall_first():
    spec = FactorizedDepthwise(4, 3, stride=2, expand=2)
    net = spec.build().eval()
    assert net(torch.zeros(1, 4, 9, 9)).shape == (1, spec.out_channels, 5, 5)
    assert net[0](torch.zeros(1, 4, 9, 9)).shape == (1, 8, 5, 9)


def test_wrong_group_counts_and_names_are_refused():
    with pytest.raises(ValueError, match="10"):
        GroupPointwise(384, 120, 10)
    with pytest.raises(ValueError, match="must divide"):
        ShiftMaxSpec(10, 3, "A1")
    with pytest.raises(ValueError, match="unknown shift"):
        ShiftMaxSpec(12, 3, "A1", shift="left")
    with pytest.raises(ValueError, match="known: "):
        ActivationRule(type="Swish")
    assert "DynamicShiftMax" in TYPES


def test_k_1_is_followed_by_relu_at_a1_and_a3_only():
    """Section 5.3 adds ReLU where only one element is left in the max; J = K = 1 is then SE+ReLU."""
    rule = ActivationRule(j=1, k=1)
    x = torch.randn(1, 12, 3, 3)
    assert rule.spec_at("A1", 12, 3, 1).build()(x).min() >= 0
    assert math.isfinite(float(rule.spec_at("A2", 12, 3, 1).build()(x).detach().min()))
    assert rule.spec_at("A2", 12, 3, 1).build()(x).min() < 0
