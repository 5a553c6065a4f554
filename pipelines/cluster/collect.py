"""Gather what a submission's tasks left: all results checked as the report does it, in one table and in DVC's locks."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Sequence
from dataclasses import dataclass

from papertally.evidence.io import write_text_atomic
from pipelines.cluster.plan import dvc, faults, take_kept
from pipelines.cluster.state import Store, Submission, Task
from pipelines.cluster.status import View, look
from pipelines.repro.checkout import check_dvc
from pipelines.repro.stages import record_stages

RESULTS = "results.csv"


@dataclass(frozen=True)
class Gathered:
    """Hold the tasks whose results are there and sound, with their values, and what is wrong with each other."""

    values: dict[str, dict[str, float]]
    faults: dict[str, str]


def gather(store: Store, submission: Submission, tasks: Sequence[Task]) -> Gathered:
    """Check the tasks' evidence and weights, and write results.csv."""
    take_kept(store.root, tasks)
    views = {view.task: view for view in look(store, submission)[0]}
    found = faults(store.root, tasks)
    bad = {task: _told(fault, views.get(task)) for task, fault in found.items()}
    values = {task.id: _values(store, task) for task in tasks if task.id not in bad}
    write_text_atomic(store.folder / RESULTS, _csv([t for t in tasks if t.id in values], values))
    return Gathered(values, bad)


def _told(fault: str, view: View | None) -> str:
    """Return a fault in words: of a task that is on its way or failed, its state says it."""
    if view is None or view.state == "done":
        return fault
    if view.state == "lost":
        return f"{fault} ({view.note})"
    return f"{view.state}{': ' + view.note if view.note else ''}"


def _values(store: Store, task: Task) -> dict[str, float]:
    return json.loads((store.root / task.evidence).read_text("utf-8"))["values"]


def _csv(tasks: Sequence[Task], values: dict[str, dict[str, float]]) -> str:
    metrics = sorted({key for found in values.values() for key in found})
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(["table", "row", "seed", *metrics, "evidence"])
    for task in tasks:
        seed = "" if task.seed is None else task.seed
        writer.writerow([task.table, task.row, seed, *(values[task.id].get(m, "") for m in metrics), task.evidence])
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
    lines.append(f"{len(gathered.values)} of {len(tasks)} results are there and sound ({store.folder / RESULTS})")
    return "\n".join(lines)


def record(store: Store, tasks: Sequence[Task]) -> int:
    """Record sound tasks' stages in DVC's lock files and cache; returns how many were not recorded before.

    Raises PipelineError where DVC cannot: no result is lost by that, and `collect` again makes up for it.
    """
    if not tasks:
        return 0
    check_dvc(store.root)
    return record_stages(store.root, [task.stage for task in tasks])


def push(store: Store, tasks: Sequence[Task], remote: str | None) -> None:
    """Send the tasks' outputs to a DVC remote: weights, and evidence in the copy beside them.

    Raises PipelineError with DVC's words.
    """
    if tasks:  # without any DVC would push all that there is
        dvc(store.root, "push", *(["-r", remote] if remote else []), *(task.stage for task in tasks))
