"""What Windows or macOS lack is neither imported nor called where the product starts: they are taken away here."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest
from helpers import ROOT

PRODUCT = ("papertally", "report", "registry", "pipelines")
MODULES = ("fcntl", "grp", "posix_ipc", "pty", "pwd", "resource", "syslog", "termios", "tty")
#: Windows has none of these, macOS has no sched_getaffinity.
FUNCTIONS = ("fork", "forkpty", "getpgid", "killpg", "nice", "sched_getaffinity", "setpgid", "setsid", "statvfs")
SIGNALS = ("SIGHUP", "SIGKILL", "SIGQUIT", "SIGUSR1", "SIGUSR2", "SIGALRM", "SIGCHLD", "alarm", "pthread_sigmask")
NAMES = {"os": FUNCTIONS, "signal": SIGNALS}
#: Where the product may name them: a lock that several share, with one line for Windows.
GUARDED = {("pipelines/cluster/state.py", "fcntl")}

#: mmpose asks platform.system() before it imports `resource`.
TAKEN = f"""
import os, platform, signal, sys
platform.system = lambda: "Windows"
sys.modules.update(dict.fromkeys({MODULES!r}))
for module, names in ((os, {FUNCTIONS!r}), (signal, {SIGNALS!r})):
    for name in names:
        if hasattr(module, name):
            delattr(module, name)
"""
IMPORT_ALL = """
import importlib, pkgutil
count = 0
for name in sys.argv[1:]:
    for module in pkgutil.walk_packages(importlib.import_module(name).__path__, name + "."):
        importlib.import_module(module.name)
        count += 1
print(count)
"""
RUN_MODULE = """
import runpy
del sys.argv[0]
runpy.run_module(sys.argv[0], run_name="__main__", alter_sys=True)
"""


def without(code: str, *argv: str) -> subprocess.CompletedProcess[str]:
    """Run code in this checkout where those modules, functions and signals are absent."""
    return subprocess.run(
        [sys.executable, "-W", "ignore", "-c", TAKEN + code, *argv], cwd=ROOT, capture_output=True, text=True,
        timeout=300, check=False,
    )  # fmt: skip


def sources() -> list[Path]:
    """Return the product's modules."""
    return sorted(p for name in PRODUCT for p in (ROOT / name).rglob("*.py"))


@pytest.mark.slow
@pytest.mark.long
def test_every_module_is_imported_without_them():
    done = without(IMPORT_ALL, *PRODUCT)
    assert done.returncode == 0, done.stderr[-2000:]
    assert int(done.stdout.split()[-1]) >= len(sources()) - len(PRODUCT)


@pytest.mark.slow
@pytest.mark.long
def test_the_report_is_written_without_them(tmp_path):
    done = without(RUN_MODULE, "report", "--out", str(tmp_path))
    assert done.returncode == 0, done.stderr[-2000:]
    assert (tmp_path / "index.html").is_file()


@pytest.mark.slow
@pytest.mark.parametrize("command", ["submit --executor local", "status", "collect", "cancel"])
def test_the_fan_out_says_in_one_line_that_it_needs_flock(command):
    done = without(RUN_MODULE, "pipelines.cluster", *command.split())
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr == "error: pipelines.cluster: needs flock, which Windows does not have; run it under WSL\n"


@pytest.mark.slow
def test_no_module_names_what_only_some_systems_have():
    found = set()
    for path in sources():
        name = path.relative_to(ROOT).as_posix()
        for node in ast.walk(ast.parse(path.read_bytes())):
            if isinstance(node, ast.Import):
                found |= {(name, alias.name) for alias in node.names if alias.name.split(".")[0] in MODULES}
            elif isinstance(node, ast.ImportFrom) and node.module in ("os", "signal", *MODULES):
                found |= {(name, a.name) for a in node.names if a.name in FUNCTIONS + SIGNALS or node.module in MODULES}
            elif isinstance(node, ast.Attribute) and node.attr in NAMES.get(ast.unparse(node.value), ()):
                found.add((name, node.attr))
    assert found == GUARDED
