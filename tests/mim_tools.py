"""`mim train` and `mim test`: the command itself, and what it starts without its two start-ups."""

from __future__ import annotations

import importlib.util
import os
import shutil
import subprocess
import sys
from collections import Counter
from pathlib import Path

from forks import ROOT, Forks

from papertally.evidence.read import read_evidence

#: Modules of what mim calls packages.
MODULES = {"mmpose": "mmpose", "mmsegmentation": "mmseg"}


def script(name: str, package: str) -> Path:
    """Return the script that `mim NAME PACKAGE` starts, after once asking it for --help."""
    found = importlib.util.find_spec(MODULES[package])
    assert found is not None
    assert found.origin is not None
    return Path(found.origin).parent / ".mim/tools" / f"{name}.py"


def environment(**more: object) -> dict[str, str]:
    """Return this environment, the commands of this Python first."""
    return {**os.environ, "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"} | {
        name: str(value) for name, value in more.items()
    }


def mim(name: str, package: str, *arguments: object, cwd: Path, **env: object) -> subprocess.CompletedProcess[str]:
    """Run the command."""
    command = [str(Path(sys.executable).with_name("mim")), name, package, *map(str, arguments)]
    env = {"MICRONET_OUT": cwd, **env}  # where evidence is filed
    return subprocess.run(
        command, cwd=cwd, capture_output=True, text=True, timeout=300, env=environment(**env), check=False
    )


def as_mim(
    forks: Forks, name: str, package: str, config: Path, *arguments: object, cwd: Path, **env: object
) -> subprocess.CompletedProcess[str]:
    """Run what the command starts; arguments: after the config, as the script takes them."""
    more = environment(PYTHONPATH=ROOT, **{"MICRONET_OUT": cwd, **env})
    return forks.run(script(name, package), config, *arguments, "--launcher", "none", cwd=cwd, env=more)


def check_filed(out: Path, row: str, column: str, data: str, verbs: dict[str, int]) -> None:
    """Check that the runs of a test, on drawn data and with changed options, are filed as variants and never judged.

    verbs: how many files `mim train` and `mim test` left.
    """
    shutil.copytree(ROOT / "fingerprints", out / "fingerprints", dirs_exist_ok=True)
    found = read_evidence(out)
    assert not found.problems
    assert found.runs == {}
    runs = [run for _, run in found.beside["mini", row]]
    assert Counter(run.command.split()[1] for run in runs) == verbs
    assert {(run.origin, run.data.name, run.profile) for run in runs} == {("mim", data, "mini")}
    for run in runs:
        assert run.seed is not None
        assert 0 <= run.values[column] <= 100
        assert any(d.startswith("train_cfg.max_epochs: ") for d in run.differs)
        assert any(d.startswith(f"data: {data}, not ") for d in run.differs)
        assert run.params["train"]["batch_size"] in (2, 8)
