"""`papertally check`: its exit codes, its JSON, and malformed input."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from helpers import MICRONET, ROOT

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
