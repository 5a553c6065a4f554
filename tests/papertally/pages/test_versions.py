"""Another ledger is judged by the same code, and two versions stand side by side."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import yaml
from helpers import ROOT

from papertally.evidence.checksum import seal
from papertally.evidence.io import write_json_atomic
from papertally.ledger.load import LedgerError, load_ledger
from papertally.ledger.paper import Paper
from papertally.pages import versions
from papertally.pages.command import judged
from report.__main__ import main
from report.project import paper_of, projects_of


@pytest.fixture(scope="module")
def both():
    return tuple(judged(projects_of(ROOT)(path)) for path in (None, ROOT / "papers/micronet_iccv2021"))


def test_places_of_the_first_paper_and_of_another(tmp_path):
    first, folder = paper_of(ROOT), ROOT / "papers/micronet_iccv2021"
    assert (first.folder, first.results, first.out) == (ROOT / "papers/micronet", ROOT / "results", ROOT / "report/out")
    other = Paper.at(folder)
    assert (other.root, other.results, other.out) == (ROOT, folder / "results", folder / "report")
    assert (other.fingerprints, Paper.at(ROOT / "papers/shufflenet").fingerprints) == (Path("fingerprints"), None)
    assert Paper.at(ROOT / "papers/shufflenet").root == ROOT / "papers/shufflenet"
    with pytest.raises(LedgerError, match="nope: no folder; name the one that holds paper.yaml"):
        Paper.at(ROOT / "papers/nope")


def test_no_name_leads_out_of_a_papers_checkout(tmp_path):
    folder = tmp_path / "checkout/papers/mine"
    folder.mkdir(parents=True)
    (folder / "paper.yaml").write_text("schema: 1\nresults: ../../results\n")
    with pytest.raises(LedgerError, match=r"paper.yaml:2: results: '../../results' leads out"):
        Paper.at(folder)
    (tmp_path / "checkout/pyproject.toml").write_text("")
    assert Paper.at(folder).results == tmp_path / "checkout/results"
    (folder / "paper.yaml").write_text("schema: 1\nresults: ../../../results\n")
    with pytest.raises(LedgerError, match="leads out"):
        Paper.at(folder)


@pytest.mark.slow
def test_the_later_versions_costs_are_judged(both):
    verdicts = {c.key: c.verdict for c in both[1].cells}
    assert [verdicts[f"iccv2021_m{i}.params"] for i in range(4)] == ["reproduced"] * 4
    assert [verdicts[f"iccv2021_m{i}.madds"] for i in range(4)] == ["depends"] * 4  # on how is counted
    assert {verdicts[f"iccv2021_m{i}.top1"] for i in range(4)} == {"not-run"}
    assert not both[1].problems


@pytest.mark.slow
def test_models_are_matched_by_the_aliases_and_none_is_lost(both):
    found = versions.compare(*both, "../", ("a.html", "b.html"))
    assert [(p.this, p.later) for p in found.pairs] == [
        ("MicroNet-M0 (2011.12289v1, 6M)", "MicroNet-M1 (6M)"), ("MicroNet-M1 (2011.12289v1, 12M)", "MicroNet-M2 (12M)")
    ]  # fmt: skip
    assert len(found.alone) == 4
    assert [p.later for p in found.alone[2:]] == ["MicroNet-M0", "MicroNet-M3"]
    params, madds, *_ = found.pairs[1].columns
    assert (params[1].printed, params[2].printed) == ("2.4M", "2.4M")
    assert madds[2].others == ["rule S: 12.19M, prints as 12M"]
    assert madds[2].href == "../papers/micronet_iccv2021/results/cost/iccv2021_m2.json"
    assert found.versions[1].costs == [
        "params: 4 of 4 print as they should", "MAdds, rule S: 4 of 4 print as they should",
        "MAdds, rule plain: 3 of 4 print as they should",
    ]  # fmt: skip


@pytest.mark.slow
def test_the_page_is_written_with_both_reports(checkout, capsys):
    assert main([], root=checkout) == 0
    out = checkout / "report/out"
    page = (out / "versions_micronet_iccv2021.html").read_text("utf-8")
    assert "arXiv 2108.05894v1" in page
    assert 'href="micronet_iccv2021/index.html"' in page
    assert 'href="versions_micronet_iccv2021.html"' in (out / "index.html").read_text("utf-8")
    later = json.loads((out / "micronet_iccv2021/report.json").read_text("utf-8"))
    assert later["paper"] == {"arxiv": "2108.05894v1"}
    assert later["cells"][0]["evidence"] == "papers/micronet_iccv2021/results/cost/iccv2021_m0.json"
    capsys.readouterr()
    assert main(["versions", "micronet_iccv2021"], root=checkout) == 0
    assert "params: 4 of 4 print as they should" in capsys.readouterr().out
    assert main(["--path", str(checkout / "papers/micronet_iccv2021"), "--accept"], root=checkout) == 0
    assert (checkout / "papers/micronet_iccv2021/baseline.json").is_file()


@pytest.mark.slow
def test_tampered_evidence_of_another_ledger_never_counts(checkout):
    path = checkout / "papers/micronet_iccv2021/results/cost/iccv2021_m0.json"
    path.write_text(path.read_text().replace("1019590", "1019591"))
    later = judged(projects_of(checkout)(checkout / "papers/micronet_iccv2021"))
    assert "hash mismatch" in later.problems[0].fault
    assert next(c for c in later.cells if c.key == "iccv2021_m0.params").verdict == "invalid-evidence"


@pytest.mark.slow
def test_a_broken_alias_is_named(checkout, capsys):
    path = checkout / "papers/micronet/known_issues.yaml"
    path.write_text(path.read_text().replace("later_row: iccv2021_m1", "later_row: iccv2021_m9"))
    assert main(["versions", "micronet_iccv2021"], root=checkout) == 1
    assert "names 'iccv2021_m9', which arXiv 2108.05894v1's ledger does not have" in capsys.readouterr().err
    path.write_text(path.read_text().replace("row: t2_micronet_m1,", "row: t2_micronet_m7,"))
    with pytest.raises(LedgerError, match=r"known_issues.yaml:\d+: alias .*: no row 't2_micronet_m7'"):
        load_ledger(checkout / "papers/micronet")


@pytest.mark.slow
def test_a_paper_of_another_field_needs_data_only(checkout, capsys):
    """A table of word error rates in an appendix: no column, task or table that the first paper has."""
    folder = checkout / "papers/speech"
    (folder / "tables").mkdir(parents=True)
    table = {
        "schema": 1, "id": "A1", "title": "Word error rates", "task": "recognition", "labels": ["Net"],
        "columns": ["params", "wer"], "rows": [
            {"id": "speech_small", "labels": ["Small"], "cells": ["10M", "7.1"]},
            {"id": "speech_large", "labels": ["Large"], "cells": ["30M", "5.2"]},
        ],
    }  # fmt: skip
    claims = [{"id": "lower", "section": "1", "statement": "Large errs less.", "kind": "relation",
               "expr": "speech_large.wer < speech_small.wer"}]  # fmt: skip
    budget = {"task": "recognition", "tables": ["A1"], "dataset": "Speech", "images": 1000, "epochs": 2, "source": "1"}
    for name, value in {
        "tables/table_a1": table, "claims": {"schema": 1, "claims": claims},
        "known_issues": {"schema": 1, "issues": []},
        "paper": {"schema": 1, "arxiv": "2001.00001v2", "title": "Speech: A Paper", "authors": ["A"],
                  "numeric_cells": 4, "budgets": [budget]},
    }.items():  # fmt: skip
        (folder / f"{name}.yaml").write_text(yaml.safe_dump(value))
    assert main(["--path", str(folder)], root=checkout) == 1
    assert "paper.yaml: margins lacks wer; add them" in capsys.readouterr().err
    said = yaml.safe_load((folder / "paper.yaml").read_text())
    stated = {**said, "margins": {"wer": 0.5}, "fingerprints": "../../fingerprints"}
    (folder / "paper.yaml").write_text(yaml.safe_dump(stated))
    config = checkout / "configs/speech/speech_small.py"
    config.parent.mkdir()
    config.write_text("model = {}\n")
    own = {"model": "0" * 64, "probe": ["1.0"], "recipe": "1" * 64, "protocol": 1}
    named = {"schema": 1, "kind": "fingerprint", "row": "speech_small", "stated": "2" * 64, **own}
    write_json_atomic(checkout / "fingerprints/speech_small.json", named)
    for seed, wer in enumerate((7.1, 7.11, 7.09)):
        stated = {"train": {"seed": seed}}
        write_json_atomic(folder / f"results/paper/speech_small.s{seed}.json", seal({
            "schema": 2, "kind": "training", "profile": "paper", "row": "speech_small", "seed": seed,
            "values": {"wer": wer}, "config": "configs/speech/speech_small.py",
            "fingerprint": own, "params": stated,
            "data": {"name": "speech", "pin": "x"}, "code_revision": "abc", "environment": {}, "epochs": 2,
            "duration_s": 1.0, "command": "train",
        }))  # fmt: skip
    assert main(["--path", str(folder)], root=checkout) == 0
    report = json.loads((folder / "report/report.json").read_text("utf-8"))
    verdicts = {(c["row_id"], c["column"]): c["verdict"] for c in report["cells"]}
    assert verdicts["speech_small", "wer"] == "reproduced"
    assert verdicts["speech_large", "wer"] == "not-run"
    page = (folder / "report/index.html").read_text("utf-8")
    assert "MicroNet" not in page
    assert "<h1>Speech, number by number</h1>" in page
