"""Hold what a test will kill at a known step: on a slow or busy machine the kill comes neither early nor late."""

from __future__ import annotations

import time
from pathlib import Path

from pipelines.packed.shard import Task, pack_shard

#: Code for a training process, which waits in the first step after epoch N for as long as FOLDER/hold_N is there.
TRAINING = """
import pathlib as _pathlib, time as _time
from pipelines.training import hooks as _hooks
def _held(plain, folder):
    def call_hook(self, name, **kwargs):
        plain(self, name, **kwargs)
        hold = folder / f"hold_{{self.epoch}}"
        if name == "after_train_iter" and hold.exists():
            (folder / f"held_{{self.epoch}}").touch()
            while hold.exists():
                _time.sleep(0.01)
    return call_hook
_hooks.AtomicRunner.call_hook = _held(_hooks.AtomicRunner.call_hook, _pathlib.Path({folder!r}))
"""


class Hold:
    """Hold trainings that run `code` after some epoch."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        folder.mkdir(parents=True, exist_ok=True)
        self.code = TRAINING.format(folder=str(folder))

    def after(self, epoch: int) -> None:
        """Hold the next trainings in their first step after that many epochs."""
        (self.folder / f"hold_{epoch}").touch()

    def reached(self, epoch: int) -> bool:
        """Tell whether a training is held there."""
        return (self.folder / f"held_{epoch}").exists()

    def release(self, epoch: int) -> None:
        """Let trainings pass."""
        (self.folder / f"hold_{epoch}").unlink()


def pack_first_shards(task: Task) -> tuple:
    """Pack a split's first shard; never end on another."""
    while task.number:
        time.sleep(60)
    return pack_shard(task)
