"""Which tasks a request means, what a submission remembers, DVC's files under kills, and the errors of bad input."""

from __future__ import annotations

import argparse
import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
import yaml
from cluster_project import cluster, project, settings
from helpers import ROOT
from hypothesis import given
from hypothesis import strategies as st

from pipelines.cluster.__main__ import main, minutes
from pipelines.cluster.plan import all_tasks, choose, prepare
from pipelines.cluster.repro import WholeFiles, _drop_stale
from pipelines.cluster.runner import SIGNALLED
from pipelines.cluster.state import Attempt, Limits, Record, Send, Store, Submission, Task, flock
from pipelines.cluster.status import look, table
from pipelines.cluster.submit import requeue, sort_out
from pipelines.common import PipelineError, last_error, load_params
from pipelines.training.launch import offered_gpus, processes


def tasks(profile: str, recipe: str = "paper") -> dict[str, Task]:
    return all_tasks(ROOT, load_params(), profile, recipe)


def ids(profile: str, recipe: str = "paper", **how: object) -> list[str]:
    return list(choose(tasks(profile, recipe), profile=profile, **how))


def test_a_request_means_rows_by_table_and_seeds():
    paper = ids("paper", tables=["5"], seeds=3)
    assert len(paper) == 12
    assert "t5_dynamic_shift_max.paper.s2" in paper
    assert ids("paper", "official", tables=["5"], rows=["t5_relu"], seeds=1) == ["t5_relu.official.s0"]
    assert {name.split("_")[0] for name in ids("paper", tables=["4"])} == {"t4a", "t4b", "t4c"}
    assert len(ids("proxy", seeds=2)) * 3 == len(ids("proxy")) * 2
    assert len(ids("mini")) == 62
    assert tasks("mini")["t8_micronet_m1"].stages == ["more/dvc.yaml:train_pose@t8_micronet_m1"]


@pytest.mark.parametrize(
    ("profile", "how", "message"),
    [
        ("proxy", {"tables": ["8"]}, "--table 8: profile proxy has stages for 3, 4a"),
        ("paper", {"rows": ["t5_none"]}, "--row t5_none: profile paper has no stage"),
        ("paper", {"rows": ["t5_relu"], "tables": ["2"]}, "no row of --row lies in a table of --table 2"),
        ("paper", {"seeds": 4}, "--seeds 4: profile paper has stages for 3; add to paper.seeds"),
        ("mini", {"seeds": 2}, "--seeds 2: profile mini has stages for 1"),
    ],
)
def test_a_request_without_stages_is_refused(profile, how, message):
    with pytest.raises(PipelineError, match=message):
        choose(tasks(profile), profile=profile, **how)


@pytest.mark.slow
def test_every_task_names_stages_that_dvc_knows():
    done = subprocess.run(
        [sys.executable, "-m", "dvc", "stage", "list", "--all", "--name-only"], cwd=ROOT, capture_output=True,
        text=True, check=True,
    )  # fmt: skip
    known = set(done.stdout.split())
    wanted = [tasks("mini"), tasks("proxy"), tasks("paper"), tasks("paper", "official")]
    named = [stage for found in wanted for task in found.values() for stage in task.stages]
    assert len(named) == len(set(named)) == 62 + 29 * 3 + (62 + 48) * 3
    assert set(named) <= known


def test_full_size_stages_state_what_their_tasks_expect():
    stages = yaml.safe_load((ROOT / "full/dvc.yaml").read_text())["stages"]
    for recipe in ("paper", "official"):
        for task in tasks("paper", recipe).values():
            stage = stages[task.stages[0].partition(":")[2].partition("@")[0]]
            assert task.row in stage["matrix"]["row"]
            if task.table in "89":  # one recipe each
                assert stage["cmd"].startswith("python -m pipelines full_dense ")
            else:
                assert f"--recipe {recipe} " in stage["cmd"]
            filled = yaml.safe_dump(stage).replace("${item.row}", task.row).replace("${item.seed}", str(task.seed))
            outs = yaml.safe_load(filled)["outs"]
            assert task.kept in outs
            assert {task.evidence: {"cache": False}} in outs


@pytest.mark.parametrize(
    ("text", "expected"),
    [("90", 90), ("10:30", 11), ("2:00:00", 120), ("1-0", 1440), ("1-2:30", 1590), ("0:00:30", 1)],
)
def test_time_limits_are_read_as_slurm_writes_them(text, expected):
    assert minutes(text) == expected


@pytest.mark.parametrize("text", ["", "0", "1d", "1:2:3:4", "-5"])
def test_other_time_limits_are_refused(text):
    with pytest.raises(argparse.ArgumentTypeError):
        minutes(text)


