"""`mim train` and `mim test`: the command itself, and what it starts without its two start-ups."""

from __future__ import annotations

import importlib.util
import os
import subprocess
import sys
from pathlib import Path

from forks import ROOT, Forks

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
    return subprocess.run(
        command, cwd=cwd, capture_output=True, text=True, timeout=300, env=environment(**env), check=False
    )


def as_mim(
    forks: Forks, name: str, package: str, config: Path, *arguments: object, cwd: Path, **env: object
) -> subprocess.CompletedProcess[str]:
    """Run what the command starts; arguments: after the config, as the script takes them."""
    more = environment(PYTHONPATH=ROOT, **env)
    return forks.run(script(name, package), config, *arguments, "--launcher", "none", cwd=cwd, env=more)
