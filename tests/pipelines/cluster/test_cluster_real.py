"""One row of this repository, killed in mid-run under either executor, ends in the unkilled run's very weights."""

from __future__ import annotations

import json
import os
import re
import shlex
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest
import torch
import yaml
from cluster_project import cluster, pids, status
from helpers import ROOT
from hold import Hold, until
from slurm_daemons import missing

from pipelines.cluster.plan import prepare
from pipelines.cluster.runner import MARK
from pipelines.cluster.state import Store
from pipelines.training.job import mini_job
from pipelines.training.run import run

ROW = "t2_micronet_m0"
EVIDENCE = f"results/mini/{ROW}.json"
#: What a checkout trains with.
CODE = ("configs", "fingerprints", "papers", "papertally", "pipelines", "registry", "report")


@pytest.fixture(scope="module")
def hold(tmp_path_factory) -> Hold:
    """Return what holds the copied checkout's trainings."""
    return Hold(tmp_path_factory.mktemp("hold"))


@pytest.fixture(scope="module")
def copied(tmp_path_factory, few_digits, hold) -> Path:
    """Return a copy of this checkout as a DVC project, with few digits, short epochs and trainings that can be held."""
    root = tmp_path_factory.mktemp("checkout")
    for name in CODE:
        shutil.copytree(ROOT / name, root / name, ignore=shutil.ignore_patterns("__pycache__", "out"))
    for path in ROOT.glob("micronet_*.py"):
        shutil.copy(path, root)
    with (root / "pipelines/training/hooks.py").open("a") as file:
        file.write(hold.code)
    params = yaml.safe_load((ROOT / "params.yaml").read_text())
    params["mini"]["classification"] |= {"epochs": 5, "batch_size": 32, "threads": 1}
    params["data"]["digits"]["pin"] = json.loads((few_digits / "manifest.json").read_text())["pin"]
    (root / "params.yaml").write_text(yaml.safe_dump(params))
    stages = yaml.safe_load((ROOT / "dvc.yaml").read_text())
    code = f"import shutil; shutil.copytree({str(few_digits)!r}, 'data/digits')"
    stages["stages"]["data"] = {"cmd": f'{shlex.quote(sys.executable)} -c "{code}"', "outs": ["data/digits"]}
    (root / "dvc.yaml").write_text(yaml.safe_dump(stages))
    subprocess.run([sys.executable, "-m", "dvc", "init", "-q", "--no-scm"], cwd=root, check=True)
    return root


@pytest.fixture(scope="module")
def unkilled(copied, few_digits, tmp_path_factory) -> Path:
    """Return a checkout in which the row was trained by this process, undisturbed."""
    root = tmp_path_factory.mktemp("unkilled")
    for name in ("configs", "fingerprints", "papers"):
        shutil.copytree(ROOT / name, root / name)
    shutil.copytree(few_digits, root / "data/digits")
    shutil.copy(copied / "params.yaml", root)
    run(mini_job(ROW, root))
    return root


def same(root: Path, other: Path) -> None:
    """Assert bit-equal weights and equal evidence."""
    weights = [torch.load(r / f"checkpoints/mini/{ROW}.pth", weights_only=True)["state_dict"] for r in (root, other)]
    assert weights[0].keys() == weights[1].keys()
    assert all(torch.equal(value, weights[1][key]) for key, value in weights[0].items())
    evidence = [json.loads((r / EVIDENCE).read_text()) for r in (root, other)]
    for key in ("values", "fingerprint", "params", "seed", "data"):
        assert evidence[0][key] == evidence[1][key], key


@pytest.mark.slow
@pytest.mark.long
def test_a_real_row_killed_under_both_executors_ends_as_unkilled(copied, unkilled, hold, request):
    """Kill the local executor itself in mid-run, go on under Slurm (or locally), kill the training there."""
    env = {**os.environ, "PYTHONPATH": str(copied), "OMP_NUM_THREADS": "1"}
    submit = [
        sys.executable, "-m", "pipelines.cluster", "submit", "--profile", "mini", "--row", ROW, "--jobs", "1",
        "--cpus-per-task", "1", "--executor",
    ]  # fmt: skip
    store = Store(copied, "mini")
    mark = f"{MARK}={store.folder}/{ROW}"

    hold.after(1)
    hold.after(3)
    first = subprocess.Popen([*submit, "local"], cwd=copied, env=env, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
    until(lambda: hold.reached(1) or first.poll() is not None, 120, "no epoch ends")
    assert first.poll() is None, first.stderr.read()
    prepare(copied, {}, "mini", store.load().tasks.values())  # more rows can be sent while rows are on their way
    first.kill()
    assert first.wait() == -signal.SIGKILL, first.stderr.read()
    until(lambda: not pids(mark, ""), 30, "the training outlives the executor")
    hold.release(1)

    executor = "local"
    if missing() is None:
        env, executor = {**env, **request.getfixturevalue("slurm").env, "PYTHONPATH": str(copied)}, "slurm"
    second = subprocess.Popen([*submit, executor], cwd=copied, env=env, stdout=subprocess.DEVNULL)
    until(lambda: hold.reached(3), 120, "it does not go on")
    found = pids(mark, f"train --row {ROW}")
    for pid in found:
        os.kill(pid, signal.SIGKILL)
    hold.release(3)
    assert found
    assert not (copied / f"checkpoints/mini/{ROW}.pth").exists()
    until(lambda: store.record(ROW).attempts[-1].ending == "done", 120, "it does not end")
    assert second.wait(60) == 0

    assert [attempt.ending for attempt in store.record(ROW).attempts] == ["lost", "killed", "done"]
    log = store.log(ROW).read_text()
    assert re.findall(rf"{ROW}: resuming from epoch_(\d)", log) == ["1", "3"], log
    same(copied, unkilled)
    collected = cluster(copied, "collect", env=env)
    assert collected.returncode == 0, collected.stdout + collected.stderr
    assert status(copied, f"train@{ROW}") == {}
