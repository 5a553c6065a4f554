"""A tiny checkout that trains in seconds: its own params.yaml, real configs, a few digits."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml
from helpers import ROOT
from slurm_daemons import NotUp, Slurm, missing

from pipelines.data.digits import digits, pixels_pin, write


@pytest.fixture(scope="session")
def few_digits(tmp_path_factory) -> Path:
    """Return an image folder of 160 training and 40 validation digits with its manifest."""
    folder = tmp_path_factory.mktemp("data") / "digits"
    images = digits()
    kept = [i for i in images if i[0].startswith("train")][::9] + [i for i in images if i[0].startswith("val")][::9]
    write(folder, kept, pixels_pin(kept))
    return folder


@pytest.fixture
def tiny(tmp_path: Path, few_digits: Path) -> Path:
    """Return a checkout whose mini profile trains two epochs on few digits."""
    for name in ("configs", "fingerprints"):
        shutil.copytree(ROOT / name, tmp_path / name)
    shutil.copytree(few_digits, tmp_path / "data/digits")
    params = yaml.safe_load((ROOT / "params.yaml").read_text())
    params["mini"]["classification"] |= {"epochs": 3, "batch_size": 32, "image_size": 32}
    (tmp_path / "params.yaml").write_text(yaml.safe_dump(params))
    return tmp_path


@pytest.fixture(scope="session")
def daemons(tmp_path_factory) -> Iterator[Slurm]:
    """Run a Slurm for these tests alone; skip where there is none, or fail with MICRONET_REQUIRE_SLURM=1."""
    required = os.environ.get("MICRONET_REQUIRE_SLURM") == "1"
    if (reason := missing()) and not required:
        pytest.skip(reason)
    root = tmp_path_factory.mktemp("slurm")
    try:
        cluster = Slurm(root)
    except PermissionError as error:  # the GPUs' device nodes
        if required:
            raise
        pytest.skip(f"this machine lets nobody make device nodes ({error})")
    try:
        cluster.start()
        yield cluster
    except NotUp as error:
        if required:
            raise
        pytest.skip(f"installed, but {error}")
    finally:
        cluster.stop()


@pytest.fixture
def slurm(daemons: Slurm, monkeypatch) -> Slurm:
    """Return that Slurm and let this process talk with it: a new Python for each look would slow the tasks."""
    for key in ("SLURM_CONF", "PATH"):
        monkeypatch.setenv(key, daemons.env[key])
    return daemons
