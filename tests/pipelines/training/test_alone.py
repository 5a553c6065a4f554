"""A run is trained by one process at a time, whoever starts it."""

from __future__ import annotations

import subprocess
import sys
import threading

import pytest
import yaml
from filelock import FileLock, Timeout
from full_runs import RUN
from helpers import ROOT
from hold import Hold, until

from pipelines import arguments
from pipelines.cluster.state import Task
from pipelines.data import imagenet
from pipelines.training import run as runs
from pipelines.training.job import Options, paper_job


@pytest.fixture
def job(tmp_path):
    return paper_job("t8_micronet_m0", "paper", 0, tmp_path, "pin", Options(), out=tmp_path)


def test_a_run_waits_for_another_of_the_same(job, monkeypatch, capsys):
    monkeypatch.setattr(runs, "TURN", 0.05)
    monkeypatch.setattr(runs, "run_held", lambda job: {"AP": 1.0})
    path = job.out / "work_dirs/paper/t8_micronet_m0.paper.s0.lock"
    path.parent.mkdir(parents=True)
    found = []
    with FileLock(path):
        thread = threading.Thread(target=lambda: found.append(runs.run(job)))
        thread.start()
        thread.join(0.5)
        assert thread.is_alive()
        assert not found
    thread.join(30)
    assert found == [{"AP": 1.0}]
    assert capsys.readouterr().err.count("t8_micronet_m0.paper.s0: another process trains it") == 1
    assert runs.run(job) == {"AP": 1.0}  # nobody holds it
    assert capsys.readouterr().err == ""


def test_a_killed_process_lets_go(job, monkeypatch):
    monkeypatch.setattr(runs, "run_held", lambda job: {"AP": 1.0})
    path = job.out / "work_dirs/paper/t8_micronet_m0.paper.s0.lock"
    path.parent.mkdir(parents=True)
    code = f"import filelock as f, time; k = f.FileLock({str(path)!r}); k.acquire(); print('held', flush=True)"
    code += "; time.sleep(99)"
    holder = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True)
    assert holder.stdout is not None
    assert holder.stdout.readline() == "held\n"
    with pytest.raises(Timeout):
        FileLock(path).acquire(timeout=0)
    holder.kill()
    holder.wait()
    assert runs.run(job) == {"AP": 1.0}


def test_others_are_not_waited_for(job, tmp_path, monkeypatch):
    monkeypatch.setattr(runs, "run_held", lambda job: {"AP": float(job.seed)})
    other = paper_job("t8_micronet_m0", "paper", 1, tmp_path, "pin", Options(), out=tmp_path)
    with runs.alone(job):
        assert runs.run(other) == {"AP": 1.0}


def test_a_clusters_task_and_a_stage_train_the_same_run(job):
    """Both start the trainer in one folder on a job of one name, after which the lock is called."""
    task = Task(row="t8_micronet_m0", table="8", kind="pose", profile="paper", recipe="paper", seed=0)
    stages = yaml.safe_load((ROOT / "full/dvc.yaml").read_text("utf-8"))["stages"]
    command = stages["coco"]["cmd"].replace("${item.row}", task.row).replace("${item.seed}", "0")
    assert arguments.train().parse_args(command.split()[4:]) == arguments.train().parse_args(task.command()[3:])
    assert task.evidence == job.evidence.as_posix()


@pytest.mark.slow
@pytest.mark.long
def test_two_trainings_of_one_run_are_one(tmp_path, forks):
    data = imagenet.draw_tiny(tmp_path / "data/imagenet", classes=3, train=4, val=2)
    hold = Hold(tmp_path / "hold")
    command = ["-c", hold.code + RUN.replace("{changes}", repr({"batch_size": 8, "epochs": 2})), "t2_micronet_m0", data]
    command += [tmp_path / "out", 0, "paper"]
    hold.after(1)
    first = forks.start(*command, stderr=tmp_path / "first")
    until(lambda: hold.reached(1) or first.poll() is not None, 300, "its first epoch does not end")
    second = forks.start(*command, stderr=tmp_path / "second")
    said = tmp_path / "second"
    until(said.exists, 60, "it does not start")
    until(lambda: "another process trains it" in said.read_text() or second.poll() is not None, 60, "it does not wait")
    assert first.poll() is None
    hold.release(1)
    assert (first.wait(), second.wait()) == (0, 0)
    assert "t2_micronet_m0.paper.s0: trained already" in said.read_text()
    assert "resuming" not in said.read_text()
