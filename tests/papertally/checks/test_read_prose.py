"""Claims of running text are tied to cells by name, worked out over rounding, and left open where that is not sure."""

from __future__ import annotations

from pathlib import Path

import pytest

from papertally.checks.command import main as check
from papertally.checks.read_prose import CONTRADICTED, EXPLAINED, OPEN, ProseClaim, read_prose
from papertally.ledger.load import Ledger, load_ledger
from papertally.tables.command import write_ledger

TABLE = """\
Table 1: Results

| Model | Params (M) | FLOPs (G) | Top-1 (%) |
|---|--:|--:|--:|
| Alder-18 | 11.7 | 1.81 | 69.8 |
| Birch-34 | 21.8 | 3.66 | 73.3 |
| Cedar-50 | 25.6 | 4.09 | 76.1 |
| Hazel-101 | 44.5 | 7.80 | 77.4 |
"""


@pytest.fixture(scope="module")
def ledger(tmp_path_factory: pytest.TempPathFactory) -> Ledger:
    folder = tmp_path_factory.mktemp("prose")
    (folder / "p.md").write_text(TABLE, "utf-8")
    write_ledger("p", folder / "p.md", folder / "p")
    return load_ledger(folder / "p")


def read(ledger: Ledger, *sentences: str) -> list[ProseClaim]:
    return read_prose(ledger, [(text, n) for n, text in enumerate(sentences, start=1)])


@pytest.mark.parametrize(
    ("right", "wrong"),
    [
        ("Cedar-50 reaches 76.1% top-1.", "Cedar-50 reaches 73.3% top-1."),
        ("Cedar-50 costs 4.09G FLOPs.", "Cedar-50 costs 4.90G FLOPs."),
        ("Cedar-50 has 25.6 million parameters.", "Cedar-50 has 52.6 million parameters."),
        ("Cedar-50 outperforms Birch-34 by 2.8 points top-1.", "Cedar-50 outperforms Birch-34 by 3.8 points top-1."),
        ("Cedar-50 outperforms Birch-34 in top-1.", "Birch-34 outperforms Cedar-50 in top-1."),
        ("Alder-18 has 2.2× fewer parameters than Cedar-50.", "Alder-18 has 3.2× fewer parameters than Cedar-50."),
        ("Alder-18 has fewer parameters than Cedar-50.", "Cedar-50 has fewer parameters than Alder-18."),
        ("Hazel-101 has the highest top-1.", "Cedar-50 has the highest top-1."),
        ("It rises from 71.2 to 73.4, a gain of 2.2 points.", "It rises from 71.2 to 73.4, a gain of 3.2 points."),
    ],
)
def test_a_right_sentence_is_explained_and_a_wrong_one_contradicted(ledger: Ledger, right: str, wrong: str) -> None:
    assert {c.outcome for c in read(ledger, right)} == {EXPLAINED}
    (found,) = (c for c in read(ledger, wrong) if c.outcome == CONTRADICTED)
    assert found.alone or found.cells


def test_the_sentence_before_names_what_it_is_about(ledger: Ledger) -> None:
    found = read(ledger, "We turn to Cedar-50.", "It outperforms Birch-34 by 2.8 points top-1.")
    assert {c.outcome for c in found} == {EXPLAINED}
    assert any("cedar" in c.cells[0] and "birch" in c.cells[1] for c in found)


@pytest.mark.parametrize(
    "text",
    [
        "The stem layer in Cedar-50 needs 1.5M parameters.",
        "Cedar-50 reaches about 80% top-1.",
        "Cedar-50 does not outperform Alder-18.",
        "Among similar models Birch-34 has the highest top-1.",
    ],
)
def test_what_is_not_sure_is_no_contradiction(ledger: Ledger, text: str) -> None:
    assert {c.outcome for c in read(ledger, text)} <= {OPEN}


def test_a_difference_of_shortened_numbers_may_be_off_by_rounding(ledger: Ledger) -> None:
    found = read(ledger, "Cedar-50 outperforms Birch-34 by 2.9 points top-1.")
    assert CONTRADICTED not in {c.outcome for c in found}


def test_what_was_explained_is_a_valid_claims_file(tmp_path: Path) -> None:
    paper = tmp_path / "p.md"
    paper.write_text(f"Cedar-50 outperforms Birch-34 by 2.8 points top-1.\n\n{TABLE}", "utf-8")
    write_ledger("p", paper, tmp_path / "p")
    proposed = tmp_path / "claims.yaml"
    arguments = ["--path", str(tmp_path / "p")]
    assert check([*arguments, "--text", str(paper), "--propose", str(proposed)]) == 0
    (tmp_path / "p" / "claims.yaml").write_text(proposed.read_text("utf-8"), "utf-8")
    assert len(load_ledger(tmp_path / "p").claims) >= 2
    assert check([*arguments, "--text", str(paper), "--propose", str(proposed)]) == 1
