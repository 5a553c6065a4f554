"""Closed-form cost equals what hooks count on the real module, for random architectures and every named one."""

from __future__ import annotations

import pytest
import torch
from helpers import under
from hypothesis import given, settings
from hypothesis import strategies as st
from mmengine.registry import MODELS

from registry.arch import ARCHS, ArchSpec, BlockSpec, get_arch
from registry.cost.count import Cost, Term
from registry.cost.models import classifier_config, model_cost
from registry.cost.trace import trace_cost
from registry.micronet import MicroNet
from registry.ops.activations import TYPES
from registry.plan import Plan


@st.composite
def architectures(draw: st.DrawFn) -> ArchSpec:
    """Draw small valid MicroNets: stem, A blocks, B, C blocks, with groups that divide."""
    g = draw(st.sampled_from([2, 4]))
    squeeze = draw(st.sampled_from([2, 4]))
    stem = squeeze * draw(st.integers(1, 3))
    blocks, cin = [], stem
    for _ in range(draw(st.integers(1, 2))):
        out = g * draw(st.integers(1, 4))
        k, s = draw(st.sampled_from([3, 5, 7])), draw(st.sampled_from([1, 2]))
        blocks.append(BlockSpec("A", k, 4 * cin, out, (g if 4 * cin % g == 0 else 1, None), s, draw(st.integers(1, 2))))
        cin = out
    for kind in ["B", *["C"] * draw(st.integers(0, 2))]:
        g2 = draw(st.sampled_from([1, 2, 4]))
        mid = 4 * g * g2 * draw(st.integers(1, 2))
        out = g2 * 4 * draw(st.integers(1, 4))
        hidden = cin * (4 if kind == "B" else 1)
        g1 = g if hidden % g == 0 else 1
        k, s = draw(st.sampled_from([3, 5, 7])), draw(st.sampled_from([1, 2]))
        blocks.append(BlockSpec(kind, k, out, mid, (g1, g2), s, draw(st.integers(1, 2))))
        cin = out
    return ArchSpec((stem, squeeze), tuple(blocks), draw(st.integers(1, 2)), hidden=8)


activation_settings = st.fixed_dictionaries(
    {
        "type": st.sampled_from(TYPES),
        "j": st.integers(1, 3),
        "k": st.integers(1, 3),
        "k_linear": st.integers(1, 2),
        "sites": st.sets(st.sampled_from(["A1", "A2", "A3"])).map(sorted),
        "first_a1": st.booleans(),
        "shift": st.sampled_from(["group", "group_channel"]),
    }
)


@pytest.mark.slow
@settings(max_examples=60, deadline=None)
@given(architectures(), activation_settings, st.integers(17, 40), st.integers(17, 40), st.booleans())
def test_closed_form_equals_trace_on_random_architectures(arch, activation, h, w, factorized):
    plan = Plan(arch, activation, factorized=factorized)
    closed, size = plan.cost((h, w))
    net = MicroNet(arch, activation, factorized=factorized)
    traced = trace_cost(net, (3, h, w))
    assert closed.params == traced.params
    assert closed.by_kind() == traced.by_kind()
    with torch.no_grad():
        assert tuple(net.eval()(torch.zeros(1, 3, h, w))[-1].shape) == (1, net.out_channels[-1], *size)


@pytest.mark.parametrize("arch", [name for name, spec in ARCHS.items() if spec.ends])
@pytest.mark.parametrize("wiring", ["paper", "official"])
def test_closed_form_equals_trace_on_named_models(arch, wiring):
    config = classifier_config(arch, wiring=wiring)
    closed, traced = model_cost(config), trace_cost(MODELS.build(config))
    assert closed.params == traced.params
    assert closed.by_kind() == traced.by_kind()


@pytest.mark.parametrize(
    ("arch", "activation", "params", "madds_s"),
    [
        ("m0", {}, 1.778, 6.11),
        ("m1", {}, 2.395, 12.39),
        ("m1", {"type": "ReLU"}, 1.876, 10.47),
        ("m1", {"type": "StaticShiftMax"}, 1.891, 11.87),
        ("m1", {"type": "DynamicReLU"}, 2.395, 11.76),
        ("m1", {"sites": ["A1"]}, 2.075, 11.34),
        ("m1", {"sites": ["A2"]}, 2.002, 10.73),
        ("m1", {"sites": ["A3"]}, 2.069, 11.24),
        ("m1", {"sites": ["A1", "A3"]}, 2.268, 12.12),
        ("m1", {"j": 1, "k": 1}, 2.115, 10.85),
        ("m1", {"j": 2, "k": 3}, 2.553, 13.81),
        ("m1", {"j": 3, "k": 3}, 2.832, 16.12),
        ("m2", {}, 3.149, 18.2),
        ("m3", {}, 3.269, 28.1),
        ("m2_adjusted", {}, 3.266, 21.10),
        ("m3_adjusted", {}, 4.543, 44.12),
    ],
)
def test_recomputed_totals_under_rule_s(arch, activation, params, madds_s):
    cost = model_cost(classifier_config(arch, activation))
    assert cost.params / 1e6 == pytest.approx(params, abs=6e-4)
    assert under("S", cost.named()) / 1e6 == pytest.approx(madds_s, abs=0.06)


def test_official_parameter_counts_are_exact():
    """1.777587 M and 2.393876 M are what the released code instantiates for this paper's M0 and M1."""
    from registry.official import OFFICIAL_ACTIVATION

    for arch, params in (("m0", 1_777_587), ("m1", 2_393_876)):
        config = classifier_config(arch, OFFICIAL_ACTIVATION, wiring="official")
        assert model_cost(config).params == params


def test_stem_of_m3_costs_1_5_million_as_section_4_says():
    plan = Plan(get_arch("m3"), None)
    conv = [t.count for t in plan.stem.cost((224, 224))[0].terms if t.kind == "conv"]
    assert conv == [3 * 3 * 4 * 112 * 224, 3 * 16 * 112 * 112]
    assert 1.45e6 <= sum(conv) < 1.55e6


def test_rules_weigh_each_kind_as_stated():
    cost = Cost(0, (Term("shift_max", 10, "A1", 2, 2), Term("relu", 10, "stem"), Term("fc_bias", 5)))
    assert cost.plain_madds() == under("plain", cost.named()) == 40 + 10
    assert under("S", cost.named()) == 30 + 0 + 5


def test_unknown_names_are_refused():
    with pytest.raises(ValueError, match="unknown cost kind"):
        Term("guess", 1)
    with pytest.raises(ValueError, match="no closed-form cost"):
        model_cost({"type": "Other"})
    with pytest.raises(ValueError, match="unknown MicroNet"):
        get_arch("m9")
