"""What a run elsewhere reached is entered by one command, every fault at once, and judged as reported."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from paper.__main__ import main as paper
from report.__main__ import main as report

TABLE = """| Model | Top-1 err. (%) | Latency (ms) |
|---|---|---|
| Small | 39.7 | 12.5 |
| Large | **25.0** | 51.0 |
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "t.md").write_text(TABLE, "utf-8")
    assert paper(["new", "zoo", "--from", str(tmp_path / "t.md"), "--path", str(tmp_path / "zoo")]) == 0
    return tmp_path / "zoo"


def verdicts(folder: Path) -> dict[tuple[str, str], str]:
    assert report(["--path", str(folder)]) == 0
    found = json.loads((folder / "report/report.json").read_text("utf-8"))
    return {(c["row_id"], c["column"]): c["verdict"] for c in found["cells"]}


def test_what_is_entered_is_reported_and_never_reproduced(folder, capsys):
    enter = ["enter", "--path", str(folder), "--row"]
    for seed, error in enumerate(("39.6", "39.7", "39.8")):
        assert report([*enter, "zoo_t1_small", "--metric", f"err1={error}", "--seed", str(seed)]) == 0
        assert report([*enter, "zoo_t1_large", "--metric", f"err1={float(error) - 5}", "--seed", str(seed)]) == 0
    assert report([*enter, "zoo_t1_small", "--metric", "latency=12.4ms", "--source", "a log"]) == 0
    found = verdicts(folder)
    assert found["zoo_t1_small", "err1"] == "reported"
    assert found["zoo_t1_large", "err1"] == "reported-otherwise"
    assert "reproduced" not in found.values()
    assert "warning" not in capsys.readouterr().err
    before = {p.name: p.read_bytes() for p in (folder / "results/paper").iterdir()}
    assert report([*enter, "zoo_t1_small", "--metric", "err1=1", "--seed", "0"]) == 1
    assert "is there already" in capsys.readouterr().err
    assert {p.name: p.read_bytes() for p in (folder / "results/paper").iterdir()} == before


def test_every_fault_is_told_at_once(folder, capsys):
    capsys.readouterr()
    wrong = ["err1=seventy", "top9=1", "err1=101", "latency=-", "err1=0.3ms"]
    args = [word for text in wrong for word in ("--metric", text)]
    assert (
        report(["enter", "--path", str(folder), "--row", "zoo_t1_small", *args, "--seed", "-1", "--epochs", "2.5"]) == 1
    )
    told = capsys.readouterr().err.splitlines()
    assert len(told) == 7
    assert all(line.startswith("error: --") for line in told)
    assert not (folder / "results/paper").exists()
    for more in (["--row", "nobody", "--metric", "err1=1"], ["--row", "zoo_t1_small"]):
        assert report(["enter", "--path", str(folder), *more]) == 1
        assert len(capsys.readouterr().err.splitlines()) == 1
    assert report(["enter", "--path", str(folder / "nowhere"), "--row", "x", "--metric", "err1=1"]) == 1
    assert "no folder" in capsys.readouterr().err
