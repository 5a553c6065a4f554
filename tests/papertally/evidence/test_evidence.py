"""Evidence is written whole or not at all, and what is missing, corrupt, stale or foreign never counts."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest
from helpers import COST, DIGITS, fresh, training
from hypothesis import given
from hypothesis import strategies as st

from papertally.evidence.checksum import seal
from papertally.evidence.fingerprints import parts, read_fingerprint
from papertally.evidence.io import EvidenceError, write_json_atomic, write_text_atomic
from papertally.evidence.read import read_evidence
from papertally.evidence.revision import code_revision
from papertally.evidence.settings import SettingsError
from report.settings import data_pins, load_settings


def change(root: Path, name: str, **values: object) -> None:
    """Rewrite some keys as a stage would, with a new seal."""
    path = root / name
    path.write_text(json.dumps(seal({**json.loads(path.read_text()), **values})))


TODAY = "fingerprints/t5_relu.json"


def today(root: Path, name: str = TODAY, **values: object) -> None:
    """Change what a row's results depend on today."""
    path = root / name
    path.write_text(json.dumps({**json.loads(path.read_text()), **values}))


@pytest.mark.slow
@pytest.mark.parametrize(
    ("part", "value", "stale"),
    [("recipe", "0" * 64, {"mini", "paper"}), ("model", "0" * 64, {"mini", "proxy", "paper"}),
     ("probe", ["1.0", "2.0"], {"mini", "proxy", "paper"}), ("protocol", 99, {"mini", "proxy", "paper"}),
     ("stated", "0" * 64, set())],
)  # fmt: skip
def test_each_profile_depends_on_its_parts(checkout, part, value, stale):
    names = {profile: training(checkout, profile) for profile in ("mini", "proxy", "paper")}
    today(checkout, "fingerprints/t2_micronet_m0.json", **{part: value})
    found = {p.path: p.fault for p in read_evidence(checkout).problems}
    assert {profile for profile, name in names.items() if name in found} == stale
    assert all("stale: " in found[names[profile]] for profile in stale)


def fault(root: Path, name: str) -> str:
    evidence = read_evidence(root, load_settings(root)[1], data_pins(root))
    found = [p for p in evidence.problems if p.path == name]
    assert len(found) == 1
    return found[0].fault


def test_sound_evidence_counts(checkout):
    fresh(checkout)
    evidence = read_evidence(checkout)
    assert evidence.cost["t5_relu"].values.params == 1_876_172
    assert evidence.paths["cost", "t5_relu"] == COST


@pytest.mark.slow
@pytest.mark.parametrize(
    ("break_it", "message"),
    [
        (lambda root: (root / COST).write_text('{"schema": 2'), "corrupt JSON"),
        (lambda root: (root / COST).write_bytes(b"\x00\xff"), "corrupt JSON"),
        (lambda root: (root / COST).write_text("[]"), "the file"),
        (lambda root: change(root, COST, schema=1), "schema"),
        (lambda root: change(root, COST, values={"params": -1, "terms": {}}), "values.params"),
        (lambda root: change(root, COST, surprise=1), "surprise"),
        (lambda root: change(root, COST, row="t5_se_relu"), "not of the row that names the file"),
        (lambda root: change(root, COST, fingerprint={"model": "0" * 64}), "stale: its network and its variants or no"),
        (lambda root: today(root, model="0" * 64), "stale: its network changed since (fingerprints/t5_relu.json)"),
        (lambda root: today(root, stated="0" * 64), "stale: its variants or notes changed"),
        (lambda root: today(root, row="t5_se_relu"), "fingerprints/t5_relu.json: is of row 't5_se_relu'"),
        (lambda root: today(root, model="x"), "fingerprints/t5_relu.json: model: "),
        (lambda root: (root / TODAY).write_text("{"), "fingerprints/t5_relu.json: corrupt JSON"),
        (lambda root: (root / TODAY).unlink(), "fingerprints/t5_relu.json: missing; run `python -m pipelines fing"),
    ],
)
def test_unsound_evidence_is_a_problem_and_never_counts(checkout, break_it, message):
    fresh(checkout)
    break_it(checkout)
    assert message in fault(checkout, COST)
    assert "t5_relu" not in read_evidence(checkout).cost


