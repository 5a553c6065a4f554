"""Run a stage in a process of its own that finds the libraries imported already: no start-up is paid twice."""

from __future__ import annotations

import importlib
import multiprocessing
import os
import sys
import threading
from multiprocessing.connection import wait
from multiprocessing.context import BaseContext
from pathlib import Path

#: What most stages import; processes forked from one that has it start in a moment.
PRELOAD = [
    "pipelines.training.__main__",
    "matplotlib.pyplot",
    "timm",
]
#: One thread a stage, several stages at a time: threads that spin while another process has their core cost a multiple.
ENVIRONMENT = {
    "OMP_NUM_THREADS": "1",
    "OPENBLAS_NUM_THREADS": "1",
    "MKL_NUM_THREADS": "1",
    "VECLIB_MAXIMUM_THREADS": "1",
    "NO_ALBUMENTATIONS_UPDATE": "1",
}


def context() -> BaseContext:
    """Return the context whose processes run stages: forked from a server that imported them, where the system can."""
    for name, value in ENVIRONMENT.items():
        os.environ.setdefault(name, value)
    if "forkserver" not in multiprocessing.get_all_start_methods():  # Windows
        return multiprocessing.get_context("spawn")
    found = multiprocessing.get_context("forkserver")
    found.set_forkserver_preload(PRELOAD)
    return found


def run(module: str, arguments: tuple[str, ...], root: str, log: str) -> None:
    """Do what `python -m module arguments` does in `root`, all that it prints going to `log`; exits with its code."""
    _follow_parent()
    os.chdir(root)
    sys.path[:0] = [root]
    file = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o644)
    for descriptor in (1, 2):
        os.dup2(file, descriptor)
    for stream in (sys.stdout, sys.stderr):
        stream.reconfigure(encoding="utf-8", errors="backslashreplace", line_buffering=True)  # type: ignore[union-attr]
    sys.argv = [module, *arguments]
    from pipelines.common import guard

    code = guard(importlib.import_module(module).main)
    sys.stdout.flush()
    sys.stderr.flush()
    sys.exit(code)


def _follow_parent() -> None:
    """End this process when the one that asked for it is gone, however it ended."""
    parent = multiprocessing.parent_process()
    if parent is None:
        return

    def follow() -> None:
        wait([parent.sentinel])
        os._exit(1)

    threading.Thread(target=follow, daemon=True).start()


def log_path(root: Path, name: str) -> Path:
    """Return where a stage's output goes."""
    return root / "work_dirs/repro" / (name.replace("/", "_").replace(":", "_") + ".log")
