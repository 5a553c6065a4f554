"""The local executor: several tasks at a time on this machine, each with GPUs of its own."""

from __future__ import annotations

import contextlib
import queue
import signal
import sys
import threading
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from typing import Any

from tqdm import tqdm

from pipelines.cluster.runner import Running
from pipelines.cluster.state import Ending, Limits, Store, Task
from pipelines.common import PipelineError


def visible_gpus(environ: Mapping[str, str]) -> list[str]:
    """Return this machine's GPUs as CUDA_VISIBLE_DEVICES names them, or by number."""
    if (given := environ.get("CUDA_VISIBLE_DEVICES")) is not None:
        return [name.strip() for name in given.split(",") if name.strip() and not name.strip().startswith("-")]
    import torch

    return [str(i) for i in range(torch.cuda.device_count())]


def gpu_slots(per_task: int, jobs: int, environ: Mapping[str, str]) -> list[str | None]:
    """Return what CUDA_VISIBLE_DEVICES is for each of the tasks that run at a time; None: as it is.

    Raises PipelineError where there are too few GPUs for one task.
    """
    if not per_task:
        return [None] * jobs
    gpus = visible_gpus(environ)
    if len(gpus) < per_task:
        raise PipelineError(f"--gpus-per-task {per_task}: this machine has {len(gpus)}; ask for fewer")
    groups = [",".join(gpus[i : i + per_task]) for i in range(0, len(gpus) - per_task + 1, per_task)]
    return list(groups[:jobs])


def run(
    store: Store,
    tasks: Sequence[Task],
    before: Mapping[str, int],
    limits: Limits,
    options: Mapping[str, Any],
    slots: Sequence[str | None],
) -> dict[str, Ending]:
    """Run the tasks, as many at a time as there are slots, and return how each ended.

    A killed task runs again, a failing one up to its limit. SIGINT and SIGTERM stop all and leave what is to resume.
    """
    free: queue.SimpleQueue[str | None] = queue.SimpleQueue()
    for slot in slots:
        free.put(slot)
    stop = threading.Event()

    def asked() -> Ending | None:
        return "terminated" if stop.is_set() else None

    def one(task: Task) -> Ending:
        slot = free.get()
        try:
            extra = {} if slot is None else {"CUDA_VISIBLE_DEVICES": slot}
            while True:
                if stop.is_set():
                    return "terminated"
                running = Running(store, task, limits, before.get(task.id, 0), options["amp"])
                ending = running.run(None, asked, extra)
                if not running.again(ending):
                    return ending
        finally:
            free.put(slot)

    endings: dict[str, Ending] = {}
    with _stopped_by_signals(stop), ThreadPoolExecutor(len(slots)) as pool:
        futures = {pool.submit(one, task): task.id for task in tasks}
        try:
            with tqdm(total=len(tasks), unit="task", file=sys.stderr, mininterval=0.5) as bar:
                for future in as_completed(futures):
                    endings[futures[future]] = future.result()
                    bar.update()
        except BaseException:
            stop.set()
            raise
    return endings


@contextlib.contextmanager
def _stopped_by_signals(stop: threading.Event) -> Iterator[None]:
    numbers = (signal.SIGINT, signal.SIGTERM)
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = [signal.signal(number, lambda *_: stop.set()) for number in numbers]
    try:
        yield
    finally:
        for number, handler in zip(numbers, before, strict=True):
            signal.signal(number, handler)
