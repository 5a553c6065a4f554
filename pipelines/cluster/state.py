"""What a submission remembers, under work_dirs/cluster/NAME: small JSON files, each written whole, by one writer only.

submission.json     the tasks and every send (which tasks, which jobs); the submitter writes it, under `lock`
tasks/ID.json       the task's attempts; the process that runs the task writes it, holding the task's lock
tasks/ID.claim      the token of the newest attempt: an older one that still runs somewhere sees it and ends itself
tasks/ID.cancel     there while the task is cancelled
logs/ID.log         what the training printed
local.lock          held by the local executor while it runs
../.locks/PROFILE.ID    held while the task runs, by whatever submission: no two trainings write one row's files
"""

from __future__ import annotations

import contextlib
import json
import os
import re
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal, TypeVar

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from papertally.evidence.io import write_json_atomic
from pipelines.common import PipelineError

try:
    import fcntl
except ImportError:  # Windows
    fcntl = None  # type: ignore[assignment]

FOLDER = Path("work_dirs/cluster")
SCHEMA = 2
#: Columns of which a classification run files which images it gets right.
COUNTED = ("top1", "top5")
NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
#: How an attempt ended. `lost`: it left no word, so its machine or its process died.
Ending = Literal["done", "failed", "killed", "timeout", "terminated", "superseded", "cancelled", "lost"]
#: Endings that are nobody's fault: the task goes on from its last checkpoint.
INTERRUPTED = ("killed", "timeout", "terminated", "lost")


class Strict(BaseModel):
    """Refuse unknown keys."""

    model_config = ConfigDict(extra="forbid")


class Task(Strict):
    """Name what one task trains. recipe: of profile paper, else "". seed: None for mini, where params.yaml has it."""

    row: str
    table: str
    kind: Literal["classification", "pose", "segmentation"]
    profile: Literal["mini", "proxy", "paper"]
    recipe: str = ""
    seed: int | None = None

    @property
    def id(self) -> str:
        """Return the name of the run's files."""
        recipe = f".{self.recipe}" if self.recipe else ""
        return self.row + recipe + ("" if self.seed is None else f".s{self.seed}")

    @property
    def stage(self) -> str:
        """Return the DVC stage that records the run."""
        if self.profile == "mini":
            return f"train{'' if self.kind == 'classification' else '_' + self.kind}@{self.row}"
        if self.profile == "proxy":
            return f"proxy/dvc.yaml:train@{self.row}-{self.seed}"
        if self.kind == "classification":
            stage = "official" if self.recipe == "official" else "imagenet"
            return f"full/dvc.yaml:{stage}@{self.row}-{self.recipe}-{self.seed}"
        return f"full/dvc.yaml:{'coco' if self.kind == 'pose' else 'cityscapes'}@{self.row}-{self.seed}"

    @property
    def evidence(self) -> str:
        """Return where the run's evidence must lie."""
        return f"results/{self.profile}/{self.id}.json"

    @property
    def kept(self) -> dict[str, str]:
        """Return what of the evidence is in git, and by it the copy in DVC's cache and remotes: its bits before it."""
        if self.profile != "paper":
            return {}
        copies = {path: f"checkpoints/paper/{Path(path).name}" for path in self.bits}
        return {**copies, self.evidence: f"checkpoints/paper/{self.id}.json"}

    @property
    def bits(self) -> list[str]:
        """Return where the run's per-example correctness lies, which its evidence names."""
        columns = COUNTED if self.kind == "classification" else ()
        return [f"results/examples/{self.profile}/{self.id}.{column}.json" for column in columns]

    @property
    def files(self) -> list[str]:
        """Return what must lie beside the evidence, which DVC keeps: weights first. Of CIFAR-10's it keeps nothing."""
        if self.profile == "proxy":
            return []
        drawn = self.profile == "mini" and self.kind != "classification"
        return [
            f"checkpoints/{self.profile}/{self.id}.pth",
            *self.kept.values(),
            *self.bits,
            f"results/curves/{self.profile}/{self.id}.csv",
            *([f"results/pictures/mini/{self.id}.jpg"] if drawn else []),
        ]

    def command(self, amp: bool = False) -> list[str]:
        """Return the arguments of `python` that train it, as its stage has them; nothing finished is trained again."""
        out = ["-m", "pipelines", "train", *([] if self.profile == "mini" else ["--profile", self.profile])]
        out += ["--row", self.row]
        if self.recipe and self.kind == "classification":
            out += ["--recipe", self.recipe]
        if self.seed is not None:
            out += ["--seed", str(self.seed)]
        return out + (["--launcher", "auto"] if self.profile == "paper" else []) + (["--amp"] if amp else [])


class Limits(Strict):
    """Bound a task: attempts that fail, and attempts that something else ends."""

    attempts: int = Field(3, ge=1)
    requeues: int = Field(20, ge=0)


class Send(Strict):
    """Hold one send: its tasks, their jobs, and how many attempts each had before. No jobs yet: it was cut off."""

    nonce: str
    executor: Literal["slurm", "local"]
    sent: str
    tasks: list[str]
    before: dict[str, int]
    jobs: dict[str, str] = {}
    limits: Limits
    options: dict[str, Any] = {}


