"""The local executor: kills lose nothing, GPUs are shared out, a dead executor's tasks are taken up again."""

from __future__ import annotations

import contextlib
import os
import random
import signal
import subprocess
import sys

import pytest
from cluster_project import chain, cluster, notes, pids, project, settings, status
from helpers import ROOT
from hold import until

from pipelines.cluster.local import gpu_slots, visible_gpus
from pipelines.cluster.runner import MARK
from pipelines.cluster.state import Store
from pipelines.cluster.status import look
from pipelines.common import PipelineError


def test_gpus_are_shared_out():
    assert visible_gpus({"CUDA_VISIBLE_DEVICES": "3, 5,GPU-x"}) == ["3", "5", "GPU-x"]
    assert visible_gpus({"CUDA_VISIBLE_DEVICES": "-1"}) == []
    four = {"CUDA_VISIBLE_DEVICES": "0,1,2,3"}
    assert gpu_slots(2, 8, four) == ["0,1", "2,3"]
    assert gpu_slots(1, 3, four) == ["0", "1", "2"]
    assert gpu_slots(0, 2, {}) == [None, None]
    with pytest.raises(PipelineError, match="--gpus-per-task 5: this machine has 4"):
        gpu_slots(5, 1, four)


@pytest.mark.slow
@pytest.mark.long
def test_kills_lose_nothing_and_a_dead_executor_is_made_up_for(tmp_path):
    steps = 8
    names = project(tmp_path, rows=3, seeds=2, steps=steps, seconds=0.1)
    settings(tmp_path, hold=4)
    env = {**os.environ, "CUDA_VISIBLE_DEVICES": "0,1,2,3,4"}
    command = [
        sys.executable, "-m", "pipelines.cluster", "submit", "--root", str(tmp_path), "--profile", "proxy",
        "--executor", "local", "--jobs", "4", "--gpus-per-task", "1",
    ]  # fmt: skip
    store = Store(tmp_path, "proxy")
    rng = random.Random(1)

    def start() -> subprocess.Popen:
        return subprocess.Popen(command, cwd=ROOT, env=env, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)

    def working() -> list[str]:
        submission = store.load()
        views = look(store, submission)[0] if submission else []
        return [v.task for v in views if v.state == "running" and v.note.startswith("step")]

    def kill(words: str) -> str:
        while True:
            until(working, 60, "nothing works")
            task = rng.choice(working() or [""])
            found = pids(f"{MARK}={store.folder}/{task}", words)
            for pid in found:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
            if found:
                return task

    executor = start()
    killed = {kill("pipelines train")}
    until(working, 60, "nothing works")
    again = cluster(tmp_path, "submit", *command[6:], env=env)
    assert ", 0 to send" in again.stdout, again.stderr
    executor.kill()
    executor.wait()
    until(lambda: {v.state for v in look(store, store.load())[0]} == {"lost"}, 30, "tasks outlive the executor")
    executor = start()
    killed.add(kill("pipelines train"))
    settings(tmp_path, hold=None)
    out, err = executor.communicate(timeout=120)
    assert executor.returncode == 0, err

    assert killed
    for name in names:
        assert (tmp_path / f"checkpoints/proxy/{name}.pth").read_text() == chain(name, steps)
        noted = notes(tmp_path, name)
        assert noted[-1] == "end"
        assert not any(line.startswith("shared") for line in noted), (name, noted)
    assert not (tmp_path / "proxy/dvc.lock").exists()
    collected = cluster(tmp_path, "collect")
    assert collected.returncode == 0, collected.stdout + collected.stderr
    assert "6 of 6 results are there and sound" in collected.stdout
    assert "recorded 6 of them" in collected.stdout
    assert status(tmp_path, "proxy/dvc.yaml") == {}


@pytest.mark.slow
def test_a_failure_is_told_and_a_signal_stops_all(tmp_path):
    project(tmp_path, rows=2, seeds=1, steps=30, seconds=0.2, broken=("t5_relu.s0",))
    submit = ["submit", "--profile", "proxy", "--executor", "local"]
    failed = cluster(tmp_path, *submit, "--row", "t5_relu", "--attempts", "1")
    assert failed.returncode == 1
    assert "t5_relu.s0: failed: data/t5_relu.s0: broken on purpose; mend it" in failed.stderr
    assert len([line for line in notes(tmp_path, "t5_relu.s0") if line.startswith("start")]) == 1

    command = [sys.executable, "-m", "pipelines.cluster", *submit, "--root", str(tmp_path), "--row", "t5_se_relu"]
    running = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    until(lambda: notes(tmp_path, "t5_se_relu.s0") != [], 60, "it does not start")
    other = cluster(tmp_path, *submit, "--name", "other", "--row", "t5_se_relu")  # it runs, for whomever
    assert "1 tasks, 0 finished, 1 on their way, 0 to send" in other.stdout, other.stderr
    running.send_signal(signal.SIGTERM)
    assert running.wait(30) == 1
    assert "t5_se_relu.s0: terminated" in running.stderr.read()
    assert not pids(f"{MARK}={tmp_path}/work_dirs/cluster/proxy/t5_se_relu.s0", "")
