"""Known issues: every number of their text is printed by the paper or computed, and the architecture tables' cells."""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import replace

import pytest
from helpers import MICRONET, ROOT

from papertally.evidence.read import read_evidence
from papertally.ledger.load import load_ledger
from papertally.verdicts.architecture import architecture_cells
from papertally.verdicts.issues import check_issues
from papertally.verdicts.resolution import resolution

LEDGER = load_ledger(MICRONET)
#: Numbers with a unit in a text.
NUMBER = re.compile(r"(?<![\w.])\d[\d,]*(?:\.\d+)?[KMB](?!\w)")
#: Computed elsewhere: by which test or certificate.
ELSEWHERE = {
    "t7_jk_cost": "best price over the cells of M1, with linear programming: conventions",
    "t7_not_affine": "half a unit of two printed places",
    "k_at_a2": "test_with_k_2_everywhere_m1_prints_more_parameters",
}


@pytest.fixture(scope="module")
def evidence():
    return read_evidence(ROOT)


def test_every_computed_number_prints_as_the_text_says(evidence):
    found = check_issues(LEDGER, evidence)
    assert len(found) > 60
    assert [c for c in found if c.holds is not True] == []


def test_every_number_with_a_unit_is_printed_or_computed():
    """In what an issue computes; the prose around it may speak of anything."""
    printed = {cell.printed for _, cell in LEDGER.cells()}
    for issue in LEDGER.issues.values():
        if issue.id in ELSEWHERE:
            continue
        known = printed | {c.says for c in issue.checks}
        assert [n for n in NUMBER.findall(issue.arithmetic) if n not in known] == [], issue.id


def test_a_stale_number_is_found(evidence):
    """161.5M stood for M2 without the five rows, which costs 164.0M."""
    issue = LEDGER.issues["t10_m2_column"]
    stale = issue.model_copy(
        update={
            "arithmetic": issue.arithmetic.replace("164.0M", "161.5M"),
            "checks": [c.model_copy(update={"says": c.says.replace("164.0M", "161.5M")}) for c in issue.checks],
        }
    )
    ledger = replace(LEDGER, issues={stale.id: stale})
    assert [c.says for c in check_issues(ledger, evidence) if c.holds is False] == ["161.5M"]


def test_eighteen_printed_pairs_are_below_the_test_sets_resolution():
    close = 0
    for table in LEDGER.tables.values():
        tops = {LEDGER.canonical(r.id): float(r.cells["top1"].value) for r in table.rows
                if "top1" in r.cells and r.cells["top1"].numeric}  # fmt: skip
        values = sorted(tops.values(), reverse=True)
        close += sum(
            not resolution(a, b, 50_000).resolved for i, a in enumerate(values) for b in values[i + 1 :] if a > b
        )
    assert close == 18
    assert "eighteen printed pairs" in LEDGER.issues["small_gaps"].detail


def test_with_k_2_everywhere_m1_prints_more_parameters():
    from registry.cost.models import classifier_config, model_cost

    issue = LEDGER.issues["k_at_a2"]
    assert model_cost(classifier_config("m1", {"k_linear": 2})).params == pytest.approx(2.480e6, abs=500)
    assert "2.480M" in issue.arithmetic


def test_all_500_architecture_cells_have_a_verdict(evidence):
    cells = architecture_cells(LEDGER, evidence)
    assert len(cells) == 500
    found = Counter((c.table, c.verdict) for c in cells)
    assert found == {("1", "built-as-stated"): 190, ("10", "built-as-stated"): 285, ("10", "blocked"): 25}
    assert {c.model for c in cells if c.verdict == "blocked"} == {"m2"}
    assert all(c.verdict == "not-run" for c in architecture_cells(LEDGER, read_evidence(ROOT, results=ROOT / "docs")))
