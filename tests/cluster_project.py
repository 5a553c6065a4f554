"""A small DVC project with this checkout's layout and stages, whose trainer is light, and knows if it shares a GPU."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import psutil
import yaml
from helpers import ROOT

from papertally.evidence.fingerprints import parts, read_fingerprint
from papertally.evidence.io import write_json_atomic
from pipelines.cluster.processes import processes_marked

PIN = "0" * 64
#: Rows that have committed fingerprints, in the order of params.yaml.
ROWS = yaml.safe_load((ROOT / "params.yaml").read_text())["proxy"]["rows"]
#: The project's `pipelines`: all but its entry point is this checkout's.
PACKAGE = f"__path__.append({str(ROOT / 'pipelines')!r})\n"
#: The project's `python -m pipelines train`: a chain of hashes, a step at a time, kept after every step, in the
#: trainer's files; standard library only.
WORK = """
import base64, fcntl, hashlib, json, os, sys, time
assert sys.argv[1] == "train"
said = dict(zip(sys.argv[2::2], sys.argv[3::2]))
row, seed, profile = said["--row"], said["--seed"], said["--profile"]
name = row + ("." + said.get("--recipe", "paper") if profile == "paper" else "") + f".s{seed}"
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
state = f"work_dirs/{profile}/{name}"
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
put(f"checkpoints/{profile}/{name}.pth", chain)
put(f"results/curves/{profile}/{name}.csv", "epoch,top1\\n1,50\\n")
evidence = json.load(open(f"templates/{profile}.{row}.json"))
evidence |= {"seed": int(seed), "values": {"top1": int(chain[:6], 16) % 100 + 0.5}}
def sealed(value):  # evidence.seal, whose import takes time
    content = json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return value | {"digest": hashlib.sha256(content.encode()).hexdigest()}
if profile == "paper":  # of 200 images
    evidence["examples"], right = {}, int(chain[:6], 16) % 100 * 2 + 1
    evidence["values"]["top5"] = evidence["values"]["top1"]
    for column in ("top1", "top5"):
        bits = sealed({
            "schema": 1, "kind": "examples", "profile": profile, "row": row, "seed": int(seed), "column": column,
            "recipe": said.get("--recipe", "paper"), "data": evidence["data"], "images": 200, "correct": right,
            "bits": base64.b64encode(((1 << right) - 1 << 200 - right).to_bytes(25, "big")).decode(),
        })
        file = f"examples/paper/{name}.{column}.json"
        evidence["examples"][column] = {"file": file, "digest": bits["digest"]}
        put(f"results/{file}", json.dumps(bits))
        put(f"checkpoints/paper/{name}.{column}.json", json.dumps(bits))
evidence = sealed(evidence)
put(f"results/{profile}/{name}.json", json.dumps(evidence))
if profile == "paper":
    put(f"checkpoints/{profile}/{name}.json", json.dumps(evidence))
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
            broken: tuple[str, ...] = ()) -> list[str]:  # fmt: skip
    """Write the project and return the names of its tasks of profile proxy."""
    names = ROWS[:rows]
    params = yaml.safe_load((ROOT / "params.yaml").read_text())
    params["proxy"] |= {"rows": names, "seeds": list(range(seeds)), "pin": PIN}
    params["paper"]["seeds"] = list(range(seeds))
    for folder in ("configs/classification", "templates", "proxy", "full", "data", "fingerprints", "pipelines"):
        (root / folder).mkdir(parents=True)
    shutil.copytree(ROOT / "papers", root / "papers", ignore=shutil.ignore_patterns("report"), dirs_exist_ok=True)
    (root / "params.yaml").write_text(yaml.safe_dump(params))
    np.savez(root / "data/cifar10.npz", pin=np.array(PIN))
    write_json_atomic(
        root / "fingerprints/rows.json", {"rows": {"classification": names, "pose": [], "segmentation": []}}
    )
    stated = {"proxy": params["proxy"]["train"], "paper": {"epochs": 1, "recipe": "paper"}}
    for row in names:
        config = f"configs/classification/{row}.py"
        shutil.copy(ROOT / config, root / config)
        shutil.copy(ROOT / f"fingerprints/{row}.json", root / "fingerprints")
        for profile, train in stated.items():
            write_json_atomic(root / f"templates/{profile}.{row}.json", {
                "schema": 2, "kind": "training", "profile": profile, "row": row, "config": config,
                "fingerprint": parts(read_fingerprint(ROOT, row), profile), "params": {"train": train},
                "data": {"name": "cifar10" if profile == "proxy" else "imagenet", "pin": PIN}, "code_revision": "x",
                "environment": {}, "epochs": 1, "duration_s": 1.0, "command": "x", "changed": [],
            })  # fmt: skip
    for name in ("proxy/dvc.yaml", "full/dvc.yaml"):
        shutil.copy(ROOT / name, root / name)
    (root / "pipelines/__init__.py").write_text(PACKAGE)
    (root / "pipelines/__main__.py").write_text(WORK)
    settings(root, steps=steps, seconds=seconds, broken=broken, hold=None, passed=[])
    subprocess.run([sys.executable, "-m", "dvc", "init", "-q", "--no-scm"], cwd=root, check=True)
    return [f"{name}.s{seed}" for name in names for seed in range(seeds)]


def status(root: Path, *targets: str) -> dict[str, object]:
    """Return what DVC says is out of date."""
    command = [sys.executable, "-m", "dvc", "status", "--json", *targets]
    done = subprocess.run(command, cwd=root, capture_output=True, text=True, check=True)
    return json.loads(done.stdout)


def settings(root: Path, **values: object) -> None:
    """Change what the trainings read.

    hold: the step at which they wait until it is changed; passed: the tasks that do not.
    """
    path = root / "work.json"
    known = json.loads(path.read_text()) if path.exists() else {}
    write_json_atomic(path, known | values)


def cluster(root: Path, *args: str, env: dict[str, str] | None = None, timeout: float = 120
            ) -> subprocess.CompletedProcess[str]:  # fmt: skip
    """Run this checkout's command line on a project."""
    return subprocess.run(
        [sys.executable, "-m", "pipelines.cluster", args[0], "--root", str(root), *args[1:]], cwd=ROOT,
        env={**(os.environ if env is None else env), "PYTHONPATH": str(ROOT)}, capture_output=True, text=True,
        timeout=timeout, check=False,
    )  # fmt: skip


def pids(entry: str, words: str) -> list[int]:
    """Return processes whose environment has an entry and whose command line has the words."""
    found = []
    for pid in processes_marked(entry):
        with contextlib.suppress(psutil.Error):
            if words in " ".join(psutil.Process(pid).cmdline()):
                found.append(pid)
    return found
