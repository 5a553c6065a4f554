"""Papers with prose and nothing written by hand: planted faults are found, right papers raise no alarm."""

from __future__ import annotations

import pytest

from papertally.checks.benchmark.hand_free import FIRST_SEED, KINDS, findings, grade
from papertally.checks.benchmark.papers import manuscript
from papertally.checks.text_statistics import p_bounds


@pytest.mark.parametrize("tex", [False, True])
def test_a_right_paper_raises_no_alarm(tex: bool) -> None:
    assert findings(manuscript(FIRST_SEED).text(tex), tex) == []


@pytest.mark.slow
def test_recall_and_alarms() -> None:
    caught, right, _ = grade()
    assert len(KINDS) >= 20
    assert sum(caught.values()) >= 0.85 * 15 * len(KINDS)
    assert not [f for alarms in right for f in alarms if f.severity == "impossible"]
    assert max(map(len, right)) <= 1


def test_the_sign_of_a_statistic_does_not_change_its_p() -> None:
    low, high = p_bounds("t", 3.075, 3.085, 22, None) or (1.0, 0.0)
    assert low < 0.0055 < high


def test_without_degrees_of_freedom_nothing_is_said() -> None:
    assert p_bounds("t", 3.0, 3.1, None, None) is None
