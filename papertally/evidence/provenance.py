"""Where a result comes from: taken when a run starts, and compared when its evidence is filed."""

from __future__ import annotations

import os
import platform
import subprocess
import sys
from collections.abc import Mapping
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from papertally.evidence.revision import code_revision

#: Packages whose versions may change a trained result.
PACKAGES = ("torch", "torchvision", "numpy", "timm", "mmengine", "mmcv", "mmcv-lite", "mmpose", "mmsegmentation")


def snapshot(root: Path) -> dict[str, Any]:
    """Return what a result depends on beside its config: this checkout's revision and what runs it."""
    return {"code_revision": code_revision(root), "environment": environment()}


def differences(started: Mapping[str, Any], now: Mapping[str, Any]) -> list[str]:
    """Return in words what is not as it was when a run started."""
    before, after = ({"code_revision": s.get("code_revision"), **s.get("environment", {})} for s in (started, now))
    names = [name for name in dict.fromkeys((*before, *after)) if before.get(name) != after.get(name)]
    return [f"{name}: {before.get(name, 'none')} at the start, {after.get(name, 'none')} at the end" for name in names]


def environment() -> dict[str, str]:
    """Return what runs: Python, packages, device, and of the CPU its model, instructions and threads."""
    out = {"python": platform.python_version(), **_versions(), "cpu": cpu_model()}
    torch = sys.modules.get("torch")  # whoever computes with it has imported it
    if torch is None:
        return {**out, "device": f"cpu ({platform.machine()})"}
    cuda = torch.cuda.is_available()
    out |= {
        "device": torch.cuda.get_device_name(0) if cuda else f"cpu ({platform.machine()})",
        "threads": str(torch.get_num_threads()),
        "instructions": torch.backends.cpu.get_cpu_capability(),
    }
    if cuda:
        out |= {"cuda": str(torch.version.cuda), "cudnn": str(torch.backends.cudnn.version()), "driver": _driver()}
    return out


@cache
def _versions() -> dict[str, str]:
    found = {}
    for name in PACKAGES:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            continue
    return found


@cache
def cpu_model() -> str:
    """Return the processor's name, or the machine's kind where the system does not tell."""
    try:
        lines = Path("/proc/cpuinfo").read_text("utf-8", "replace").splitlines()
    except OSError:  # no Linux
        return platform.processor() or platform.machine()
    named = (line.partition(":")[2].strip() for line in lines if line.startswith(("model name", "Model")))
    return next(named, platform.machine())


@cache
def _driver() -> str:
    command = ["nvidia-smi", "--query-gpu=driver_version", "--format=csv,noheader"]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=20, check=True, env=dict(os.environ))
    except (OSError, subprocess.SubprocessError):
        return "unknown"
    return done.stdout.split("\n")[0].strip() or "unknown"