def test_gpus_come_from_the_environment():
    assert offered_gpus({}) is None
    assert offered_gpus({"CUDA_VISIBLE_DEVICES": ""}) == 0
    assert offered_gpus({"CUDA_VISIBLE_DEVICES": "2,0,-1,3"}) == 2
    assert offered_gpus({"SLURM_GPUS_ON_NODE": "8"}) == 8
    assert offered_gpus({"CUDA_VISIBLE_DEVICES": "0,1", "SLURM_GPUS_ON_NODE": "8"}) == 2
    assert processes(0, {}) == 1
    assert processes(4, {}) == 4
    assert processes(4, {"CUDA_VISIBLE_DEVICES": "0,1"}) == 2
    with pytest.raises(PipelineError, match="offers 2 GPUs, torch sees 0"):
        processes(0, {"CUDA_VISIBLE_DEVICES": "0,1"})


def test_the_cause_is_told_from_a_log():
    dvc = "ERROR: failed to reproduce 'x': failed to run: python -m y, exited with 1\n"
    assert last_error("Running stage\nerror: a.py: broken; mend it\nmore\n" + dvc) == "a.py: broken; mend it"
    assert last_error("bar  1%\rbar 20%\rValueError: no\n" + dvc) == "ValueError: no"
    assert last_error("") == "no message"
    assert SIGNALLED.search("failed to run: python x, exited with -9").group(1) == "-9"
    assert SIGNALLED.search("exitcode  : -15 (pid: 3)").group(1) == "-15"
    assert SIGNALLED.search("exited with 137").group(1) == "137"
    assert not SIGNALLED.search("exited with 1\n")
    assert not SIGNALLED.search("exited with 13")


# What a submission remembers


@given(st.lists(st.sampled_from(["done", "failed", "killed", "timeout", "lost", "cancelled"]), max_size=8),
       st.integers(0, 4))  # fmt: skip
def test_only_attempts_of_the_newest_send_count(endings, before):
    record = Record(task="x", attempts=[
        Attempt(token="t", job=None, host="h", started=1.0, ended=2.0, ending=ending) for ending in endings
    ])  # fmt: skip
    failed, interrupted = record.counts(before)
    assert failed == endings[before:].count("failed")
    assert interrupted == sum(endings[before:].count(e) for e in ("killed", "timeout", "lost", "terminated"))
    assert Record.model_validate(json.loads(record.model_dump_json(by_alias=True))) == record


def submission(*names: str, **send: object) -> Submission:
    found = {n: Task(id=n, row=n, table="5", seed=0, stages=["s"], evidence=f"results/proxy/5/{n}.json") for n in names}
    sends = [Send(nonce="n", executor="local", sent="now", tasks=list(names), before={}, limits=Limits(), **send)]
    return Submission(name="x", profile="proxy", recipe="paper", tasks=found, sends=sends)


def attempt(ending: str | None, error: str = "") -> Attempt:
    return Attempt(token="t", job=None, host="h", started=1.0, ended=ending and 2.0, ending=ending, error=error)


def test_states_come_from_record_lock_and_limits(tmp_path):
    store = Store(tmp_path, "x")
    found = submission("done", "lost", "failed", "new", "once", "running", "cancelled", "killed")
    store.save(found)
    for name, endings in {
        "done": ["failed", "done"], "lost": [None], "failed": ["failed"] * 3, "once": ["failed"], "running": [None],
        "cancelled": ["cancelled"], "killed": ["killed"] * 21,
    }.items():  # fmt: skip
        store.save_record(Record(task=name, attempts=[attempt(e, "why" if e == "failed" else "") for e in endings]))
    store.path("cancelled", "cancel").touch()
    with flock(store.path("running", "lock")) as got:
        assert got
        views = {v.task: v for v in look(store, store.load())[0]}
    states = {name: view.state for name, view in views.items()}
    assert states == {
        "done": "done", "lost": "lost", "failed": "failed", "new": "lost", "once": "lost", "running": "running",
        "cancelled": "cancelled", "killed": "failed",
    }  # fmt: skip
    assert views["failed"].note == "why"
    assert "21 interruptions" in views["killed"].note
    text = table("x", list(views.values()), 80)
    assert "x: 1 done, 1 running, 3 failed, 3 lost".replace("3 failed", "2 failed") in text
    assert max(map(len, text.splitlines())) <= 80
    with flock(store.folder / "local.lock"):
        assert {v.task for v in look(store, store.load())[0] if v.state == "pending"} == {"new"}


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("{", "submission.json: no valid JSON"),
        ('{"schema": 2}', "submission.json: schema: Input should be 1"),
        ('{"schema": 1, "name": "y", "profile": "mini", "recipe": "paper"}', "is of submission 'y'"),
    ],
)
def test_a_corrupt_state_is_one_error_that_names_the_file(tmp_path, content, message):
    store = Store(tmp_path, "x")
    store.folder.mkdir(parents=True)
    (store.folder / "submission.json").write_text(content)
    with pytest.raises(PipelineError, match=message) as error:
        store.load()
    assert "\n" not in str(error.value)
    (store.folder / "tasks").mkdir()
    store.path("t", "json").write_text(content)
    with pytest.raises(PipelineError, match="t.json: .*delete it: the attempts before are forgotten"):
        store.record("t")


