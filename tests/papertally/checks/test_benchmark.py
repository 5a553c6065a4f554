"""The checks' grades: what they find of planted faults, and that they accuse no right ledger."""

from __future__ import annotations

import pytest

from papertally.checks import ALARMS, run
from papertally.checks.benchmark.__main__ import BEGIN, DOCS, END, with_grades
from papertally.checks.benchmark.error_injection import KINDS
from papertally.checks.benchmark.grade import EACH, alarms, corrected, grade, plant, table
from papertally.checks.benchmark.render import as_text
from papertally.checks.benchmark.synthetic import right_ledger
from papertally.ledger.load import Ledger
from papertally.statements.expressions import compile_expr


def printed(ledger: Ledger) -> tuple[str, list[str]]:
    """Return all that a ledger prints and states."""
    return as_text(ledger, False), [claim.expression.text for claim in ledger.claims]


@pytest.mark.slow
@pytest.mark.long
def test_grades_are_what_the_documentation_says():
    grades = grade()
    assert len(grades.kinds) >= 12
    assert {g.planted for g in grades.kinds.values()} == {EACH}
    assert EACH >= 20
    assert grades.recall >= 0.9
    assert not [key for key, n in grades.alarms.items() if key[1] == "impossible" and n]
    text = DOCS.read_text("utf-8")
    assert with_grades(text, table(grades)) == text, "run `python -m papertally.checks.benchmark --write`"


@pytest.mark.parametrize("seed", [*range(2000, 2012)])
def test_a_right_ledger_is_never_called_impossible(seed):
    ledger = right_ledger(seed)
    found = alarms(ledger, as_text(ledger, tex=bool(seed % 2)))
    assert [f for f in found if f.severity == "impossible"] == []
    # Authors who subtract before rounding, and shares that were cut, leave what rounding alone decides.
    assert {f.check for f in found if f.severity == "undecided by rounding"} <= {"statements", "test set"}


def test_invented_ledgers_are_the_same_each_time_and_keep_the_schemas_rules():
    one = right_ledger(5)
    assert printed(one) == printed(right_ledger(5))
    assert printed(one) != printed(right_ledger(6))
    for claim in one.claims:
        assert compile_expr(claim.expression.text).refs == claim.expression.refs
    assert {r.same_as for r in one.rows.values() if r.same_as} <= set(one.rows)


def test_the_papers_corrected_ledger_is_not_impossible():
    assert [f for f in run(corrected()) if f.severity == "impossible"] == []


@pytest.mark.parametrize("name", KINDS)
def test_a_fault_changes_something_and_is_the_same_each_time(name):
    first, second = list(plant(name, 2)), list(plant(name, 2))
    assert [(p.cells, p.subjects, p.text) for p, _ in first] == [(p.cells, p.subjects, p.text) for p, _ in second]
    for planted, seed in first:
        right = corrected() if seed % 2 == 0 else right_ledger(seed)
        altered = planted.text is not None and planted.text not in (as_text(right, False), as_text(right, True))
        assert altered or printed(planted.ledger) != printed(right)
        assert planted.cells or planted.subjects


def test_the_grades_stand_between_their_marks():
    text = f"a\n{BEGIN}\nold\n{END}\nb\n"
    assert with_grades(text, "new") == f"a\n{BEGIN}\nnew\n{END}\nb\n"
    with pytest.raises(ValueError, match="restore them"):
        with_grades("a", "new")
    assert ALARMS[0] == "impossible"
