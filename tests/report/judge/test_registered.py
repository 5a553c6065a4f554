"""Registered orderings: whole tables alone are judged, decisions are one family, the section stands or is absent."""

from __future__ import annotations

from types import SimpleNamespace

import pytest
import yaml
from helpers import ROOT
from hypothesis import given
from hypothesis import strategies as st

from evidence.read import Evidence
from evidence.registration import FILE, Choice, OrderingCosts, Registration
from paper import load_ledger
from report.judge.registered import judge_registered, read_registered
from report.judge.spread import adjusted, holm
from report.page.registered import registered_page

REGISTRATION = Registration.model_validate(yaml.safe_load((ROOT / FILE).read_text("utf-8")))
SCHEDULE = next(iter(REGISTRATION.schedules))
SEEDS = REGISTRATION.confirm.seeds[:3]
TRIAL = {"gap": 2.0, "sd": 1.0, "seconds": 50.0, "gain": 0.08, "runs": 4}
CHOICE = Choice.model_validate({
    "schema": 1, "kind": "choice", "digest": "", "schedule": SCHEDULE, "seeds": SEEDS, "needed": 9,
    "trials": dict.fromkeys(REGISTRATION.schedules, TRIAL), "pilot": {},
})  # fmt: skip
#: Means far apart against a spread of half a point: as printed but for SE+ReLU, which here comes last.
MEANS = {"t5_relu": 40.0, "t5_se_relu": 30.0, "t5_dynamic_relu": 50.0, "t5_dynamic_shift_max": 60.0, "t3_static": 45.0,
         "t7_j1_k1": 30.2}  # fmt: skip


@pytest.fixture(scope="module")
def ledger():
    return load_ledger()


def evidence(rows, seeds=SEEDS, skip=()):
    out = Evidence()
    out.runs["cifar"] = {}
    for row in rows:
        mine = [
            SimpleNamespace(
                row=row, seed=seed, recipe=SCHEDULE, values={"top1": MEANS[row] + 0.5 * (i - 1)}, digest=f"{row}{seed}",
                params={}, environment={"cpu": "a processor"}, code_revision="abcdef0", epochs=1, differs=[],
                data=SimpleNamespace(name="cifar10"), examples={},
            )
            for i, seed in enumerate(seeds) if (row, seed) not in skip
        ]  # fmt: skip
        out.runs["cifar"][row] = mine
        out.files["cifar", row] = [f"{row}.{run.seed}" for run in mine]
    return out


TABLE_5 = REGISTRATION.families[0].rows


def test_a_whole_table_is_judged_and_a_shared_network_counts_in_both(ledger):
    found = judge_registered(REGISTRATION, CHOICE, None, ledger, evidence([*TABLE_5, "t3_static"]))
    assert [f.table for f in found.judged] == ["5", "3"]
    pairs = {(p.higher, p.lower): p.verdict for p in found.judged[0].ordering.pairs}
    assert len(pairs) == 6
    assert sum(v == "fails" for v in pairs.values()) == 1
    assert found.spread.freedom == 2 * 5
    verdicts = {s.id: s.verdict for s in found.statements}
    assert verdicts["shift_max_order"] == verdicts["path_shift_max_order"] == "holds"
    assert verdicts["more_layers_better"] == "not run"
    assert len(verdicts) == 8


@pytest.mark.parametrize("lost", [("t5_se_relu", SEEDS[1]), ("t5_dynamic_shift_max", SEEDS[2])])
def test_a_table_that_lacks_one_run_is_not_judged(ledger, lost):
    found = judge_registered(REGISTRATION, CHOICE, None, ledger, evidence([*TABLE_5, "t3_static"], skip=[lost]))
    family = found.families[0]
    assert (family.have, family.of, family.ordering) == (11, 12, None)
    assert "shift_max_order" not in {s.id for s in found.statements if s.verdict != "not run"}
    page = registered_page(found)
    assert ("5", "not run: 11 of 12 runs") in page.waiting


def test_the_pilots_seeds_and_other_schedules_are_not_confirmation(ledger):
    pilot = judge_registered(REGISTRATION, CHOICE, None, ledger, evidence(TABLE_5, REGISTRATION.pilot.seeds))
    assert not pilot.judged
    assert pilot.families[0].have == 0
    other = evidence(TABLE_5)
    for mine in other.runs["cifar"].values():
        for run in mine:
            run.recipe = "another"
    assert not judge_registered(REGISTRATION, CHOICE, None, ledger, other).judged


def test_two_names_of_one_network_are_compared_once_both_are_whole(ledger):
    rows = [*TABLE_5, "t7_j1_k1"]
    twins = judge_registered(REGISTRATION, CHOICE, None, ledger, evidence(rows)).twins
    assert twins.gap == pytest.approx(-0.2)
    assert twins.p > 0.5
    assert judge_registered(REGISTRATION, CHOICE, None, ledger, evidence(TABLE_5)).twins is None


def test_without_evidence_the_section_says_so_and_without_a_registration_there_is_none(ledger, tmp_path):
    found = judge_registered(REGISTRATION, None, None, ledger, Evidence())
    page = registered_page(found)
    assert page.status.startswith("not run")
    assert len(page.waiting) == len(REGISTRATION.families)
    assert not page.orders
    assert not page.statements
    assert read_registered(tmp_path, tmp_path / "results", ledger, Evidence()) is None
    assert registered_page(None) is None


@pytest.mark.parametrize(("gap", "said"), [(2.0, False), (-2.0, True)])
def test_the_page_says_where_the_pilots_order_depends_on_the_schedule(ledger, gap, said):
    trials = {name: {**TRIAL, "gap": gap if i else 2.0} for i, name in enumerate(REGISTRATION.schedules)}
    choice = Choice.model_validate({**CHOICE.model_dump(by_alias=True), "trials": trials})
    page = registered_page(judge_registered(REGISTRATION, choice, None, ledger, Evidence()))
    assert any("either order" in line for line in page.protocol) == said


def test_costs_are_shown_with_their_ratio(ledger):
    rows = {row: {"params": 10, "terms": {"conv": 100 * (i + 1)}} for i, row in enumerate(REGISTRATION.rows)}
    costs = OrderingCosts.model_validate({
        "schema": 1, "kind": "ordering_costs", "digest": "", "input_size": [3, 32, 32], "stem_stride": 1,
        "first_stride": 1, "rows": rows, "code_revision": "x", "environment": {},
    })  # fmt: skip
    found = judge_registered(REGISTRATION, None, costs, ledger, Evidence())
    assert [c.ratio for c in found.costs] == [i + 1 for i in range(len(rows))]
    assert all(c.printed_ratio is None for c in found.costs)


@given(st.dictionaries(st.text(max_size=3), st.floats(0, 1), max_size=8), st.floats(0.01, 0.2))
def test_an_adjusted_p_is_significant_where_holm_says_so(p_values, alpha):
    found = adjusted(p_values)
    assert all(p <= found[name] <= 1 for name, p in p_values.items())
    close = {name for name, p in found.items() if abs(p - alpha) < 1e-12}
    assert {name for name, p in found.items() if p <= alpha} - close == holm(p_values, alpha) - close