def edit(root: Path, name: str, before: str, after: str) -> None:
    """Change text by hand."""
    path = root / name
    assert before in path.read_text()
    path.write_text(path.read_text().replace(before, after, 1))


@pytest.mark.slow
def test_a_tampered_value_breaks_the_seal(checkout):
    fresh(checkout)
    edit(checkout, COST, '"params": 1876172', '"params": 1800000')
    assert "hash mismatch: edited since" in fault(checkout, COST)
    name = training(checkout)
    edit(checkout, name, '"top1": 51.0', '"top1": 51.4')
    assert "hash mismatch" in fault(checkout, name)
    claim = "results/claims/eq2_example.json"
    edit(checkout, claim, '"schema": 1', '"schema":  1')
    assert not read_evidence(checkout).problem("claims", "eq2_example")  # white space says nothing
    edit(checkout, claim, '"detail": "', '"detail": "in truth ')
    assert "hash mismatch" in fault(checkout, claim)


def test_unsealed_evidence_never_counts(checkout):
    name = training(checkout)
    content = json.loads((checkout / name).read_text())
    del content["digest"]
    (checkout / name).write_text(json.dumps(content))
    assert fault(checkout, name) == "is not sealed; run its stage anew"


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
        lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    ),
    st.text(),
)
def test_a_seal_survives_the_file_and_no_change(value, key):
    sealed = seal({"value": value, key or "k": 1})
    back = json.loads(json.dumps(sealed, indent=1, sort_keys=True))
    assert seal(back) == sealed
    assert seal({**back, "value": [value]})["digest"] != sealed["digest"]


def test_a_run_on_other_data_is_stale(checkout):
    name = training(checkout)
    params = checkout / "params.yaml"
    params.write_text(params.read_text().replace(DIGITS, "a" * 64))
    assert fault(checkout, name) == f"stale: the data pin of digits is {'a' * 12}… today, the run's is {DIGITS[:12]}…"


@pytest.mark.slow
def test_a_run_on_other_imagenet_than_verified_is_stale(checkout):
    name = training(checkout, "paper", data={"name": "imagenet", "pin": "a" * 64})
    count = lambda: len(read_evidence(checkout, None, data_pins(checkout)).problems)  # noqa: E731
    assert count() == 0  # nobody verified a set here
    write_json_atomic(checkout / "results/manifests/imagenet_val.json", {"sha256": "a" * 64})
    write_json_atomic(checkout / "results/manifests/imagenet.json", {"sha256": "b" * 64})
    assert count() == 0  # a released checkpoint needs the validation images alone
    write_json_atomic(checkout / "results/manifests/imagenet_val.json", {"sha256": "c" * 64})
    assert "stale: the data pin of imagenet" in fault(checkout, name)
    (checkout / "results/manifests/imagenet.json").write_text("{")
    with pytest.raises(SettingsError, match=r"results/manifests/imagenet.json: corrupt .*pipelines verify imagenet"):
        data_pins(checkout)


def test_a_run_without_a_seed_never_counts_but_for_a_released_checkpoint(checkout):
    name = training(checkout, "paper", seed=None)
    assert "names no seed" in fault(checkout, name)
    params = {"train": {"recipe": "released"}}
    own = parts(read_fingerprint(checkout, "t2_micronet_m0"), "released")
    change(checkout, name, params=params, fingerprint=own)
    assert not read_evidence(checkout).problems


def test_a_run_of_another_profile_is_foreign(checkout):
    name = training(checkout, "paper")
    change(checkout, name, profile="mini")
    assert "profile 'mini'" in fault(checkout, name)


def test_a_run_under_other_parameters_is_stale(checkout):
    name = training(checkout)
    assert "t2_micronet_m0" in read_evidence(checkout, load_settings(checkout)[1]).runs["mini"]
    params = checkout / "params.yaml"
    params.write_text(params.read_text().replace("lr: 0.1", "lr: 0.2", 1))
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


def test_revision_outside_a_repository(tmp_path):
    assert code_revision(tmp_path) == "unknown (no git repository of its own)"
