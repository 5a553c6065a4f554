"""Which tasks a request means, what they share, and which of them are finished."""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from papertally.evidence.io import read_json, write_bytes_atomic
from papertally.evidence.read import Evidence, read_evidence
from papertally.evidence.settings import SettingsError
from pipelines.cluster.state import Task
from pipelines.common import PipelineError, last_error, section
from report.rows import FINGERPRINTS, TASKS, find_row
from report.settings import data_pins, load_settings

RECIPES = ("paper", "official")
#: The stage that makes a mini task's data.
DATA_STAGE = {"classification": "data", "pose": "people", "segmentation": "streets"}


def environment() -> dict[str, str]:
    """Return the environment for tasks and for DVC, whose stages call `python`, which must be this one."""
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", "")])
    return {
        **os.environ,
        "PATH": path,
        "PYTHONIOENCODING": "utf-8",
        "DVC_NO_ANALYTICS": "1",
        "NO_ALBUMENTATIONS_UPDATE": "1",
    }


def dvc(root: Path, *arguments: str) -> None:
    """Run DVC, waiting for its lock. Raises PipelineError with its words."""
    done = subprocess.run(
        [sys.executable, "-m", "dvc", "--wait-for-lock", *arguments],
        cwd=root,
        env=environment(),
        capture_output=True,
        encoding="utf-8",
        errors="replace",
    )
    if done.returncode:
        told = last_error(done.stdout + done.stderr).removeprefix("ERROR: ")
        raise PipelineError(f"dvc {arguments[0]}: {told}")


def all_tasks(root: Path, params: Mapping[str, Any], profile: str, recipe: str) -> dict[str, Task]:
    """Return every task of a profile by id: rows in the order of fingerprints/rows.json or params.yaml, then seeds.

    Raises PipelineError for a malformed list, LedgerError for a row that is in no ledger.
    """
    rows = [find_row(row) for row in (section(params, "proxy", "rows") if profile == "proxy" else _configured(root))]
    if recipe != "paper":  # the released scripts train classification only
        rows = [row for row in rows if row.task == TASKS[0]]
    seeds = [None] if profile == "mini" else section(params, profile, "seeds")
    named = {"profile": profile, "recipe": recipe if profile == "paper" else ""}
    found = [Task(row=row.id, table=row.table, kind=row.task, seed=seed, **named) for row in rows for seed in seeds]
    return {task.id: task for task in found}


def _configured(root: Path) -> list[str]:
    """Return the rows that stages run over."""
    path = root / FINGERPRINTS / "rows.json"
    try:
        return [str(row) for kind in TASKS for row in read_json(path)["rows"][kind]]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise PipelineError(f"{path}: {error!r}; run `python -m pipelines fingerprint`") from None


def choose(
    tasks: Mapping[str, Task],
    tables: Sequence[str] = (),
    rows: Sequence[str] = (),
    seeds: int | None = None,
    profile: str = "mini",
) -> dict[str, Task]:
    """Return the tasks of the named tables ("4" means 4a to 4c) and rows, with the first `seeds` seeds.

    Raises PipelineError naming a table, row or number of seeds that the profile has no tasks for.
    """

    def fits(table: str, wanted: str) -> bool:
        return table == wanted or (wanted.isdigit() and table.rstrip("abc") == wanted)

    known = {t.table for t in tasks.values()}
    for wanted in tables:
        if not any(fits(table, wanted) for table in known):
            raise PipelineError(f"--table {wanted}: profile {profile} has rows of {', '.join(sorted(known))}")
    if unknown := set(rows) - {t.row for t in tasks.values()}:
        raise PipelineError(f"--row {sorted(unknown)[0]}: profile {profile} does not train it")
    chosen = {
        k: t
        for k, t in tasks.items()
        if (not tables or any(fits(t.table, w) for w in tables)) and (not rows or t.row in rows)
    }
    if not chosen:
        raise PipelineError(f"no row of --row lies in a table of --table {' '.join(tables)}")
    if seeds is not None:
        offered = list(dict.fromkeys(t.seed for t in tasks.values()))  # in the order of params.yaml
        if not 1 <= seeds <= len(offered):
            where = "params.yaml has one" if profile == "mini" else f"add to {profile}.seeds in params.yaml"
            raise PipelineError(f"--seeds {seeds}: profile {profile} has {len(offered)}; {where}")
        chosen = {k: t for k, t in chosen.items() if t.seed in offered[:seeds]}
    return chosen


def prepare(root: Path, params: Mapping[str, Any], profile: str, tasks: Iterable[Task]) -> None:
    """Make or check, once, what the tasks share. Raises PipelineError saying what is missing and how to get it."""
    one_of_each = {task.kind: task.row for task in tasks}
    if profile == "mini":
        dvc(root, "repro", "-q", *(DATA_STAGE[kind] for kind in sorted(one_of_each)))
    elif profile == "proxy":
        from pipelines.data.cifar import CIFAR10, load_pinned

        load_pinned(CIFAR10, root, ())
    else:
        from pipelines.arguments import PACKED as VARIABLE
        from pipelines.training.__main__ import checked, data_folder

        for kind, row in sorted(one_of_each.items()):
            how = argparse.Namespace(
                packed=kind == TASKS[0] and os.environ.get(VARIABLE) == "1", decode="workers", resize="workers"
            )
            checked(find_row(row), data_folder(find_row(row), root=root, packed=how.packed), how)


def take_kept(root: Path, tasks: Iterable[Task]) -> None:
    """Put evidence that is missing in its place from its copy beside the weights, where `dvc pull` brought that."""
    for task in tasks:
        for place, kept in task.kept.items():
            if not (root / place).is_file() and (root / kept).is_file():
                write_bytes_atomic(root / place, (root / kept).read_bytes())


def faults(root: Path, tasks: Iterable[Task]) -> dict[str, str]:
    """Return why tasks' results do not count, by task; nothing for those that the report counts and that are complete.

    Raises PipelineError for a faulty params.yaml or manifest.
    """
    try:
        found = read_evidence(root, load_settings(root)[1], data_pins(root))
    except SettingsError as error:
        raise PipelineError(str(error)) from None
    return {task.id: fault for task in tasks if (fault := _fault(root, found, task))}


def _fault(root: Path, found: Evidence, task: Task) -> str | None:
    """Return what is wrong with a task's result, or None."""
    if not (root / task.evidence).is_file():
        return f"missing: {task.evidence}"
    if problem := next((p for p in found.problems if p.path == task.evidence), None):
        return f"invalid: {task.evidence}: {problem.fault}"
    runs = found.runs.get(task.profile, {}).get(task.row, [])
    files = found.files.get((task.profile, task.row), [])
    run = next((run for run, file in zip(runs, files, strict=True) if file == task.evidence), None)
    if run is None:
        return f"invalid: {task.evidence}: the report does not read it"
    if task.seed is not None and run.seed != task.seed:
        return f"invalid: {task.evidence}: is of seed {run.seed}"
    if run.recipe != task.recipe:
        return f"invalid: {task.evidence}: is of recipe {run.recipe or 'none'}"
    if gone := [path for path in task.files if not (root / path).is_file()]:
        return f"missing: {gone[0]}; `dvc pull {task.stage}` brings it, or `submit` makes it again"
    for place, kept in task.kept.items():
        if (root / kept).read_bytes() != (root / place).read_bytes():
            return f"invalid: {kept}: the weights there are of another run than {place}"
    return None
