"""Which tasks a request means, stage by stage, what they share, and which of them need no run."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from evidence.io import write_bytes_atomic
from evidence.read import Evidence, read_evidence
from evidence.settings import SettingsError, load_settings
from paper.files import read_yaml
from pipelines.cluster.state import Task
from pipelines.common import TASKS, PipelineError, last_error, section, task_of

RECIPES = ("paper", "official")
#: DVC, with its files written whole (repro.py), waiting for its lock.
DVC = (sys.executable, "-m", "pipelines.cluster.repro", "--wait-for-lock")
FEW = 6
#: The stage that makes a mini task's data.
DATA_STAGE = {"classification": "data", "pose": "people", "segmentation": "streets"}


def environment(root: Path) -> dict[str, str]:
    """Return the environment for DVC: stages call `python`, which must be this one, and print UTF-8."""
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", "")])
    return {
        **os.environ, "PATH": path, "PYTHONIOENCODING": "utf-8", "DVC_NO_ANALYTICS": "1",
        "NO_ALBUMENTATIONS_UPDATE": "1",
    }  # fmt: skip


def all_tasks(root: Path, params: Mapping[str, Any], profile: str, recipe: str) -> dict[str, Task]:
    """Return every task of a profile by id, in the order of params.yaml or of the stages' file."""
    if profile == "mini":
        return _mini(params)
    folder = "proxy" if profile == "proxy" else "full"
    suffix = "_official" if recipe == "official" else ""
    seeds = section(params, "proxy" if profile == "proxy" else "paper", "seeds")
    found = {}
    for table, row in _matrix(root / folder / "dvc.yaml", suffix):
        for seed in seeds:
            name = f"{row}.s{seed}" if profile == "proxy" else f"{row}.{recipe}.s{seed}"
            found[name] = Task(
                id=name, row=row, table=table, seed=seed,
                stages=[f"{folder}/dvc.yaml:table{table}{suffix}@{row}-{seed}"],
                evidence=f"results/{profile}/{table}/{name}.json", kept=f"checkpoints/{profile}/{name}.json",
            )  # fmt: skip
    return found


def _mini(params: Mapping[str, Any]) -> dict[str, Task]:
    found = {}
    for task in TASKS:
        mine = params if task == TASKS[0] else params.get(task, {})
        ending = "" if task == TASKS[0] else f"_{task}"
        for key, file in (("rows", ""), ("more_rows", "more/dvc.yaml:")):
            for row, own in (mine.get(key) or {}).items():
                found[row] = Task(
                    id=row, row=row, table=own["table"], seed=None,
                    stages=[f"{file}train{ending}@{row}"],
                    evidence=f"results/mini/{own['table']}/{row}.json",
                )  # fmt: skip
    return found


def _matrix(path: Path, suffix: str) -> list[tuple[str, str]]:
    """Return (table, row) of every stage group named tableN, with the suffix or without any."""
    try:
        stages = read_yaml(path, str(path), PipelineError)["stages"]
        return [
            (name.removeprefix("table").removesuffix(suffix), row)
            for name, stage in stages.items()
            if name.startswith("table") and (name.endswith(suffix) if suffix else "_" not in name)
            for row in stage["matrix"]["row"]
        ]
    except (KeyError, TypeError, AttributeError) as error:
        raise PipelineError(f"{path}: malformed ({error}); restore it from the repository") from None


def choose(
    tasks: Mapping[str, Task], tables: Sequence[str] = (), rows: Sequence[str] = (), seeds: int | None = None,
    profile: str = "mini",
) -> dict[str, Task]:  # fmt: skip
    """Return the tasks of the named tables ("4" means 4a to 4c) and rows, with the first `seeds` seeds.

    Raises PipelineError naming a table, row or number of seeds that the profile has no stages for.
    """

    def fits(table: str, wanted: str) -> bool:
        return table == wanted or (wanted.isdigit() and table.rstrip("abc") == wanted)

    known = {t.table for t in tasks.values()}
    for wanted in tables:
        if not any(fits(table, wanted) for table in known):
            raise PipelineError(f"--table {wanted}: profile {profile} has stages for {', '.join(sorted(known))}")
    if unknown := set(rows) - {t.row for t in tasks.values()}:
        raise PipelineError(f"--row {sorted(unknown)[0]}: profile {profile} has no stage for it")
    chosen = {
        k: t for k, t in tasks.items()
        if (not tables or any(fits(t.table, w) for w in tables)) and (not rows or t.row in rows)
    }  # fmt: skip
    if not chosen:
        raise PipelineError(f"no row of --row lies in a table of --table {' '.join(tables)}")
    offered = sorted({t.seed for t in tasks.values() if t.seed is not None})
    if seeds is not None:
        have = len(offered) or 1
        if not 1 <= seeds <= have:
            where = {"mini": "mini trains one, params.yaml's", "proxy": "add to proxy.seeds in params.yaml",
                     "paper": "add to paper.seeds in params.yaml"}[profile]  # fmt: skip
            raise PipelineError(f"--seeds {seeds}: profile {profile} has stages for {have}; {where}")
        chosen = {k: t for k, t in chosen.items() if t.seed is None or t.seed in offered[:seeds]}
    return chosen


