"""The registered orderings: what a registration may hold, and the rule that picks schedule and seeds."""

from __future__ import annotations

import dataclasses
from types import SimpleNamespace

import pytest
import yaml
from helpers import MICRONET, ROOT
from hypothesis import given
from hypothesis import strategies as st

from papertally.evidence.registration import (
    FILE,
    Registration,
    Trial,
    choose,
    of_phase,
    random_seed,
    read_registration,
    seeds_needed,
    trials,
)
from papertally.ledger.load import LedgerError, load_ledger

FOUND = yaml.safe_load((ROOT / FILE).read_text("utf-8"))
REGISTRATION = Registration.model_validate(FOUND)


def write(root, **changes):
    raw = yaml.safe_load((ROOT / FILE).read_text("utf-8"))
    for path, value in changes.items():
        *keys, last = path.split("__")
        inner = raw
        for key in keys:
            inner = inner[int(key) if key.isdigit() else key]
        inner[last] = value
    (root / FILE).parent.mkdir(exist_ok=True)
    (root / FILE).write_text(yaml.safe_dump(raw), "utf-8")
    return root


def test_the_committed_registration_is_of_printed_networks():
    assert read_registration(ROOT, load_ledger(MICRONET)) == REGISTRATION
    assert {"5", "6", "7"} <= {family.table for family in REGISTRATION.families}
    assert "t3_static" in REGISTRATION.rows


def test_no_registration_is_none(tmp_path):
    assert read_registration(tmp_path) is None


@pytest.mark.parametrize(
    ("changes", "fault"),
    [
        ({"confirm__seeds": [10, 200, 201]}, "confirm with fresh seeds"),
        ({"confirm__fewest": 9}, "is more than the"),
        ({"pilot__gap": ["t5_relu", "t3_static"]}, "none of"),
        ({"twins": ["t5_relu", "t5_relu"]}, "stands twice"),
        ({"families__0__rows": ["t5_relu", "t5_se_relu", "t6_a1"]}, "no experiment 't6_a1' in Table 5"),
        ({"families__1__rows": ["t5_relu", "t3_dw"]}, "does not print the architecture"),
        ({"families__0__table": "99"}, "no table '99'"),
        ({"alpha": 1.5}, "alpha"),
        ({"former__seeds": [0, 201]}, "seed 201 was run before"),
        ({"former__seeds": [0, 10]}, "seed 10 was run before"),
        ({"former__schedules": {"i20000e3": {"images": 5, "epochs": 1}}}, "'i20000e3' is a schedule of today's too"),
        ({"extra": 1}, "extra"),
    ],
)
def test_a_malformed_registration_is_one_line(tmp_path, changes, fault):
    with pytest.raises(LedgerError, match=f"^{FILE.as_posix()}:[0-9]+: ") as found:
        read_registration(write(tmp_path, **changes), load_ledger(MICRONET))
    assert fault in str(found.value)
    assert "\n" not in str(found.value)


def test_rows_never_share_their_random_numbers():
    known = [random_seed(row, seed) for row in REGISTRATION.rows for seed in REGISTRATION.confirm.seeds]
    assert len(set(known)) == len(known)


points = st.floats(1, 90)
TRIALS = st.builds(
    lambda gap, sd, seconds: Trial(
        gap=gap, sd=sd, pooled=sd, seconds=seconds, gain=gap**2 / sd**2 / seconds, runs=4
    ),
    st.floats(-5, 5), st.floats(0.1, 3), st.floats(10, 900),
)  # fmt: skip


@given(st.fixed_dictionaries(dict.fromkeys(REGISTRATION.schedules, TRIALS)))
def test_the_rule_picks_the_largest_gain_and_keeps_to_its_bounds(tried):
    name, needed, seeds = choose(REGISTRATION, tried)
    assert all(tried[name].gain >= other.gain for other in tried.values())
    assert needed >= 1
    confirm = REGISTRATION.confirm
    assert confirm.fewest <= len(seeds) <= len(confirm.seeds)
    assert seeds == confirm.seeds[: len(seeds)]
    assert len(seeds) >= min(needed, len(confirm.seeds))


def runs(values, seconds=10.0):
    return [SimpleNamespace(values={"top1": v}, cpu_s=seconds, duration_s=seconds * 3) for v in values]


def trial(high, low, seconds=10.0, gap=("a", "b")):
    """Return what a pilot of one schedule says."""
    return trials({"only": {"a": runs(high, seconds), "b": runs(low, seconds)}}, gap)["only"]


@given(st.lists(points, min_size=2, max_size=4, unique=True), st.lists(points, min_size=2, max_size=4, unique=True),
       st.sampled_from([0.5, 2.0, 4.0]))  # fmt: skip
def test_a_gain_does_not_depend_on_the_scale_of_accuracy_and_halves_at_twice_the_time(high, low, scale):
    first = trial(high, low)
    scaled = trial([v * scale for v in high], [v * scale for v in low])
    slow = trial(high, low, 20.0)
    assert scaled.gain == pytest.approx(first.gain)
    turned = trial(high, low, gap=("b", "a"))
    assert turned.gain == pytest.approx(first.gain)  # no direction is preferred
    assert slow.gain == pytest.approx(first.gain / 2)
    assert seeds_needed(scaled, REGISTRATION) == pytest.approx(seeds_needed(first, REGISTRATION), abs=1)


def test_a_pilot_without_spread_decides_nothing():
    with pytest.raises(ValueError, match="same result"):
        trial([3.0, 3.0], [1.0, 1.0])


def test_the_spread_is_pooled_over_schedules():
    quiet, loud = {"a": runs([4.0, 4.0]), "b": runs([3.0, 3.0])}, {"a": runs([4.0, 8.0]), "b": runs([3.0, 7.0])}
    found = trials({"quiet": quiet, "loud": loud}, ("a", "b"))
    assert found["quiet"].sd == 0
    assert found["loud"].sd == pytest.approx(8**0.5)
    assert {t.pooled for t in found.values()} == {2.0}  # of the variances 0, 0, 8 and 8
    assert found["quiet"].gain == found["loud"].gain == pytest.approx(1 / 40)


def test_only_registered_seeds_of_the_schedule_are_taken():
    @dataclasses.dataclass
    class Run:
        recipe: str
        seed: int

    filed = {"a": [Run("x", 100), Run("y", 101), Run("x", 0), Run("x", 102)]}
    found = of_phase(filed, ["a", "b"], "x", [100, 101, 102])
    assert [run.seed for run in found["a"]] == [100, 102]
    assert found["b"] == []
