"""Which tasks a request means, what a submission remembers, what `collect` checks and records, errors of bad input."""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
import yaml
from cluster_project import ROWS, project, status
from helpers import ROOT
from hypothesis import given
from hypothesis import strategies as st

from papertally.evidence.checksum import seal
from papertally.evidence.examples import example_file
from pipelines.cluster.__main__ import main, minutes
from pipelines.cluster.plan import all_tasks, choose, prepare
from pipelines.cluster.runner import SIGNALLED
from pipelines.cluster.state import COUNTED, Attempt, Limits, Record, Send, Store, Submission, Task, flock
from pipelines.cluster.status import look, table
from pipelines.cluster.submit import requeue, sort_out
from pipelines.common import PipelineError, guard, last_error, load_params
from pipelines.training.job import Job
from pipelines.training.launch import offered_gpus, processes
from report.rows import find_row


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
    assert tasks("mini")["t8_micronet_m1"].stage == "train_pose@t8_micronet_m1"
    assert {t.kind for t in tasks("paper", "official").values()} == {"classification"}


@pytest.mark.parametrize(
    ("profile", "how", "message"),
    [
        ("proxy", {"tables": ["8"]}, "--table 8: profile proxy has rows of 3, 4a"),
        ("paper", {"rows": ["t5_none"]}, "--row t5_none: profile paper does not train it"),
        ("paper", {"rows": ["t5_relu"], "tables": ["2"]}, "no row of --row lies in a table of --table 2"),
        ("paper", {"seeds": 4}, "--seeds 4: profile paper has 3; add to paper.seeds"),
        ("mini", {"seeds": 2}, "--seeds 2: profile mini has 1; params.yaml has one"),
    ],
)
def test_a_request_without_stages_is_refused(profile, how, message):
    with pytest.raises(PipelineError, match=message):
        choose(tasks(profile), profile=profile, **how)


@pytest.fixture(scope="module")
def stages() -> dict[str, object]:
    """Return what DVC makes of every stage of the three files: FILE:NAME, or NAME of dvc.yaml."""
    from dvc.repo import Repo

    repo = Repo(str(ROOT))
    files = ("dvc.yaml", "proxy/dvc.yaml", "full/dvc.yaml")
    return {
        stage.name if file == "dvc.yaml" else f"{file}:{stage.name}": stage
        for file in files for stage in repo.stage.load_all(str(ROOT / file))
    }  # fmt: skip


@pytest.mark.slow
@pytest.mark.parametrize(
    ("profile", "recipe", "number"),
    [("mini", "paper", 62), ("proxy", "paper", 29 * 3), ("paper", "paper", 62 * 3), ("paper", "official", 48 * 3)],
)
def test_a_task_runs_what_its_stage_says_and_files_what_it_holds(stages, profile, recipe, number):
    """So that `dvc commit` of the stage records the task, and `dvc repro` of it finds nothing to do."""
    found = tasks(profile, recipe)
    assert len(found) == len({task.stage for task in found.values()}) == number
    for name, task in found.items():
        stage = stages[task.stage]
        job = Job(find_row(task.row), profile, task.seed or 0, {"recipe": recipe} if profile == "paper" else {}, ROOT,
                  "", "", {})  # fmt: skip
        written = {str(path) for path in (job.weights, job.weights.with_suffix(".json"), job.curve, job.picture)}
        assert (name, task.evidence) == (job.stem, job.evidence.as_posix())
        bits = [example_file(job.row.results, profile, job.row.id, task.seed, c, job.settings.get("recipe", ""))
                for c in COUNTED]  # fmt: skip
        assert task.bits == ([path.as_posix() for path in bits] if task.kind == "classification" else [])
        written |= {*task.bits, *(f"checkpoints/paper/{path.name}" for path in bits)}
        assert set(task.files) <= written
        assert {task.evidence, *task.files} == {Path(out.fs_path).relative_to(ROOT).as_posix() for out in stage.outs}
        assert ["python", *task.command()] == stage.cmd.split()


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
    assert last_error("step 1\nerror: a.py: broken; mend it\nmore\n") == "a.py: broken; mend it"
    assert last_error("bar  1%\rbar 20%\rValueError: no\n") == "ValueError: no"
    assert last_error("") == "no message"


