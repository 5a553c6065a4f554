"""A ledger outside any checkout: its own evidence and margins, and nothing of the first paper on its page."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from helpers import ROOT

from papertally.cli import main as paper
from papertally.evidence.checksum import seal
from papertally.evidence.io import write_json_atomic
from papertally.plan import main as plan
from report.__main__ import main as report

TABLE = """Table 4: Networks

| Model | Params (M) | Top-1 err. | Latency (ms, Pixel 1) |
|---|---|---|---|
| Small | 1.4 | 39.7 ± 0.2 | 12.5 |
| Large | 7.4 | **25.0** | 51.0 |
"""


def training(row: str, seed: int, values: dict[str, float], **further: object) -> dict[str, object]:
    return seal({
        "schema": 2, "kind": "training", "profile": "paper", "row": row, "seed": seed, "values": values,
        "config": "", "fingerprint": {}, "params": {}, "data": {"name": "d", "pin": "0"}, "code_revision": "abc",
        "environment": {"device": "Pixel 1"}, "epochs": 1, "duration_s": 1.0, "command": "", **further,
    })  # fmt: skip


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "README.md").write_text(TABLE, "utf-8")
    assert paper(["new", "net_zoo", "--from", str(tmp_path / "README.md"), "--path", str(tmp_path / "my ledger")]) == 0
    return tmp_path / "my ledger"


def test_a_ledger_and_its_evidence_anywhere(folder, monkeypatch, capsys):
    for seed, (error, latency) in enumerate([(39.6, 12.4), (39.7, 12.5), (39.8, 12.6)]):
        values = {"err1": error, "latency": latency}
        found = training("net_zoo_t4_small", seed, values, units={"latency": "ms"})
        write_json_atomic(folder / f"results/paper/net_zoo_t4_small.s{seed}.json", found)
    write_json_atomic(folder / "results/cost/net_zoo_t4_large.json", seal({
        "schema": 2, "kind": "cost", "row": "net_zoo_t4_large", "config": "", "fingerprint": {},
        "construction": "library", "values": {"params": 7_393_996, "terms": {"conv": 591}}, "variants": {},
        "notes": [], "input_size": [3, 224, 224], "code_revision": "abc", "environment": {},
    }))  # fmt: skip
    monkeypatch.chdir(folder.parent)
    assert report(["--path", "my ledger"]) == 0
    assert "warning" not in capsys.readouterr().err
    found = json.loads((folder / "report/report.json").read_text("utf-8"))
    assert found["paper"] == {"source": "file:README.md"}
    assert {(c["row_id"], c["column"]): c["verdict"] for c in found["cells"]} == {
        ("net_zoo_t4_small", "params"): "not-run", ("net_zoo_t4_small", "err1"): "reported",
        ("net_zoo_t4_small", "latency"): "reported", ("net_zoo_t4_large", "params"): "reported",
        ("net_zoo_t4_large", "err1"): "not-run", ("net_zoo_t4_large", "latency"): "not-run",
    }  # fmt: skip
    pages = [(folder / "report" / name).read_text("utf-8") for name in ("index.html", "claims.html", "report.md")]
    for word in ("MicroNet", "Top-1 err.", "mIoU", "2011.12289", "learning rate 0.02", "rule S"):
        assert (word == "Top-1 err.") == (word in "".join(pages)), word
    assert report(["--path", "my ledger", "--accept"]) == 0
    assert (folder / "baseline.json").is_file()


def test_what_is_missing_is_one_line(folder, capsys):
    text = (folder / "paper.yaml").read_text("utf-8")
    (folder / "paper.yaml").write_text(text.replace("margins:\n  err1: 0.5", "margins:\n  other: 0.5"), "utf-8")
    capsys.readouterr()
    assert report(["--path", str(folder)]) == 1
    assert capsys.readouterr().err == "error: net_zoo/paper.yaml: margins lacks err1; add them\n"
    assert report(["--path", str(folder / "nowhere")]) == 1
    assert "no folder; name the one that holds paper.yaml" in capsys.readouterr().err


@pytest.mark.slow
def test_the_plan_of_another_ledger(capsys):
    """Without budgets nothing has a price, and yet all is said that would settle something."""
    assert plan(["--path", str(ROOT / "papers/shufflenet"), "--limit", "0"]) == 0
    out = capsys.readouterr().out
    settled = [int(line.split()[0]) for line in out.splitlines() if line.split()[-1].startswith("shufflenet_t")]
    assert settled == sorted(settled, reverse=True)
    assert sum(settled[:3]) == 9
    assert "open: 80 trained numbers of 41 rows and 6 statements; hours are not known: `budgets` of paper.yaml" in out
    assert "to count, by `papertally count`: 19 rows without a `network`: shufflenet_t1_shufflenetv2_plus_large" in out
    assert "no training run settles: v2_plus_costs_no_less\n" in out
    assert "t5_dynamic_shift_max" not in out
    assert "hours on" not in out


def test_the_plan_of_a_ledger_elsewhere_names_what_is_to_measure(folder, capsys):
    assert plan(["--path", str(folder)]) == 0
    out = capsys.readouterr().out
    assert "to measure, and file by `papertally enter`: 2 of latency on Pixel 1" in out
    assert plan(["--path", str(folder), "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["unmeasured"] == {"latency on Pixel 1": 2}
    assert [run["hours"] for run in found["unpriced"]] == [None] * len(found["unpriced"])


@pytest.mark.slow
@pytest.mark.parametrize("name", ["shufflenet", "domainbed"])
def test_committed_ledgers_pages_hold_nothing_of_the_first(name, tmp_path):
    assert report(["--path", str(ROOT / "papers" / name), "--out", str(tmp_path)]) == 0
    pages = "".join((tmp_path / file).read_text("utf-8") for file in ("index.html", "claims.html", "report.md"))
    assert not [
        word for word in ("MicroNet", "micronet", "2011.12289", "Shift-Max", "rule S", "`plain`") if word in pages
    ]
    assert len(json.loads((tmp_path / "report.json").read_text("utf-8"))["cells"]) == {"shufflenet": 159}.get(name, 644)
