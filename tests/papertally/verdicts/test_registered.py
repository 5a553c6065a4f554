"""Registered orderings: whole tables alone are judged, decisions are one family, the section stands or is absent."""

from __future__ import annotations

import json
from types import SimpleNamespace

import pytest
import yaml
from helpers import MICRONET, ROOT
from hypothesis import given
from hypothesis import strategies as st

from papertally.counting.cost import rules
from papertally.evidence.read import Evidence
from papertally.evidence.registration import FILE, Choice, OrderingCosts, Registration, choose, of_phase, trials
from papertally.evidence.schema import Rules
from papertally.ledger.load import load_ledger
from papertally.pages.json_schema import RegisteredForm
from papertally.pages.registered import registered_page, told_in_short
from papertally.pages.render import registered_orderings
from papertally.pages.summary import summary_page
from papertally.verdicts.model import build
from papertally.verdicts.registered import judge_registered, read_registered
from papertally.verdicts.spread import adjusted, holm
from report.settings import load_settings

REGISTRATION = Registration.model_validate(yaml.safe_load((ROOT / FILE).read_text("utf-8")))
RULES = Rules.model_validate(rules(load_ledger(MICRONET).conventions))

#: Means far apart against a spread of half a point: as printed but for SE+ReLU, which here comes last.
MEANS = {"t5_relu": 40.0, "t5_se_relu": 30.0, "t5_dynamic_relu": 50.0, "t5_dynamic_shift_max": 60.0, "t3_static": 45.0,
         "t7_j1_k1": 30.2}  # fmt: skip


@pytest.fixture(scope="module")
def ledger():
    return load_ledger(MICRONET)


def run_of(row, seed, recipe, top1):
    return SimpleNamespace(
        row=row, seed=seed, recipe=recipe, values={"top1": top1}, digest=f"{row} {recipe} {seed}", params={},
        environment={"cpu": "a processor"}, code_revision="abcdef0", epochs=1, differs=[], examples={}, cpu_s=50.0,
        data=SimpleNamespace(name="cifar10"),
    )  # fmt: skip


def pilot(gaps=(1.5, -0.5)):
    """Return a pilot whose two seeds lie half a point apart, with a gap a schedule."""
    known = REGISTRATION.pilot
    higher, lower = known.gap
    return [
        run_of(row, seed, name, (30.0 + gap if row == higher else 30.0) + 0.5 * i)
        for name, gap in zip(REGISTRATION.schedules, gaps, strict=True)
        for row in (higher, lower)
        for i, seed in enumerate(known.seeds)
    ]


def choice_from(runs, **changes):
    """Return what the rule makes of a pilot."""
    mine = {row: [r for r in runs if r.row == row] for row in REGISTRATION.pilot.rows}
    known = REGISTRATION.pilot
    tried = trials(
        {name: of_phase(mine, known.rows, name, known.seeds) for name in REGISTRATION.schedules}, known.gap
    )  # fmt: skip
    schedule, needed, seeds = choose(REGISTRATION, tried)
    return Choice.model_validate({
        "schema": 1, "kind": "choice", "digest": "", "schedule": schedule, "seeds": seeds, "needed": needed,
        "trials": {name: t.model_dump() for name, t in tried.items()}, "pilot": {r.digest: r.digest for r in runs},
        **changes,
    })  # fmt: skip


PILOT = pilot()
CHOICE = choice_from(PILOT)
SEEDS = CHOICE.seeds
SCHEDULE = CHOICE.schedule


def evidence(rows, seeds=SEEDS, skip=(), recipe=SCHEDULE, before=PILOT):
    """Return a pilot with runs whose mean is a row's."""
    mine = [
        run_of(row, seed, recipe, MEANS[row] + 0.5 * (i - (len(seeds) - 1) / 2))
        for row in rows
        for i, seed in enumerate(seeds)
        if (row, seed) not in skip
    ]
    out = Evidence()
    out.runs["cifar"] = {}
    for run in [*before, *mine]:
        out.runs["cifar"].setdefault(run.row, []).append(run)
        out.files.setdefault(("cifar", run.row), []).append(f"{run.row}.{run.seed}")
    return out


