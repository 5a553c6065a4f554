"""The closed form of the power against simulated cells, and the seeds that the plan asks for."""

from __future__ import annotations

from decimal import Decimal

import numpy as np
import pytest

from papertally.verdicts.power import power, seeds_needed
from papertally.verdicts.spread import Spread
from papertally.verdicts.verdicts import trained


@pytest.mark.parametrize(("sd", "n"), [(0.1, 3), (0.15, 3), (0.15, 5), (0.25, 3)])
def test_the_closed_form_is_what_a_simulation_finds(sd, n):
    rng, runs = np.random.default_rng(0), 1500
    spread = Spread(sd, 108)
    values, printed = rng.normal(60, sd, (runs, n)), rng.normal(60, sd, runs)
    found = [trained(Decimal(f"{p:.3f}"), v.tolist(), 0.5, 0.05, n, spread, sd).name for v, p in zip(values, printed)]  # noqa: B905
    share = found.count("reproduced") / runs
    assert power(n, spread, sd, 0.5, 0.05) == pytest.approx(share, abs=4 * (0.25 / runs) ** 0.5)


def test_seeds_that_give_80_percent():
    needed = seeds_needed(Spread(0.15, 108), 0.15, 0.5, 0.05, least=3)
    assert (
        power(needed, Spread(0.15, 108), 0.15, 0.5, 0.05) >= 0.8 > power(needed - 1, Spread(0.15, 108), 0.15, 0.5, 0.05)
    )
    assert seeds_needed(Spread(0.05, 108), 0.05, 0.5, 0.05, least=3) == 3
    # the printed run's own noise is not made smaller by our seeds
    assert seeds_needed(Spread(0.3, 108), 0.3, 0.5, 0.05) is None
    assert power(3, Spread(0.0, 2), 0.0, 0.5, 0.05) == 1.0
