"""Costs along a scale of which only some values were tried: nothing between them is excluded."""

from __future__ import annotations

import numpy as np
import pytest
from helpers import ROOT

from papertally.pages.command import judged
from papertally.quantities.printed import parse_printed
from papertally.verdicts.costs import bracketed
from report.project import projects_of


@pytest.fixture(scope="module")
def cells():
    return {cell.key: cell for cell in judged(projects_of(ROOT)(None)).cells}


@pytest.mark.parametrize(("values", "between"), [([900, 1100], True), ([900, 940], False), ([1060, 1100], False)])
def test_values_on_both_sides_along_one_axis_bracket_a_string(values, between):
    interval = parse_printed("1.0K")
    assert bracketed(np.array([values]), 1, interval) is between
    assert bracketed(np.array([values]), 0, interval) is False  # two networks that differ otherwise exclude nothing


def test_only_allowed_conventions_count():
    values = np.array([[900, 900], [1100, 900]])
    interval = parse_printed("1.0K")
    assert bracketed(values, 0, interval, np.array([True, False]))
    assert not bracketed(values, 0, interval, np.array([False, True]))


@pytest.mark.parametrize("row", ["t8_micronet_m0", "t8_micronet_m1", "t8_micronet_m3"])
def test_pose_parameters_rest_on_a_reduction_that_is_printed_nowhere(cells, row):
    assert cells[f"{row}.params"].answer.name == "undetermined"


@pytest.mark.parametrize("row", ["t1_m2", "t1_m3"])
def test_a_conditional_contradiction_names_its_condition(cells, row):
    found = cells[f"{row}.madds"]
    assert found.answer.words == "contradicted: recomputed"
    assert "those that give MicroNet-M0 and MicroNet-M1" in found.note
