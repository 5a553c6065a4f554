"""Runs of different recipes are never pooled; one recipe decides, the others stand beside; a seed counts once."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path

import pytest
from helpers import MICRONET, ROOT
from hypothesis import given
from hypothesis import strategies as st

from papertally.evidence.checksum import seal
from papertally.evidence.fingerprints import parts, read_fingerprint
from papertally.evidence.io import write_json_atomic
from papertally.evidence.read import read_evidence
from papertally.evidence.schema import TrainingEvidence
from papertally.ledger.load import load_ledger
from papertally.verdicts.model import build
from papertally.verdicts.recipes import called, groups
from report.settings import load_settings

CONFIG = Path("configs/classification/t2_micronet_m0.py")


def evidence_of(recipe, seed, top1, epochs=600):
    params = {"train": {"recipe": recipe}}
    return seal({
        "schema": 2, "kind": "training", "profile": "paper", "row": "t2_micronet_m0", "seed": seed,
        "values": {"top1": top1, "top5": 70.0}, "config": CONFIG.as_posix(),
        "fingerprint": parts(
            read_fingerprint(ROOT, "t2_micronet_m0"), "released" if recipe == "released" else "paper", recipe
        ),
        "params": params, "data": {"name": "imagenet", "pin": "x"}, "code_revision": "abc",
        "environment": {}, "epochs": epochs, "duration_s": 1.0, "command": "x",
    })  # fmt: skip


@pytest.fixture
def checkout(tmp_path):
    import shutil

    for name in ("configs", "fingerprints", "papers"):
        shutil.copytree(ROOT / name, tmp_path / name)
    shutil.copy(ROOT / "params.yaml", tmp_path)
    return tmp_path


def judged(root):
    settings, params = load_settings(root)
    evidence = read_evidence(root, params)
    report = build(load_ledger(MICRONET), evidence, settings)
    return next(c for c in report.cells if c.key == "t2_micronet_m0.top1"), evidence


def write(root, name, value):
    write_json_atomic(root / f"results/paper/t2_micronet_m0.{name}.json", value)


@pytest.mark.slow
def test_the_printed_recipe_decides_and_the_others_stand_beside(checkout):
    printed = 51.4
    write(checkout, "released", evidence_of("released", None, printed, None))
    assert judged(checkout)[0].verdict == "consistent (n = 1)"
    for seed in range(3):
        write(checkout, f"official.s{seed}", evidence_of("official", seed, printed + 0.01 * seed))
    cell, _ = judged(checkout)
    assert cell.verdict == "reproduced"
    assert "by the released scripts' recipe" in cell.note
    assert cell.evidence.endswith("t2_micronet_m0.official.s0.json")
    for seed in range(3):
        write(checkout, f"paper.s{seed}", evidence_of("paper", seed, 40 + 0.01 * seed))
    cell, _ = judged(checkout)
    assert cell.verdict == "not-reproduced"
    assert cell.achieved == pytest.approx(40.01)
    assert cell.evidence.endswith("t2_micronet_m0.paper.s0.json")
    assert "beside it, the released scripts' recipe (learning rate 0.2, the best epoch): 51.41, reproduced" in cell.note
    assert "beside it, a released checkpoint, evaluated: 51.40, consistent (n = 1)" in cell.note


def test_a_seed_counts_once(checkout):
    write(checkout, "paper.s0", evidence_of("paper", 0, 46.6))
    write(checkout, "paper.s1", evidence_of("paper", 0, 46.6))
    cell, evidence = judged(checkout)
    assert cell.verdict == "invalid-evidence"
    assert "repeats seed 0 of results/paper/t2_micronet_m0.paper.s0.json" in evidence.problems[0].fault


@given(st.lists(st.tuples(st.sampled_from(["paper", "official", "released", ""]), st.floats(0, 100)), max_size=12))
@pytest.mark.slow
def test_every_value_lands_in_its_own_recipe(runs):
    made = [TrainingEvidence.model_validate(evidence_of(recipe, i, v)) for i, (recipe, v) in enumerate(runs)]
    found = groups(made, [str(i) for i in range(len(made))], "top1")
    assert sorted(v for g in found for v in g.values) == sorted(v for _, v in runs)
    for group in found:
        assert [runs[int(f)][1] for f in group.files] == group.values
        assert {runs[int(f)][0] or "paper" for f in group.files} == {group.recipe}
    assert groups(made, [str(i) for i in range(len(made))], "AP") == []
    assert Decimal(len(found)) <= 3


def test_runs_whose_batchnorm_sees_other_numbers_of_images_are_not_pooled():
    def run(seed, top1, processes, synced=False):
        data = {**evidence_of("paper", seed, top1), "params": {"train": {"recipe": "paper", "batch_size": 512}}}
        more = {"batchnorm": "synchronised"} if synced else {}
        return TrainingEvidence.model_validate({**data, "environment": {"processes": processes, **more}})

    made = [run(0, 50.0, "1"), run(1, 51.0, "4"), run(2, 51.2, "4"), run(3, 52.0, "8", True)]
    found = groups(made, list("abcd"), "top1")
    assert [(g.norm, g.files) for g in found] == [
        ("BatchNorm over 128 images", ["b", "c"]),
        ("BatchNorm over 512 images", ["a"]),
        ("BatchNorm over 512 images, synchronised", ["d"]),
    ]
    assert called(found[0], load_ledger(MICRONET)).endswith("(learning rate 0.02), BatchNorm over 128 images")


def test_a_run_that_went_on_with_other_processes_is_pooled_with_none_of_either():
    def run(seed, processes):
        data = {**evidence_of("paper", seed, 51.0), "params": {"train": {"recipe": "paper", "batch_size": 512}}}
        return TrainingEvidence.model_validate({**data, "environment": {"processes": processes}})

    found = groups([run(0, "8"), run(1, "8, then 4"), run(2, "4")], list("abc"), "top1")
    assert [(g.norm, g.files) for g in found] == [
        ("BatchNorm over 128 images", ["c"]),
        ("BatchNorm over 64 images", ["a"]),
        ("BatchNorm over numbers of images that changed (8, then 4 processes)", ["b"]),
    ]


def test_a_recipe_that_says_how_many_images_batchnorm_takes_is_one_group():
    def run(seed, processes):
        train = {"recipe": "official", "batch_size": 512, "norm_batch": 128}
        data = {**evidence_of("official", seed, 51.0), "params": {"train": train}}
        return TrainingEvidence.model_validate({**data, "environment": {"processes": processes}})

    found = groups([run(0, "1"), run(1, "4")], list("ab"), "top1")
    assert [(g.norm, g.files) for g in found] == [("BatchNorm over 128 images", ["a", "b"])]


def test_a_run_of_the_learning_rate_alone_is_no_run_of_the_released_recipe(checkout):
    """Before the recipe was whole, evidence by that name held the row's own network and recipe."""
    old = {**evidence_of("official", 0, 51.4)}
    old["fingerprint"] = parts(read_fingerprint(ROOT, "t2_micronet_m0"), "paper")
    write(checkout, "official.s0", seal({k: v for k, v in old.items() if k != "digest"}))
    cell, evidence = judged(checkout)
    assert cell.verdict == "invalid-evidence"
    assert "its network and its recipe and what its network computes changed since" in evidence.problems[0].fault
