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
#: What takes longest, longest first: whichever worker is free takes the next, and the many short files fill up the end.
LONGEST = (
    "slurm", "forks", "test_page_browser", "test_any_cpu", "test_cluster_remotes", "test_own_modules",
    "test_cluster_local", "torchrun", "test_contract", "test_report", "test_refresh", "test_export", "test_kernels",
    "test_mim", "test_fingerprint", "test_values_on_another_cpu", "test_platforms", "test_lock", "test_diverged",
    "test_pinned_on_another_cpu", "test_cluster", "test_repro", "test_install", "test_train",
)  # fmt: skip


def group(item: pytest.Item) -> str:
    """Return which tests run on one worker, for what they set up once: mostly those of a file."""
    if (own := item.get_closest_marker("xdist_group")) is not None:
        return str(own.args[0])
    if item.path.name in SLURM:
        return "slurm"
    return "forks" if "forks" in getattr(item, "fixturenames", ()) else item.path.stem


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Group the tests for pytest -n 2 --dist loadgroup --no-loadscope-reorder, the longest groups first."""
    groups = {item: group(item) for item in items}
    rank = {name: i for i, name in enumerate(LONGEST)}
    items.sort(key=lambda item: rank.get(groups[item], len(LONGEST)))
    for item, name in groups.items():
        if item.get_closest_marker("xdist_group") is None:
            item.add_marker(pytest.mark.xdist_group(name))


@pytest.fixture(scope="session")
def forks() -> Iterator[Forks]:
    """Return what starts Python programs without their start-up."""
    server = Forks()
    yield server
    server.stop()


@pytest.fixture(scope="session")
def shared() -> Path:
    """Return the folder of real data and golden files named by MICRONET_SHARED; skip without it."""
    folder = os.environ.get("MICRONET_SHARED")
    if not folder or not Path(folder).is_dir():
        pytest.skip("MICRONET_SHARED names no folder with real data")
    return Path(folder)


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """Return a copy of what the report reads: ledger, configs, params.yaml, committed results."""
    made_here = shutil.ignore_patterns("*.py.orig", "__pycache__", "mini")  # not committed
    for name in ("papers", "configs", "fingerprints", "results"):
        if (ROOT / name).exists():
            shutil.copytree(ROOT / name, tmp_path / name, ignore=made_here)
    for name in ("params.yaml", "pyproject.toml"):
        shutil.copy(ROOT / name, tmp_path)
    return tmp_path
