"""Long runs on a CPU have operators compiled, and their provenance says so; short ones keep their bits."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import pytest
import torch
from helpers import ROOT

from pipelines.training import run
from registry.ops import native


class Stop(Exception):
    pass


@pytest.mark.parametrize(("epochs", "cuda", "compiled"), [(2, False, False), (600, False, True), (600, True, False)])
def test_long_runs_alone_compile_it(monkeypatch, tmp_path, epochs, cuda, compiled):
    monkeypatch.delenv(native.VARIABLE, raising=False)
    monkeypatch.setattr(native, "_state", {"asked": False, "library": None})
    monkeypatch.setattr(native, "prepare", lambda: native._state.update(asked=True, library="a library"))
    seen = {}

    def stop(job, started, weights):
        seen.update(started["environment"])
        raise Stop

    monkeypatch.setattr(run, "_train", stop)
    monkeypatch.setattr(run, "check_fingerprint", lambda job: None)
    monkeypatch.setattr(run, "snapshot", lambda root: {"code_revision": "r", "environment": {}})
    monkeypatch.setattr(torch.cuda, "is_available", lambda: cuda)
    monkeypatch.setattr(torch, "set_num_threads", lambda n: None)
    job = SimpleNamespace(settings={"epochs": epochs}, root=ROOT, profile="proxy", out=tmp_path, weights="w.pth",
                          identity="i", stem="s", work=Path("work_dirs/s"))  # fmt: skip
    with pytest.raises(Stop):
        run.run(job)
    assert seen == (dict.fromkeys(("shift_max", "factorized", "batch_norm"), "compiled") if compiled else {})
