"""The report has every cell, is deterministic, gates with stated codes, and never shows what no evidence backs."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
import xml.etree.ElementTree as ET
from html.parser import HTMLParser

import pytest
from helpers import MICRONET, ROOT, fresh, training

from papertally.evidence.io import write_json_atomic
from papertally.evidence.read import read_evidence
from papertally.ledger.load import load_ledger
from papertally.pages.json_schema import ReportForm, schema
from papertally.pages.render import files, markdown_escape
from papertally.verdicts import verdicts
from papertally.verdicts.model import build, changes, show
from papertally.verdicts.names import COLUMNS
from report.__main__ import main
from report.settings import load_settings


def run(root, *args, code=0):
    assert main([*args], root=root) == code
    return json.loads((root / "report/out/report.json").read_text("utf-8"))


def cell(report, row_id, column):
    return next(c for c in report["cells"] if (c["row_id"], c["column"]) == (row_id, column))


@pytest.mark.slow
def test_report_json_is_the_fixed_interface(checkout):
    report = run(checkout)
    ledger = load_ledger(MICRONET)
    assert list(report) == ["schema", "paper", "profile", "cells", "claims", "checks", "summary", "architecture",
                            "quotations", "issues", "conventions", "registered", "small_scale"]  # fmt: skip
    ReportForm.model_validate(report)
    assert report["paper"] == {"arxiv": "2011.12289v1"}
    printed = [(row.table, row.number, row.id, c.column, c.printed) for row, c in ledger.cells()]
    keys = ("table", "row", "row_id", "column", "printed")
    assert [tuple(c[k] for k in keys) for c in report["cells"]] == printed
    assert len(printed) == 292
    for c in report["cells"]:
        assert set(c) == {*keys, "achieved", "verdict", "rule", "evidence", "note", "ground", "conventions",
                          "distinct", "answer", "basis"}  # fmt: skip
        assert c["column"] in COLUMNS
        assert c["verdict"] in verdicts.VERDICTS
        if c["achieved"] is not None:
            assert (checkout / c["evidence"]).is_file()
    assert [c["id"] for c in report["claims"]] == [c.id for c in ledger.claims]
    for c in report["claims"]:
        assert set(c) == {"id", "section", "statement", "paper_holds", "achieved", "verdict", "note", "own",
                          "shown", "answer", "basis"}  # fmt: skip
    assert sum(report["summary"]["own"].values()) == sum(c["own"] is not None for c in report["claims"])
    assert len(report["architecture"]) == 500
    assert len([q for q in report["quotations"] if "." in q["cell"]]) == 59
    assert sum(report["summary"]["cells"].values()) == 292
    grounds = report["summary"]["grounds"].values()
    assert (sum(g["cells"] for g in grounds), sum(g["distinct"] for g in grounds)) == (292, 230)
    assert {c["distinct"] for c in report["cells"]} <= {f"{c['row_id']}.{c['column']}" for c in report["cells"]}
    for c in report["cells"]:  # a network that this project drew speaks neither for nor against the paper
        if c["ground"] == "constructed":
            assert c["verdict"] not in ("reproduced", "differs", "not-reproduced", "close")


def test_the_forms_schema_is_committed():
    assert (ROOT / "papertally/pages/report.schema.json").read_text("utf-8") == schema()


@pytest.mark.slow
def test_counts_are_kept_for_dvcs_metrics_diff(checkout, tmp_path):
    report = run(checkout)
    counts = json.loads((checkout / "results/metrics/verdicts.json").read_text())
    assert counts["cells_reproduced"] == report["summary"]["cells"]["reproduced"]
    assert sum(n for name, n in counts.items() if name.startswith("cells_")) == 292
    (checkout / "results/metrics/verdicts.json").unlink()
    assert main(["--out", str(tmp_path / "elsewhere")], root=checkout) == 0
    assert not (checkout / "results/metrics/verdicts.json").exists()


@pytest.mark.slow
def test_without_evidence_nothing_passes(checkout):
    shutil.rmtree(checkout / "results", ignore_errors=True)
    report = run(checkout)
    assert set(report["summary"]["cells"]) <= {"not-run", "blocked"}
    assert all(c["achieved"] is None for c in report["cells"])
    assert set(report["summary"]["claims"]) <= {"not-run", "paper-inconsistent", "agrees-with-itself", "undecided"}


@pytest.mark.slow
def test_a_cost_cell_carries_value_verdict_and_other_rule(checkout):
    fresh(checkout)
    report = run(checkout)
    params, madds = cell(report, "t5_relu", "params"), cell(report, "t5_relu", "madds")
    assert (params["achieved"], params["verdict"]) == (1_876_172, "differs")
    assert (madds["achieved"], madds["verdict"]) == (10_603_776, "depends")
    assert "rule S 10.466M, prints as 10.5M" in madds["note"]
    assert (madds["ground"], params["conventions"]) == ("open", None)
    assert madds["conventions"]["holds"] < madds["conventions"]["of"]
    assert cell(report, "t6_relu", "madds")["distinct"] == "t5_relu.madds"
    assert cell(report, "t6_relu", "madds")["achieved"] == 10_603_776


@pytest.mark.slow
def test_corrupt_evidence_is_a_verdict_of_its_own(checkout, capsys):
    (checkout / fresh(checkout)).write_text("{")
    report = run(checkout)
    assert cell(report, "t5_relu", "params")["verdict"] == "invalid-evidence"
    assert cell(report, "t5_relu", "params")["achieved"] is None
    assert "t5_relu.json" in capsys.readouterr().err


@pytest.mark.slow
def test_mini_results_are_shown_and_never_compared(checkout):
    training(checkout)
    report = run(checkout)
    assert cell(report, "t2_micronet_m0", "top1")["verdict"] == "not-run"
    assert "top-1 51.0, top-5 74.0 (digits, 3 epochs)" in (checkout / "report/out/report.md").read_text("utf-8")
    page = (checkout / "report/out/index.html").read_text("utf-8")
    assert '<span class="pair">Top-1 51.0</span> <span class="pair">Top-5 74.0</span>' in page


@pytest.mark.slow
def test_a_paper_run_gets_its_verdict_and_decides_claims(checkout):
    training(checkout, "paper")
    report = run(checkout)
    found = cell(report, "t2_micronet_m0", "top1")
    assert (found["achieved"], found["verdict"]) == (51.0, "consistent (n = 1)")
    claim = next(c for c in report["claims"] if c["id"] == "mutual_gain_m0")
    assert claim["verdict"] == "not-run"
    assert claim["paper_holds"] is True


@pytest.mark.slow
def test_two_builds_are_byte_identical(checkout, tmp_path):
    fresh(checkout)
    main(["--out", str(tmp_path / "a")], root=checkout)
    main(["--out", str(tmp_path / "b")], root=checkout)
    names = sorted(p.relative_to(tmp_path / "a").as_posix() for p in (tmp_path / "a").rglob("*.*"))
    own = [
        "cells.csv", "claims.html", "index.html", "junit.xml", "metrics.json", "report.json", "report.md",
        "summary.html",
    ]  # fmt: skip
    assert names == sorted([*own, *(f"micronet_iccv2021/{name}" for name in own), "versions_micronet_iccv2021.html"])
    for name in names:
        assert (tmp_path / "a" / name).read_bytes() == (tmp_path / "b" / name).read_bytes()


@pytest.mark.parametrize(
    ("names", "code"),
    [
        ([], 0),
        (["not-run"], 4),
        (["blocked", "invalid-evidence"], 4),
        (["differs"], 3),
        (["differs", "not-run"], 3),
        (["not-reproduced"], 0),
        (["paper-inconsistent"], 3),
        (["invalid-evidence"], 0),
    ],
)
@pytest.mark.slow
def test_gate_codes(checkout, names, code):
    shutil.rmtree(checkout / "results", ignore_errors=True)
    fresh(checkout)
    run(checkout, *(["--fail-on", *names] if names else []), code=code)


def test_an_unknown_gate_is_a_usage_error(checkout):
    with pytest.raises(SystemExit) as caught:
        main(["--fail-on", "perfect"], root=checkout)
    assert caught.value.code == 2


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("params.yaml", "profile: [", "params.yaml:1: not valid YAML"),
        ("params.yaml", "profile: mini", "params.yaml:1: key 'data' is missing"),
        ("papers/micronet/claims.yaml", "schema: 1", "claims.yaml:1: key 'claims' is missing"),
        ("report/baseline.json", "{", "baseline.json: corrupt JSON"),
        ("report/baseline.json", '{"a": 1}', "baseline.json: no map of verdicts"),
    ],
)
def test_malformed_input_is_one_line_and_code_1(checkout, capsys, name, text, message):
    path = checkout / name
    path.parent.mkdir(exist_ok=True)
    path.write_text(text)
    assert main([], root=checkout) == 1
    err = capsys.readouterr().err
    assert message in err
    assert err.count("\n") == 1


@pytest.mark.slow
def test_a_changed_verdict_stands_first_and_gates(checkout):
    fresh(checkout)
    run(checkout, "--accept")
    (checkout / "results/cost/t5_relu.json").unlink()
    run(checkout, "--fail-on", "changed", code=3)
    text = (checkout / "report/out/report.md").read_text("utf-8")
    assert text.index("Changed verdicts") < text.index("Contradicted statements")
    assert "| `t5_relu.params` | differs | **not-run** |" in text
    assert "Changed verdicts" in (checkout / "report/out/index.html").read_text("utf-8")


@pytest.mark.slow
def test_changes_name_new_and_gone_lines(checkout):
    report = build(load_ledger(MICRONET), read_evidence(checkout), load_settings(checkout)[0])
    now = report.verdict_map()
    assert changes(report, now) == []
    gone = {**now, "t0_gone.params": "reproduced"}
    first = next(iter(now))
    gone.pop(first)
    assert changes(report, gone) == [(first, "absent", now[first]), ("t0_gone.params", "reproduced", "absent")]


class Balance(HTMLParser):
    """Check that elements close in order and collect ids and fragment links."""

    VOID = {"meta", "br", "link", "img", "input", "hr"}

    def __init__(self):
        super().__init__()
        self.stack, self.ids, self.fragments, self.fetched = [], [], [], []

    def handle_starttag(self, tag, attrs):
        attrs = dict(attrs)
        self.ids += [attrs["id"]] if "id" in attrs else []
        if attrs.get("href", "").startswith("#"):
            self.fragments.append(attrs["href"][1:])
        embedded = tag == "img" and attrs.get("src", "").startswith("data:image/")
        inline = tag == "script" and "src" not in attrs or tag == "link" and attrs["href"] == "data:,"
        if not embedded and not inline and (tag in ("script", "link", "img", "iframe") or "src" in attrs):
            self.fetched.append(tag)
        if tag not in self.VOID:
            self.stack.append(tag)

    def handle_endtag(self, tag):
        assert self.stack.pop() == tag


@pytest.mark.slow
def test_the_page_is_sound_and_self_contained(checkout):
    run(checkout)
    page = Balance()
    page.feed((checkout / "report/out/index.html").read_text("utf-8"))
    assert page.stack == []
    assert len(page.ids) == len(set(page.ids))
    assert set(page.fragments) <= set(page.ids)
    assert page.fetched == []


@pytest.mark.slow
def test_hostile_text_is_escaped(checkout):
    path = checkout / "papers/micronet/claims.yaml"
    path.write_text(
        path.read_text("utf-8").replace('statement: "', 'statement: "<script>alert(1)</script> | ', 1), "utf-8"
    )
    run(checkout)
    for name in ("index.html", "claims.html", "report.md"):
        assert "<script>alert" not in (checkout / "report/out" / name).read_text("utf-8")
    assert markdown_escape("a|b") == "a\\|b"


@pytest.mark.slow
def test_markdown_fits_a_ci_comment_and_its_tables_are_even(checkout):
    run(checkout)
    text = (checkout / "report/out/report.md").read_text("utf-8")
    assert len(text.encode()) < 64_000
    block: list[int] = []
    for line in [*text.split("\n"), ""]:
        if line.startswith("|"):
            block.append(len(re.findall(r"(?<!\\)\|", line)))
        else:
            assert len(set(block)) <= 1, line
            block = []


@pytest.mark.slow
def test_junit_counts_agree(checkout):
    run(checkout)
    root = ET.parse(checkout / "report/out/junit.xml").getroot()
    assert len(root.findall(".//testcase")) == 292 + len(load_ledger(MICRONET).claims)
    for suite in root:
        assert int(suite.get("failures")) == len(suite.findall("testcase/failure"))
        assert int(suite.get("skipped")) == len(suite.findall("testcase/skipped"))


def test_shown_values_take_the_printed_unit():
    assert show(1_420_000, "1.3M") == "1.420M"
    assert show(2_520_000_000, "2.52B") == "2.5200B"
    assert show(51.25, "51.4") == "51.250"


def test_settings_must_name_every_margin(checkout):
    path = checkout / "papers/micronet/paper.yaml"
    path.write_text(path.read_text().replace("miou: 1.0}", "iou: 1.0}"))
    assert main([], root=checkout) == 1


@pytest.mark.slow
def test_the_report_imports_no_torch():
    code = "import sys, papertally.pages.command; sys.exit(bool({'torch', 'mmengine', 'registry'} & set(sys.modules)))"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


@pytest.mark.slow
def test_all_outputs_come_from_one_model(checkout):
    fresh(checkout)
    write_json_atomic(checkout / "x.json", {})
    report = build(load_ledger(MICRONET), read_evidence(checkout), load_settings(checkout)[0])
    out = files(report, "../../")
    for c in report.cells:
        if c.achieved is not None:
            assert c.shown in out["index.html"]
            assert c.shown in out["report.md"]


@pytest.mark.slow
def test_madds_met_by_construction_prove_no_claim(checkout):
    """A row solved for its printed MAdds must not support a statement about them."""
    path = checkout / fresh(checkout)
    (checkout / "results").joinpath("cost").mkdir(exist_ok=True)
    evidence = json.loads(path.read_text())
    path.write_text(json.dumps({**evidence, "construction": "ours, solved to the printed MAdds"}))
    report = run(checkout)
    claim = next(c for c in report["claims"] if c["id"] == "path_similar_cost")
    assert (claim["verdict"], claim["achieved"]) == ("agrees-with-itself", None)  # printed cells alone
