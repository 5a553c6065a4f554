"""Runs made elsewhere come in by their logs or by word, are shown as reported, and decide nothing."""

from __future__ import annotations

import json

import pytest
import torch
from helpers import MICRONET
from small_runs import LOGS

from papertally.evidence.read import read_evidence
from papertally.ledger.load import load_ledger
from papertally.verdicts.model import Cells
from pipelines.common import PipelineError
from pipelines.training import entered, reported
from report.settings import load_settings

ROW = "t2_micronet_m1"


@pytest.fixture
def out(tmp_path, monkeypatch):
    for module in (reported, entered):
        monkeypatch.setattr(module, "write_reported", lambda *a, **k: reported_to(tmp_path, *a, **k))
    return tmp_path


WRITE = reported.write_reported


def reported_to(root, *args, **kwargs):
    return WRITE(*args, out=root, **kwargs)


@pytest.mark.slow
def test_a_log_is_shown_and_decides_nothing(out, tmp_path, capsys, checkout):
    log = tmp_path / "summary.csv"
    log.write_text(LOGS["summary.csv"])
    assert reported.main(["--row", ROW, "--log", str(log), "--epoch", "best", "--source", "a friend"]) == 0
    assert "top1 59.5, top5 81; reported, shown beside the cells and never judged" in capsys.readouterr().out
    found = read_evidence(checkout)  # tmp_path, where the evidence was filed
    assert not found.problems
    ((path, run),) = found.beside["paper", ROW]
    assert run.params["reported"]["form"] == "timm's summary.csv"
    assert (run.origin, run.judged, run.seed, run.epochs) == ("reported", False, None, 3)
    ledger = load_ledger(MICRONET)
    row = ledger.row(ROW)
    cell = Cells(ledger, found, load_settings(checkout)[0]).cell(row, row.cells["top1"])
    assert (cell.verdict, cell.achieved) == ("not-run", None)
    assert cell.readings == (f"beside it, reported elsewhere: 59.50 ({path}); never judged",)


@pytest.mark.slow
def test_a_checkpoint_is_held_to_the_rows_network(out, tmp_path):
    from pipelines.analysis.structure import classifier

    state = classifier(ROW, 1000).state_dict()
    path, log = tmp_path / "x.pth", tmp_path / "log.txt"
    log.write_text(LOGS["log.txt"])
    torch.save({"state_dict": state, "meta": {"epoch": 3}}, path)
    assert reported.main(["--row", ROW, "--log", str(log), "--checkpoint", str(path), "--seed", "3"]) == 0
    (found,) = (json.loads(p.read_text()) for p in (out / "results/paper").glob("*.json"))
    assert found["values"] == {"top1": 59.25, "top5": 80.75}
    assert len(found["params"]["reported"]["checkpoint_sha256"]) == 64
    state.pop(next(iter(state)))
    torch.save(state, path)
    with pytest.raises(PipelineError, match=f"x.pth: is no checkpoint of {ROW}: .*it lacks"):
        reported.main(["--row", ROW, "--log", str(log), "--checkpoint", str(path)])


def test_values_are_entered_by_one_command(out, capsys):
    words = ["new", "--row", ROW, "--metric", "top1=59.2", "--metric", "top5=80.9", "--seed", "0"]
    assert entered.main(words) == 0
    (found,) = (json.loads(p.read_text()) for p in (out / "results/paper").glob("*.json"))
    assert (found["values"], found["seed"], found["origin"]) == ({"top1": 59.2, "top5": 80.9}, 0, "reported")


def test_every_fault_of_an_entry_is_named_at_once(out, capsys):
    metrics = ["top1=719", "top5", "miou=3", "params=2", "top5=x"]
    words = ["new", "--row", ROW, *(w for m in metrics for w in ("--metric", m)), "--seed", "-1", "--epochs", "0"]
    assert entered.main(words) == 1
    said = capsys.readouterr().err.splitlines()
    assert len(said) == 7
    assert all(line.startswith("error: --") for line in said)
    for part in ("is no percentage", "write NAME=VALUE", "no such column", "is counted", "is no number",
                 "--seed -1", "--epochs 0"):  # fmt: skip
        assert sum(part in line for line in said) == 1, part
    assert not (out / "results/paper").exists()
    for metrics in (["top1=0.719"], ["top1=50", "top5=40"], ["top1=５０"], ["top1=5_0"]):
        assert entered.main(["new", "--row", ROW, *(w for m in metrics for w in ("--metric", m))]) == 1
    assert entered.main(["new", "--row", ROW, "--metric", "top1=50", "--seed", "9" * 5000]) == 1
    said = capsys.readouterr().err.splitlines()
    assert len(said) == 5
    assert all(line.startswith("error: --") for line in said)
    assert entered.main(["new", "--row", "t2_gone"]) == 1
    assert len(capsys.readouterr().err.splitlines()) == 2  # the row, and no metric


def test_a_source_in_another_encoding_is_kept_escaped(out, capsys):
    assert entered.main(["new", "--row", ROW, "--metric", "top1=50", "--source", "M\udcfcller"]) == 0
    (found,) = (json.loads(p.read_text()) for p in (out / "results/paper").glob("*.json"))
    assert found["params"]["reported"]["source"] == "M\\udcfcller"
