"""The Slurm executor: tasks as a job array through submitit, their states from squeue, requeueing.

Who requeues a task that ended early:
- Slurm itself after a preemption, `scontrol requeue` or a lost node (sbatch --requeue).
- submitit on the signal that Slurm sends before the time limit, through `SlurmTask.checkpoint`.
- The batch script after any other kill: Slurm takes that for a failure. It runs on when the task's process is killed,
  and reads its exit code: 137 and the like, or RETRY, by which the process says that the training was killed, or
  failed with attempts left. Not after SIGTERM, by which Slurm ends a job that it requeues or that was cancelled.
- Nobody when the batch script itself is killed: `status --requeue` or `collect --requeue` sends such a task anew.
Every restart finds the attempts before in the task's record and gives up beyond the limits.
"""

from __future__ import annotations

import os
import secrets
import shutil
import signal
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from pipelines.cluster.runner import Running
from pipelines.cluster.state import Ending, Limits, Store, Task
from pipelines.common import PipelineError

#: sysexits' EX_TEMPFAIL: the batch script requeues the task.
RETRY = 75
RESTARTS = 100
TEARDOWN = [
    "code=$?",
    'job="$SLURM_JOB_ID"; test -z "$SLURM_ARRAY_JOB_ID" || job="${SLURM_ARRAY_JOB_ID}_$SLURM_ARRAY_TASK_ID"',
    "case $code in",
    f'{RETRY}|13[0-9]) test "${{SLURM_RESTART_COUNT:-0}}" -ge {RESTARTS} || scontrol requeue "$job" ;;',
    "esac",
    "exit $code",
]
ENDED = {
    "COMPLETED",
    "FAILED",
    "CANCELLED",
    "TIMEOUT",
    "NODE_FAIL",
    "PREEMPTED",
    "BOOT_FAIL",
    "DEADLINE",
    "OUT_OF_MEMORY",
    "REVOKED",
}


class SlurmTask:
    """Hold what a job runs, as submitit pickles it; a signal before the time limit stops and requeues it."""

    def __init__(self, root: Path, name: str, task: Task, limits: Limits, before: int, amp: bool) -> None:
        self.root, self.name, self.amp = root, name, amp
        self.task, self.limits, self.before = task.model_dump(), limits.model_dump(), before
        self._running: Running | None = None
        self._terminated = False

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "_running": None, "_terminated": False}

    def __call__(self) -> None:
        """Run the task; exits with RETRY where the batch script shall requeue it, with 1 where it failed for good."""
        signal.signal(signal.SIGTERM, self._on_term)  # in place of submitit's, which ignores it
        running = Running(Store(self.root, self.name), Task(**self.task), Limits(**self.limits), self.before, self.amp)
        self._running = running
        ending = running.run(job_id(os.environ), self._asked)
        if ending == "terminated":
            raise SystemExit(128 + signal.SIGTERM)
        if running.again(ending):
            raise SystemExit(RETRY)
        if ending == "failed":
            raise SystemExit(1)

    def checkpoint(self) -> Any:
        """Stop before the time limit, or for a preemption, and go on after the requeue, from the last checkpoint."""
        from submitit.helpers import DelayedSubmission

        if self._running is not None:
            self._running.stop("timeout")
        return DelayedSubmission(self)

    def _on_term(self, number: int, frame: Any) -> None:
        self._terminated = True

    def _asked(self) -> Ending | None:
        return "terminated" if self._terminated else None


def job_id(environ: Mapping[str, str]) -> str | None:
    """Return this job's id as squeue prints it, or None outside Slurm."""
    if array := environ.get("SLURM_ARRAY_JOB_ID"):
        return f"{array}_{environ['SLURM_ARRAY_TASK_ID']}"
    return environ.get("SLURM_JOB_ID")


def job_name(name: str, nonce: str) -> str:
    """Return the name of a send's jobs, by which they are found again even if their ids were never written down."""
    return f"micronet-{name}-{nonce}"


