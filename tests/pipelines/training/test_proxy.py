"""The proxy's protocol on a few synthetic images, CIFAR-10's pin, and both files' errors."""

from __future__ import annotations

import dataclasses
import json
import shutil

import numpy as np
import pytest
import torch
import yaml
from helpers import ROOT
from small_runs import PIN, random_cifar

from papertally.evidence.read import read_evidence
from pipelines.common import PipelineError, load_params
from pipelines.data import cifar
from pipelines.data.cifar_images import augment
from pipelines.training import __main__ as cli
from pipelines.training.job import proxy_job
from pipelines.training.run import run
from report.rows import find_row

ROW = "t5_relu"


@pytest.fixture
def checkout(tmp_path):
    """Return a checkout whose CIFAR-10 has a few random images, as its params.yaml pins."""
    for name in ("configs", "fingerprints", "papers"):
        shutil.copytree(ROOT / name, tmp_path / name)
    random_cifar(tmp_path, train=64, test=16)
    write_params(tmp_path, pin=PIN)
    write_params(tmp_path, "train", batch_size=16, epochs=2)
    return tmp_path


def write_params(root, *keys, **values):
    path = root / "params.yaml"
    params = yaml.safe_load((path if path.exists() else ROOT / "params.yaml").read_text())
    inner = params["proxy"]
    for key in keys:
        inner = inner[key]
    inner |= values
    path.write_text(yaml.safe_dump(params))


def test_augmentation_crops_and_flips_each_image_by_itself():
    x = torch.arange(2 * 3 * 32 * 32, dtype=torch.float32).view(2, 3, 32, 32)
    out = augment(x, torch.Generator().manual_seed(1))
    assert out.shape == x.shape
    inside = out[0][out[0] > 0]
    assert torch.isin(inside, x[0]).all()
    assert not torch.equal(out, x)
    again = augment(x, torch.Generator().manual_seed(1))
    assert torch.equal(out, again)


@pytest.mark.slow
def test_the_same_seed_gives_the_same_scores_and_sound_evidence(checkout, tmp_path):
    job = proxy_job(ROW, 3, checkout)
    first = run(job)
    assert 0 <= first["top1"] <= first["top5"] <= 100
    found = read_evidence(checkout)
    assert not found.problems
    assert found.runs["proxy"][ROW][0].values == first
    evidence = json.loads((checkout / job.evidence).read_text())
    assert job.evidence.as_posix() == f"results/proxy/{ROW}.s3.json"
    again = dataclasses.replace(job, out=tmp_path / "again")
    assert run(again) == first
    assert json.loads((again.out / job.evidence).read_text())["values"] == evidence["values"]
    assert "recipe" not in evidence["fingerprint"]  # the protocol is its own


@pytest.mark.slow
def test_a_lost_loss_and_a_batch_too_large_are_one_line(checkout):
    write_params(checkout, "train", lr=1e25)
    with pytest.raises(PipelineError, match=r"t5_relu.s3: training diverged: loss is (nan|inf) in epoch 1"):
        run(proxy_job(ROW, 3, checkout))
    write_params(checkout, "train", batch_size=65)
    with pytest.raises(PipelineError, match="proxy.train.batch_size 65 is more than the 64 training images"):
        proxy_job(ROW, 3, checkout)
    write_params(checkout, pin="1" * 64)
    with pytest.raises(PipelineError, match="its pin is not params.yaml's"):
        proxy_job(ROW, 3, checkout)


def test_the_pin_does_not_depend_on_the_order():
    rng = np.random.default_rng(0)
    images, labels = rng.integers(0, 256, (5, 2, 2, 3), np.uint8), np.arange(5, dtype=np.uint8)
    (_, sorted_labels), first = cifar.sort_split(images, labels)
    order = rng.permutation(5)
    (_, again), second = cifar.sort_split(images[order], labels[order])
    assert first == second
    assert sorted_labels.tolist() == again.tolist()
    images[0, 0, 0, 0] ^= 1
    assert cifar.sort_split(images, labels)[1] != first


def test_a_missing_or_damaged_set_is_named(tmp_path):
    path = tmp_path / "cifar10.npz"
    with pytest.raises(PipelineError, match="missing; make it by `python -m pipelines cifar`"):
        cifar.load(path, ("train_labels",))
    path.write_bytes(b"PK\x03\x04 cut off")
    with pytest.raises(PipelineError, match="damaged"):
        cifar.load(path, ("train_labels",))
    with pytest.raises(PipelineError, match="no such folder; name an image folder"):
        cifar.pack(cifar.CIFAR10, tmp_path / "none", tmp_path, "x")


def test_rows_are_classification_rows_of_the_ledger():
    rows = load_params()["proxy"]["rows"]
    assert {find_row(row).task for row in rows} == {"classification"}
    with pytest.raises(PipelineError, match="no row 't2_micronet_m0' under proxy.rows"):
        cli.main(["--row", "t2_micronet_m0", "--profile", "proxy", "--seed", "0"])
