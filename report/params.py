"""What params.yaml may hold: every value is checked, and a fault named with its line."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import Field

from papertally.evidence.training_types import (
    BatchSize,
    Classes,
    Epochs,
    EvenSize,
    Folder,
    Images,
    ImageSize,
    InputSize,
    Name,
    Pin,
    Positive,
    Seed,
    Seeds,
    Threads,
    WeightDecay,
)
from papertally.ledger.files import YamlFile
from papertally.ledger.load import load_tables
from papertally.ledger.schema import Identifier, Strict

#: The default of what may be absent, but not empty.
ABSENT: Any = None


class DataSet(Strict):
    """Hold a small set's pin and, of a drawn one, how many images it has and by which seed."""

    pin: Pin
    train: Images = Field(default=ABSENT)
    val: Images = Field(default=ABSENT)
    seed: Annotated[int, Field(ge=0, lt=2**32)] = Field(default=ABSENT)


class Classification(Strict):
    """Hold how a classification row trains at small scale."""

    data: Name
    folder: Folder
    classes: Classes
    image_size: ImageSize
    batch_size: BatchSize
    epochs: Epochs
    lr: Positive
    weight_decay: WeightDecay
    seed: Seed
    threads: Threads = 1


class Pixels(Strict):
    """Hold how a pixel-level row trains at small scale. input_size: (width, height)."""

    data: Name
    folder: Folder
    input_size: InputSize
    batch_size: BatchSize
    epochs: Epochs
    anneal_epochs: Epochs
    lr: Positive
    seed: Seed
    threads: Threads = 1


class Pose(Pixels):
    """Hold how a keypoint row trains at small scale. sigma: the heatmap's, in its pixels."""

    input_size: EvenSize
    sigma: Positive


class ProxyTraining(Strict):
    """Hold the proxy's protocol; CIFAR-10's images keep their own size."""

    data: Name
    image_size: Literal[32]
    batch_size: BatchSize
    epochs: Epochs
    lr: Positive
    weight_decay: WeightDecay
    threads: Threads = 1


class MiniSection(Strict):
    """Hold how each task's rows train on the small drawn sets, and which rows `make repro` trains."""

    classification: Classification
    pose: Pose = Field(default=ABSENT)
    segmentation: Pixels = Field(default=ABSENT)
    first: list[Identifier] = []


class PaperSection(Strict):
    """Hold the seeds of full/dvc.yaml's stages."""

    seeds: Seeds


class ProxySection(Strict):
    """Hold the proxy's protocol, seeds and rows."""

    pin: Pin
    train: ProxyTraining
    seeds: Seeds
    rows: list[Identifier]


class Params(Strict):
    """Hold params.yaml."""

    profile: Literal["mini", "proxy", "paper"]
    data: dict[Name, DataSet]
    mini: MiniSection
    paper: PaperSection = Field(default=ABSENT)
    proxy: ProxySection = Field(default=ABSENT)


#: The lists of rows by their place, with the tasks that they may be of.
LISTS = {("mini", "first"): ("classification", "pose", "segmentation"), ("proxy", "rows"): ("classification",)}


def read_params(root: Path, error: type[Exception]) -> dict[str, Any]:
    """Return params.yaml as a mapping whose every key and value is checked. Raises `error` with file and line.

    Rows are held to the ledger under root/paper where there is one; its own faults are LedgerErrors.
    """
    file = YamlFile(root / "params.yaml", "params.yaml", error)
    params = file.validate(Params)
    _check_data(file, params)
    _check_rows(file, root)
    data: dict[str, Any] = file.data
    return data


def _at(data: Mapping[str, Any], path: tuple[str, ...]) -> Any:
    """Return the value at a path, or an empty mapping."""
    for key in path:
        data = data.get(key) or {}
    return data


def _check_data(file: YamlFile, params: Params) -> None:
    """Raise where a drawn set is half described, or a profile or row names no set of `data`."""
    drawn = ("train", "val", "seed")
    for name, entry in params.data.items():
        given = [key for key in drawn if key in entry.model_fields_set]
        if given and len(given) < len(drawn):
            lacks = next(key for key in drawn if key not in given)
            raise file.error(("data", name), f"key 'data.{name}.{lacks}' is missing; add it")
    for path in [("mini", task) for task in ("classification", "pose", "segmentation")]:
        name = _at(file.data, path).get("data")
        if name is not None and name not in params.data:
            known = ", ".join(params.data)
            raise file.error((*path, "data"), f"{'.'.join(path)}.data: no set {name!r} under data; it has {known}")


def _check_rows(file: YamlFile, root: Path) -> None:
    """Raise where a row stands twice in a list, is none of the ledger's, or of a task that the list has not."""
    tables = load_tables(root / "papers/micronet/tables") if (root / "papers/micronet/paper.yaml").is_file() else None
    for place, tasks in LISTS.items():
        rows = _at(file.data, place) or []
        for i, row in enumerate(rows):
            where = (*place, i)
            if row in rows[:i]:
                raise file.error(where, f"row {row!r} stands twice under {'.'.join(place)}; keep one")
            if tables is None:
                continue
            table = next((t for t in tables.values() if any(r.id == row for r in t.rows)), None)
            if table is None:
                raise file.error(where, f"no row {row!r} in the ledger; `papertally ledger rows` lists them")
            if table.task not in tasks:
                fault = f"row {row!r} is of {table.task}; {'.'.join(place)} takes rows of {', '.join(tasks)}"
                raise file.error(where, f"{fault}; take it out")
            task = _at(file.data, (place[0],))
            if place[0] == "mini" and table.task not in task:
                raise file.error(where, f"row {row!r}: key 'mini.{table.task}' is missing; add it")
