"""`papertally check`: its exit codes, its JSON, and malformed input."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from helpers import MICRONET, ROOT

from papertally.checks.findings import REGISTRY
from papertally.cli import main

LATER = ROOT / "papers/micronet_iccv2021"


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    shutil.copytree(MICRONET, tmp_path / "ledger", ignore=shutil.ignore_patterns("*.py", "__pycache__"))
    return tmp_path / "ledger"


def test_three_where_something_is_impossible_and_nought_where_nothing_is(capsys):
    assert main(["check", str(MICRONET), "--only", "linear costs"]) == 3
    assert capsys.readouterr().out.startswith("impossible: linear costs: Table 6, madds")
    assert main(["check", str(LATER)]) == 0
    assert capsys.readouterr().out.startswith("0 impossible, ")
    assert main(["check", str(LATER), "--all"]) == 0
    assert "passed: metric identities: Table 1: 4 rows" in capsys.readouterr().out


def test_json_has_every_finding(capsys):
    assert main(["check", str(MICRONET), "--json", "--only", "linear costs", "bold"]) == 3
    found = json.loads(capsys.readouterr().out)
    assert list(found) == ["schema", "arxiv", "checks"]
    assert {tuple(f) for f in found["checks"]} == {("check", "severity", "subject", "cells", "arithmetic")}
    assert {f["check"] for f in found["checks"]} == {"linear costs", "bold", "misprints"}


@pytest.mark.slow
def test_a_ledger_anywhere_and_a_text(copy, tmp_path, capsys):
    table = copy / "tables/table_02.yaml"
    table.write_text(table.read_text("utf-8").replace('"84.5"', '"48.5"'), "utf-8")
    assert main(["check", "--path", str(copy)]) == 3
    assert "top5 48.5 is below top1 64.1" in capsys.readouterr().out
    text = tmp_path / "paper.md"
    text.write_text("| MicroNet-M0 | 5.1% |\n", "utf-8")
    assert main(["check", str(LATER), "--text", str(text)]) == 0


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--path", "nowhere"], "nowhere: no folder"),
        ([str(MICRONET), "--text", "nowhere.md"], "nowhere.md: No such file"),
        ([str(MICRONET), "--only", "prose"], "prose needs the paper's text; give --text FILE"),
    ],
)
def test_malformed_input_is_one_line_and_one(arguments, message, capsys, monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    assert main(["check", *arguments]) == 1
    captured = capsys.readouterr()
    assert message in captured.err
    assert captured.err.count("\n") == 1
    assert captured.out == ""


def test_a_text_that_is_none_is_named(tmp_path, capsys):
    (tmp_path / "paper.md").write_bytes(b"%PDF-1.5\n\xff\xfe")
    assert main(["check", str(MICRONET), "--text", str(tmp_path / "paper.md")]) == 1
    assert "not UTF-8" in capsys.readouterr().err


def test_help_says_the_exit_codes_and_the_list_every_check(capsys):
    with pytest.raises(SystemExit) as left:
        main(["check", "--help"])
    assert left.value.code == 0
    assert "0 where nothing is impossible, 3 where something is, 1 for malformed input" in " ".join(
        capsys.readouterr().out.split()
    )
    assert main(["check", "--list"]) == 0
    assert len(capsys.readouterr().out.splitlines()) >= 15


@pytest.mark.slow
def test_no_torch():
    code = (
        "import sys; from papertally.checks.command import main; main(sys.argv[1:]); sys.exit('torch' in sys.modules)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, "--json", "--path", MICRONET], cwd=ROOT, stdout=subprocess.DEVNULL, check=False
    )
    assert done.returncode == 0


DOCUMENT = r"""\documentclass{article}\begin{document}
\begin{table}\caption{Results}\begin{tabular}{lcc}Model & Params (M) & Top-1 (\%)\\ \hline
Alder & 2.4 & 59.4 $\pm$ 0.1\\ Birch & 3.5 & 61.0\\ Birch (distilled) & 3.5 & \textbf{62.5}\\ \end{tabular}\end{table}
Birch achieves 62.5\% top-1 accuracy. Birch is better than Alder by 1.6 points.
\end{document}
"""


def test_a_document_is_checked_as_it_is(tmp_path, capsys):
    path = tmp_path / "a paper.tex"
    path.write_text(DOCUMENT, "utf-8")
    assert main(["check", str(path)]) == 0
    out = capsys.readouterr().out
    assert "1 tables, 6 printed numbers" in out
    assert "table 1 (a paper.tex:2): 3 rows x 2 columns" in out
    assert "0 impossible, 0 undecided by rounding, 0 suspicious" in out  # a variant of the named row prints 62.5
    path.write_text(DOCUMENT.replace("by 1.6 points", "by 2.6 points"), "utf-8")
    assert main(["check", str(path), "--json"]) == 0
    found = json.loads(capsys.readouterr().out)["checks"]
    (wrong,) = [f for f in found if f["severity"] == "suspicious"]
    assert "2.6" in wrong["arithmetic"]
    assert sorted(p.name for p in tmp_path.iterdir()) == ["a paper.tex"]


def test_a_document_that_is_none_is_one_line(tmp_path, capsys):
    assert main(["check", str(tmp_path / "none.tex")]) == 1
    assert capsys.readouterr().err.count("\n") == 1


def test_one_experiment_in_several_tables_of_a_document_is_no_alarm(tmp_path, capsys):
    table = (
        "Table {}. Ablation\n\n| Model | Params (M) | Top-1 (%) | AP |\n|---|---|---|---|\n| {} | 2.4 | 59.4 | 40.1 |\n"
    )
    path = tmp_path / "a.md"
    path.write_text(table.format(1, "Ours") + "\n" + table.format(2, "K = 2"), "utf-8")
    assert main(["check", str(path)]) == 0
    assert "0 suspicious" in capsys.readouterr().out
    path.write_text(table.format(1, "Ours") + "| Theirs | 2.4 | 59.4 | 40.1 |\n", "utf-8")
    assert main(["check", str(path)]) == 0
    assert "that they are one experiment" in capsys.readouterr().out


OWN = """from papertally.checks.findings import SUSPICIOUS, Finding, register


@register("shouting", "labels in capitals")
def shouting(ledger):
    for row in ledger.rows.values():
        if row.labels[0].isupper():
            yield Finding("shouting", SUSPICIOUS, row.id, (), f"{row.labels[0]} is in capitals")
"""


def test_checks_of_a_users_own_file_run_where_it_is_named(tmp_path, capsys, monkeypatch):
    monkeypatch.setattr(REGISTRY, "checks", dict(REGISTRY.checks))
    monkeypatch.setattr(REGISTRY, "about", dict(REGISTRY.about))
    (tmp_path / "own.py").write_text(OWN)
    (tmp_path / "a.md").write_text("| Model | Top-1 (%) |\n|---|---|\n| OURS | 59.4 |\n| Theirs | 58.1 |\n")
    assert main(["check", str(tmp_path / "a.md"), "--with", str(tmp_path / "own.py")]) == 0
    assert "suspicious: shouting: paper_t1_ours: OURS is in capitals" in capsys.readouterr().out
    (tmp_path / "own.py").write_text("import nothing_of_that_name")
    for name in ("own.py", "none.py"):
        assert main(["check", str(tmp_path / "a.md"), "--with", str(tmp_path / name)]) == 1
        error = capsys.readouterr().err
        assert f"--with {tmp_path / name}: " in error
        assert error.count("\n") == 1
