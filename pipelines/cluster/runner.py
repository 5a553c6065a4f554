"""Run one task once: the trainer, watched, its ending written down. Both executors use it."""

from __future__ import annotations

import contextlib
import re
import secrets
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Mapping

from papertally.evidence.io import write_text_atomic
from pipelines.cluster.plan import environment
from pipelines.cluster.processes import guarded, kill_marked
from pipelines.cluster.state import Attempt, Ending, Limits, Record, Store, Task, flock
from pipelines.common import last_error

MARK = "MICRONET_TASK"
POLL = 0.2
#: What an attempt may wait for an older one to end: it looks every POLL seconds whether it was superseded.
WINDING_DOWN = 60
#: torchrun's words for a process that a signal ended.
SIGNALLED = re.compile(r"exitcode\s*: -(\d+)\b")


class Running:
    """Hold a task's attempt while it runs; `stop` may be called from a signal handler."""

    def __init__(self, store: Store, task: Task, limits: Limits, before: int, amp: bool = False) -> None:
        self.store, self.task, self.limits, self.before, self.amp = store, task, limits, before, amp
        self.mark = f"{MARK}={store.folder}/{task.id}"
        self.process: subprocess.Popen[bytes] | None = None
        self.record: Record | None = None
        self.stopping: Ending | None = None
        self.written = False  # how this attempt ended

    def run(
        self, job: str | None, asked: Callable[[], Ending | None] = lambda: None, extra: Mapping[str, str] | None = None
    ) -> Ending:
        """Run the task once and return how it ended.

        job: the Slurm job, to be shown. asked: returns why the attempt should stop, or None. extra: environment.
        """
        token = secrets.token_hex(8)
        write_text_atomic(self.store.path(self.task.id, "claim"), token)
        with flock(self.store.lock(self.task), wait=WINDING_DOWN) as got:
            if not got:
                return self._overtaken(token) or "lost"
            if (reason := self._overtaken(token)) is not None:
                return reason
            kill_marked(self.mark)
            self.record = self._opened()
            if self._given_up():
                return "failed"
            name, _, value = self.mark.partition("=")
            env = {**environment(), **(extra or {}), name: value}
            gpus = env.get("CUDA_VISIBLE_DEVICES")
            self.record.attempts.append(
                Attempt(token=token, job=job, host=socket.gethostname(), started=time.time(), gpus=gpus)
            )
            self.store.save_record(self.record)
            with guarded(self.mark, env):
                return self._watched(env, token, asked)

    def _watched(self, env: Mapping[str, str], token: str, asked: Callable[[], Ending | None]) -> Ending:
        """Run the trainer until it ends or must stop."""
        log = self.store.log(self.task.id)
        log.parent.mkdir(parents=True, exist_ok=True)
        with log.open("ab") as out:
            begin = out.tell()
            self.process = subprocess.Popen(
                [sys.executable, *self.task.command(self.amp)],
                cwd=self.store.root,
                env=env,
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        try:
            while self.process.poll() is None and self.stopping is None:
                self.stopping = asked() or self._overtaken(token)
                if self.stopping is None:
                    with contextlib.suppress(subprocess.TimeoutExpired):
                        self.process.wait(POLL)
            return self._ended(begin, asked)
        finally:
            self.stop(self.stopping or "killed")

    def stop(self, ending: Ending) -> None:
        """End the attempt: kill its processes and write down why, unless it ended already.

        What a handler interrupted never goes on where the handler exits: so the record is written here in any case.
        """
        if self.record is None or not self.record.attempts or self.written:
            return
        if self.record.attempts[-1].ended is None:
            self.stopping = ending
            kill_marked(self.mark)  # no Popen.wait: a handler may have interrupted one, which holds its lock
        if self.record.attempts[-1].ended is None:
            self._close(ending, "")
        else:
            self._write()

    def again(self, ending: Ending) -> bool:
        """Tell whether a task that ended so is to run again."""
        if ending in ("done", "superseded", "cancelled"):
            return False
        if self.record is None:  # an older attempt did not let go in time
            return True
        failed, interrupted = self.record.counts(self.before)
        return failed < self.limits.attempts and interrupted <= self.limits.requeues

    def _overtaken(self, token: str) -> Ending | None:
        if self.store.path(self.task.id, "cancel").exists():
            return "cancelled"
        try:
            return None if self.store.path(self.task.id, "claim").read_text("utf-8") == token else "superseded"
        except OSError:
            return None

    def _opened(self) -> Record:
        record = self.store.record(self.task.id)
        if record.attempts and record.attempts[-1].ended is None:
            record.attempts[-1].ended = time.time()
            record.attempts[-1].ending = "lost"
            self.store.save_record(record)
        return record

    def _given_up(self) -> bool:
        assert self.record is not None
        failed, interrupted = self.record.counts(self.before)
        return failed >= self.limits.attempts or interrupted > self.limits.requeues

    def _ended(self, begin: int, asked: Callable[[], Ending | None]) -> Ending:
        """Judge the end of the trainer's process and write it down."""
        assert self.process is not None
        if self.stopping is not None:
            self.stop(self.stopping)
            return self.stopping
        code = self.process.returncode
        kill_marked(self.mark)  # it may have died before its own processes
        if code == 0:
            self._close("done", "")
            return "done"
        with self.store.log(self.task.id).open("rb") as log:
            log.seek(begin)
            text = log.read().decode("utf-8", "replace")
        told = SIGNALLED.search(text)
        number = -code if code < 0 else int(told.group(1)) if told else 0
        if number:
            # Slurm's SIGTERM reaches the whole job: give this process's own handler time to say so
            time.sleep(POLL)
            if (reason := asked()) is not None:
                self._close(reason, "")
                return reason
            self._close("killed", f"killed by signal {number}")
            return "killed"
        self._close("failed", last_error(text))
        return "failed"

    def _close(self, ending: Ending, error: str) -> None:
        assert self.record is not None
        last = self.record.attempts[-1]
        last.ending, last.error, last.ended = ending, error[:500], time.time()
        self._write()

    def _write(self) -> None:
        assert self.record is not None
        self.store.save_record(self.record)
        self.written = True
