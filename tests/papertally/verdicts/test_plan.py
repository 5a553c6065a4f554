"""The planner: what is open, what it needs, and hours by one rule from a benchmark's figures."""

from __future__ import annotations

import json
import math

import pytest
from helpers import MICRONET, ROOT
from hypothesis import given
from hypothesis import strategies as st

from papertally.evidence.io import EvidenceError
from papertally.evidence.read import read_evidence
from papertally.ledger.load import load_ledger
from papertally.plan import table
from papertally.verdicts.model import build
from papertally.verdicts.plan import Bench, ModelRates, make_plan, read_benches, seconds_per_image
from report.settings import load_settings


def rates(train, madds):
    return ModelRates(train=train, inference=3 * train, peak_mib=None, madds=madds)


def bench(**models):
    return Bench.model_validate(
        {
            "schema": 1, "kind": "bench", "hardware": "a card", "gpu": True, "batch_size": 512, "precision": "AMP",
            "models": {k: v.model_dump() for k, v in models.items()}, "ratios": {}, "code_revision": "x",
            "environment": {},
        }
    )  # fmt: skip


@pytest.fixture(scope="module")
def evidence():
    return read_evidence(ROOT, load_settings(ROOT)[1])


def planned(evidence, found=None):
    report = build(load_ledger(MICRONET), evidence, load_settings(ROOT)[0])
    return report, make_plan(report, evidence, found)


@given(st.integers(10**6, 10**9), st.floats(1, 1e5))
def test_hours_scale_with_madds_from_the_nearest_measured_row(madds, train):
    known = {"a": rates(train, 10**7), "b": rates(train / 3, 10**8)}
    got = seconds_per_image("other", madds, known)
    near = min(known.values(), key=lambda m: abs(math.log(m.madds / madds)))
    assert got == pytest.approx(madds / near.madds / near.train)
    assert seconds_per_image("b", madds, known) == pytest.approx(3 / train)


@pytest.mark.slow
def test_every_open_cell_is_planned_once_and_the_total_is_the_sum(evidence):
    found = ("results/bench/gpu.json", bench(t2_micronet_m1=rates(10_000, 12_000_000)))
    report, plan = planned(evidence, found)
    open_cells = {c.key for c in report.cells if c.verdict == "not-run"}
    assert {i.name for i in plan.items if i.kind == "cell"} == open_cells
    assert sorted(c for r in plan.runs for c in r.cells) == sorted(open_cells)
    assert plan.hours == pytest.approx(math.fsum(r.hours for r in plan.runs))
    hours = [i.hours for i in plan.items]
    assert hours == sorted(hours)
    m1 = next(r for r in plan.runs if r.row == "t2_micronet_m1")
    assert m1.image_passes == 3 * 600 * 1_281_167
    assert m1.hours == pytest.approx(m1.image_passes / 10_000 / 3600)
    by_row = {r.row: r for r in plan.runs}
    for item in plan.items:
        assert item.hours == pytest.approx(math.fsum(by_row[row].hours for row in item.rows))
    assert by_row[plan.next_row].settles == max(r.settles for r in plan.runs)
    json.dumps(plan.as_dict(), allow_nan=False)


@pytest.mark.slow
def test_rows_with_runs_need_fewer_seeds_and_settled_ones_none(evidence, tmp_path):
    import shutil

    from test_recipes import evidence_of

    from papertally.evidence.io import write_json_atomic

    for name in ("configs", "fingerprints", "papers", "results/cost"):
        shutil.copytree(ROOT / name, tmp_path / name)
    shutil.copy(ROOT / "params.yaml", tmp_path)
    row = "t2_micronet_m0"

    def runs():
        found = read_evidence(tmp_path, load_settings(tmp_path)[1])
        return {r.row: r for r in planned(found)[1].runs}

    assert runs()[row].seeds == 3
    write_json_atomic(tmp_path / f"results/paper/{row}.paper.s0.json", evidence_of("paper", 0, 51.4))
    assert runs()[row].seeds == 2
    for seed, top1 in ((1, 51.41), (2, 51.39)):
        value = evidence_of("paper", seed, top1)
        write_json_atomic(tmp_path / f"results/paper/{row}.paper.s{seed}.json", value)
    assert row not in runs() or f"{row}.top1" not in runs()[row].cells


@pytest.mark.slow
def test_without_a_benchmark_there_are_no_hours(evidence):
    _, plan = planned(evidence)
    assert plan.hours is None
    assert plan.image_passes > 17e9
    assert all(r.hours is None for r in plan.runs)


def test_a_corrupt_benchmark_is_named(tmp_path):
    (tmp_path / "results/bench").mkdir(parents=True)
    (tmp_path / "results/bench/gpu.json").write_text("{")
    with pytest.raises(EvidenceError, match=r"results/bench/gpu.json: corrupt JSON"):
        read_benches(tmp_path)
    (tmp_path / "results/bench/gpu.json").write_text(bench().model_dump_json(by_alias=True))
    with pytest.raises(EvidenceError, match="measures no model; run `make bench`"):
        read_benches(tmp_path)


def test_rates_that_others_published_stand_in_until_a_card_is_measured(tmp_path):
    """Measured on a GPU, then as published, then a CPU's; who published them is said wherever hours are."""
    (tmp_path / "results/bench").mkdir(parents=True)
    found = bench(t2_micronet_m1=rates(10_000, 12_000_000))
    for name, changed in {
        "a": {"gpu": False}, "b": {"published": "somebody's table"}, "c": {},
    }.items():  # fmt: skip
        text = found.model_copy(update=changed).model_dump_json(by_alias=True)
        (tmp_path / f"results/bench/{name}.json").write_text(text)
    assert [path[-6] for path, _ in read_benches(tmp_path)] == ["c", "b", "a"]


@pytest.mark.slow
def test_the_committed_headline_names_its_source(evidence):
    first = read_benches(ROOT)[0]
    _, plan = planned(evidence, first)
    assert plan.gpu
    assert plan.published == first[1].published
    if plan.published:
        assert "commit" in plan.published
        assert f"published rates, not measured here ({plan.published})" in table(plan, "run", 1)
