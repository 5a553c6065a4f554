"""A small DVC project with the checkout's layout, whose stages are light, resumable and know if they share a GPU."""

from __future__ import annotations

import contextlib
import hashlib
import json
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import psutil
import yaml
from evidence.configs import config_hash, config_inputs
from helpers import ROOT

from evidence.io import write_json_atomic
from pipelines.cluster.processes import processes_marked

#: A stage: a chain of hashes, a step at a time, kept after every step; standard library only.
PIN = "0" * 64
WORK = """
import fcntl, hashlib, json, os, sys, time
row, seed = sys.argv[1], sys.argv[2]
name = f"{row}.s{seed}"
settings = json.load(open("work.json"))
def put(path, text):
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with open(path + ".partial", "w") as file:
        file.write(text)
    os.replace(path + ".partial", path)
def note(what):
    os.makedirs("notes", exist_ok=True)
    with open(f"notes/{name}", "a") as file:
        file.write(what + "\\n")
gpus = [g for g in os.environ.get("CUDA_VISIBLE_DEVICES", "").split(",") if g]
held = []
for gpu in gpus:
    os.makedirs("gpus", exist_ok=True)
    held.append(open(f"gpus/{gpu}", "w"))
    try:
        fcntl.flock(held[-1], fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        note(f"shared {gpu}")
        sys.exit(f"error: GPU {gpu} is in use")
note("start " + ",".join(gpus))
if name in settings["broken"]:
    sys.exit(f"error: data/{name}: broken on purpose; mend it")
state = f"work_dirs/proxy/{name}"
try:
    step, chain = json.load(open(state))
    note(f"resume {step}")
except FileNotFoundError:
    step, chain = 0, hashlib.sha256(name.encode()).hexdigest()
while step < settings["steps"]:
    time.sleep(settings["seconds"])
    step, chain = step + 1, hashlib.sha256(chain.encode()).hexdigest()
    put(state, json.dumps([step, chain]))
    print(f"step {step}/{settings['steps']}", flush=True)
    while step == (now := json.load(open("work.json")))["hold"] and name not in now["passed"]:
        time.sleep(0.05)
put(f"checkpoints/proxy/{name}.pth", chain)
evidence = json.load(open(f"templates/{row}.json"))
evidence |= {"seed": int(seed), "values": {"top1": int(chain[:6], 16) % 100 + 0.5}}
content = json.dumps(evidence, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
evidence["digest"] = hashlib.sha256(content.encode()).hexdigest()  # evidence.seal, whose import takes time
put(f"results/proxy/5/{name}.json", json.dumps(evidence))
if settings["kept"]:
    put(f"checkpoints/proxy/{name}.json", json.dumps(evidence))
os.remove(state)
note("end")
"""


def chain(name: str, steps: int) -> str:
    """Return what a stage's work gives."""
    value = hashlib.sha256(name.encode()).hexdigest()
    for _ in range(steps):
        value = hashlib.sha256(value.encode()).hexdigest()
    return value


def notes(root: Path, name: str) -> list[str]:
    """Return what the runs of a task noted."""
    path = root / "notes" / name
    return path.read_text().splitlines() if path.exists() else []


def kept(root: Path, name: str) -> int:
    """Return the steps that a task has kept so far, 0 where it has none or is finished."""
    try:
        return json.loads((root / f"work_dirs/proxy/{name}").read_text())[0]
    except FileNotFoundError:
        return 0


def project(root: Path, rows: int = 20, seeds: int = 3, steps: int = 4, seconds: float = 0.1,
            broken: tuple[str, ...] = (), kept: bool = False) -> list[str]:  # fmt: skip
    """Write the project and return its tasks' names; kept: evidence has a copy that DVC caches, as in full/dvc.yaml."""
    names = [f"t5_r{i:02}" for i in range(rows)]
    params = yaml.safe_load((ROOT / "params.yaml").read_text())
    params["proxy"] |= {"rows": {name: {"table": "5"} for name in names}, "seeds": list(range(seeds)), "pin": PIN}
    (root / "configs/classification").mkdir(parents=True)
    (root / "templates").mkdir()
    (root / "proxy").mkdir()
    (root / "data").mkdir()
    (root / "params.yaml").write_text(yaml.safe_dump(params))
    np.savez(root / "data/cifar10.npz", pin=np.array(PIN))
    stated = {"train": params["proxy"]["train"]}
    for name in names:
        config = Path(f"configs/classification/{name}.py")
        (root / config).write_text(f"model = {{'type': {name!r}}}\n")
        inputs = config_inputs(root, config)
        write_json_atomic(root / f"templates/{name}.json", {
            "schema": 1, "kind": "training", "profile": "proxy", "row": name, "table": "5", "config": config.as_posix(),
            "config_hash": config_hash(inputs, stated), "inputs": inputs, "params": stated,
            "data": {"name": "tiny", "pin": PIN}, "code_revision": "x", "environment": {}, "epochs": 1,
            "duration_s": 1.0, "command": "x",
        })  # fmt: skip
    stage = {
        "matrix": {"row": names, "seed": "${proxy.seeds}"},
        "wdir": "..",
        "cmd": "python work.py ${item.row} ${item.seed}",
        "deps": ["work.py"],  # each further line of dvc.lock costs every task time
        "outs": [
            "checkpoints/proxy/${item.row}.s${item.seed}.pth",
            *(["checkpoints/proxy/${item.row}.s${item.seed}.json"] if kept else []),
            {"results/proxy/5/${item.row}.s${item.seed}.json": {"cache": False}},
        ],
    }
    (root / "proxy/dvc.yaml").write_text(yaml.safe_dump({"vars": ["../params.yaml"], "stages": {"table5": stage}}))
    (root / "work.py").write_text(WORK)
    settings(root, steps=steps, seconds=seconds, broken=broken, kept=kept, hold=None, passed=[])
    subprocess.run([sys.executable, "-m", "dvc", "init", "-q", "--no-scm"], cwd=root, check=True)
    return [f"{name}.s{seed}" for name in names for seed in range(seeds)]


def settings(root: Path, **values: object) -> None:
    """Change what the stages read; it is no dependency.

    hold: the step at which they wait until it is changed; passed: the tasks that do not.
    """
    path = root / "work.json"
    known = json.loads(path.read_text()) if path.exists() else {}
    write_json_atomic(path, known | values)


def cluster(root: Path, *args: str, env: dict[str, str] | None = None, timeout: float = 120
            ) -> subprocess.CompletedProcess[str]:  # fmt: skip
    """Run the command line on a project."""
    return subprocess.run(
        [sys.executable, "-m", "pipelines.cluster", args[0], "--root", str(root), *args[1:]], cwd=ROOT, env=env,
        capture_output=True, text=True, timeout=timeout, check=False,
    )  # fmt: skip


def until(true: Callable[[], bool], seconds: float, what: str) -> None:
    """Wait for something, at most so long."""
    deadline = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < deadline, what
        time.sleep(0.1)


def pids(entry: str, words: str) -> list[int]:
    """Return processes whose environment has an entry and whose command line has the words."""
    found = []
    for pid in processes_marked(entry):
        with contextlib.suppress(psutil.Error):
            if words in " ".join(psutil.Process(pid).cmdline()):
                found.append(pid)
    return found
