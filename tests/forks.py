"""Python programs in processes forked from one that imported the frameworks: their 5 to 10 CPU seconds are paid once.

For tests of what a program does. Those of how it is started (mim, torchrun, a killed interpreter) start a real one.
"""

from __future__ import annotations

import atexit
import gc
import importlib
import json
import os
import runpy
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
import traceback
import types
from collections.abc import Mapping
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
PRELOAD = (
    "registry", "registry.pose.estimator", "mmpose.models", "mmpose.datasets", "mmpose.evaluation", "mmseg.models",
    "mmseg.datasets", "mmseg.evaluation", "pipelines.training.hooks",
)  # fmt: skip


class Forked:
    """A started program, with what tests need of subprocess.Popen."""

    def __init__(self, server: Forks, pid: int, args: list[str]) -> None:
        self.server, self.pid, self.args = server, pid, args
        self.returncode: int | None = None

    def poll(self) -> int | None:
        """Return the exit code, negative for a signal; None while it runs."""
        if self.returncode is None:
            self.returncode = self.server.ask({"poll": self.pid})
        return self.returncode

    def wait(self, timeout: float = 300) -> int:
        """Wait for the end. Raises TimeoutExpired, the program killed."""
        deadline = time.monotonic() + timeout
        while (code := self.poll()) is None:
            if time.monotonic() > deadline:
                self.kill()
                raise subprocess.TimeoutExpired(self.args, timeout)
            time.sleep(0.02)
        return code

    def kill(self) -> None:
        """End it as the system would."""
        os.kill(self.pid, signal.SIGKILL)


class Forks:
    """Start programs; the process that they are forked from starts with the first."""

    def __init__(self) -> None:
        self.process: subprocess.Popen[str] | None = None

    def start(
        self, *arguments: object, cwd: Path | None = None, env: Mapping[str, str] | None = None,
        stdout: Path | None = None, stderr: Path | None = None,
    ) -> Forked:  # fmt: skip
        """Start what `python ARGUMENTS` would: -c CODE, -m MODULE or a script."""
        args = [str(a) for a in arguments]
        request = {
            "args": args, "cwd": str(cwd or Path.cwd()), "env": dict(os.environ if env is None else env),
            "files": [os.devnull if f is None else str(f) for f in (stdout, stderr)],
        }  # fmt: skip
        return Forked(self, self.ask(request), args)

    def run(
        self, *arguments: object, cwd: Path | None = None, env: Mapping[str, str] | None = None, timeout: float = 300
    ) -> subprocess.CompletedProcess[str]:
        """Run it to its end and return what it printed."""
        with tempfile.TemporaryDirectory() as folder:
            out, err = Path(folder, "out"), Path(folder, "err")
            started = self.start(*arguments, cwd=cwd, env=env, stdout=out, stderr=err)
            code = started.wait(timeout)
            return subprocess.CompletedProcess(started.args, code, out.read_text(), err.read_text())

    def run_together(
        self, count: int, *arguments: object, cwd: Path | None = None, env: Mapping[str, str] | None = None
    ) -> list[subprocess.CompletedProcess[str]]:
        """Run `count` processes of a program, told of each other as torchrun tells them."""
        with socket.socket() as free, tempfile.TemporaryDirectory() as folder:
            free.bind(("127.0.0.1", 0))
            port = str(free.getsockname()[1])
            free.close()
            started = [
                self.start(
                    *arguments, cwd=cwd, stdout=Path(folder, f"{rank}.out"), stderr=Path(folder, f"{rank}.err"),
                    env={**(os.environ if env is None else env), "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": port,
                         "WORLD_SIZE": str(count), "LOCAL_WORLD_SIZE": str(count), "RANK": str(rank),
                         "LOCAL_RANK": str(rank)},
                )
                for rank in range(count)
            ]  # fmt: skip
            return [
                subprocess.CompletedProcess(one.args, one.wait(), *(Path(folder, f"{rank}.{kind}").read_text()
                                            for kind in ("out", "err")))
                for rank, one in enumerate(started)
            ]  # fmt: skip

    def ask(self, request: dict[str, Any]) -> Any:
        """Send a request to the process and return its answer."""
        if self.process is None:
            one = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1")
            self.process = subprocess.Popen(
                [sys.executable, __file__], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
                env={**{k: v for k, v in os.environ.items() if k != "PYTHONPATH"}, **one},
            )  # fmt: skip
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self.process.stdin.write(json.dumps(request) + "\n")
        self.process.stdin.flush()
        answer = self.process.stdout.readline()
        assert answer, "the process that programs are forked from ended; what it said stands above"
        return json.loads(answer)

    def stop(self) -> None:
        """End the process, and with it what it started."""
        if self.process is not None and self.process.stdin is not None:
            self.process.stdin.close()
            self.process.wait(60)


def serve() -> dict[str, Any] | None:
    """Answer requests until the tests end; in a forked process return what it is to run."""
    running: set[int] = set()
    for line in iter(sys.stdin.readline, ""):
        request = json.loads(line)
        answer: int | None = None
        if "poll" in request:
            pid, status = os.waitpid(request["poll"], os.WNOHANG)
            if pid:
                running.discard(pid)
                answer = os.waitstatus_to_exitcode(status)
        else:
            answer = os.fork()
            if not answer:
                return request
            running.add(answer)
        print(json.dumps(answer), flush=True)
    for pid in running:
        os.kill(pid, signal.SIGKILL)
    return None


def become(request: dict[str, Any], path: list[str]) -> None:
    """Do what an interpreter does with these arguments; `path`: the folders of installed modules."""
    for descriptor, name in enumerate((os.devnull, *request["files"])):
        file = os.open(name, os.O_RDWR | os.O_CREAT | (os.O_TRUNC if descriptor and name != os.devnull else 0), 0o644)
        os.dup2(file, descriptor)
        os.close(file)
    os.chdir(request["cwd"])
    os.environ.clear()
    os.environ.update(request["env"])
    kind, *rest = request["args"]
    first = {"-c": "", "-m": request["cwd"]}.get(kind, os.path.dirname(kind))
    more = [name for name in os.environ.get("PYTHONPATH", "").split(os.pathsep) if name]
    sys.path[:] = [first, *more, *path]
    importlib.invalidate_caches()
    if kind == "-c":
        sys.argv = ["-c", *rest[1:]]
        main = types.ModuleType("__main__")
        sys.modules["__main__"] = main
        exec(compile(rest[0], "<string>", "exec"), main.__dict__)
    elif kind == "-m":
        sys.argv = rest
        runpy.run_module(rest[0], run_name="__main__", alter_sys=True)
    else:
        sys.argv = request["args"]
        runpy.run_path(kind, run_name="__main__")


def ended(request: dict[str, Any], path: list[str]) -> int:
    """Do it and return the exit code that an interpreter would end with."""
    try:
        become(request, path)
    except SystemExit as error:
        if error.code is None or isinstance(error.code, int):
            return error.code or 0
        print(error.code, file=sys.stderr)
        return 1
    except BaseException:
        traceback.print_exc()
        return 1
    return 0


def leave(code: int) -> None:
    """End as an interpreter does, but for taking all imported modules down one by one."""
    threading._shutdown()  # type: ignore[attr-defined]
    atexit._run_exitfuncs()
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)


if __name__ == "__main__":
    installed = sys.path[1:]
    sys.path[0] = str(ROOT)
    for module in PRELOAD:
        importlib.import_module(module)
    gc.freeze()
    asked = serve()
    leave(0 if asked is None else ended(asked, installed))
