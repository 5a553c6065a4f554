"""The Slurm executor against real daemons: kills of every kind lose nothing, GPUs are not shared, bad input ends."""

from __future__ import annotations

import contextlib
import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from cluster_project import chain, kept, notes, pids, project, settings, status
from helpers import ROOT
from hold import until
from slurm_daemons import GPUS, Slurm, processes_of

from pipelines.cluster import slurm as slurm_executor
from pipelines.cluster.__main__ import main
from pipelines.cluster.processes import processes_marked
from pipelines.cluster.runner import MARK
from pipelines.cluster.state import Store
from pipelines.cluster.status import View, look
from pipelines.cluster.submit import requeue


def queued(slurm: Slurm) -> dict[str, str]:
    """Return the jobs that Slurm has: id to state."""
    lines = slurm.run("squeue", "-h", "-r", "-o", "%i %T").splitlines()
    return dict(line.split() for line in lines)


@pytest.fixture
def cluster(tmp_path, slurm, capsys) -> Callable[..., tuple[int, str]]:
    """Return the command line as a function: exit code and what it prints. A new Python each would slow the tasks."""

    def call(name: str, *args: str) -> tuple[int, str]:
        code = main([name, "--root", str(tmp_path), *args])
        return code, capsys.readouterr().out

    return call


def views(root: Path) -> dict[str, View]:
    """Return what `status` shows."""
    store = Store(root, "proxy")
    found, fault = look(store, store.load())
    assert fault is None
    return {view.task: view for view in found}


def listening(processes: set[int]) -> list[str]:
    """Return the local addresses, in hexadecimal, on which the processes listen."""
    sockets = set()
    for pid in processes:
        for fd in Path(f"/proc/{pid}/fd").iterdir():
            with contextlib.suppress(OSError):
                sockets.add(os.readlink(fd))
    lines = [line.split() for n in ("tcp", "tcp6") for line in Path(f"/proc/net/{n}").read_text().splitlines()[1:]]
    return [line[1].split(":")[0] for line in lines if line[3] == "0A" and f"socket:[{line[9]}]" in sockets]


class Killer:
    """Kill running tasks in every way there is."""

    def __init__(self, root: Path, slurm: Slurm) -> None:
        self.root, self.slurm = root, slurm
        self.refused: list[tuple[list[str], str]] = []
        self.kinds = ["training", "task", "step", "job", "batch", "requeue", "time limit"]

    def kill(self, kind: str, task: str, job: str) -> bool:
        """Kill a task; False where it had just ended."""
        mark = f"{MARK}={self.root}/work_dirs/cluster/proxy/{task}"
        raw = next(iter(self.slurm.run("squeue", "-h", "-j", job, "-o", "%A").split()), "")
        by_signal = {
            "training": lambda: pids(mark, "pipelines train"),
            "task": lambda: pids(f"SLURM_JOB_ID={raw}", "submitit.core._submit"),
            "batch": lambda: pids(f"SLURM_JOB_ID={raw}", "slurm_script"),
            "time limit": lambda: pids(f"SLURM_JOB_ID={raw}", "submitit.core._submit"),
        }
        if kind in by_signal:
            found = by_signal[kind]()
            for pid in found:
                with contextlib.suppress(ProcessLookupError):
                    # before the time limit slurmstepd sends the signal that sbatch was told
                    os.kill(pid, signal.SIGUSR2 if kind == "time limit" else signal.SIGKILL)
            return bool(found)
        command = {
            "step": ["scancel", "--signal=KILL", f"{raw}.0"],
            "job": ["scancel", "--signal=KILL", job],
            "requeue": ["scontrol", "requeue", job],
        }[kind]
        struck = set(pids(mark, "pipelines train"))
        try:
            code, told = self.slurm.call(*command, timeout=20)
        except subprocess.TimeoutExpired:  # scancel asks again and again for a step that its own signal ended
            return bool(struck) and not struck & set(pids(mark, "pipelines train"))
        self.refused += [(command, told)] if code else []
        return code == 0


#: How an attempt may be seen to end by a kill; it may also have been done just before.
ENDINGS = {
    "training": {"killed"}, "task": {"lost"}, "step": {"lost"}, "job": {"terminated", "lost"},
    "batch": {"terminated", "lost"}, "requeue": {"terminated", "lost"}, "time limit": {"timeout"},
}  # fmt: skip


