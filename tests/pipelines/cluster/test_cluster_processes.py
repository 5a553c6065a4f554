"""What a task started ends with the process that runs the task, through any shell and in any session."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from cluster_project import pids
from helpers import ROOT
from hold import until

from pipelines.cluster.processes import guarded, kill_marked

#: Starts a shell that waits for its command, in a session of its own.
RUNNER = """
import os, subprocess, sys, time
from pipelines.cluster.processes import guarded
name, _, value = sys.argv[1].partition("=")
env = {**os.environ, name: value}
with guarded(sys.argv[1], env):
    subprocess.Popen(["/bin/sh", "-c", "sleep 600; true"], env=env, start_new_session=True)
    time.sleep(600)
"""


pytestmark = pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="/proc says what a guard ignores")


@pytest.fixture
def runner(tmp_path) -> tuple[subprocess.Popen, str]:
    """Return a process whose guard and command are there, and their mark."""
    mark = f"MICRONET_TEST={tmp_path}"
    process = subprocess.Popen([sys.executable, "-c", RUNNER, mark], cwd=ROOT)
    try:
        until(lambda: len(pids(mark, "sleep")) == 2, 60, "no command")
        until(lambda: ignores(pids(mark, "processes.py"), signal.SIGTERM), 60, "no guard")
        yield process, mark
    finally:
        process.kill()
        process.wait()
        kill_marked(mark)


def ignores(found: list[int], number: int) -> bool:
    """Tell whether there is a process and it ignores a signal."""
    lines = [line for pid in found for line in Path(f"/proc/{pid}/status").read_text().splitlines()]
    return any(int(line.split()[1], 16) >> (number - 1) & 1 for line in lines if line.startswith("SigIgn:"))


def test_what_is_marked_dies_with_its_runner(runner):
    process, mark = runner
    for pid in pids(mark, "processes.py"):
        os.kill(pid, signal.SIGTERM)  # as Slurm sends it to a whole job
    assert len(pids(mark, "")) == 3
    process.kill()
    process.wait()
    until(lambda: not pids(mark, ""), 30, "it outlives its runner")


def test_the_guard_ends_with_the_block(tmp_path):
    mark = f"MICRONET_TEST={tmp_path}"
    with guarded(mark, {**os.environ, "MICRONET_TEST": str(tmp_path)}):
        until(lambda: pids(mark, "processes.py") != [], 30, "no guard")
    assert not pids(mark, "")
