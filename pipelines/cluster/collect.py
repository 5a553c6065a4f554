"""Gather what a submission's tasks left: all evidence checked as the report does it, in one table."""

from __future__ import annotations

import csv
import io
import json
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from evidence.io import write_text_atomic
from pipelines.cluster.plan import DVC, current_stages, environment, evidence_faults, take_kept
from pipelines.cluster.state import Store, Submission, Task
from pipelines.cluster.status import View, look
from pipelines.common import PipelineError, last_error

RESULTS = "results.csv"


@dataclass(frozen=True)
class Gathered:
    """Hold the tasks whose results are there and sound, with their values, and what is wrong with each other."""

    values: dict[str, dict[str, float]]
    faults: dict[str, str]


def gather(store: Store, submission: Submission, tasks: Sequence[Task]) -> Gathered:
    """Check the tasks' evidence, and DVC's word that their stages are up to date, and write results.csv."""
    take_kept(store.root, tasks)
    views = {view.task: view for view in look(store, submission)[0]}
    invalid = evidence_faults(store.root, tasks)
    current = current_stages(store.root, tasks)
    faults = {task.id: fault for task in tasks if (fault := _fault(task, views.get(task.id), invalid, current(task)))}
    values = {task.id: _values(store, task) for task in tasks if task.id not in faults}
    write_text_atomic(store.folder / RESULTS, _csv([t for t in tasks if t.id in values], values))
    return Gathered(values, faults)


def _fault(task: Task, view: View | None, invalid: dict[str, str], current: bool) -> str | None:
    """Return what is wrong with a task's result: missing, failed, invalid or out of date; None where it is sound."""
    if task.id in invalid:
        if view is not None and view.state not in ("done", "lost"):
            return f"{view.state}{': ' + view.note if view.note else ''}"
        if invalid[task.id] == "no evidence file":
            return f"missing: {task.evidence}" + (f" ({view.note})" if view and view.state == "lost" else "")
        return f"invalid: {task.evidence}: {invalid[task.id]}"
    if not current:
        word = "; it is " + view.state if view is not None and view.state != "done" else ""
        return f"out of date: DVC would run {' and '.join(task.stages)} again{word}"
    return None


def _values(store: Store, task: Task) -> dict[str, float]:
    return json.loads((store.root / task.evidence).read_text("utf-8"))["values"]


def _csv(tasks: Sequence[Task], values: dict[str, dict[str, float]]) -> str:
    metrics = sorted({key for found in values.values() for key in found})
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(["table", "row", "seed", *metrics, "evidence"])
    for task in tasks:
        seed = "" if task.seed is None else task.seed
        writer.writerow([
            task.table, task.row, seed, *(values[task.id].get(m, "") for m in metrics), task.evidence
        ])  # fmt: skip
    return out.getvalue()


def report(store: Store, gathered: Gathered, tasks: Sequence[Task]) -> str:
    """Return what is there and what is not, for a reader."""
    lines = []
    by_row: dict[str, list[dict[str, float]]] = {}
    for task in tasks:
        if task.id in gathered.values:
            by_row.setdefault(task.row, []).append(gathered.values[task.id])
    for row, found in by_row.items():
        means = {key: sum(v[key] for v in found) / len(found) for key in found[0]}
        text = ", ".join(f"{key} {value:.2f}" for key, value in sorted(means.items()))
        lines.append(f"{row}: {text} ({len(found)} {'run' if len(found) == 1 else 'runs'})")
    lines += [f"{task}: {fault}" for task, fault in gathered.faults.items()]
    lines.append(
        f"{len(gathered.values)} of {len(tasks)} results are there and sound ({store.folder / RESULTS})"
    )  # fmt: skip
    return "\n".join(lines)


def push(store: Store, tasks: Sequence[Task], remote: str | None) -> None:
    """Send the tasks' outputs to a DVC remote: weights, and evidence in the copy beside them.

    Raises PipelineError with DVC's words.
    """
    stages = [stage for task in tasks for stage in task.stages]
    command: list[Any] = [*DVC, "push", *(["-r", remote] if remote else []), *stages]
    done = subprocess.run(command, cwd=store.root, env=environment(store.root), capture_output=True,
                          encoding="utf-8", errors="replace")  # fmt: skip
    if done.returncode:
        raise PipelineError(f"dvc push: {last_error(done.stdout + done.stderr).removeprefix('ERROR: ')}")
