"""The page's model: a golden file of the whole, and what stands behind cells, statements and the first screen."""

from __future__ import annotations

import dataclasses
import os
import subprocess
import xml.etree.ElementTree as ET
from pathlib import Path

import pytest
import synthetic
from helpers import MICRONET
from hypothesis import given
from hypothesis import strategies as st
from markupsafe import Markup

from papertally.ledger.load import LedgerError, load_ledger
from papertally.ledger.paper import Paper
from papertally.pages.page import build_page
from papertally.pages.provenance import days, evidence_dates
from papertally.pages.sources import read_sources
from papertally.verdicts import names
from papertally.verdicts.answers import ANSWERS
from papertally.verdicts.verdicts import VERDICTS

GOLDEN = Path(__file__).parent / "golden" / "page.json"


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    return synthetic.write(tmp_path_factory.mktemp("toy"))


@pytest.fixture(scope="module")
def page(root):
    report, sources = synthetic.report_of(root)
    dates = {"results/paper/one_plain.paper.s0.json": "2026-01-02", "results/cost/one_plain.json": "2026-01-01"}
    return build_page(report, dataclasses.replace(sources, dates=dates), "../../")


def plain(value):
    """Return a model as JSON values; of a drawing, its texts in order."""
    if isinstance(value, Markup):
        return [e.text for e in ET.fromstring(value).iter() if e.text]
    if dataclasses.is_dataclass(value):
        return {f.name: plain(getattr(value, f.name)) for f in dataclasses.fields(value)}
    if isinstance(value, dict):
        return {k: plain(v) for k, v in value.items()}
    return [plain(v) for v in value] if isinstance(value, list | tuple) else value


def test_the_model_is_the_golden_files(page):
    text = synthetic.dump(plain(page))
    if os.environ.get("UPDATE_GOLDEN"):
        GOLDEN.write_text(text, "utf-8")
    assert text == GOLDEN.read_text("utf-8"), (
        "if this is meant: UPDATE_GOLDEN=1 python -m pytest tests/papertally/pages/test_page.py"
    )


def cell(page, key):
    return next(c for t in page.tables for r in t.rows for c in r.cells if not isinstance(c, str) and c.key == key)


def facts(page, key):
    dossier = next(d for t in page.tables for d in t.dossiers if d.id == key)
    return {f.term: f.values for f in dossier.facts}


def test_a_trained_cell_shows_its_mean_with_interval_and_its_seeds(page):
    found = cell(page, "one_plain.top1")
    assert (found.printed, found.shown, found.half, found.verdict) == ("60.0", "60.00", "± 0.16", "holds: retrained")
    behind = facts(page, "one_plain.top1")
    assert (
        behind["Achieved"][0].text == "60.00 ± 0.16 (95 % interval of the mean), +0.00 points from the printed number"
    )
    seeds = behind["Seeds, the printed recipe"]
    assert [s.text.partition(",")[0] for s in seeds] == ["seed 0: 60.10", "seed 1: 60.00", "seed 2: 59.90"]
    assert seeds[0].href == "../../results/paper/one_plain.paper.s0.json"
    assert "2026-01-02" in seeds[0].text
    assert "unknown" in seeds[1].text
    other = behind["Seeds, the released scripts' recipe"]
    assert [s.text.partition(",")[0] for s in other] == ["seed 0: 62.00"]  # beside it, never in its mean
    assert behind["Other readings"][1].text.startswith("beside it, the released scripts' recipe: 62.00")
    assert [v.text for v in behind["To rerun"]] == [f"train one_plain {s}" for s in range(3)]
    assert behind["Data"][0].text == f"dots, pin {synthetic.PIN}"
    assert behind["Cost to settle"][0].text == "settled"
    assert cell(page, "two_full.top1") == dataclasses.replace(found, key="two_full.top1")  # the same experiment


def test_one_seed_shows_no_interval_and_what_it_takes_to_settle(page):
    found = cell(page, "one_lone.top1")
    assert (found.shown, found.half, found.verdict) == ("66.20", "", "undetermined: one run, near")
    behind = facts(page, "one_lone.top1")
    assert behind["Achieved"][0].text.startswith("66.20, one seed")
    # 2 further seeds x 10 epochs x 1,000 images at 100 images a second, scaled by 30.4 / 10.1 MAdds
    assert [v.text for v in behind["Cost to settle"]] == [
        "2 further seeds, 20,000 images of Thousand in training", "0.2 machine-hours on a machine",
    ]  # fmt: skip
    config = "configs/classification/one_lone.py"
    assert [v.text for v in behind["To run"]] == [f"train one_lone with {config} --seed {s}" for s in (1, 2)]