TABLE_5 = REGISTRATION.families[0].rows


def test_a_whole_table_is_judged_and_a_shared_network_counts_in_both(ledger):
    found = judge_registered(REGISTRATION, CHOICE, None, ledger, evidence([*TABLE_5, "t3_static"]))
    assert [f.table for f in found.judged] == ["5", "3"]
    pairs = {(p.higher, p.lower): p.verdict for p in found.judged[0].ordering.pairs}
    assert len(pairs) == 6
    assert sum(v == "fails" for v in pairs.values()) == 1
    assert found.spread.freedom == 5 * (len(SEEDS) - 1)
    verdicts = {s.id: s.verdict for s in found.statements}
    assert verdicts["shift_max_order"] == verdicts["path_shift_max_order"] == "holds"
    assert verdicts["more_layers_better"] == "not run"
    assert len(verdicts) == 8


@pytest.mark.parametrize("lost", [("t5_se_relu", SEEDS[1]), ("t5_dynamic_shift_max", SEEDS[2])])
def test_a_table_that_lacks_one_run_is_not_judged(ledger, lost):
    found = judge_registered(REGISTRATION, CHOICE, None, ledger, evidence([*TABLE_5, "t3_static"], skip=[lost]))
    family = found.families[0]
    whole = 4 * len(SEEDS)
    assert (family.have, family.of, family.ordering) == (whole - 1, whole, None)
    assert "shift_max_order" not in {s.id for s in found.statements if s.verdict != "not run"}
    page = registered_page(found)
    assert ("5", f"not run: {whole - 1} of {whole} runs") in page.waiting


def test_the_pilots_seeds_and_other_schedules_are_not_confirmation(ledger):
    other = next(name for name in REGISTRATION.schedules if name != SCHEDULE)
    for found in (evidence([]), evidence(TABLE_5, recipe=other), evidence(TABLE_5, REGISTRATION.confirm.seeds[1:])):
        judged = judge_registered(REGISTRATION, CHOICE, None, ledger, found)
        assert not judged.judged
        assert judged.pilot == (len(PILOT), len(PILOT))


def test_a_choice_that_the_filed_pilot_does_not_give_counts_for_nothing(ledger):
    other = next(name for name in REGISTRATION.schedules if name != SCHEDULE)
    lost, turned = PILOT[1:], pilot((0.1, -3.0))
    for choice, before, fault in (
        (CHOICE, lost, "not filed"),
        (CHOICE, turned, "not what the rule makes"),
        (choice_from(PILOT, schedule=other), PILOT, "not what the rule makes"),
        (choice_from(PILOT, seeds=REGISTRATION.confirm.seeds[1:]), PILOT, "not what the rule makes"),
    ):
        found = judge_registered(REGISTRATION, choice, None, ledger, evidence(TABLE_5, before=before))
        assert fault in found.fault
        assert not found.judged
        assert any(fault in line for line in registered_page(found).protocol)


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


@pytest.mark.parametrize(("gaps", "said"), [((1.5, 0.5), False), ((1.5, -0.5), True)])
def test_the_page_says_where_the_pilots_order_depends_on_the_schedule(ledger, gaps, said):
    before = pilot(gaps)
    found = evidence([], before=before)
    page = registered_page(judge_registered(REGISTRATION, choice_from(before), None, ledger, found))
    assert any("either order" in line for line in page.protocol) == said


@pytest.mark.parametrize(("scale", "said"), [(0.5, False), (4.0, True)])
def test_the_page_says_where_the_pilot_was_too_hopeful_of_the_spread(ledger, scale, said):
    found = evidence(TABLE_5)
    for run in (r for mine in found.runs["cifar"].values() for r in mine if r.seed in SEEDS):
        run.values["top1"] = MEANS[run.row] + scale * (run.values["top1"] - MEANS[run.row])
    page = registered_page(judge_registered(REGISTRATION, CHOICE, None, ledger, found))
    assert any("fewer orders are decided" in line for line in page.protocol) == said


