"""Shared fixtures: no timing in property tests, and a small checkout to break."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from forks import Forks
from helpers import ROOT
from hypothesis import settings

settings.register_profile("steady", deadline=None, derandomize=True)
settings.load_profile("steady")


#: Tests that need the one Slurm of this machine; under pytest-xdist one worker runs them all.
SLURM = ("test_cluster_slurm.py", "test_cluster_real.py")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Keep the tests of a file together, for what they set up once (pytest -n 2 --dist loadgroup)."""
    for item in items:
        name = item.path.name
        item.add_marker(pytest.mark.xdist_group("slurm" if name in SLURM else item.path.stem))


@pytest.fixture(scope="session")
def shared() -> Path:
    """Return the folder of real data and golden files named by MICRONET_SHARED; skip without it."""
    folder = os.environ.get("MICRONET_SHARED")
    if not folder or not Path(folder).is_dir():
        pytest.skip("MICRONET_SHARED names no folder with real data")
    return Path(folder)


@pytest.fixture(scope="session")
def forks() -> Iterator[Forks]:
    """Return what starts Python programs without their start-up."""
    server = Forks()
    yield server
    server.stop()


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """Return a copy of what the report reads: ledger, configs, params.yaml, committed results."""
    made_here = shutil.ignore_patterns("*.py.orig", "__pycache__", "mini", "mini_more")  # not committed
    for name in ("paper", "configs", "results"):
        if (ROOT / name).exists():
            shutil.copytree(ROOT / name, tmp_path / name, ignore=made_here)
    shutil.copy(ROOT / "params.yaml", tmp_path)
    return tmp_path