def prepare(root: Path, params: Mapping[str, Any], profile: str, tasks: Iterable[Task]) -> None:
    """Make or check, once, what the tasks share. Raises PipelineError saying what is missing and how to get it."""
    if profile == "mini":
        # only what changed: rows on their way read the others' data, and DVC would want to write it
        stages = sorted(changed_stages(root, {DATA_STAGE[task_of(task.row)] for task in tasks}))
        done = stages and subprocess.run(
            [*DVC, "repro", *stages], cwd=root, env=environment(root), capture_output=True,
            encoding="utf-8", errors="replace",
        )  # fmt: skip
        if done and done.returncode:
            raise PipelineError(f"{', '.join(stages)}: {last_error(done.stdout + done.stderr)}")
    elif profile == "proxy":
        from pipelines.data.cifar import PACKED, load

        if load(root / PACKED)[1] != section(params, "proxy", "pin"):
            raise PipelineError(f"{PACKED}: its pin is not params.yaml's; run `python -m pipelines cifar` anew")
    else:
        from pipelines.data import imagenet
        from pipelines.data.verify import check_verified
        from pipelines.training import full_dense

        one_of_each = {task_of(task.row): task.row for task in tasks}
        for kind, row in sorted(one_of_each.items()):
            if kind == TASKS[0]:
                imagenet.check_verified(Path(os.environ.get("IMAGENET_ROOT") or root / "data/imagenet"), root)
            else:
                check_verified(full_dense.data_folder(row, root=root), root, (full_dense.DATASETS[kind],))


def current_stages(root: Path, tasks: Iterable[Task]) -> Callable[[Task], bool]:
    """Ask DVC, once, and return whether a task's stages are up to date: nothing changed, no output is missing."""
    changed = changed_stages(root, [stage for task in tasks for stage in task.stages])
    return lambda task: changed.isdisjoint(task.stages)


def changed_stages(root: Path, stages: Collection[str]) -> set[str]:
    """Ask DVC, once, and return those of the stages that are not up to date."""
    if not stages:
        return set()
    files = Counter(stage.rpartition(":")[0] or "dvc.yaml" for stage in stages)
    # DVC reads the file anew for every stage that is named: beyond a few, all of the file's stages are quicker
    named = [stage for stage in stages if files[stage.rpartition(":")[0] or "dvc.yaml"] <= FEW]
    named += [file for file, number in files.items() if number > FEW]
    done = subprocess.run(
        [*DVC, "status", "--json", *named], cwd=root, env=environment(root), capture_output=True,
        encoding="utf-8", errors="replace",
    )  # fmt: skip
    try:
        changed = json.loads(done.stdout)
    except ValueError:
        raise PipelineError(f"dvc status: {last_error(done.stdout + done.stderr)}") from None
    return set(stages) & set(changed)


def take_kept(root: Path, tasks: Iterable[Task]) -> None:
    """Put evidence that is missing in its place from its copy beside the weights, where `dvc pull` brought that."""
    for task in tasks:
        if task.kept and not (root / task.evidence).is_file() and (root / task.kept).is_file():
            write_bytes_atomic(root / task.evidence, (root / task.kept).read_bytes())


def evidence_faults(root: Path, tasks: Iterable[Task]) -> dict[str, str]:
    """Return why tasks' evidence does not count, by task; those whose evidence is sound are left out."""
    try:
        _, settings = load_settings(root)
    except SettingsError as error:
        raise PipelineError(str(error)) from None
    found = read_evidence(root, settings)
    return {task.id: fault for task in tasks if (fault := _fault(root, found, task))}


def _fault(root: Path, found: Evidence, task: Task) -> str | None:
    profile = task.evidence.split("/")[1]
    if not (root / task.evidence).is_file():
        return "no evidence file"
    if problem := next((p for p in found.problems if p.path == task.evidence), None):
        return problem.fault
    runs = zip(found.runs.get(profile, {}).get(task.row, []), found.files.get((profile, task.row), []), strict=True)
    run = next((run for run, file in runs if file == task.evidence), None)
    if run is None:
        return "the report does not read it"
    if task.seed is not None and run.seed != task.seed:
        return f"is of seed {run.seed}"
    named = Path(task.evidence).name.split(".")
    if run.recipe and profile == "paper" and run.recipe != named[1]:
        return f"is of recipe {run.recipe}"
    return None