def test_names_cannot_leave_the_folder(tmp_path):
    for name in ("../x", "", "a/b", ".x", "x" * 65):
        with pytest.raises(PipelineError, match="--name"):
            Store(tmp_path, name)


# DVC's files


def test_files_appear_whole_or_not_at_all(tmp_path):
    path = tmp_path / "dvc.lock"
    path.write_text("old")

    def dies() -> None:
        with WholeFiles().open(str(path), "w+", encoding="utf-8") as file:
            file.write("half")
            raise KeyError

    with pytest.raises(KeyError):
        dies()
    assert path.read_text() == "old"
    with WholeFiles().open(str(path), "w+", encoding="utf-8") as file:
        file.write("new")
        assert path.read_text() == "old"
    assert path.read_text() == "new"
    assert [p.name for p in tmp_path.iterdir()] == ["dvc.lock"]


def test_what_a_killed_stage_left_in_rwlock_is_dropped():
    mine, dead, other = {"pid": 7, "cmd": "a"}, {"pid": 5, "cmd": "a"}, {"pid": 5, "cmd": "b"}
    lock = {"write": {"x": dict(dead), "y": dict(other)}, "read": {"z": [dict(dead), dict(other)], "w": [dict(dead)]}}
    _drop_stale(lock, "a", mine["pid"])
    assert lock == {"write": {"y": other}, "read": {"z": [other]}}


def test_what_a_dead_process_left_in_rwlock_is_dropped_before_its_parent_reaps_it():
    mine, living = {"pid": 7, "cmd": "a"}, {"pid": os.getppid(), "cmd": "b"}
    dead = subprocess.Popen([sys.executable, "-c", ""], stdin=subprocess.DEVNULL)
    os.waitid(os.P_PID, dead.pid, os.WEXITED | os.WNOWAIT)
    lock = {"write": {"x": {"pid": dead.pid, "cmd": "b"}}, "read": {"z": [{"pid": dead.pid, "cmd": "c"}, dict(living)]}}
    _drop_stale(lock, "a", mine["pid"])
    dead.wait()
    assert lock == {"write": {}, "read": {"z": [living]}}


DIE = """
import io, os, signal, sys
from pipelines.cluster import repro
if sys.argv.pop(1) == "whole":
    repro.write_whole()
from dvc.utils.serialize import _yaml
dump = _yaml._dump
def half(data, stream):
    text = io.StringIO()
    dump(data, text)
    stream.write(text.getvalue()[:len(text.getvalue()) // 2])
    stream.flush()
    os.kill(os.getpid(), signal.SIGKILL)
_yaml._dump = half
from dvc.cli import main
main(sys.argv[1:])
"""


@pytest.mark.slow
def test_a_kill_while_dvc_writes_its_lock_file_loses_no_entry(tmp_path):
    project(tmp_path, rows=2, seeds=1, steps=1, seconds=0)
    first, second = (f"proxy/dvc.yaml:table5@t5_r0{i}-0" for i in range(2))
    env = {**os.environ, "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"}
    whole = [sys.executable, "-m", "pipelines.cluster.repro", "--wait-for-lock", "repro", "-s"]
    subprocess.run([*whole, first], cwd=tmp_path, env=env, check=True, capture_output=True)
    lock = tmp_path / "proxy/dvc.lock"
    before = lock.read_bytes()

    def dies(how: str) -> None:
        command = [sys.executable, "-c", DIE, how, "repro", "--no-run-cache", "-s", second]
        done = subprocess.run(command, cwd=tmp_path, env=env, capture_output=True)
        assert done.returncode == -signal.SIGKILL, done.stderr

    dies("in place")  # what DVC does by itself
    assert lock.read_bytes() != before
    lock.write_bytes(before)
    dies("whole")
    assert lock.read_bytes() == before
    subprocess.run([*whole, second], cwd=tmp_path, env=env, check=True, capture_output=True)
    assert len(yaml.safe_load(lock.read_text())["stages"]) == 2


