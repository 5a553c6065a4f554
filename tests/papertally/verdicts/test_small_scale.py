"""Printed orders on small real data: no protocol decides alone, and every place that quotes one quotes all."""

from __future__ import annotations

import json

import pytest
from helpers import ROOT
from hypothesis import given
from hypothesis import strategies as st

from papertally.pages.command import judged
from papertally.pages.json_schema import SmallScaleForm
from papertally.pages.small_scale import (
    conclusion,
    protocol_rows,
    small_scale_json,
    small_scale_lines,
    small_scale_page,
)
from papertally.pages.summary import summary_page
from papertally.verdicts.orderings import Ordering, Pair
from papertally.verdicts.small_scale import combine, small_scale
from report.project import projects_of


@pytest.fixture(scope="module")
def report():
    return judged(projects_of(ROOT)(None))


def ordering(verdict, gap):
    pair = Pair("a", "b", gap, 1.0, 0.01, verdict)
    return Ordering("1", [("a", "2", 0.0, 0.0, 3), ("b", "1", 0.0, 0.0, 3)], None, None, [pair], "cifar10", 2)


@given(st.dictionaries(st.sampled_from("abc"), st.sampled_from(["holds", "fails", "underpowered"])), st.integers(0, 2))
def test_an_order_has_an_answer_only_where_every_protocol_decides_it_with_one_sign(verdicts, lacking):
    answer, basis = combine(verdicts, len(verdicts) + lacking)
    signs = set(verdicts.values())
    robust = len(verdicts) > 1 and not lacking and signs in ({"holds"}, {"fails"})
    assert (answer in ("holds", "contradicted")) == robust == (basis == "robust")
    assert (answer == "untested") == (not verdicts)


def test_one_protocol_alone_decides_nothing():
    found = small_scale([ordering("holds", 5.0)], [], None)
    assert [order.answer for order in found.orders] == ["undetermined"]
    assert "alone decides no order" in conclusion(found)
    assert small_scale([], [], None) is None
    assert small_scale_lines(None) == []
    assert small_scale_page(None) is None


def test_every_place_names_both_protocols(report):
    found = report.small_scale
    assert [protocol.id for protocol in found.protocols] == ["registered", "proxy"]
    assert {order.answer for order in found.opposite} == {"undetermined"}
    form = SmallScaleForm.model_validate(small_scale_json(found))
    assert len(form.orders) == len(found.orders) == len({(o.table, o.higher, o.lower) for o in found.orders})
    readme = (ROOT / "README.md").read_text("utf-8")
    assert conclusion(found) in readme
    assert found.decided_by in readme
    columns, rows = protocol_rows(found)
    assert len(columns) == 3
    assert [row for row in rows if f"| {' | '.join(row)} |" not in readme] == []
    assert summary_page(report).small == small_scale_page(found)


def test_the_counts_are_those_of_the_orders(report):
    data = json.loads(json.dumps(small_scale_json(report.small_scale)))
    for protocol in data["protocols"]:
        said = [p["verdict"] for o in data["orders"] for p in o["protocols"] if p["id"] == protocol["id"]]
        assert protocol["orders"] == {name: said.count(name) for name in ("holds", "fails", "undecided")}
    assert data["opposite"] == sum({"holds", "fails"} <= {p["verdict"] for p in o["protocols"]} for o in data["orders"])