def test_computed_cells_show_readings_issues_and_source(page):
    found = cell(page, "one_wide.madds")
    assert (found.shown, found.verdict, found.delta) == ("23.00M", "contradicted: recomputed", "+15.0 %")
    behind = facts(page, "one_wide.madds")
    assert behind["Computed"][0].text == "23.00M (23,000,000), +15.0 % from the printed number"
    assert behind["Printed"][0].text.startswith("20M, as every value from 19.50M up to 20.50M")
    assert [v.text for v in behind["Other readings"]] == [
        "rule S 23.00M, 2.50 last places above what prints as 20M, +15.0 %", "other 23.00M (S 23.00M)",
        "construction: ours, by hand",
    ]  # fmt: skip
    assert behind["Known issues"][0].href == "#issue-cheap"
    assert (behind["To rerun"][0].text, behind["To rerun"][0].code) == ("run cost", True)
    assert cell(page, "one_plain.params").delta == ""


def test_what_cannot_count_says_so_and_shows_no_value(page):
    found = cell(page, "one_bad.top1")
    assert (found.shown, found.verdict) == ("", "evidence invalid")
    behind = facts(page, "one_bad.top1")
    assert behind["Evidence"][0].href == "../../results/paper/one_bad.s0.json"
    assert "corrupt JSON" in behind["Why"][0].text
    assert cell(page, "one_gone.params").verdict == "untested: not described"
    assert page.problems[0][0] == "results/paper/one_bad.s0.json"


def test_small_results_stand_apart(page):
    row = next(r for t in page.tables for r in t.rows if r.id == "two_half")
    assert (row.small_of, row.small) == ("dots, 2 epochs", [("Top-1", "90.0")])
    assert cell(page, "two_half.top1").shown == ""
    assert any(term.startswith("Profile mini, never compared") for term in facts(page, "two_half.top1"))


def test_shares_cover_everything_once(page):
    for kind in page.shares:
        assert sum(s.count for s in kind.shares) == kind.total
        assert sum(s.width for s in kind.shares) == pytest.approx(100, abs=0.1)
        assert [s.verdict for s in kind.shares] == list(ANSWERS)
    for kind in page.shares:
        told = ", ".join(f"{s.count} {s.verdict}" for s in kind.shares)
        assert told in page.lead


def test_statements_are_worked_out_on_both_sides(page):
    claims = {c.id: c for c in page.claims}
    gain = claims["gain"]
    assert (gain.own, gain.achieved, gain.verdict) == ("holds as printed: 4", "1.1", "contradicted: retrained")
    assert [(line.text, line.holds) for line in gain.own_lines] == [
        ("64.0 − 60.0 = 4; wanted what rounds to 4.0", True)
    ]
    assert gain.worked_lines[0].text == "61.10 ± 0.16 − 60.00 ± 0.16 = 1.1; wanted 4.0 ± 0.5"
    assert [line.holds for line in claims["order"].worked_lines] == [None, True]
    assert claims["contradiction"].own == "cannot hold: 20M"
    assert claims["contradiction"].facts[-1].values[0].href == "index.html#issue-cheap"
    assert claims["count"].worked_lines[0].text == "computed 3; wanted 3"
    assert (claims["waits"].achieved, claims["waits"].worked_lines) == ("", [])
    assert [c.id for c in page.findings] == ["gain", "contradiction"]
    needs = [v.text for f in claims["order"].facts if f.term == "Cost to settle" for v in f.values]
    assert needs == ["training of Plain, Half (Table 2): 0.0 machine-hours on a machine"]


@pytest.mark.slow
def test_every_printed_claim_has_an_expression_worked_out():
    report, sources = synthetic.report_of(Path(__file__).resolve().parents[3])
    claims = build_page(report, sources, "").claims
    for claim, view in zip(claims, report.claims, strict=True):
        assert claim.expression
        if view.kind == "relation":
            assert claim.own_lines
            assert all(line.holds is not None for line in claim.own_lines)
            assert all(line.holds for line in claim.own_lines) == view.paper_holds
        elif view.achieved is not None and view.paper_holds is not None:  # else something unprinted decides
            assert all(line.holds for line in claim.worked_lines) == view.paper_holds


def test_every_verdict_has_a_sign_a_word_and_a_place():
    assert set(names.GLYPHS) == set(names.ORDER) == set(names.SYMBOLS) == set(VERDICTS)
    assert len(set(names.GLYPHS.values())) == len(VERDICTS)
    assert len({names.slug(v) for v in VERDICTS}) == len(VERDICTS)


def test_rows_have_names_of_their_own():
    ledger = load_ledger(MICRONET)
    for table in ledger.tables.values():
        found = [names.row_name(table, row) for row in table.rows if row.same_as is None]
        assert len(set(found)) == len(found)
        assert all(found)
    assert names.row_name(ledger.tables["6"], ledger.row("t6_a1_a3")) == "Dynamic Shift-Max, A1, A3"
    assert names.row_name(ledger.tables["4b"], ledger.row("t4b_l2")) == "lambda = 2.0"