def test_costs_are_shown_with_their_ratio(ledger):
    rows = {row: {"params": 10, "terms": {"conv": 100 * (i + 1)}} for i, row in enumerate(REGISTRATION.rows)}
    costs = OrderingCosts.model_validate({
        "schema": 1, "kind": "ordering_costs", "digest": "", "input_size": [3, 32, 32], "stem_stride": 1,
        "first_stride": 1, "rows": rows, "code_revision": "x", "environment": {},
    })  # fmt: skip
    found = judge_registered(REGISTRATION, None, costs, ledger, Evidence(rules=RULES))
    assert [c.ratio for c in found.costs] == [i + 1 for i in range(len(rows))]
    assert all(c.printed_ratio is None for c in found.costs)


@given(st.dictionaries(st.text(max_size=3), st.floats(0, 1), max_size=8), st.floats(0.01, 0.2))
def test_an_adjusted_p_is_significant_where_holm_says_so(p_values, alpha):
    found = adjusted(p_values)
    assert all(p <= found[name] <= 1 for name, p in p_values.items())
    close = {name for name, p in found.items() if abs(p - alpha) < 1e-12}
    assert {name for name, p in found.items() if p <= alpha} - close == holm(p_values, alpha) - close


def test_report_json_says_what_is_decided_and_of_how_many_runs(ledger):
    found = judge_registered(REGISTRATION, CHOICE, None, ledger, evidence(TABLE_5))
    form = RegisteredForm.model_validate_json(json.dumps(registered_orderings(found), allow_nan=False))
    assert (form.schedule, form.seeds, form.pilot.have) == (SCHEDULE, SEEDS, len(PILOT))
    first, *others = form.tables
    assert first.have == first.of == 4 * len(SEEDS)
    verdicts = {(order.higher, order.lower): order.verdict for order in first.orders}
    assert len(verdicts) == 6
    assert sorted(verdicts.values()) == [
        "fails",
        "holds",
        "holds",
        "holds",
        "holds",
        "holds",
    ]  # SE+ReLU is last here
    assert not any(table.orders for table in others)
    assert {s.id: s.verdict for s in form.statements}["shift_max_order"] == "holds"
    empty = judge_registered(REGISTRATION, None, None, ledger, Evidence())
    assert RegisteredForm.model_validate(registered_orderings(empty)).schedule is None


def test_the_short_telling_counts_what_is_decided_and_waits_for_a_whole_table(ledger):
    lost = [(row, SEEDS[0]) for row in ("t5_se_relu", "t5_dynamic_shift_max")]
    assert told_in_short(None) == []
    assert told_in_short(judge_registered(REGISTRATION, CHOICE, None, ledger, evidence(TABLE_5, skip=lost))) == []
    found = judge_registered(REGISTRATION, CHOICE, None, ledger, evidence([*TABLE_5, "t3_static"]))
    scale, orders, statements = told_in_short(found)
    assert "4 seeds a network, 10,000 images, 3 epochs; it says nothing of ImageNet" in scale
    assert orders == "9 printed orders (Tables 3, 5): 8 hold, 1 fails."
    assert statements == "8 statements about such orders alone: 2 hold, 6 are not run."
    report = build(ledger, Evidence(), load_settings(ROOT)[0])
    assert summary_page(report).small == []
    report.registered = found
    assert summary_page(report).small == [scale, orders, statements]


@pytest.mark.parametrize(
    ("environment", "told"),
    [
        ({"cpu": "A", "device": "cpu (x86_64)", "instructions": "AVX2"}, "A with AVX2"),
        ({"cpu": "A", "device": "cpu (aarch64)"}, "A"),
        ({"cpu": "A", "device": "NVIDIA H100", "instructions": "AVX512"}, "NVIDIA H100"),
        ({}, "unknown"),
    ],
)
def test_the_page_says_what_made_how_many_of_the_judged_runs(ledger, environment, told):
    mine = evidence(TABLE_5)
    runs = [run for runs in mine.runs["cifar"].values() for run in runs if run.seed in SEEDS]
    for run in runs[1:]:
        run.environment = environment
    (line,) = [line for line in registered_page(judge_registered(REGISTRATION, CHOICE, None, ledger, mine)).protocol
               if "Code revision" in line]  # fmt: skip
    assert f"{told} ({len(runs) - 1} runs)" in line
    assert "a processor (1 run)" in line
