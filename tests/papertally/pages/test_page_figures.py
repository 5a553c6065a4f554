"""The figures: what stands where, round ticks, and no printed number on the small data's axis."""

from __future__ import annotations

import dataclasses
import math
import re
import xml.etree.ElementTree as ET
from types import SimpleNamespace

import pytest
import synthetic
from helpers import ROOT
from hypothesis import given
from hypothesis import strategies as st

from papertally.pages import figures
from papertally.pages.figures import forest
from papertally.pages.figures.svg import Scale, Svg, cut, log_ticks, number, padded, ticks


@pytest.fixture(scope="module")
def toy(tmp_path_factory):
    return synthetic.report_of(synthetic.write(tmp_path_factory.mktemp("toy")))


@pytest.fixture(scope="module")
def real():
    return synthetic.report_of(ROOT)


def parts(svg, tag, kind):
    return [e for e in ET.fromstring(svg).iter(tag) if kind in e.get("class", "").split()]


def tip(element):
    return element.findtext("title", "")


@given(st.floats(-1e6, 1e6), st.floats(1e-3, 1e6), st.integers(2, 8))
def test_ticks_are_round_inside_and_about_as_many_as_wanted(low, width, wanted):
    high = low + width
    found = ticks(low, high, wanted)
    assert all(low - 1e-6 * width <= t <= high + 1e-6 * width for t in found)
    assert len(found) <= wanted + 1
    if len(found) > 1:
        step = found[1] - found[0]
        digit = step / 10 ** math.floor(math.log10(step) + 1e-9)
        assert min(abs(digit - d) for d in (1, 2, 5, 10)) < 1e-3


@given(st.floats(1e-3, 1e6), st.floats(1.5, 1e4), st.integers(3, 8))
def test_logarithmic_ticks_lie_inside(low, factor, wanted):
    found = log_ticks(low, low * factor, wanted)
    assert all(low <= t <= low * factor for t in found)
    assert found == sorted(found)


@given(st.lists(st.floats(0.1, 1e6), min_size=1), st.booleans())
def test_every_value_lies_inside_its_axis(values, log):
    low, high = padded(values, 0.05, log)
    scale = Scale(low, high, 10, 110, log)
    assert all(10 <= scale(v) <= 110 for v in values)


@given(st.floats(-1e4, 1e4))
def test_coordinates_are_short_and_right(value):
    assert re.fullmatch(r"-?\d+(\.\d)?", number(value))
    assert float(number(value)) == pytest.approx(value, abs=0.051)


@given(st.text(max_size=60), st.floats(20, 200))
def test_text_is_cut_to_its_room(text, width):
    assert len(cut(text, width)) <= max(int(width / 6.4), 1) + 1


def test_text_is_escaped_in_every_place():
    svg = Svg("a", 10, 10, "<t>&", "<d>")
    svg.text(1, 1, "</svg><script>")
    svg.add("circle", "dot", "<tip>", cx=1, cy=1, r=1)
    found = svg.markup()
    assert "<script>" not in found
    assert [e.text for e in ET.fromstring(found).iter() if e.text] == ["<t>&", "<d>", "</svg><script>", "<tip>"]


def test_figure_1_shifts_computed_madds_and_raises_achieved_accuracy(toy):
    report, sources = toy
    figure = figures.figures(report, sources, "")[0]
    svg = figure.panels[0].svg
    dots = {tip(e).partition(":")[0]: e for e in parts(svg, "circle", "dot")}
    rings = {tip(e).partition(":")[0]: e for e in parts(svg, "circle", "ring")}
    diamonds = [tip(e) for e in parts(svg, "path", "dot")]
    assert set(dots) == {"Plain", "Wide", "Lone", "Bad"}
    assert set(rings) == {"Plain", "Wide", "Lone"}  # Bad is not costed
    assert diamonds == ["Plain: 60.00 ± 0.16 achieved", "Wide: 61.10 ± 0.16 achieved", "Lone: 66.20 achieved"]
    assert len(parts(svg, "line", "bar")) == 3
    for name, ring in rings.items():
        assert ring.get("cy") == dots[name].get("cy")  # at the printed accuracy
        assert float(ring.get("cx")) > float(dots[name].get("cx"))
    # On a logarithmic axis equal ratios are equal distances: 10M to 20M as 20M to 40M.
    x = [float(dots[n].get("cx")) for n in ("Plain", "Wide", "Bad")]
    assert x[1] - x[0] == pytest.approx(x[2] - x[1], abs=0.2)
    assert figure.rows[3] == ["Bad", "40M", "–", "67.0", "evidence invalid"]