class Submission(Strict):
    """Hold a submission: tasks of one profile and recipe, and the sends so far."""

    schema_: Literal[2] = Field(SCHEMA, alias="schema")
    name: str
    profile: str
    recipe: str
    tasks: dict[str, Task] = {}
    sends: list[Send] = []
    current: list[str] = []  # tasks that were up to date when they were asked for

    def last_send(self, task: str) -> Send | None:
        """Return the newest send of a task."""
        return next((s for s in reversed(self.sends) if task in s.tasks), None)


class Attempt(Strict):
    """Hold one attempt at a task; no ending: it runs, or died without a word."""

    token: str
    job: str | None
    host: str
    started: float
    ended: float | None = None
    ending: Ending | None = None
    error: str = ""
    gpus: str | None = None


class Record(Strict):
    """Hold a task's attempts, oldest first."""

    schema_: Literal[2] = Field(SCHEMA, alias="schema")
    task: str
    attempts: list[Attempt] = []

    def counts(self, before: int) -> tuple[int, int]:
        """Return how many attempts failed and how many were interrupted, not counting the first `before`."""
        mine = self.attempts[before:]
        return sum(a.ending == "failed" for a in mine), sum(a.ending in INTERRUPTED for a in mine)


def default_name(profile: str, recipe: str) -> str:
    """Return the name of a submission that was given none."""
    return f"{profile}-{recipe}" if profile == "paper" and recipe != "paper" else profile


Model = TypeVar("Model", bound=BaseModel)


def now() -> str:
    """Return the time in UTC, to the second."""
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


class Store:
    """Read and write one submission's files under `root`/work_dirs/cluster/NAME."""

    def __init__(self, root: Path, name: str) -> None:
        if not NAME.fullmatch(name):
            raise PipelineError(f"--name {name!r}: use letters, digits, dots, dashes and underscores")
        self.root, self.name = root, name
        self.folder = root / FOLDER / name

    def path(self, task: str, ending: str) -> Path:
        """Return a task's file: json, claim or cancel."""
        return self.folder / "tasks" / f"{task}.{ending}"

    def lock(self, task: Task) -> Path:
        """Return the file that is locked while a task runs, the same for every submission."""
        return self.root / FOLDER / ".locks" / f"{task.profile}.{task.id}"

    def log(self, task: str) -> Path:
        """Return a task's log."""
        return self.folder / "logs" / f"{task}.log"

    def load(self) -> Submission | None:
        """Return the submission, or None where there is none. Raises PipelineError naming a corrupt file."""
        found = self._read(self.folder / "submission.json", Submission)
        if found is not None and found.name != self.name:
            raise PipelineError(f"{self.folder / 'submission.json'}: is of submission {found.name!r}; move it back")
        return found

    def save(self, submission: Submission) -> None:
        """Write the submission, whole."""
        write_json_atomic(self.folder / "submission.json", submission.model_dump(mode="json", by_alias=True))

    def record(self, task: str) -> Record:
        """Return a task's attempts."""
        return self._read(self.path(task, "json"), Record) or Record(task=task)

    def save_record(self, record: Record) -> None:
        """Write a task's attempts, whole."""
        write_json_atomic(self.path(record.task, "json"), record.model_dump(mode="json", by_alias=True))

    def _read(self, path: Path, model: type[Model]) -> Model | None:
        try:
            return model.model_validate(json.loads(path.read_text("utf-8")))
        except FileNotFoundError:
            return None
        except ValidationError as error:
            first = error.errors()[0]
            fault = f"{'.'.join(map(str, first['loc'])) or 'the file'}: {first['msg']}"
        except ValueError as error:
            fault = f"no valid JSON ({error})"
        mend = (
            "delete it: the attempts before are forgotten, no result is"
            if model is Record
            else (f"delete {self.folder} and submit again; what is finished is not run again")
        )
        raise PipelineError(f"{path}: {fault}; {mend}") from None

    @contextlib.contextmanager
    def held(self, what: str = "this submission") -> Iterator[None]:
        """Hold the submission's lock. Raises PipelineError where another process holds it."""
        with flock(self.folder / "lock", wait=30) as got:
            if not got:
                raise PipelineError(f"{self.folder / 'lock'}: another process changes {what}; try again when it ended")
            yield

    def running(self, task: Task) -> bool:
        """Tell whether a process runs the task, on whatever machine shares this file system."""
        return held_by_another(self.lock(task))


def held_by_another(path: Path) -> bool:
    """Tell whether another process holds a lock."""
    if not path.exists():
        return False
    with flock(path, shared=True) as got:
        return not got


def need_flock() -> None:
    """Raise PipelineError where the system has no flock."""
    if fcntl is None:
        raise PipelineError("pipelines.cluster: needs flock, which Windows does not have; run it under WSL")


@contextlib.contextmanager
def flock(path: Path, wait: float = 0, shared: bool = False) -> Iterator[bool]:
    """Lock a file for as long as the block runs; yields whether the lock was got within `wait` seconds.

    The system frees it when the process dies, however it dies. NFS and Lustre (mounted with flock) pass it on between
    machines. Not filelock: `shared` lets several look at once. Raises PipelineError on Windows, which has no flock.
    """
    need_flock()
    path.parent.mkdir(parents=True, exist_ok=True)
    deadline = time.monotonic() + wait
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
    try:
        while True:
            try:
                fcntl.flock(descriptor, (fcntl.LOCK_SH if shared else fcntl.LOCK_EX) | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                if time.monotonic() >= deadline:
                    yield False
                    return
                time.sleep(0.05)
        yield True
    finally:
        os.close(descriptor)
