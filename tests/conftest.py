"""Shared fixtures: no timing in property tests, and a small checkout to break."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest
from helpers import ROOT
from hypothesis import settings

settings.register_profile("steady", deadline=None, derandomize=True)
settings.load_profile("steady")


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
    made_here = shutil.ignore_patterns("*.py.orig", "__pycache__", "mini", "mini_more")  # not committed
    for name in ("paper", "configs", "results"):
        if (ROOT / name).exists():
            shutil.copytree(ROOT / name, tmp_path / name, ignore=made_here)
    shutil.copy(ROOT / "params.yaml", tmp_path)
    return tmp_path