@pytest.mark.slow
def test_figure_1_has_no_achieved_accuracy_without_the_papers_profile(real):
    report, sources = real
    figure = figures.figures(report, sources, "")[0]
    assert figure.id == "figure-1"
    assert not parts(figure.panels[0].svg, "path", "dot")
    assert all(row[4].endswith("not run") for row in figure.rows)
    assert len(figure.rows) == 19


@pytest.mark.parametrize(("figure", "panel"), [(0, 0), (1, 0), (1, 1)])
def test_labels_of_figure_1_stay_apart(real, figure, panel):
    report, sources = real
    svg = figures.figures(report, sources, "")[figure].panels[panel].svg
    width = float(ET.fromstring(svg).get("width"))
    boxes = []
    for e in [*parts(svg, "text", "tick"), *parts(svg, "text", "name")]:
        x, y, length = float(e.get("x")), float(e.get("y")), 6.4 * len(e.text)
        left = x - {"end": length, "middle": length / 2}.get(e.get("text-anchor"), 0)
        boxes.append((left, y - 10, left + length, y + 2, e.text))
        assert left + length <= width
    for i, a in enumerate(boxes):
        for b in boxes[:i]:
            assert not (a[0] < b[2] and b[0] < a[2] and a[1] < b[3] and b[1] < a[3]), (a, b)


def test_times_stand_beside_figure_1(toy):
    report, sources = toy
    figure = figures.figures(report, sources, "../")[1]
    assert figure.id == "figure-1-time"
    dots = {tip(d).partition(":")[0]: d for d in parts(figure.panels[0].svg, "circle", "dot")}
    assert [tip(d) for d in dots.values()] == [
        "Plain: 1.00, 60.0 printed", "Wide: 3.00, 64.0 printed", "Lone: 0.50, 66.0 printed",
    ]  # fmt: skip
    x = {name: float(d.get("cx")) for name, d in dots.items()}  # logarithmic: 0.5 to 1 is ln 2, 1 to 3 is ln 3
    assert (x["Plain"] - x["Lone"]) / (x["Wide"] - x["Plain"]) == pytest.approx(math.log(2) / math.log(3), abs=0.01)
    # Wide against Plain is the one pair of ours; Lone is faster and more accurate than Wide
    assert "takes 3.0 times as long as another of the same printed MAdds (1 pair; it is the faster one in 0)" in (
        figure.caption
    )
    assert "Faster than Wide in each and printed as more accurate: Lone." in figure.caption
    assert figure.caption.endswith("MAdds are not time.")
    assert figure.rows[1][2:] == ["3.00", "3.00 (2.50 to 3.25)"]
    assert figure.evidence[0].href == "../results/bench/latency.json"


def test_a_paper_without_times_has_no_such_figure(toy):
    report, sources = toy
    without = dataclasses.replace(sources, latency=None)
    assert [f.id for f in figures.figures(report, without, "")][:2] == ["figure-1", "figure-2"]


