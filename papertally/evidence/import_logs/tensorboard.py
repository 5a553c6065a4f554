"""Read TensorBoard's event files through TensorBoard's own reader, where that is installed."""

from __future__ import annotations

from pathlib import Path

from papertally.evidence.import_logs.records import Record, Records, split_of
from papertally.evidence.io import EvidenceError


def is_events(path: Path) -> bool:
    """Tell whether a path is an event file."""
    return "tfevents" in path.name and path.is_file()


def read_events(path: Path) -> Records:
    """Return the scalars of an event file, a record a step. Raises EvidenceError."""
    try:
        from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
    except ImportError:
        raise EvidenceError(f"{path}: needs TensorBoard's own reader; pip install tensorboard setuptools") from None
    events = EventAccumulator(str(path), size_guidance={"scalars": 0})
    events.Reload()
    steps: dict[int, dict[str, float]] = {}
    for tag in events.Tags()["scalars"]:
        for event in events.Scalars(tag):
            steps.setdefault(event.step, {})[tag] = event.value
    split = split_of(path.parent.name)
    records = [
        Record(where=f"{path}: step {at}", metrics=steps[at], at=at, by="step", split=split) for at in sorted(steps)
    ]
    return Records(form="TensorBoard's events", records=records)