# Bad input


@pytest.mark.slow
def test_bad_input_is_one_line(tmp_path):
    project(tmp_path, rows=1, seeds=1)
    submit = ["submit", "--profile", "proxy", "--executor", "local"]

    def error(*args: str, env: dict[str, str] | None = None) -> str:
        done = cluster(tmp_path, *args, env=env)
        assert done.returncode == 1
        assert done.stderr.startswith("error: ")
        assert done.stderr.count("\n") == 1
        return done.stderr

    assert "nothing was submitted yet" in error("status")
    assert "--amp: profile proxy has no mixed precision" in error(*submit, "--amp")
    no_slurm = {**os.environ, "PATH": str(Path(sys.executable).parent)}
    assert "sbatch: not found; run this on a Slurm login node" in error("submit", "--profile", "proxy", env=no_slurm)
    (tmp_path / "data/cifar10.npz").rename(tmp_path / "data/away")
    assert "cifar10.npz: missing; make it by" in error(*submit)
    assert not (tmp_path / "work_dirs").exists()
    paper = tasks("paper")
    for name, data in (("t5_relu", "ImageNet"), ("t8_micronet_m0", "COCO 2017"), ("t9_micronet_m0", "Cityscapes")):
        with pytest.raises(PipelineError, match=f"{data} is not there; "):
            prepare(tmp_path, {}, "paper", [paper[f"{name}.paper.s0"]])


def fake(folder: Path, monkeypatch, **scripts: str) -> None:
    """Put commands of Slurm's names before all others."""
    folder.mkdir(exist_ok=True)
    for name, script in scripts.items():
        (folder / name).write_text(f"#!/bin/sh\n{script}\n")
        (folder / name).chmod(0o755)
    monkeypatch.setenv("PATH", f"{folder}{os.pathsep}{os.environ['PATH']}")


def test_while_slurm_does_not_answer_nothing_is_lost_nor_sent_twice(tmp_path, monkeypatch):
    fake(tmp_path / "bin", monkeypatch, squeue="echo 'slurm_load_jobs error: Unable to contact controller' >&2; exit 1")
    store = Store(tmp_path, "x")
    found = submission("a", "b")
    found.sends[0].executor, found.sends[0].jobs = "slurm", {"a": "7_0", "b": "7_1"}
    store.save(found)
    store.save_record(Record(task="a", attempts=[attempt("done")]))
    views, fault = look(store, found)
    assert {v.task: v.state for v in views} == {"a": "done", "b": "unknown"}
    assert fault == "squeue: slurm_load_jobs error: Unable to contact controller"
    assert requeue(store) == 0
    assert store.load() == found
    with pytest.raises(PipelineError, match="Unable to contact controller"):
        sort_out(store, found, list(found.tasks.values()))


def test_what_slurm_refuses_is_told_and_not_remembered(tmp_path, monkeypatch):
    project(tmp_path, rows=1, seeds=1)
    refusal = "echo 'sbatch: error: Batch job submission failed: Invalid account or account/partition' >&2; exit 1"
    fake(tmp_path / "bin", monkeypatch, sbatch=refusal, srun="", squeue="", scancel="")
    argv = ["submit", "--root", str(tmp_path), "--profile", "proxy"]
    with pytest.raises(PipelineError, match="^sbatch: .*Invalid account or account/partition"):
        main(argv)
    assert Store(tmp_path, "proxy").load().sends == []
    fake(tmp_path / "bin", monkeypatch, sbatch="echo Submitted batch job 7")
    assert main(argv) == 0
    assert Store(tmp_path, "proxy").load().sends[0].jobs == {"t5_relu.s0": "7"}


def test_a_dry_run_prints_commands_and_sends_nothing(tmp_path, capsys):
    project(tmp_path, rows=2, seeds=2)
    settings(tmp_path, broken=[])
    assert main(["submit", "--root", str(tmp_path), "--profile", "proxy", "--dry-run", "--gpus-per-task", "4",
                 "--time", "3-0", "--partition", "big"]) == 0  # fmt: skip
    out = capsys.readouterr().out
    assert "t5_se_relu.s1: dvc --wait-for-lock repro -s proxy/dvc.yaml:table5@t5_se_relu-1" in out
    assert "sbatch gpus_per_node: 4" in out
    assert "sbatch time: 4320" in out
    assert "sbatch partition: big" in out
    assert not (tmp_path / "work_dirs").exists()
