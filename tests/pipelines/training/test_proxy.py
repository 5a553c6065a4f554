"""The proxy's protocol on a few synthetic images, CIFAR-10's pin, and both files' errors."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from pipelines.common import PipelineError, load_params
from pipelines.data import cifar
from pipelines.training import proxy


def test_augmentation_crops_and_flips_each_image_by_itself():
    x = torch.arange(2 * 3 * 32 * 32, dtype=torch.float32).view(2, 3, 32, 32)
    out = proxy.augment(x, torch.Generator().manual_seed(1))
    assert out.shape == x.shape
    inside = out[0][out[0] > 0]
    assert torch.isin(inside, x[0]).all()
    assert not torch.equal(out, x)
    again = proxy.augment(x, torch.Generator().manual_seed(1))
    assert torch.equal(out, again)


def test_the_same_seed_gives_the_same_scores():
    rng = np.random.default_rng(0)
    data = {
        f"{split}_images": rng.integers(0, 256, (n, 32, 32, 3), np.uint8) for split, n in (("train", 32), ("test", 16))
    } | {f"{split}_labels": rng.integers(0, 10, n).astype(np.uint8) for split, n in (("train", 32), ("test", 16))}
    settings = {"batch_size": 16, "epochs": 1, "lr": 0.1, "weight_decay": 0.0}
    first, _ = proxy.run("t5_relu", 3, data, settings)
    assert proxy.run("t5_relu", 3, data, settings)[0] == first
    assert 0 <= first["top1"] <= first["top5"] <= 100


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
        cifar.load(path)
    path.write_bytes(b"PK\x03\x04 cut off")
    with pytest.raises(PipelineError, match="damaged"):
        cifar.load(path)
    with pytest.raises(PipelineError, match="no such folder; name an image folder"):
        cifar.pack(tmp_path / "none", path, "x")


@pytest.mark.slow
def test_rows_are_of_the_ledger_and_the_stages_run_them():
    import yaml
    from helpers import ROOT

    from paper import load_ledger

    rows = load_params()["proxy"]["rows"]
    for row, entry in rows.items():
        assert load_ledger().row(row).table == entry["table"]
    stages = yaml.safe_load((ROOT / "proxy/dvc.yaml").read_text())["stages"]
    for name, stage in stages.items():
        assert stage["matrix"]["row"] == [row for row, entry in rows.items() if f"table{entry['table']}" == name]
    assert sum(len(stage["matrix"]["row"]) for stage in stages.values()) == len(rows)
    with pytest.raises(PipelineError, match="no row 't2_micronet_m0' under proxy.rows"):
        proxy.main(["--row", "t2_micronet_m0", "--seed", "0"])