def test_committed_figures_are_the_papers_and_state_their_ranks(real):
    report, sources = real
    assert sources.problems == []
    found = {f.id: f for f in figures.figures(report, sources, "../../")}
    assert list(found) == ["figure-1", "figure-1-time", "figure-2", "figure-3", "figure-4"]
    claims = {c.id: c.achieved for c in report.claims}
    assert {row[4] for row in found["figure-2"].rows} == {"1"} == {str(r) for r in claims["fig2_block_rank"]}
    assert [row[4] for row in found["figure-4"].rows] == ["1", "1", "2"]
    assert claims["fig4_block_rank"] == 12  # shuffles of 216, ShuffleNet's own is none of them
    assert claims["fig4_block_rank_official"] == [2]
    assert all(row[2] == row[3] for row in found["figure-3"].rows)  # counted as by formula
    assert found["figure-3"].evidence[0].href == "../../results/figures/figure_3.json"


def test_a_matrix_is_drawn_cell_by_cell(toy):
    report, sources = toy
    figure = next(f for f in figures.figures(report, sources, "") if f.id == "figure-2")
    svg = figure.panels[0].svg
    squares = sum(e.get("d").count("M") for kind in ("pos", "neg") for e in parts(svg, "path", kind))
    assert squares == 5  # of 8 values three are zero
    assert [e.text for e in parts(svg, "text", "rank")] == ["1", "1", "0", "1"]


def test_the_papers_numbers_never_stand_on_the_small_datas_axis(real):
    report, sources = real
    drawn = [f for spec in sources.config.forest for f in figures.forests(report, spec)]
    assert [f.head for f in drawn] == [f"Table {t}" for t in ("3", "4a", "4b", "4c", "5", "6", "7")]
    for figure in drawn:
        assert parts(figure.panels[0].svg, "path", "printed")
        for panel in figure.panels[1:]:
            assert not parts(panel.svg, "path", "printed")
            assert parts(panel.svg, "circle", "dot")
    with_small = {o.table for o in report.orderings}
    assert {f.head.removeprefix("Table ") for f in drawn if len(f.panels) == 2} == with_small


def test_a_forest_shows_intervals_to_scale():
    lines = [forest.Line("a", 50.0, 50.0, 1.0, "50.0 ± 1.0"), forest.Line("b", 52.0, 53.0, 2.0, "53.0 ± 2.0")]
    svg = forest.draw("f", "t", "d", lines)
    a, b = ([float(e.get(k)) for k in ("x1", "x2")] for e in parts(svg, "line", "bar"))
    assert b[1] - b[0] == pytest.approx(2 * (a[1] - a[0]), abs=0.3)
    assert (a[0] + a[1]) / 2 == pytest.approx(float(parts(svg, "circle", "dot")[0].get("cx")), abs=0.1)


@pytest.mark.parametrize(
    ("gap", "half", "verdict"), [(2.0, 1.0, "holds"), (-2.0, 1.0, "fails"), (2.0, math.inf, "underpowered")]
)
def test_orders_are_drawn_against_zero(toy, gap, half, verdict):
    pair = SimpleNamespace(
        higher="a",
        lower="b",
        gap=gap,
        half_width=half,
        verdict=verdict,
        resolution="",
        z=None,
        images="",
        adjusted=0.01,
    )
    report, _ = toy
    order = dataclasses.replace(report.orderings[0], pairs=[pair])
    found = figures.orders([order])[0].gaps[0]
    zero, bar = parts(found.svg, "line", "axis")[0], parts(found.svg, "line", "bar")[0]
    left, right, middle = float(bar.get("x1")), float(bar.get("x2")), float(zero.get("x1"))
    assert (left > middle, right < middle) == (verdict == "holds", verdict == "fails")
    assert 0 <= left <= right <= 150


@pytest.mark.parametrize("which", ["real", "toy"])
def test_every_trained_row_has_its_curve(which, request):
    report, sources = request.getfixturevalue(which)
    drawn = figures.training(report, sources, "../../")
    assert sum(len(f.panels) for f in drawn) == len(sources.curves) >= (which == "toy")
    assert len({f.id for f in drawn}) == len(drawn)
    texts = [e.text for f in drawn for p in f.panels for e in ET.fromstring(p.svg).iter("desc")]
    assert all(re.fullmatch(r"(Top-1|loss) from \S+ at epoch 1 to \S+ at epoch \d+\.", t) for t in texts)
