"""Evidence is written whole or not at all, and what is missing, corrupt, stale or foreign never counts."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest
from helpers import CONFIG, COST, fresh, training

from report.evidence import (
    EvidenceError,
    code_revision,
    config_hash,
    config_inputs,
    read_evidence,
    write_json_atomic,
    write_text_atomic,
)
from report.settings import load_settings


def change(root: Path, name: str, **values: object) -> None:
    path = root / name
    path.write_text(json.dumps({**json.loads(path.read_text()), **values}))


def fault(root: Path, name: str) -> str:
    found = [p for p in read_evidence(root, load_settings(root)[1]).problems if p.path == name]
    assert len(found) == 1
    return found[0].fault


def test_sound_evidence_counts(checkout):
    fresh(checkout)
    evidence = read_evidence(checkout)
    assert evidence.cost["t5_relu"].values.params == 1_876_172
    assert evidence.paths["cost", "t5_relu"] == COST


@pytest.mark.parametrize(
    ("break_it", "message"),
    [
        (lambda root: (root / COST).write_text('{"schema": 1'), "corrupt JSON"),
        (lambda root: (root / COST).write_bytes(b"\x00\xff"), "corrupt JSON"),
        (lambda root: (root / COST).write_text("[]"), "the file"),
        (lambda root: change(root, COST, schema=2), "schema"),
        (lambda root: change(root, COST, values={"params": -1, "madds": {}}), "values.params"),
        (lambda root: change(root, COST, surprise=1), "surprise"),
        (lambda root: change(root, COST, row="t5_se_relu"), "not of the row that names the file"),
        (lambda root: change(root, COST, config_hash="0" * 64), "edited by hand"),
        (lambda root: (root / CONFIG).write_text((root / CONFIG).read_text() + "\n# x\n"), "stale"),
        (lambda root: (root / "configs/_base_/schedule_600e.py").write_text("schedule = {}\n"), "stale"),
        (lambda root: (root / CONFIG).unlink(), "gone or malformed"),
    ],
)
def test_unsound_evidence_is_a_problem_and_never_counts(checkout, break_it, message):
    fresh(checkout)
    break_it(checkout)
    assert message in fault(checkout, COST)
    assert "t5_relu" not in read_evidence(checkout).cost


def test_a_run_of_another_profile_is_foreign(checkout):
    name = training(checkout, "paper")
    change(checkout, name, profile="mini")
    assert "profile 'mini'" in fault(checkout, name)


def test_a_run_under_other_parameters_is_stale(checkout):
    name = training(checkout)
    assert "t2_micronet_m0" in read_evidence(checkout, load_settings(checkout)[1]).runs["mini"]
    params = checkout / "params.yaml"
    params.write_text(params.read_text().replace("lr: 0.1", "lr: 0.2"))
    assert "other training parameters" in fault(checkout, name)


def test_nan_is_refused_on_both_ways(checkout):
    with pytest.raises(ValueError):
        write_json_atomic(checkout / "x.json", {"a": float("nan")})
    assert not (checkout / "x.json").exists()
    name = training(checkout)
    text = (checkout / name).read_text()
    (checkout / name).write_text(text.replace("51.0", "NaN"))
    assert "NaN is no number" in fault(checkout, name)


def test_a_failed_write_leaves_the_old_file_and_no_litter(tmp_path, monkeypatch):
    path = tmp_path / "a.json"
    write_text_atomic(path, "old")

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(EvidenceError, match="a.json: cannot be written .No space left"):
        write_text_atomic(path, "new")
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]


def test_config_inputs_follow_bases_and_name_faults(checkout):
    assert set(config_inputs(checkout, CONFIG)) == {
        CONFIG.as_posix(), "configs/_base_/classification.py", "configs/_base_/schedule_300e.py",
        "configs/_base_/schedule_600e.py",
    }  # fmt: skip
    (checkout / CONFIG).write_text("model = (\n")
    with pytest.raises(EvidenceError, match=r"t5_relu.py:1: no Python"):
        config_inputs(checkout, CONFIG)


def test_hash_depends_on_files_and_parameters():
    assert config_hash({"a": "1"}, {}) != config_hash({"a": "2"}, {}) != config_hash({"a": "2"}, {"x": 1})
    assert config_hash({"a": "1", "b": "2"}, {}) == config_hash({"b": "2", "a": "1"}, {})


def test_revision_outside_a_repository(tmp_path):
    assert code_revision(tmp_path) == "unknown"