@pytest.mark.slow
@pytest.mark.long
def test_three_waves_of_rows_and_seven_kills_lose_nothing(slurm, cluster, tmp_path):
    steps = 5
    names = project(tmp_path, rows=8, seeds=3, steps=steps, seconds=0.15)
    assert len(names) == 3 * GPUS
    settings(tmp_path, hold=4)  # until all kills are done: their number must not depend on the machine's speed
    sent = cluster(
        "submit", "--profile", "proxy", "--table", "3", "5", "--seeds", "3", "--gpus-per-task", "1", "--cpus-per-task",
        "1",
    )  # fmt: skip
    assert sent[0] == 0
    assert "24 to send" in sent[1]
    assert "24 on their way, 0 to send" in cluster("submit", "--profile", "proxy", "--gpus-per-task", "1")[1]

    rng = random.Random(0)
    killer = Killer(tmp_path, slurm)
    rng.shuffle(killer.kinds)
    killed: dict[str, str] = {}
    deadline, pause, look_again = time.monotonic() + 240, 0.0, 0.0
    while True:
        if time.monotonic() > look_again:
            requeue(Store(tmp_path, "proxy"))  # as `status --watch --requeue` does
            look_again = time.monotonic() + 4
        tasks = views(tmp_path)
        running = [
            t for t in tasks.values() if t.state == "running" and t.note.startswith("step") and t.task not in killed
        ]
        if killer.kinds and running and time.monotonic() > pause:
            victim = rng.choice(running)
            if killer.kill(killer.kinds[0], victim.task, victim.job):
                killed[victim.task] = killer.kinds.pop(0)
                settings(tmp_path, passed=list(killed), hold=4 if killer.kinds else None)
            pause = time.monotonic() + rng.uniform(0, 1)
        if all(t.state == "done" for t in tasks.values()):
            break
        assert time.monotonic() < deadline, [t for t in tasks.values() if t.state != "done"]
        time.sleep(0.3)

    assert len(killed) == 7, (killed, killer.kinds, killer.refused)
    for name in names:
        assert (tmp_path / f"checkpoints/proxy/{name}.pth").read_text() == chain(name, steps), name
        noted = notes(tmp_path, name)
        assert noted[-1] == "end", (name, noted)
        assert not any(line.startswith("shared") for line in noted), (name, noted)
        given = [line.removeprefix("start ") for line in noted if line.startswith("start")]
        assert all(len(gpus.split(",")) == 1 and gpus for gpus in given), (name, noted)
    for name, kind in killed.items():
        endings = [attempt.ending for attempt in Store(tmp_path, "proxy").record(name).attempts]
        assert endings[-1] == "done", (name, kind, endings)
        assert set(endings[:-1]) <= {*ENDINGS[kind], "done"}, (name, kind, endings)
    code, told = cluster("collect")
    assert code == 0, told
    assert "24 of 24 results are there and sound" in told
    assert "recorded 24 of them" in told
    assert status(tmp_path, "proxy/dvc.yaml") == {}
    assert "24 finished, 0 on their way, 0 to send" in cluster("submit", "--profile", "proxy")[1]


@pytest.mark.slow
@pytest.mark.long
def test_failures_end_gpus_are_exclusive_and_cancelled_tasks_resume(cluster, tmp_path, monkeypatch):
    project(tmp_path, rows=5, seeds=1, steps=8, seconds=0.15, broken=("t5_dynamic_shift_max.s0",))
    send = ["submit", "--profile", "proxy", "--gpus-per-task", "3", "--cpus-per-task", "1", "--attempts", "2"]
    assert "4 to send" in cluster(*send, "--table", "5")[1]
    # the task that cannot work is tried twice, then its own last words stand in the table
    until(lambda: views(tmp_path)["t5_dynamic_shift_max.s0"].state == "failed", 60, "it never failed")
    monkeypatch.setenv("COLUMNS", "200")
    line = next(line for line in cluster("status")[1].splitlines() if line.startswith("t5_dynamic_shift_max.s0"))
    assert line.split()[1:3] == ["failed", "2"]
    assert "data/t5_dynamic_shift_max.s0: broken on purpose; mend it" in line

    until(lambda: all(v.state in ("done", "failed") for v in views(tmp_path).values()), 60, "others do not end")
    given = {name: set(notes(tmp_path, name)[0].removeprefix("start ").split(",")) for name in views(tmp_path)}
    assert all(len(gpus) == 3 for gpus in given.values()), given
    assert not any("shared" in line for name in given for line in notes(tmp_path, name))
    code, told = cluster("collect")
    assert code == 1
    assert "t5_dynamic_shift_max.s0: failed: data/t5_dynamic_shift_max.s0: broken on purpose" in told
    assert "3 of 4 results are there and sound" in told

    # mended, it is sent again, with a new row; that one is cancelled in mid-run and goes on where it was
    settings(tmp_path, broken=[], hold=2)
    assert "5 tasks, 3 finished, 0 on their way, 2 to send" in cluster(*send)[1]
    until(lambda: kept(tmp_path, "t3_mobile.s0") == 2, 60, "the new row does not run")
    assert "1 tasks cancelled" in cluster("cancel", "--row", "t3_mobile")[1]
    until(lambda: views(tmp_path)["t3_mobile.s0"].state == "cancelled", 30, "it runs on")
    settings(tmp_path, hold=None)
    assert "1 to send" in cluster(*send)[1]
    code, told = cluster("status", "--watch", "--interval", "0.3")
    assert code == 0, told
    assert "proxy: 5 done of 5" in told
    assert "resume 2" in notes(tmp_path, "t3_mobile.s0")
    assert cluster("collect")[0] == 0


