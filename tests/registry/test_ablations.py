"""The construction behind Tables 3 and 4 is M1 at width 1, meets printed MAdds, and factorizes what it says."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from registry.ablations import scaled_m1, solved_m1
from registry.arch import get_arch
from registry.plan import Plan


def test_width_1_is_micronet_m1():
    ours, m1 = scaled_m1(1.0), get_arch("m1")
    assert ours.stem == m1.stem
    for a, b in zip(ours.blocks, m1.blocks, strict=True):
        assert (a.kind, a.kernel, a.channels, a.squeeze, a.groups, a.stride, a.ratio) == (
            b.kind, b.kernel, b.channels, b.squeeze, b.groups, b.stride, b.ratio,
        )  # fmt: skip
    assert Plan(ours, {}).cost((224, 224))[0].by_kind() == Plan(m1, {}).cost((224, 224))[0].by_kind()


@given(
    st.floats(0.3, 2.5),
    st.sampled_from([0.25, 0.5, 1.0, 2.0, 4.0]),
    st.sampled_from([None, 1, 2, 4, 8]),
    st.booleans(),
    st.booleans(),
)
def test_every_width_builds_and_groups_divide(width, multiplier, groups, low, high):
    arch = scaled_m1(width, multiplier, groups, low, high)
    cost, size = Plan(arch, {"type": "ReLU"}).cost((224, 224))  # specs refuse groups that do not divide
    assert size == (7, 7)
    assert cost.params > 0
    if groups == 1:
        assert {g for b in arch.blocks for g in b.groups if g} == {1}


@pytest.mark.parametrize("madds", [8e6, 10.6e6, 20e6])
def test_solver_comes_near_what_is_asked(madds):
    from registry.classification.models import classifier_cost

    arch = solved_m1(madds)
    cost, out = Plan(arch, {"type": "ReLU"}).cost((224, 224))
    total = (cost + classifier_cost(arch.blocks[-1].out_channels, 1024, 1000, out)).plain_madds()
    assert total == pytest.approx(madds, rel=0.04)


@pytest.mark.slow
def test_more_groups_mean_wider_networks_at_one_cost():
    """Eq. 3: at a fixed cost, C grows with G."""
    widths = [solved_m1(10.5e6, groups=g).blocks[-1].channels for g in (1, 2, 4, 8)]
    assert widths == sorted(widths)
    widths = [solved_m1(10.5e6, multiplier=m).blocks[-1].channels for m in (0.25, 0.5, 1.0, 2.0, 4.0)]
    assert widths == sorted(widths)


def test_lite_choices_move_the_expansion():
    none, low, both = scaled_m1(1, lite_low=False), scaled_m1(1), scaled_m1(1, lite_high=True)
    assert [b.before is not None for b in none.blocks] == [True] * 3 + [False] * 5
    assert not any(b.before for b in low.blocks)
    assert [b.depthwise_factors for b in both.blocks] == [(2, 2)] * 3 + [(2, 3)] * 5
    assert "".join(b.kind for b in both.blocks) == "AAAAAAAB"
