"""What the figures' stage writes is what the modules do: products, ranks and counts are checked against numpy."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from pipelines.analysis import figures
from pipelines.analysis.computations.operators import draw_exact, exact_rank


@pytest.fixture(scope="module")
def found():
    return figures.results()


def panels(figure):
    return {(row["name"], p["name"]): p for row in figure["rows"] for p in row["panels"]}


def test_the_product_of_the_drawn_factors_is_the_drawn_matrix(found):
    drawn = {name: np.array(p["values"]) for (_, name), p in panels(found["2"]).items()}
    assert drawn["W"].shape == (18, 18)
    np.testing.assert_allclose(drawn["P"] @ drawn["Φ"] @ drawn["Qᵀ"], drawn["W"], atol=5e-3)
    np.testing.assert_allclose(drawn["k × 1"] @ drawn["1 × k"], drawn["kernel"], atol=5e-3)


def test_ranks_are_those_of_the_blocks(found):
    for (row, name), p in [*panels(found["2"]).items(), *panels(found["4"]).items()]:
        if p["ranks"] is None:
            continue
        expected = 2 if "official" in row else 1
        assert {r for line in p["ranks"] for r in line} == {expected}, (row, name)
        # Rounding by 0.0005 an entry moves no singular value by more than that times the size (Weyl).
        values, size = np.array(p["values"]), len(p["values"]) // p["groups"]
        for i in range(p["groups"]):
            for j in range(p["groups"]):
                block = values[i * size : (i + 1) * size, j * size : (j + 1) * size]
                singular = np.linalg.svd(block, compute_uv=False)
                assert singular[expected - 1] > 0.0005 * size >= singular[expected]


@given(st.integers(0, 1000), st.integers(1, 5), st.integers(1, 6), st.integers(1, 6))
def test_exact_ranks_are_those_of_numpy(seed, inner, height, width):
    left, right = torch.empty(height, inner, dtype=torch.float64), torch.empty(inner, width, dtype=torch.float64)
    draw_exact(seed, left, right)
    product = left @ right
    assert exact_rank(product) == np.linalg.matrix_rank(product.numpy())
    assert exact_rank(torch.zeros(height, width)) == 0


def test_both_curves_pass_through_the_counted_points_and_meet(found):
    figure = found["3"]
    for series in figure["series"]:
        line = dict(series["line"])
        assert all(line[x] == y for x, y in series["points"])
    channels, connections = (dict(s["points"]) for s in figure["series"])
    assert [g for g in channels if channels[g] == connections[g]] == [figure["mark"]["x"]]
    assert {g: c * c / (figures.BALANCE_R * g * g) for g, c in channels.items()} == connections
