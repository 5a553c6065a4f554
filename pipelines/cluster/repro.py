"""DVC's own command with files that survive a kill: python -m pipelines.cluster.repro --wait-for-lock repro -s STAGE.

What several `dvc repro -s` at once do (DVC 3.67, dvc/stage/run.py, dvc/rwlock.py, dvc/dvcfile.py):
- The lock on .dvc/tmp/lock is held while DVC reads the pipeline, hashes dependencies, caches outs and writes dvc.lock.
  While the stage's command runs it is released, so commands run side by side. --wait-for-lock waits for it; without,
  DVC gives up after 3 seconds. The system frees it when DVC is killed.
- .dvc/tmp/rwlock lists, for as long as a stage runs, the paths that it reads and writes, with DVC's process id. Two
  stages that write one path, or of which one reads what the other writes, exclude each other; readers do not.
- dvc.lock is read anew, changed by this stage's entry and written while the lock is held: no entry is lost.
But both files are rewritten in place: a kill in mid-write leaves half a dvc.lock, and every task's entry is gone. So
here they are written whole and renamed. And a killed stage's lines in rwlock stay: on the same machine DVC drops them
as their process is gone, but not while nobody has asked for its exit status; on another one that id may belong to
anybody. As a task holds its own lock (runner.py), what its own command left there is stale.
"""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, TextIO

from evidence.io import write_text_atomic
from pipelines.common import guard
from pipelines.repro.checkout import check_dvc


class WholeFiles:
    """Serve a DVC file system (None: the local one) whose written text files appear when they are complete."""

    def __init__(self, fs: Any = None) -> None:
        self._fs = fs

    def __getattr__(self, name: str) -> Any:
        return getattr(self._fs, name)

    def open(self, path: str, mode: str = "r", **kwargs: Any) -> Any:
        """Open a file; one that is written goes to a temporary file first."""
        if mode in ("w", "w+"):
            return _whole(Path(path))
        return self._fs.open(path, mode, **kwargs) if self._fs else open(path, mode, **kwargs)


@contextlib.contextmanager
def _whole(path: Path) -> Iterator[TextIO]:
    import io

    stream = io.StringIO()
    yield stream
    write_text_atomic(path, stream.getvalue())


def write_whole() -> None:
    """Make this process's DVC write dvc.lock and its list of read and written paths whole."""
    from dvc import rwlock
    from dvc.utils.serialize import _common, _yaml

    def dump(path: Any, data: Any, dumper: Any, fs: Any = None, **kwargs: Any) -> None:
        original(path, data, dumper, fs=WholeFiles(fs), **kwargs)

    @contextlib.contextmanager
    def edit(lock_dir: str, fs: Any, hardlink: bool) -> Iterator[dict[str, Any]]:
        with edit_original(lock_dir, WholeFiles(fs), hardlink) as lock:
            _drop_stale(lock, " ".join(sys.argv), os.getpid())
            yield lock

    original, edit_original = _common._dump_data, rwlock._edit_rwlock
    _common._dump_data = _yaml._dump_data = dump
    rwlock._edit_rwlock = edit


def _drop_stale(lock: dict[str, Any], command: str, pid: int) -> None:
    """Remove what the same command left when it was killed, and what processes left that ended but are still listed."""

    def stale(info: dict[str, Any]) -> bool:
        return info.get("pid") != pid and (info.get("cmd") == command or _zombie(info.get("pid")))

    for path, info in list(lock["write"].items()):
        if stale(info):
            del lock["write"][path]
    for path, infos in list(lock["read"].items()):
        lock["read"][path] = [info for info in infos if not stale(info)]
        if not lock["read"][path]:
            del lock["read"][path]


def _zombie(pid: Any) -> bool:
    import psutil  # DVC's own

    try:
        return psutil.Process(int(pid)).status() == psutil.STATUS_ZOMBIE
    except (psutil.Error, TypeError, ValueError):
        return False


def look_often() -> None:
    """Make DVC look for its lock ten times a second, not twice: many short tasks would wait more than work."""
    from dvc import lock

    lock.DEFAULT_TIMEOUT = 0.6  # DVC sleeps for a sixth of it; with --wait-for-lock it bounds nothing


def main() -> int:
    """Run DVC on the command line's arguments. Raises PipelineError where this checkout would stop it."""
    check_dvc(Path.cwd())
    look_often()
    write_whole()
    from dvc.cli import main as dvc

    return dvc(sys.argv[1:])


if __name__ == "__main__":
    raise SystemExit(guard(main))
