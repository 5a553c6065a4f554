"""Answers to verdicts: read with their date, shown beside the verdict, refused where they answer nothing."""

from __future__ import annotations

import shutil

import pytest
from helpers import ROOT

from papertally.ledger.load import LedgerError, load_ledger
from papertally.ledger.supplements import load_supplements
from papertally.pages.claims import claim_pages
from papertally.pages.command import judged
from papertally.pages.sources import Sources
from report.project import projects_of

ENTRY = '- {{subject: {}, who: "A. Author", when: "2026-01-31", what: "Counted with biases."}}'


@pytest.fixture
def folder(tmp_path):
    shutil.copytree(ROOT / "papers/micronet", tmp_path / "micronet")
    return tmp_path / "micronet"


def write(folder, subject):
    (folder / "responses.yaml").write_text(f"schema: 1\nresponses:\n{ENTRY.format(subject)}\n", "utf-8")


@pytest.mark.parametrize("subject", ["t1_m2.madds", "four_budgets"])
def test_a_response_is_read_with_who_when_and_what(folder, subject):
    write(folder, subject)
    found = load_supplements(load_ledger(folder), folder)
    assert found.responses_to(subject) == ["A. Author, 2026-01-31: Counted with biases."]
    assert found.responses_to("under_6m") == []


def test_a_response_to_nothing_is_refused_with_its_line(folder):
    write(folder, "nothing.madds")
    with pytest.raises(LedgerError, match=r"responses.yaml:3: .*'nothing.madds'"):
        load_supplements(load_ledger(folder), folder)


def test_it_stands_beside_the_verdict(folder):
    write(folder, "four_budgets")
    report = judged(projects_of(ROOT)(None))
    report.supplements = load_supplements(report.ledger, folder)
    (page,) = (c for c in claim_pages(report, Sources(), "") if c.id == "four_budgets")
    facts = {fact.term: fact.values for fact in page.facts}
    assert facts["Responses"][0].text == "A. Author, 2026-01-31: Counted with biases."
    assert facts["In the paper"][0].href.startswith("https://arxiv.org/pdf/")
