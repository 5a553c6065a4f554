"""Which runs the planner counts, and what it says of rows whose cost the ledger does not know."""

from __future__ import annotations

from dataclasses import replace

import pytest
from helpers import MICRONET, ROOT

from papertally.evidence.read import read_evidence
from papertally.evidence.schema import TrainingEvidence
from papertally.ledger.load import load_ledger
from papertally.verdicts.model import build
from papertally.verdicts.plan import OPEN, make_plan
from report.settings import load_settings

ROW = "t2_micronet_m0"


@pytest.fixture
def evidence():
    return read_evidence(ROOT, load_settings(ROOT)[1])


def plan_of(evidence, ledger=None):
    report = build(ledger or load_ledger(MICRONET), evidence, load_settings(ROOT)[0])
    return report, make_plan(report, evidence, None)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("recipes", "seeds"),
    [(["released"], 3), (["released", "paper"], 2), (["official"], 2), (["official", "official", "paper"], 2)],
)
def test_seeds_of_the_deciding_recipe_count_alone(evidence, recipes, seeds):
    """The verdict rests on one recipe's runs: with 3 wanted, so many of it are still lacking."""
    evidence.runs["paper"] = {ROW: [
        TrainingEvidence(
            schema=2, kind="training", profile="paper", row=ROW, seed=i, values={"top1": 51.4, "top5": 70.0},
            config="x", fingerprint={}, params={"train": {"recipe": recipe}}, data={"name": "imagenet", "pin": "x"},
            code_revision="x", environment={}, epochs=1, duration_s=1.0, command="x", digest="x",
        )
        for i, recipe in enumerate(recipes)
    ]}  # fmt: skip
    evidence.files["paper", ROW] = [f"results/paper/{i}.json" for i in range(len(recipes))]
    assert next(run for run in plan_of(evidence)[1].runs if run.row == ROW).seeds == seeds


@pytest.mark.slow
def test_what_has_no_budget_is_said_to_be_unplanned(evidence):
    ledger = load_ledger(MICRONET)
    kept = tuple(b for b in ledger.budgets if "2" not in b.tables)
    assert len(kept) < len(ledger.budgets)
    gone = {table for b in ledger.budgets if b not in kept for table in b.tables}
    report, plan = plan_of(evidence, replace(ledger, budgets=kept))
    named = {item.name for item in plan.items} | set(plan.unplanned)
    assert named >= {c.key for c in report.cells if c.verdict in OPEN and c.column not in ("params", "madds")}
    assert f"{ROW}.top1" in plan.unplanned
    assert plan.runs
    assert not gone & {run.table for run in plan.runs}