@pytest.mark.slow
@pytest.mark.long
def test_a_lost_node_requeues_and_a_submitter_that_died_is_made_up_for(slurm, tmp_path, monkeypatch):
    names = project(tmp_path, rows=2, seeds=1, steps=4, seconds=0.1)
    settings(tmp_path, hold=2)
    argv = ["submit", "--root", str(tmp_path), "--profile", "proxy", "--cpus-per-task", "1"]
    send = slurm_executor.send

    def dies(*args, **kwargs):
        send(*args, **kwargs)
        raise KeyboardInterrupt  # after sbatch, before the job ids are written down

    with monkeypatch.context() as patched:
        patched.setattr(slurm_executor, "send", dies)
        assert main(argv) == 130
    orphans = queued(slurm)
    assert len(orphans) == 2
    assert main(argv) == 0
    until(lambda: not set(orphans) & set(queued(slurm)), 30, "the jobs that nobody knows of go on")
    until(lambda: all(kept(tmp_path, name) == 2 for name in names), 60, "they do not run")

    slurm.lose_node()
    settings(tmp_path, hold=None)
    assert not list(processes_marked(f"{MARK}={tmp_path}/work_dirs/cluster/proxy/{names[0]}"))
    # what slurmctld does by itself after SlurmdTimeout
    slurm.run("scontrol", "update", "NodeName=localhost", "State=DOWN", "Reason=test", check=True)
    until(lambda: set(queued(slurm).values()) == {"PENDING"}, 60, "Slurm does not requeue them")
    slurm.run("scontrol", "update", "NodeName=localhost", "State=RESUME", check=True)
    slurm.start_node()
    until(lambda: all(v.state == "done" for v in views(tmp_path).values()), 90, "they do not end")
    for name in names:
        endings = [attempt.ending for attempt in Store(tmp_path, "proxy").record(name).attempts]
        assert endings[-2:] == ["lost", "done"], endings
        assert (tmp_path / f"checkpoints/proxy/{name}.pth").read_text() == chain(name, 4)


ALONE = """
import pathlib, sys, time
from hold import until
from slurm_daemons import Slurm, processes_of
slurm = Slurm(pathlib.Path(sys.argv[1]))
slurm.start()
slurm.run("sbatch", "--output=/dev/null", "--wrap", "srun sleep 600")
def sleeps():
    for pid in processes_of(slurm.root):
        try:
            if pathlib.Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\\0")[0].endswith(b"sleep"):
                return True
        except OSError:
            pass
    return False
until(sleeps, 60, "the job does not run")
print("up", flush=True)
time.sleep(600)
"""


@pytest.mark.slow
@pytest.mark.long
def test_daemons_listen_on_loopback_only_and_end_with_the_tests(daemons, tmp_path):
    """`daemons` says whether Slurm can be had; the cluster here is another one, whose owner is killed."""
    command = [sys.executable, "-c", ALONE, str(tmp_path / "slurm")]
    env = {**os.environ, "PYTHONPATH": os.pathsep.join([str(ROOT), str(ROOT / "tests")])}
    owner = subprocess.Popen(command, env=env, stdout=subprocess.PIPE, text=True)
    assert owner.stdout.readline() == "up\n"
    root = tmp_path / "slurm"
    found = set(processes_of(root))
    commands = b" ".join(Path(f"/proc/{pid}/cmdline").read_bytes() for pid in found)
    assert all(word in commands for word in (b"munged", b"slurmctld", b"slurmd", b"slurmstepd", b"sleep"))
    addresses = listening(found)
    assert len(addresses) >= 2
    assert set(addresses) == {"0100007F"}  # 127.0.0.1
    owner.kill()
    owner.wait()
    until(lambda: not list(processes_of(root)), 60, "daemons outlive the tests")
