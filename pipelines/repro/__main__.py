"""Run DVC's stages several at a time: what `make repro` does after set-up.

python -m pipelines.repro [--all] [--jobs N]

1. A first report of the committed evidence, within seconds.
2. Costs, statements and figures are computed anew; what they find is compared with what is committed.
3. The rows of params.yaml's mini.first (--all: every row) that are out of date for DVC are trained and evaluated, as
   many at a time as there are cores (at most 4), one thread each. A killed run goes on where it was.
4. The report anew. A stage that failed is named with the last line of its log; what does not depend on it ran on.

Every finished stage is recorded in dvc.lock, so that `dvc repro` (the same, one stage after another) has nothing left
to do. Exits with 1 where a stage failed.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import signal
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from multiprocessing.connection import wait
from pathlib import Path
from typing import Any

from pipelines.common import ROOT, PipelineError, cores, guard, last_error, load_params
from pipelines.repro import worker
from pipelines.repro.checkout import check_dvc
from pipelines.repro.progress import Progress
from pipelines.repro.stages import Stages, Step
from report import refresh

FILES = ("dvc.yaml", "report/dvc.yaml")
PAGE = Path("report/out/index.html")
POLL = 0.5
#: By number: what ends a process where memory or the processor's instructions do not suffice.
SIGNALS = {
    9: "killed from outside; is there enough memory?",
    4: "it met an instruction that this processor lacks",
    11: "it crashed in a library",
}


@dataclass
class Running:
    """Hold a step under way."""

    step: Step
    process: Any
    started: float


@dataclass
class Outcome:
    """Hold what became of the steps: those done, and those not, each with its reason.

    unrecorded: done, but DVC could not take note of it.
    """

    done: set[str] = field(default_factory=set)
    unrecorded: dict[str, str] = field(default_factory=dict)
    failed: dict[str, str] = field(default_factory=dict)
    skipped: dict[str, str] = field(default_factory=dict)

    @property
    def settled(self) -> set[str]:
        """Return the names of all steps that are through."""
        return self.done | self.failed.keys() | self.skipped.keys()


class Runner:
    """Run the steps of a checkout, those that need nothing of each other side by side."""

    def __init__(self, root: Path, stages: Stages, jobs: int, progress: Progress) -> None:
        self.root, self.stages, self.jobs, self.progress = root, stages, jobs, progress
        self.context = worker.context()
        self.running: list[Running] = []
        self.outcome = Outcome()

    def run(self, steps: Sequence[Step]) -> None:
        """Run steps in their order, each once what it needs is done; what needs a failed one is skipped."""
        names = {step.name for step in steps}
        waiting = list(steps)
        while waiting or self.running:
            for step in list(waiting):
                needs = step.needs & names
                if broken := sorted(needs & (self.outcome.failed.keys() | self.outcome.skipped.keys())):
                    waiting.remove(step)
                    self._skip(step, broken[0])
                elif needs <= self.outcome.done and len(self.running) < self.jobs:
                    waiting.remove(step)
                    self._start(step)
            self._wait()

    def stop(self) -> None:
        """End what runs; its checkpoints stay."""
        for running in self.running:
            running.process.terminate()
        for running in self.running:
            running.process.join(10)
            if running.process.is_alive():
                running.process.kill()

    def _start(self, step: Step) -> None:
        try:
            if not (step.computed or step.bookend or self.stages.changed(step)):
                self.outcome.done.add(step.name)
                self.progress.ended(step.name, "unchanged")
                return
            log = worker.log_path(self.root, step.name)
            log.parent.mkdir(parents=True, exist_ok=True)
            log.unlink(missing_ok=True)
            process = self.context.Process(
                target=worker.run, args=(step.module, step.arguments, str(self.root), str(log)), name=step.name
            )
            process.start()
        except (PipelineError, OSError, EOFError) as error:  # the last two: no process can be had
            self._fail(step, str(error) or "no process could be started")
            return
        self.running.append(Running(step, process, time.monotonic()))
        self.progress.started(step.name)

    def _wait(self) -> None:
        """Take note of what ended, within POLL seconds."""
        if not self.running:
            return
        wait([r.process.sentinel for r in self.running], POLL)
        for running in [r for r in self.running if r.process.exitcode is not None]:
            self.running.remove(running)
            self._end(running)
        self.progress.show([r.step.name for r in self.running])

    def _end(self, running: Running) -> None:
        step, code = running.step, running.process.exitcode
        text = self._log(step)
        if code != 0:
            words = SIGNALS.get(-code, f"ended by signal {-code}") if code < 0 else last_error(text)
            self._fail(step, words)
            return
        try:
            self.stages.record(step)
        except PipelineError as error:
            if not step.bookend:  # what the report waits for under DVC may have failed
                self.outcome.unrecorded[step.name] = str(error)
        self.outcome.done.add(step.name)
        lines = [line for line in text.splitlines() if line.strip()]
        self.progress.ended(step.name, lines[-1].split("\r")[-1] if lines else "done")

    def _log(self, step: Step) -> str:
        try:
            return worker.log_path(self.root, step.name).read_text("utf-8", errors="replace")
        except OSError:
            return ""

    def _fail(self, step: Step, reason: str) -> None:
        self.outcome.failed[step.name] = reason
        self.progress.ended(step.name, f"FAILED: {reason}")

    def _skip(self, step: Step, needed: str) -> None:
        self.outcome.skipped[step.name] = needed
        self.progress.ended(step.name, f"skipped: needs {needed}")


def split(steps: Sequence[Step]) -> tuple[list[Step], list[Step], list[Step]]:
    """Return the bookends that stand first, the other steps, and the bookends that come after."""
    first = next((i for i, step in enumerate(steps) if not step.bookend), len(steps))
    rest = steps[first:]
    return list(steps[:first]), [s for s in rest if not s.bookend], [s for s in rest if s.bookend]


def verdicts(root: Path) -> dict[tuple[str, str], str] | None:
    """Return the verdicts of the report that lies there, or None where none does."""
    from papertally.pages.diff import verdict_map

    try:
        return verdict_map(root / "report/out/report.json")
    except ValueError:
        return None


def chosen(steps: Sequence[Step], rows: Sequence[str] | None) -> list[Step]:
    """Return the steps to run: of those that train a row, the named rows' in their order; None: all."""
    if rows is None:
        return list(steps)
    train = {step.name.partition("@")[2]: step for step in steps if "@" in step.name}
    others = [step for step in steps if "@" not in step.name]
    places = [i for i, step in enumerate(steps) if "@" in step.name]
    before = len([s for s in steps[: places[0]] if "@" not in s.name]) if places else len(others)
    return others[:before] + [train[row] for row in rows if row in train] + others[before:]


