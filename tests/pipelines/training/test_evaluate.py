"""A run files the score of its weights as evidence that the report accepts; unfit checkpoints are refused."""

from __future__ import annotations

import json
import shutil

import pytest
import torch
import yaml

from papertally.evidence.checksum import seal
from papertally.evidence.read import read_evidence
from pipelines.analysis.structure import classifier
from pipelines.common import PipelineError
from pipelines.training.job import mini_job
from pipelines.training.run import run, trained_runner
from report.settings import load_settings

ROW = "t2_micronet_m0"
WEIGHTS = f"checkpoints/mini/{ROW}.pth"


@pytest.fixture(scope="module")
def trained(tmp_path_factory, few_digits):
    from helpers import ROOT

    root = tmp_path_factory.mktemp("trained")
    for name in ("configs", "fingerprints", "papers"):
        shutil.copytree(ROOT / name, root / name)
    shutil.copytree(few_digits, root / "data/digits")
    params = yaml.safe_load((ROOT / "params.yaml").read_text())
    params["mini"]["classification"] |= {"epochs": 1, "batch_size": 32}
    (root / "params.yaml").write_text(yaml.safe_dump(params))
    run(mini_job(ROW, root))
    return root


@pytest.mark.slow
def test_evidence_is_sound_and_its_score_is_recomputed_by_hand(trained):
    evidence = json.loads((trained / f"results/mini/{ROW}.json").read_text())
    settings = load_settings(trained)[1]
    read = read_evidence(trained, settings)
    assert not read.problems
    found = read.runs["mini"][ROW][0]
    assert found.values == evidence["values"]
    assert found.seed == 0
    assert found.data.pin == json.loads((trained / "data/digits/manifest.json").read_text())["pin"]

    from pipelines.data.images import FolderClassification

    net = classifier(ROW, 10).eval()
    net.load_state_dict(torch.load(trained / WEIGHTS, weights_only=True)["state_dict"])
    data = FolderClassification(str(trained / "data/digits/val"), 32, train=False)
    with torch.no_grad():
        right = [int(net(data[i]["inputs"][None])[0].argmax()) == data[i]["data_samples"] for i in range(len(data))]
    assert found.values["top1"] == pytest.approx(100 * sum(right) / len(right), abs=1e-4)
    (bits,) = (b["top1"] for b in read.examples.values())
    assert [bool(bits.mask >> (bits.images - 1 - i) & 1) for i in range(bits.images)] == right


@pytest.mark.parametrize("change", ["missing", "of another run", "resealed"])
@pytest.mark.slow
def test_evidence_that_its_bits_do_not_bear_out_is_invalid(trained, change):
    path = trained / f"results/examples/mini/{ROW}.top1.json"
    sound = path.read_text()
    try:
        data = json.loads(sound)
        wrong = {"missing": None, "of another run": {"seed": 5}, "resealed": {"data": {"name": "digits", "pin": "x"}}}
        if wrong[change] is None:
            path.unlink()
        else:
            data = {k: v for k, v in {**data, **wrong[change]}.items() if k != "digest"}
            path.write_text(json.dumps(seal(data)))
        found = read_evidence(trained)
        (problem,) = found.problems
        assert ROW not in found.runs.get("mini", {})
        assert path.relative_to(trained).as_posix() in problem.fault
    finally:
        path.write_text(sound)


@pytest.mark.slow
def test_a_row_trained_before_bits_were_kept_is_evaluated_anew(trained, capsys):
    evidence, weights = trained / f"results/mini/{ROW}.json", trained / WEIGHTS
    before = [path.read_bytes() for path in (evidence, trained / f"results/examples/mini/{ROW}.top1.json", weights)]
    saved = torch.load(weights, weights_only=True)
    saved["meta"].pop("correct")
    torch.save(saved, weights)
    shutil.rmtree(trained / "results/examples")
    run(mini_job(ROW, trained))
    assert "trained already" in capsys.readouterr().err
    assert evidence.read_bytes() == before[0]
    assert (trained / f"results/examples/mini/{ROW}.top1.json").read_bytes() == before[1]
    weights.write_bytes(before[2])


def corrupt(path):
    path.write_bytes(path.read_bytes()[:2000])


def other_shape(path):
    saved = torch.load(path, weights_only=True)
    saved["state_dict"]["head.fc2.weight"] = torch.zeros(3, 3)
    torch.save(saved, path)


@pytest.mark.parametrize(
    ("break_it", "message"),
    [
        (lambda p: p.unlink(), "no checkpoint"),
        (corrupt, "corrupt checkpoint"),
        (lambda p: p.write_bytes(b""), "corrupt checkpoint"),
        (lambda p: torch.save([1], p), "corrupt checkpoint"),
        (other_shape, "does not fit the model"),
    ],
)
def test_an_unfit_checkpoint_is_one_error(trained, break_it, message):
    path = trained / WEIGHTS
    sound = path.read_bytes()
    try:
        break_it(path)
        with pytest.raises(PipelineError, match=message) as caught:
            trained_runner(mini_job(ROW, trained))
        assert f"{ROW}.pth" in str(caught.value)
        assert f"python -m pipelines train --row {ROW}" in str(caught.value)
        assert "\n" not in str(caught.value)
    finally:
        path.write_bytes(sound)
