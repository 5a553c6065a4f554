"""What each task of a submission does now: from its record, its lock and Slurm's queue, from any shell at any time."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

from pipelines.cluster import slurm
from pipelines.cluster.state import Attempt, Record, Send, Store, Submission, Task, held_by_another
from pipelines.common import PipelineError

#: States in the order of a summary. `unknown`: Slurm does not answer. `lost`: nobody runs it or will.
STATES = ("done", "running", "pending", "requeued", "failed", "lost", "cancelled", "unknown")
ACTIVE = ("running", "pending", "requeued", "unknown")
TAIL = 4096


@dataclass(frozen=True)
class View:
    """Hold one line of the status table; seconds: of the newest attempt."""

    task: str
    state: str
    attempts: int
    job: str
    where: str
    seconds: float | None
    note: str


def look(store: Store, submission: Submission) -> tuple[list[View], str | None]:
    """Return a line a task, and why Slurm does not answer, or None."""
    open_sends = [
        send
        for send in submission.sends
        if send.executor == "slurm" and not all(_done(send, store.record(task)) for task in send.tasks)
    ]
    queue: dict[str, tuple[str, str]] | None = {}
    fault = None
    try:
        queue = slurm.states([slurm.job_name(submission.name, send.nonce) for send in open_sends])
    except PipelineError as error:
        queue, fault = None, str(error)
    supervised = held_by_another(store.folder / "local.lock")
    # The records last: what ended since Slurm was asked is seen to have ended, and never taken for lost.
    tasks = submission.tasks.values()
    return [_view(store, submission, task, store.record(task.id), queue, supervised) for task in tasks], fault


def _done(send: Send, record: Record) -> bool:
    mine = record.attempts[send.before.get(record.task, 0) :]
    return bool(mine) and mine[-1].ending == "done"


def _view(
    store: Store,
    submission: Submission,
    task: Task,
    record: Record,
    queue: dict[str, tuple[str, str]] | None,
    supervised: bool,
) -> View:
    send = submission.last_send(task.id)
    mine = record.attempts[send.before.get(task.id, 0) :] if send else record.attempts
    last = mine[-1] if mine else None
    job = (send.jobs.get(task.id, "") if send else "") or (last.job or "" if last else "")
    where, note = last.host if last else "", last.error if last else ""
    state, reason = _state(store, submission, task, record, send, last, queue, supervised)
    if state == "running":
        note = progress(store, task.id)
    elif reason:
        note = reason
    seconds = None if last is None else (last.ended or time.time()) - last.started
    return View(task.id, state, len(mine), job, where, seconds, note)


def _state(
    store: Store,
    submission: Submission,
    task: Task,
    record: Record,
    send: Send | None,
    last: Attempt | None,
    queue: dict[str, tuple[str, str]] | None,
    supervised: bool,
) -> tuple[str, str]:
    """Return a task's state and, where there is one, a word on it."""
    if send is not None and last is not None and last.ending == "done":
        return "done", ""
    if store.running(task):
        return "running", ""
    if send is None:
        return ("done", "was finished") if task.id in submission.current else ("lost", "never sent")
    if store.path(task.id, "cancel").exists():
        return "cancelled", ""
    failed, interrupted = record.counts(send.before.get(task.id, 0))
    if failed >= send.limits.attempts:
        return "failed", ""
    if interrupted > send.limits.requeues:
        return "failed", f"gave up after {interrupted} interruptions"
    if send.executor == "slurm":
        if queue is None:
            return "unknown", ""
        if (found := queue.get(send.jobs.get(task.id, ""))) is not None:
            job, detail = found
            word = detail if job == "PENDING" else f"{job.lower()} {detail}".strip()
            return ("pending", word) if last is None else ("requeued", f"{last.ending or 'lost'}; {word}")
    elif supervised:
        return ("pending", "") if last is None else ("requeued", last.error)
    why = "never started" if last is None else f"{last.ending or 'died without a word'}"
    return "lost", f"{why}; `collect --requeue` sends it again"


def progress(store: Store, task: str) -> str:
    """Return the last line that a running task printed, such as its progress bar."""
    try:
        with store.log(task).open("rb") as log:
            log.seek(max(0, log.seek(0, 2) - TAIL))
            text = log.read().decode("utf-8", "replace")
    except OSError:
        return ""
    lines = [part.strip() for part in text.replace("\r", "\n").split("\n") if part.strip()]
    return lines[-1] if lines else ""


def summary(views: Sequence[View]) -> str:
    """Return how many tasks are in each state."""
    counts = Counter(view.state for view in views)
    return ", ".join(f"{counts[state]} {state}" for state in STATES if counts[state]) or "no tasks"


def table(name: str, views: Sequence[View], width: int = 120) -> str:
    """Return the status table as text, no line longer than `width`."""
    head = ("task", "state", "tries", "job", "where", "time", "")
    rows = [
        (v.task, v.state, str(v.attempts), v.job, v.where, duration(v.seconds), " ".join(v.note.split())) for v in views
    ]
    widths = [max(len(row[i]) for row in [head, *rows]) for i in range(6)]
    lines = [
        "  ".join([*(cell.ljust(w) for cell, w in zip(row[:6], widths, strict=True)), row[6]]).rstrip()[:width]
        for row in [head, *rows]
    ]
    return "\n".join([*lines, f"{name}: {summary(views)} of {len(views)}"])


def duration(seconds: float | None) -> str:
    """Return hours, minutes and seconds for a reader."""
    if seconds is None:
        return ""
    whole = int(seconds)
    return f"{whole // 3600}:{whole // 60 % 60:02}:{whole % 60:02}"


def as_json(submission: Submission, views: Sequence[View], fault: str | None) -> dict[str, Any]:
    """Return the status for programs."""
    return {
        "schema": 1,
        "name": submission.name,
        "profile": submission.profile,
        "recipe": submission.recipe,
        "slurm_fault": fault,
        "tasks": [asdict(view) for view in views],
    }
