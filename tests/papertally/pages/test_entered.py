"""What a run elsewhere reached is entered by one command, every fault at once, and judged as reported."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from papertally.cli import main as paper
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


def test_a_log_is_entered_as_reported(folder, capsys):
    log = folder.parent / "summary.csv"
    log.write_text("epoch,eval_loss,eval_top1,eval_top5\n0,2.0,59.9,80.0\n1,1.9,60.4,82.0\n2,1.8,60.3,82.1\n")
    enter = ["enter", "--path", str(folder), "--row", "zoo_t1_small", "--from-log", str(log)]
    for seed, more in enumerate(([], ["--epoch", "best"], ["--column", "err1=eval_loss"])):
        assert report([*enter, *more, "--seed", str(seed)]) == 0
    found = [json.loads(p.read_text()) for p in sorted((folder / "results/paper").iterdir())]
    assert [f["values"] for f in found] == [{"err1": 39.7}, {"err1": 39.6}, {"err1": 1.8}]
    assert found[1]["params"]["epoch"] == "best, 2"
    assert {f["origin"] for f in found} == {"reported"}
    assert [f["epochs"] for f in found] == [3, 3, 3]
    assert verdicts(folder)["zoo_t1_small", "err1"] in ("reported-otherwise", "underpowered")


@pytest.mark.parametrize(
    ("more", "fault"),
    [
        (["--column", "err1=nothing"], "has no evaluation of err1; give a log that has one"),
        (["--column", "err1"], "write COLUMN=NAME"),
        (["--column", "top9=x"], "no such column of table 1"),
        (["--metric", "err1=39"], "stands in the log, too"),
    ],
)
def test_what_a_log_cannot_give_is_one_line(folder, capsys, more, fault):
    log = folder.parent / "log.json"
    log.write_text(json.dumps({"accuracy/top1": 60.0, "step": 1}))
    capsys.readouterr()
    assert report(["enter", "--path", str(folder), "--row", "zoo_t1_small", "--from-log", str(log), *more]) == 1
    (line,) = capsys.readouterr().err.splitlines()
    assert fault in line
    assert report(["enter", "--path", str(folder), "--row", "zoo_t1_small", "--from-log", "nowhere.csv"]) == 1
    assert capsys.readouterr().err == "error: nowhere.csv: No such file or directory; give the path of a log\n"
    assert not (folder / "results").exists()


def test_a_share_that_a_table_prints_as_a_fraction_is_entered_as_one(tmp_path):
    (tmp_path / "t.md").write_text("| Model | AP |\n|---|---|\n| A | 0.412 |\n| B | 0.380 |\n")
    folder = tmp_path / "zoo"
    assert paper(["new", "zoo", "--from", str(tmp_path / "t.md"), "--path", str(folder)]) == 0
    (tmp_path / "x.json").write_text(json.dumps({"coco/bbox_mAP": 0.413, "coco/bbox_mAP_50": 0.6, "step": 12}))
    assert report(["enter", "--path", str(folder), "--row", "zoo_t1_a", "--from-log", str(tmp_path / "x.json")]) == 0
    (path,) = (folder / "results/paper").iterdir()
    assert json.loads(path.read_text())["values"] == {"AP": 0.413}
