"""The report's vocabulary: four answers about the paper, each verdict one; what is about this project never is one."""

from __future__ import annotations

import json
import re

import pytest
from helpers import ROOT
from hypothesis import given
from hypothesis import strategies as st

from papertally.ledger.schema import GROUNDS
from papertally.pages.command import judged
from papertally.pages.render import as_json
from papertally.pages.sentences import HEADLINES, HeadlineError, sentences
from papertally.pages.sources import read_sources
from papertally.quantities.columns import is_cost
from papertally.verdicts.answers import ANSWERS, APART, answer, counted
from papertally.verdicts.verdicts import FAILED, PASSED, VERDICTS
from report.project import projects_of

PROJECT = {v for v in VERDICTS if v.startswith(("built-", "run-")) or v in ("predicted", "not-predicted")}


@pytest.fixture(scope="module")
def report():
    return judged(projects_of(ROOT)(None))


@pytest.fixture(scope="module")
def data(report):
    return json.loads(json.dumps(as_json(report)))


@pytest.fixture(scope="module")
def told(report):
    return dict(sentences(report, read_sources(projects_of(ROOT)(None).paper, report.ledger).config.claims))


@given(st.sampled_from(VERDICTS), st.sampled_from(GROUNDS))
def test_every_verdict_has_one_answer_and_nothing_of_ours_answers_for_the_paper(verdict, ground):
    found = answer(verdict, ground)
    assert found.name in (*ANSWERS, *APART)
    assert found.basis
    if (verdict in PROJECT or verdict == "invalid-evidence") and ground != "quoted":
        assert found.name == "project"
    if ground in ("constructed", "quoted") and verdict != "paper-inconsistent":
        assert not found.about_paper
    if found.name == "contradicted":
        assert verdict in FAILED
    if found.name == "holds":
        assert verdict in PASSED


def test_no_reconstruction_or_quotation_is_red_or_green(report):
    for cell in report.cells:
        if cell.answer.name in ("holds", "contradicted") and cell.verdict != "paper-inconsistent":
            assert cell.ground not in ("constructed", "quoted")


def test_answers_count_every_distinct_number_and_statement_once(report, data):
    answers = data["summary"]["answers"]
    assert sum(answers["cells"].values()) == len(report.distinct)
    assert sum(answers["claims"].values()) == len(data["claims"])
    assert answers["claims"] == counted(c.answer for c in report.claims)


def numbers(text):
    return [int(n) for n in re.findall(r"(?<![\w.])\d+(?![\w.])", text)]


def test_the_five_sentences_say_what_report_json_says(told, data):
    assert tuple(told) == HEADLINES
    first = {}
    for cell in data["cells"]:
        first.setdefault(cell["distinct"], cell)
    by = {name: [c for c in first.values() if c["answer"] == name] for name in ANSWERS}
    claims = {name: [c for c in data["claims"] if c["answer"] == name] for name in ANSWERS}
    printed = {c["printed"] for c in data["cells"]}
    assert set(re.findall(r"\d+(?:\.\d+)?M|\d\d\.\d", told["The paper claims"])) <= printed
    confirmed = told["Confirmed without training"]
    assert numbers(confirmed)[0] == sum(is_cost(c["column"]) for c in by["holds"])
    assert sum(c["basis"] == "derivation" for c in claims["holds"]) in numbers(confirmed)
    assert data["summary"]["own"]["holds"] in numbers(confirmed)
    assert any(c["statement"].rstrip(".") in told["Contradicted"] for c in claims["contradicted"])
    open_ = told["Undetermined by the text"]
    assert open_.startswith(f"{len(by['undetermined'])} numbers")
    for family in data["conventions"]["families"]:
        if family["title"] in open_:
            assert f"{family['best']} of the {len(family['cells'])} numbers of {family['title']}" in open_
    untested = told["Untested"]
    assert untested.startswith(f"{len(by['untested'])} numbers")
    assert f"{len(claims['untested'])} statements" in untested
    assert data["small_scale"]["conclusion"].rstrip(".") in untested
    assert "GPU-hours" in untested


def test_a_claim_of_a_number_that_is_not_printed_is_refused(report):
    with pytest.raises(HeadlineError, match="nowhere.top1"):
        sentences(report, "It reaches {nowhere.top1} %.")