def repro(root: Path, files: Sequence[str], jobs: int, everything: bool = False) -> int:
    """Run the stages of DVC's files; returns 1 where one failed. Raises PipelineError where none can be run.

    everything: the stages of all rows, not of params.yaml's mini.first alone.
    """
    from papertally.pages.diff import compare, sentences

    os.chdir(root)  # DVC takes paths from there
    try:
        params = load_params(root)
        note = check_dvc(root)
        stages = Stages(root, files)
        wanted = chosen(stages.steps, None if everything else params.get("mini", {}).get("first"))
    except PipelineError:
        refresh.main([], root)  # the report of what there is needs neither DVC nor sound parameters of training
        raise
    if note:
        print(f"note: {note}", file=sys.stderr)
    progress = Progress(root, [step.name for step in wanted])
    runner = Runner(root, stages, jobs, progress)
    first, steps, last = split(wanted)
    before = None
    try:
        runner.run(first)
        before = verdicts(root)
        if before is not None:
            print(f"A first report, of the committed evidence: {root / PAGE}; now its results anew", flush=True)
        runner.run(steps)
        runner.run(last)
    except KeyboardInterrupt:
        runner.stop()
        progress.close()
        print(
            f"stopped; {len(runner.outcome.done)} of {len(wanted)} stages are done, run again to go on",
            file=sys.stderr,
        )
        return 130
    progress.close()
    after = verdicts(root)
    if before is not None and after is not None:
        for line in sentences(compare(before, after)) or ["Against the first report, no verdict changed."]:
            print(line)
    return _told(runner, root)


def _told(runner: Runner, root: Path) -> int:
    outcome = runner.outcome
    for name, reason in outcome.failed.items():
        log = worker.log_path(root, name)
        print(f"error: stage {name}: {reason}" + (f" (log: {log})" if log.is_file() else ""), file=sys.stderr)
    if outcome.unrecorded:
        name, reason = next(iter(outcome.unrecorded.items()))
        more = len(outcome.unrecorded) - 1
        print(f"error: stage {name}" + (f" and {more} more" if more else "") + f": {reason}", file=sys.stderr)
    if outcome.skipped:
        count = len(outcome.skipped)
        print(f"skipped for that: {count} {'stage' if count == 1 else 'stages'}", file=sys.stderr)
    page = root / PAGE
    if page.is_file():
        print(f"Report: {page}" + (", of what there is" if outcome.failed else ""))
    return 1 if outcome.failed or outcome.unrecorded else 0


@contextlib.contextmanager
def interruptible() -> Iterator[None]:
    """Take a request to end (SIGTERM) for Ctrl-C, so that nothing is left running."""

    def interrupt(number: int, frame: Any) -> None:
        raise KeyboardInterrupt

    before = signal.signal(signal.SIGTERM, interrupt)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


def jobs_at_a_time(text: str) -> int:
    """Return a whole number of at least 1."""
    if not text.isdigit() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"{text!r}: a whole number of at least 1")
    return int(text)


def main(argv: list[str] | None = None) -> int:
    """Parse the command line and run."""
    parser = argparse.ArgumentParser(
        prog="python -m pipelines.repro", description="Run DVC's stages several at a time and write the report."
    )
    parser.add_argument("--all", action="store_true", help="every row of every table")
    parser.add_argument(
        "--jobs",
        type=jobs_at_a_time,
        default=min(4, cores()),
        metavar="N",
        help="stages at a time (default: a core each, at most 4)",
    )
    args = parser.parse_args(argv)
    with interruptible():
        return repro(ROOT, FILES, args.jobs, args.all)


if __name__ == "__main__":
    raise SystemExit(guard(main))
