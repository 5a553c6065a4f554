"""A task's processes, known by their environment, end with the process that runs the task, whatever ends that.

Run as a file, this is the guard that sees to it: it waits for its input to end and kills what is marked. Linux's
parent-death signal would not do: torchrun starts the trainings and they their loaders, and the signal passes on to no
grandchild. psutil alone: every attempt starts one.
"""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping

#: What a batch system or a terminal sends to everything that a job runs; the runner answers those.
NOT_FOR_THE_GUARD = ("SIGINT", "SIGTERM", "SIGHUP", "SIGUSR1", "SIGUSR2")


def processes_marked(mark: str) -> Iterator[int]:
    """Return the processes, of this user and machine, whose environment holds `mark` (NAME=value)."""
    import psutil  # here: the guard ignores signals first

    name, _, value = mark.partition("=")
    for process in psutil.process_iter():
        with contextlib.suppress(psutil.Error, OSError):  # gone, or another user's
            if process.pid != os.getpid() and process.environ().get(name) == value:
                yield process.pid


def kill_marked(mark: str, seconds: float = 10) -> None:
    """Kill what a task left running, whatever process group it is in, and wait until it is gone."""
    import psutil

    deadline = time.monotonic() + seconds
    while (found := list(processes_marked(mark))) and time.monotonic() < deadline:
        for pid in found:
            with contextlib.suppress(psutil.Error):
                psutil.Process(pid).kill()
        time.sleep(0.02)


@contextlib.contextmanager
def guarded(mark: str, env: Mapping[str, str]) -> Iterator[None]:
    """Kill what is marked (NAME=value) when this process dies in the block; `env` marks the guard, too."""
    guard = subprocess.Popen(
        [sys.executable, "-I", __file__, mark],
        env=env,
        cwd="/",
        stdin=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    try:
        yield
    finally:
        guard.kill()  # the caller killed it with the rest or has nothing left to kill
        guard.communicate()


def main() -> None:
    """Wait until the starting process closes this one's input, by its death, and kill what is marked."""
    for name in NOT_FOR_THE_GUARD:
        if (number := getattr(signal, name, None)) is not None:  # Windows lacks some
            signal.signal(number, signal.SIG_IGN)
    sys.stdin.buffer.read()
    kill_marked(sys.argv[1])


if __name__ == "__main__":
    main()