@pytest.mark.slow
def test_torchrun_says_by_which_signal_a_process_ended(tmp_path):
    (tmp_path / "ends.py").write_text("import os\nos.kill(os.getpid(), 9)\n")
    done = subprocess.run(
        [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc_per_node", "1", tmp_path / "ends.py"],
        capture_output=True, text=True,
    )  # fmt: skip
    told = done.stdout + done.stderr
    assert done.returncode == 1
    assert SIGNALLED.search(told).group(1) == "9"
    assert not SIGNALLED.search(told.replace("-9", "3"))


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
    found = {n: Task(row=n, table="5", kind="classification", profile="mini") for n in names}
    sends = [Send(nonce="n", executor="local", sent="now", tasks=list(names), before={}, limits=Limits(), **send)]
    return Submission(name="x", profile="mini", recipe="paper", tasks=found, sends=sends)


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
    with flock(store.lock(found.tasks["running"])) as got:
        assert got
        views = {v.task: v for v in look(store, store.load())[0]}
        other = Store(tmp_path, "other")
        other.save(Submission(name="other", profile="mini", recipe="paper", tasks=found.tasks))
        elsewhere = {v.task: v.state for v in look(other, other.load())[0]}
    assert elsewhere == dict.fromkeys(found.tasks, "lost") | {"running": "running"}  # never sent, but one runs
    states = {name: view.state for name, view in views.items()}
    assert states == {
        "done": "done", "lost": "lost", "failed": "failed", "new": "lost", "once": "lost", "running": "running",
        "cancelled": "cancelled", "killed": "failed",
    }  # fmt: skip
    assert views["failed"].note == "why"
    assert "21 interruptions" in views["killed"].note
    text = table("x", list(views.values()), 80)
    assert "x: 1 done, 1 running, 2 failed, 3 lost, 1 cancelled of 8" in text
    assert max(map(len, text.splitlines())) <= 80
    with flock(store.folder / "local.lock"):
        assert {v.task for v in look(store, store.load())[0] if v.state == "pending"} == {"new"}


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("{", "submission.json: no valid JSON"),
        ('{"schema": 1}', "submission.json: schema: Input should be 2"),
        ('{"schema": 2, "name": "y", "profile": "mini", "recipe": "paper"}', "is of submission 'y'"),
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


# What `collect` checks and records


def trained(root: Path, *tasks: Task) -> None:
    """Let the project's trainer run tasks."""
    for task in tasks:
        subprocess.run([sys.executable, *task.command()], cwd=root, check=True, capture_output=True)


def collect(root: Path, capsys, profile: str = "proxy") -> tuple[int, str]:
    """Return the exit code of `collect` and what it prints."""
    code = main(["collect", "--root", str(root), "--profile", profile])
    return code, capsys.readouterr().out


def rewrite(path: Path, **values: object) -> None:
    """Change evidence and seal it anew, as an honest run under other circumstances would have left it."""
    found = json.loads(path.read_text())
    path.write_text(json.dumps(seal({**{k: v for k, v in found.items() if k != "digest"}, **values})))


@pytest.mark.slow
def test_collect_accepts_what_the_report_counts_and_nothing_else(tmp_path, capsys):
    project(tmp_path, rows=4, seeds=1, steps=1, seconds=0)
    found = all_tasks(tmp_path, load_params(tmp_path), "proxy", "paper")
    sound, pinned, stale, absent = found.values()
    trained(tmp_path, sound, pinned, stale)
    rewrite(tmp_path / pinned.evidence, data={"name": "cifar10", "pin": "1" * 64})
    fingerprint = tmp_path / f"fingerprints/{stale.row}.json"
    fingerprint.write_text(json.dumps(json.loads(fingerprint.read_text()) | {"model": "2" * 64}))
    code, out = collect(tmp_path, capsys)
    assert code == 1
    assert f"{pinned.id}: invalid: {pinned.evidence}: stale: the data pin of cifar10 is 000000000000" in out
    assert f"{stale.id}: invalid: {stale.evidence}: stale: its network changed since" in out
    assert f"{absent.id}: missing: {absent.evidence}" in out
    assert "1 of 4 results are there and sound" in out
    assert "recorded 1 of them" in out
    assert set(yaml.safe_load((tmp_path / "proxy/dvc.lock").read_text())["stages"]) == {f"train@{sound.row}-0"}
    assert (tmp_path / "work_dirs/cluster/proxy/results.csv").read_text().count("\n") == 2


@pytest.mark.slow
def test_collect_holds_weights_and_evidence_of_full_size_runs_together(tmp_path, capsys):
    project(tmp_path, rows=3, seeds=1, steps=1, seconds=0)
    whole, lacking, other = all_tasks(tmp_path, load_params(tmp_path), "paper", "paper").values()
    trained(tmp_path, whole, lacking, other)
    (tmp_path / lacking.files[0]).unlink()
    rewrite(tmp_path / other.evidence, code_revision="a colleague's")
    (tmp_path / whole.evidence).unlink()  # comes back from its copy
    code, out = collect(tmp_path, capsys, "paper")
    assert code == 1
    assert f"{lacking.id}: missing: {lacking.files[0]}; `dvc pull {lacking.stage}` brings it" in out
    assert f"{other.id}: invalid: {other.kept[other.evidence]}: the weights there are of another run" in out
    assert "1 of 3 results are there and sound" in out
    assert status(tmp_path, whole.stage) == {}


@pytest.mark.slow
@pytest.mark.long
def test_collect_makes_up_for_a_lock_file_that_lost_entries(tmp_path, capsys):
    project(tmp_path, rows=2, seeds=1, steps=1, seconds=0)
    trained(tmp_path, *all_tasks(tmp_path, load_params(tmp_path), "proxy", "paper").values())
    assert "recorded 2 of them" in collect(tmp_path, capsys)[1]
    lock = tmp_path / "proxy/dvc.lock"
    whole = lock.read_text()
    assert status(tmp_path, "proxy/dvc.yaml") == {}
    assert "recorded" not in collect(tmp_path, capsys)[1]

    lock.write_text(whole[: len(whole) // 3])  # DVC was killed while it wrote
    with pytest.raises(PipelineError, match=r"dvc\.lock.*; `git checkout proxy/dvc.lock` mends") as error:
        collect(tmp_path, capsys)
    assert "\n" not in str(error.value)
    entries = yaml.safe_load(whole)
    del entries["stages"][f"train@{ROWS[1]}-0"]
    lock.write_text(yaml.safe_dump(entries))
    assert "recorded 1 of them" in collect(tmp_path, capsys)[1]
    assert yaml.safe_load(lock.read_text()) == yaml.safe_load(whole)

    absent = [{"changed deps": {"data/cifar10.npz": "deleted"}}]
    (tmp_path / "data/cifar10.npz").unlink()  # as in a clean clone
    assert collect(tmp_path, capsys)[0] == 0
    assert list(status(tmp_path, "proxy/dvc.yaml").values()) == [absent] * 2
    rewrite(tmp_path / f"results/proxy/{ROWS[0]}.s0.json", code_revision="filed anew")
    assert "recorded 1 of them" in collect(tmp_path, capsys)[1]
    assert list(status(tmp_path, "proxy/dvc.yaml").values()) == [absent] * 2


def test_committed_proxy_results_are_recorded_as_they_are():
    """A clean clone's `dvc status` of them names the data alone, which is not there."""
    lock = yaml.safe_load((ROOT / "proxy/dvc.lock").read_text())["stages"]
    params = load_params()["proxy"]
    found = tasks("proxy")
    assert {f"proxy/dvc.yaml:{name}" for name in lock} == {task.stage for task in found.values()}
    for task in found.values():
        entry = lock[task.stage.partition(":")[2]]
        content = (ROOT / task.evidence).read_bytes()
        assert [(out["path"], out["md5"], out["size"]) for out in entry["outs"]] == [
            (task.evidence, hashlib.md5(content).hexdigest(), len(content))
        ]
        fingerprint = json.loads((ROOT / f"fingerprints/{task.row}.json").read_text())
        assert entry["cmd"].split() == ["python", *task.command()]
        train = entry["params"]["params.yaml"]["proxy.train"]
        train["weight_decay"] = float(train["weight_decay"])  # DVC writes YAML 1.2: 3e-05
        assert entry["params"] == {
            "params.yaml": {"proxy.pin": params["pin"], "proxy.train": params["train"]},
            f"fingerprints/{task.row}.json": {key: fingerprint[key] for key in ("model", "probe", "protocol")},
        }
        assert [dep["path"] for dep in entry["deps"]] == ["data/cifar10.npz"]


# Bad input


@pytest.mark.slow
def test_bad_input_is_one_line(tmp_path, monkeypatch, capsys):
    project(tmp_path, rows=1, seeds=1)
    submit = ["submit", "--profile", "proxy", "--executor", "local"]

    def error(*args: str) -> str:
        assert guard(lambda: main([args[0], "--root", str(tmp_path), *args[1:]])) == 1
        told = capsys.readouterr().err
        assert told.startswith("error: ")
        assert told.count("\n") == 1
        return told

    assert "nothing was submitted yet" in error("status")
    assert "--amp: profile proxy has no mixed precision" in error(*submit, "--amp")
    with monkeypatch.context() as patched:
        patched.setenv("PATH", str(Path(sys.executable).parent))
        assert "sbatch: not found; run this on a Slurm login node" in error("submit", "--profile", "proxy")
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


@pytest.mark.slow
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


@pytest.mark.slow
def test_a_dry_run_prints_commands_and_sends_nothing(tmp_path, capsys):
    project(tmp_path, rows=2, seeds=2)
    assert main(["submit", "--root", str(tmp_path), "--profile", "proxy", "--dry-run", "--gpus-per-task", "4",
                 "--time", "3-0", "--partition", "big"]) == 0  # fmt: skip
    out = capsys.readouterr().out
    assert "t5_se_relu.s1: python -m pipelines train --profile proxy --row t5_se_relu --seed 1\n" in out
    assert "sbatch gpus_per_node: 4" in out
    assert "sbatch time: 4320" in out
    assert "sbatch partition: big" in out
    assert not (tmp_path / "work_dirs").exists()
