"""What travels is whole: a crate that its library reads, results that a hub reads, nothing overwritten."""

from __future__ import annotations

import hashlib
import json

import pytest
import yaml
from helpers import training

from report.__main__ import main


@pytest.fixture
def exported(checkout, tmp_path):
    training(checkout, "paper")
    assert main(["export", str(tmp_path / "out")], root=checkout) == 0
    return tmp_path / "out"


@pytest.mark.slow
def test_the_crate_names_and_hashes_every_file(checkout, exported):
    crate = exported / "crate"
    graph = {e["@id"]: e for e in json.loads((crate / "ro-crate-metadata.json").read_text("utf-8"))["@graph"]}
    there = {p.relative_to(crate).as_posix() for p in crate.rglob("*") if p.is_file()} - {"ro-crate-metadata.json"}
    assert {e["@id"] for e in graph.values() if e["@type"] == "File"} == there
    assert {part["@id"] for part in graph["./"]["hasPart"]} == there
    for name in there:
        assert graph[name]["sha256"] == hashlib.sha256((crate / name).read_bytes()).hexdigest()
    assert {"report/index.html", "report/summary.html", "papers/micronet/tables/table_02.yaml"} <= there
    assert "results/paper/t2_micronet_m0.json" in there
    assert graph["#judging"]["result"]
    cells = json.loads((crate / "report/report.json").read_text("utf-8"))["cells"]
    assert {c["evidence"] for c in cells if c["evidence"]} <= there


@pytest.mark.slow
def test_the_crates_library_reads_it(exported):
    crate = pytest.importorskip("rocrate.rocrate", reason="needs rocrate").ROCrate(str(exported / "crate"))
    assert crate.root_dataset["about"].id == "https://arxiv.org/abs/2011.12289v1"
    assert len(crate.data_entities) == len(crate.root_dataset["hasPart"])


@pytest.mark.slow
def test_the_hub_reads_what_was_achieved_and_nothing_else(exported):
    hub = pytest.importorskip("huggingface_hub", reason="needs huggingface_hub")
    assert [p.name for p in (exported / "hub").iterdir()] == ["t2_micronet_m0"]
    folder = exported / "hub/t2_micronet_m0"
    if hasattr(hub, "parse_eval_result_entries"):
        text = (folder / ".eval_results/harness.yaml").read_text("utf-8")
        found = hub.parse_eval_result_entries(yaml.safe_load(text))
        assert [(e.dataset_id, e.task_id, e.value) for e in found] == [
            ("ILSVRC/imagenet-1k", "top1", 51.0),
            ("ILSVRC/imagenet-1k", "top5", 74.0),
        ]
        assert all("verdict" in e.notes for e in found)
    card = hub.ModelCard((folder / "README.md").read_text("utf-8"))
    assert [(e.metric_type, e.metric_value) for e in card.data.eval_results] == [("top1", 51.0), ("top5", 74.0)]


def test_nothing_is_overwritten_and_nothing_invented(checkout, tmp_path, capsys):
    (tmp_path / "kept").mkdir()
    (tmp_path / "kept/mine.txt").write_text("mine")
    assert main(["export", str(tmp_path / "kept")], root=checkout) == 1
    assert capsys.readouterr().err.startswith(f"error: {tmp_path}/kept: is not empty")
    assert [p.name for p in (tmp_path / "kept").iterdir()] == ["mine.txt"]
    assert main(["export", str(tmp_path / "kept/mine.txt")], root=checkout) == 1
    assert (
        main(["export", str(tmp_path / "new"), "--path", str(checkout / "papers/micronet_iccv2021")], root=checkout)
        == 0
    )
    assert "nothing for a hub" in capsys.readouterr().err
    assert not (tmp_path / "new/hub").exists()
