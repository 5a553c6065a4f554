"""DVC's stages as this machine's steps: which there are, what each needs, which are out of date, and their record."""

from __future__ import annotations

import logging
import re
import shlex
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pipelines.__main__ import stage_module
from pipelines.common import PipelineError

#: The module of the stages that are run first and last, whatever became of the others.
REPORT = "report.refresh"
#: Take a minute or more: run where what they read changed, as DVC says.
SLOW = ("pipelines.analysis.fingerprint", "pipelines.analysis.forensics")
#: A stage's command, as all of this project's are: run by this process's Python, without a shell.
COMMAND = re.compile(r"python -m (?:pipelines (\w+)|((?:pipelines|report)(?:\.\w+)*))((?: [\w./:=@+-]+)*)")


@dataclass(frozen=True)
class Step:
    """Hold a stage: its name for DVC, the module that it runs with arguments, and the stages whose outputs it reads.

    computed: its results are in git, the same on every machine. bookend: it writes the report, which is done before
    and after all others, whatever became of them.
    """

    name: str
    module: str
    arguments: tuple[str, ...]
    needs: frozenset[str]
    computed: bool
    bookend: bool
    stage: Any = field(compare=False, repr=False)


class Stages:
    """Hold the stages of a checkout, which must be the working folder, and keep DVC's record of them."""

    def __init__(self, root: Path, files: Sequence[str] = ("dvc.yaml",)) -> None:
        """Read the stages of `files`, in their order; those of the first have plain names.

        Raises PipelineError where DVC cannot.
        """
        from dvc.exceptions import DvcException
        from dvc.repo import Repo

        logging.getLogger("dvc").setLevel(logging.ERROR)  # it tells of every write to dvc.lock
        try:
            self.repo = Repo(str(root), _wait_for_lock=True)
            self.steps = _steps(
                {
                    stage.name if file == files[0] else f"{file}:{stage.name}": stage
                    for file in files
                    for stage in self.repo.stage.load_all(str(root / file))
                }
            )
        except DvcException as error:
            raise PipelineError(f"DVC: {_one_line(error)}") from None

    def changed(self, step: Step) -> bool:
        """Tell whether DVC would run a stage. Raises PipelineError where it cannot say."""
        from dvc.exceptions import DvcException
        from dvc.repo import lock_repo

        try:
            with lock_repo(self.repo):
                return bool(step.stage.changed())
        except (DvcException, OSError) as error:
            raise PipelineError(f"{step.name}: {_one_line(error)}") from None

    def record(self, step: Step) -> None:
        """Put a finished stage into dvc.lock and its outputs into the cache, as `dvc commit` does.

        Raises PipelineError where an output is missing, or the cache cannot be written.
        """
        with _recording(self.repo):
            step.stage.save()
            step.stage.commit()
            step.stage.dump(update_pipeline=False)


@contextmanager
def _recording(repo: Any) -> Iterator[None]:
    """Hold DVC's lock. Raises PipelineError where it cannot record what the block gives it."""
    from dvc.exceptions import DvcException
    from dvc.repo import lock_repo

    try:
        with lock_repo(repo):
            yield
    except (DvcException, OSError) as error:
        raise PipelineError(
            f"its results are there, but DVC cannot record them ({_one_line(error)}); mend that, or name a folder "
            "that can be written by `dvc config --local cache.dir FOLDER`, and run again"
        ) from None


def record_stages(root: Path, names: Iterable[str]) -> int:
    """Do `dvc commit -f` for many finished stages, each lock file written once where that writes it for every stage.

    names: STAGE of dvc.yaml or FILE:STAGE. Returns how many were not recorded as they are. Data that is absent here
    stays as it was recorded; a stage where it never was is passed over. Raises PipelineError where DVC cannot read its
    files, or record.
    """
    from dvc.exceptions import DvcException
    from dvc.repo import Repo

    wanted: dict[str, set[str]] = {}
    for name in names:
        file, _, stage = name.rpartition(":")
        wanted.setdefault(file or "dvc.yaml", set()).add(stage)
    logging.getLogger("dvc").setLevel(logging.ERROR)
    number = 0
    for file, mine in wanted.items():
        lock = Path(file).with_suffix(".lock").as_posix()
        try:
            repo = Repo(str(root), _wait_for_lock=True)
            stages = [stage for stage in repo.stage.load_all(str(root / file)) if stage.name in mine]
        except DvcException as error:
            mend = f"`git checkout {lock}` mends a damaged lock file"
            raise PipelineError(f"DVC: {_one_line(error)}; {mend}, and nothing that is there is lost by it") from None
        with _recording(repo):
            new = [s for s in stages if _unrecorded(s)]
            for stage in new:
                stage.save(allow_missing=True, run_cache=False)  # the trainer knows what it did
                stage.commit()
            if new:
                new[0].dvcfile.dump_stages(new, update_pipeline=False)
        number += len(new)
    return number


def _unrecorded(stage: Any) -> bool:
    """Tell whether a stage can be recorded and what is there of it is not as recorded."""
    there = [part for part in (*stage.deps, *stage.outs) if part.exists]
    known = all(dep.exists or dep.hash_info for dep in stage.deps)
    return bool(known and (stage.cmd_changed or any(part.status() for part in there)))


def _one_line(error: Exception) -> str:
    text = " ".join(str(error).split())
    cause = error.__cause__
    return f"{text} ({' '.join(str(cause).split())})" if cause is not None and str(cause) not in text else text


def _steps(stages: Mapping[str, Any]) -> list[Step]:
    makers = [(Path(out.fs_path), name) for name, stage in stages.items() for out in stage.outs]
    return [_step(name, stage, makers) for name, stage in stages.items()]


def _step(name: str, stage: Any, makers: Sequence[tuple[Path, str]]) -> Step:
    match = COMMAND.fullmatch(stage.cmd) if isinstance(stage.cmd, str) else None
    module = match and (stage_module(match[1]) if match[1] else match[2])
    if match is None or module is None:
        raise PipelineError(
            f"dvc.yaml: stage {name} runs {stage.cmd!r}, not `python -m pipelines VERB ...`; "
            "mend it, or use `dvc repro`"
        )
    reads = [Path(dep.fs_path) for dep in stage.deps]
    needs = {maker for out, maker in makers for dep in reads if out == dep or out in dep.parents or dep in out.parents}
    return Step(
        name=name,
        module=module,
        arguments=tuple(shlex.split(match[3])),
        needs=frozenset(needs - {name}),
        computed=module not in SLOW
        and bool(stage.outs)
        and all(out.persist and not out.use_cache for out in stage.outs),
        bookend=module == REPORT,
        stage=stage,
    )