@given(st.integers(0, 10**6), st.integers(1, 10**6))
def test_shares_never_round_something_to_nothing(part, whole):
    text = names.percent(min(part, whole), whole)
    assert (text == "0 %") == (part == 0)


# dates


def git(root, *args, when="2026-03-04T23:30:00-05:00"):
    env = {**os.environ, "GIT_COMMITTER_DATE": when, "GIT_AUTHOR_DATE": when, "GIT_CONFIG_GLOBAL": os.devnull}
    command = ["git", "-C", str(root), "-c", "user.name=x", "-c", "user.email=x@example.org", *args]
    subprocess.run(command, check=True, capture_output=True, env=env)


def test_dates_are_the_last_commits_in_utc(tmp_path):
    for name in ("a", "b", "c"):
        (tmp_path / f"repo/sub/results/{name}é.json").parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / f"repo/sub/results/{name}é.json").write_text("1")
    repo, root = tmp_path / "repo", tmp_path / "repo/sub"
    git(repo, "init", "-q")
    assert evidence_dates(root) == {}
    git(repo, "add", ".")
    git(repo, "commit", "-qm", "one")
    (root / "results/bé.json").write_text("2")
    git(repo, "commit", "-qam", "two", when="2026-04-01T12:00:00+00:00")
    (root / "results/cé.json").write_text("3")
    (root / "results/dé.json").write_text("4")
    assert evidence_dates(root) == {
        "results/aé.json": "2026-03-05", "results/bé.json": "2026-04-01", "results/cé.json": "uncommitted",
        "results/dé.json": "uncommitted",
    }  # fmt: skip
    git(tmp_path, "clone", "-q", "--depth", "1", f"file://{repo}", "shallow")
    assert evidence_dates(tmp_path / "shallow/sub") == {}
    assert evidence_dates(tmp_path) == {}


def test_days_say_what_is_not_known():
    assert days(["2026-01-02", "2026-01-01", "2026-01-02"]) == "2026-01-01 to 2026-01-02"
    assert days(["2026-01-02", "uncommitted", "unknown"]) == "2026-01-02, 1 file uncommitted, 1 file unknown"
    assert (days(["unknown"]), days([])) == ("unknown", "none")


# what the page reads


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a: [", "papers/micronet/page.yaml:1: not valid YAML"),
        ("schema: 1\ncolour: red", "papers/micronet/page.yaml:2: unknown key 'colour'"),
        ("forest: [{title: x, tables: ['99'], column: top1}]", "papers/micronet/page.yaml:1: no table '99'"),
        ("scatter: [{figure: '1', title: x, table: '1', x: madds, y: top1, series: [{name: a, rows: [two_half]}]}]",
         "papers/micronet/page.yaml:1: table 1 has no row 'two_half'"),
    ],
)  # fmt: skip
def test_a_malformed_configuration_is_one_line_naming_the_file(tmp_path, text, message):
    root = synthetic.write(tmp_path)
    (root / "papers/micronet/page.yaml").write_text(text)
    with pytest.raises(LedgerError) as caught:
        read_sources(Paper.at(root / "papers/micronet"), load_ledger(root / "papers/micronet"))
    assert str(caught.value).startswith(message)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    "text", ["epoch,top1\n1,x\n", "epoch,top1\n1,nan\n", "top1\n1\n", "\x00", 'epoch,top1\n1,"2\n']
)
def test_broken_curves_and_figures_are_problems_and_not_drawn(tmp_path, text):
    root = synthetic.write(tmp_path)
    (root / "results/curves/mini/one_plain.csv").write_text(text)
    (root / "results/figures/figure_2.json").write_text('{"schema": 1}')
    (root / "results/bench/latency.json").write_text('{"kind": "latency"}')
    report, sources = synthetic.report_of(root)
    broken = {
        f"results/{name}" for name in ("curves/mini/one_plain.csv", "figures/figure_2.json", "bench/latency.json")
    }
    assert {p.path for p in sources.problems} == broken
    page = build_page(report, sources, "")
    assert {path for path, _ in page.problems} >= {p.path for p in sources.problems}
    assert [f.id for f in page.figures] == ["figure-1", "figure-3"]


def test_a_paper_without_configuration_still_has_its_page(tmp_path):
    root = synthetic.write(tmp_path)
    for name in ("papers/micronet/page.yaml", "results/figures/figure_2.json", "results/figures/figure_3.json"):
        (root / name).unlink()
    report, sources = synthetic.report_of(root)
    page = build_page(report, sources, "")
    assert (page.figures, page.forests) == ([], [])
    assert len(page.tables) == 2