def new_nonce() -> str:
    """Return a name for a send."""
    return secrets.token_hex(4)


def parameters(name: str, nonce: str, root: Path, options: Mapping[str, Any]) -> dict[str, Any]:
    """Return submitit's parameters of a send."""
    gpus = options["gpus_per_task"]
    out: dict[str, Any] = {
        "job_name": job_name(name, nonce),
        "time": options["minutes"],
        "nodes": 1,
        "ntasks_per_node": 1,
        "cpus_per_task": options["cpus_per_task"],
        "array_parallelism": options["array_parallelism"],
        "signal_delay_s": options["signal_delay"],
        "stderr_to_stdout": True,
        "teardown": TEARDOWN,
        "additional_parameters": {"requeue": True, "chdir": str(root)},
    }
    if gpus:
        out["gpus_per_node"] = gpus
    for key in ("partition", "account", "qos"):
        if options.get(key):
            out[key] = options[key]
    return out


def send(
    store: Store,
    tasks: Sequence[Task],
    before: Mapping[str, int],
    limits: Limits,
    nonce: str,
    options: Mapping[str, Any],
) -> dict[str, str]:
    """Submit the tasks as one array and return their job ids. Raises PipelineError with Slurm's own words."""
    import submitit
    from submitit.core.utils import FailedJobError, FailedSubmissionError

    need("sbatch")
    calls = [SlurmTask(store.root, store.name, task, limits, before.get(task.id, 0), options["amp"]) for task in tasks]
    try:
        executor = submitit.SlurmExecutor(store.folder / "submitit", max_num_timeout=limits.requeues)
        executor.update_parameters(**parameters(store.name, nonce, store.root, options))
        with executor.batch():
            jobs = [executor.submit(call) for call in calls]
    except (FailedJobError, FailedSubmissionError, subprocess.CalledProcessError, RuntimeError) as error:
        lines = [line for line in str(error).splitlines() if line.strip()]
        told = next((line for line in reversed(lines) if "error:" in line), lines[-1] if lines else "no message")
        raise PipelineError(f"sbatch: {told.strip()}") from None
    return {task.id: job.job_id for task, job in zip(tasks, jobs, strict=True)}


def need(command: str) -> None:
    """Raise PipelineError where a Slurm command is not installed."""
    if shutil.which(command) is None:
        raise PipelineError(f"{command}: not found; run this on a Slurm login node, or use --executor local")


def states(names: Sequence[str]) -> dict[str, tuple[str, str]]:
    """Return the jobs of the named sends that Slurm still has: job id to (state, node or reason).

    Raises PipelineError where Slurm does not answer.
    """
    if not names:
        return {}
    need("squeue")
    out = _slurm("squeue", "-h", "-r", "-t", "all", "--name", ",".join(names), "-o", "%i|%T|%N|%r")
    found = {}
    for line in out.splitlines():
        job, state, node, reason = (line.split("|", 3) + ["", "", ""])[:4]
        if state.split()[0] not in ENDED:
            found[job] = (state, node if state == "RUNNING" else reason)
    return found


def cancel(jobs: Sequence[str] = (), name: str | None = None) -> None:
    """Cancel jobs by id or by name; those that ended already are passed over."""
    need("scancel")
    if name:
        _slurm("scancel", "--quiet", "--name", name)
    for start in range(0, len(jobs), 200):
        _slurm("scancel", "--quiet", *jobs[start : start + 200])


def _slurm(*command: str) -> str:
    try:
        done = subprocess.run(command, capture_output=True, text=True, errors="replace", timeout=120, check=False)
    except subprocess.TimeoutExpired:
        raise PipelineError(f"{command[0]}: no answer in two minutes; is slurmctld up?") from None
    if done.returncode:
        told = (done.stderr.strip().splitlines() or [f"exit code {done.returncode}"])[-1]
        raise PipelineError(f"{command[0]}: {told}")
    return done.stdout
