"""`import registry` registers all that needs no other framework, and changes nothing for the rest of the process."""

from __future__ import annotations

import json
import os
import pickle
import subprocess
import sys

import pytest
import torch
from helpers import ROOT
from mmengine.logging.history_buffer import HistoryBuffer
from mmengine.runner.checkpoint import CheckpointLoader

from registry.checkpoints import CheckpointError, read_file
from registry.compat import prepare

LOOK = """
import json, sys, torch, mmengine.runner  # which imports what adds types of torch.distributed
before = len(torch.serialization.get_safe_globals())
import registry
from mmengine.registry import MODELS
nets = {arch: MODELS.build({"type": "MicroNet", "arch": arch}).out_channels for arch in ("m1", "pose_m0", "seg_m2")}
loaded = [name for name in ("mmpose", "mmseg", "mmdet", "mmcv", "timm") if name in sys.modules]
print(json.dumps([len(torch.serialization.get_safe_globals()) - before, nets, loaded]))
"""


class Command:
    """Run a command where it is unpickled."""

    def __reduce__(self):
        return os.system, ("exit 3",)


class Attribute:
    """Ask for an attribute where it is unpickled, as HistoryBuffer does for its methods."""

    def __init__(self, *arguments: object) -> None:
        self.arguments = arguments

    def __reduce__(self):
        return getattr, self.arguments


@pytest.mark.slow
def test_import_alone_knows_every_architecture_and_allows_nothing():
    done = subprocess.run(
        [sys.executable, "-c", LOOK], cwd=ROOT, capture_output=True, text=True, check=True,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    )  # fmt: skip
    assert json.loads(done.stdout) == [0, {"m1": [768], "pose_m0": [576], "seg_m2": [864]}, []]


@pytest.fixture
def training_file(tmp_path):
    """Return a file with what mmengine's runner writes beside weights."""
    path = tmp_path / "epoch_1.pth"
    history = HistoryBuffer([0.5, 0.25], [1, 1])
    torch.save({"state_dict": {"weight": torch.ones(2)}, "message_hub": {"log_scalars": {"loss": history}}}, path)
    return path


def test_mmengine_and_the_reader_take_what_mmengine_writes(training_file):
    prepare()  # twice is once
    for read in (read_file, lambda path: CheckpointLoader.load_checkpoint(str(path), "cpu", logger="silent")):
        history = read(training_file)["message_hub"]["log_scalars"]["loss"]
        assert (history.min(), history.current()) == (0.25, 0.25)
    with pytest.raises(pickle.UnpicklingError):  # outside of those two, torch's own rule holds
        torch.load(training_file, weights_only=True)


@pytest.mark.parametrize("item", [Command(), Attribute(HistoryBuffer, "__init__"), Attribute(torch.Tensor, "numpy")])
def test_nothing_else_is_let_in(tmp_path, item):
    torch.save({"state_dict": {"weight": torch.ones(2)}, "message_hub": item}, tmp_path / "bad.pth")
    with pytest.raises(CheckpointError, match="not a readable checkpoint"):
        read_file(tmp_path / "bad.pth")
    with pytest.raises(pickle.UnpicklingError):
        CheckpointLoader.load_checkpoint(str(tmp_path / "bad.pth"), "cpu", logger="silent")
