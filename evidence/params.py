"""What params.yaml may hold: every value is checked, and a fault named with its line."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, Field, create_model

from paper.files import YamlFile
from paper.ledger import Table, load_tables
from paper.schema import Identifier, Strict, TableId, Text

#: Each epoch's seed is the run's times 10,007 plus the epoch, and numpy's end at 2**32 (pipelines.training.hooks).
MAX_SEED = 400_000


def _sha256(text: str) -> str:
    if not re.fullmatch(r"[0-9a-f]{64}", text):
        raise ValueError("is no sha256; write its 64 hexadecimal digits, 0-9 and a-f")
    return text


def _multiple_of_32(size: int) -> int:
    if size % 32:
        raise ValueError(f"{size} is no multiple of 32, by which networks shrink images; write {-(-size // 32) * 32}")
    return size


def _distinct(seeds: list[int]) -> list[int]:
    if twice := [seed for i, seed in enumerate(seeds) if seed in seeds[:i]]:
        raise ValueError(f"seed {twice[0]} stands twice; keep one")
    return seeds


def _relative(text: str) -> str:
    if text != text.strip() or "\0" in text or Path(text).is_absolute() or ".." in Path(text).parts:
        raise ValueError("is no folder of this repository; write a path relative to it")
    return text


Pin = Annotated[str, AfterValidator(_sha256)]
Folder = Annotated[Text, AfterValidator(_relative)]
Name = Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]*$")]
Positive = Annotated[float, Field(gt=0, allow_inf_nan=False)]
Images = Annotated[int, Field(ge=1, le=1_000_000)]
Classes = Annotated[int, Field(ge=2, le=100_000)]
#: Batch statistics of the pooled features need two images.
BatchSize = Annotated[int, Field(ge=2, le=65_536)]
Epochs = Annotated[int, Field(ge=1, le=100_000)]
Seed = Annotated[int, Field(ge=0, le=MAX_SEED)]
Seeds = Annotated[list[Seed], Field(min_length=1), AfterValidator(_distinct)]
Threads = Annotated[int, Field(ge=1, le=1024)]
WeightDecay = Annotated[float, Field(ge=0, lt=1, allow_inf_nan=False)]
ImageSize = Annotated[int, Field(ge=8, le=4096)]
Side = Annotated[int, Field(ge=32, le=8192)]
InputSize = Annotated[list[Side], Field(min_length=2, max_length=2)]
#: Heatmaps, a quarter of the image, must be what the head makes of features at stride 32.
EvenSize = Annotated[list[Annotated[Side, AfterValidator(_multiple_of_32)]], Field(min_length=2, max_length=2)]


class Rules(Strict):
    """Hold the verdicts' numbers.

    margins: in points; seeds: runs that settle a trained cell; seed_spread: the standard deviation between seeds, in
    points, for which the tests promise their power; printed_spread: that of the authors' runs by column, of which they
    print one (default: seed_spread).
    """

    alpha: Annotated[float, Field(gt=0, lt=0.5)]
    margins: dict[str, Positive]
    seeds: Annotated[int, Field(ge=2, le=1000)] = 3
    seed_spread: Positive = 0.15
    printed_spread: dict[str, Positive] = {}


class DataSet(Strict):
    """Hold a small set's pin and, of a drawn one, how many images it has and by which seed."""

    pin: Pin
    train: Images = Field(default=None)
    val: Images = Field(default=None)
    seed: Annotated[int, Field(ge=0, lt=2**32)] = Field(default=None)


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


class Row(Strict):
    """Name a row's table."""

    table: TableId


def _row_of(profile: type[BaseModel]) -> type[Row]:
    """Return the model of a row that may override any of its profile's keys."""
    own = {
        name: (Annotated[field.annotation, *field.metadata] if field.metadata else field.annotation, None)
        for name, field in profile.model_fields.items()
    }
    return create_model(f"{profile.__name__}Row", __base__=Row, **own)


ClassificationRow, PoseRow, SegmentationRow = map(_row_of, (Classification, Pose, Pixels))


class ClassificationProfiles(Strict):
    """Hold the small profile of classification."""

    mini: Classification


class PoseSection(Strict):
    """Hold the keypoint rows and their small profile."""

    mini: Pose
    rows: dict[Identifier, PoseRow]
    more_rows: dict[Identifier, PoseRow] = {}


class SegmentationSection(Strict):
    """Hold the segmentation rows and their small profile."""

    mini: Pixels
    rows: dict[Identifier, SegmentationRow]
    more_rows: dict[Identifier, SegmentationRow] = {}


class PaperSection(Strict):
    """Hold the seeds of full/dvc.yaml's stages."""

    seeds: Seeds


class ProxySection(Strict):
    """Hold the proxy's protocol, seeds and rows."""

    pin: Pin
    train: ProxyTraining
    seeds: Seeds
    rows: dict[Identifier, Row]


class Params(Strict):
    """Hold params.yaml."""

    profile: Literal["mini", "proxy", "paper"]
    report: Rules
    data: dict[Name, DataSet]
    train: ClassificationProfiles
    rows: dict[Identifier, ClassificationRow]
    more_rows: dict[Identifier, ClassificationRow] = {}
    # a section may be absent, but not empty
    pose: PoseSection = Field(default=None)
    segmentation: SegmentationSection = Field(default=None)
    paper: PaperSection = Field(default=None)
    proxy: ProxySection = Field(default=None)


#: The lists of rows by their place, with the task of the tables that they belong to.
LISTS = {
    ("rows",): "classification", ("more_rows",): "classification",
    ("pose", "rows"): "pose", ("pose", "more_rows"): "pose",
    ("segmentation", "rows"): "segmentation", ("segmentation", "more_rows"): "segmentation",
}  # fmt: skip


def read_params(root: Path, error: type[Exception]) -> dict[str, Any]:
    """Return params.yaml as a mapping whose every key and value is checked. Raises `error` with file and line.

    Rows are held to the ledger under root/paper where there is one; its own faults are LedgerErrors.
    """
    file = YamlFile(root / "params.yaml", "params.yaml", error)
    params = file.validate(Params)
    _check_data(file, params)
    _check_rows(file, root)
    return file.data


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
    profiles = [("train", "mini"), ("pose", "mini"), ("segmentation", "mini")]
    for path in profiles + [(*place, row) for place in LISTS for row in _at(file.data, place)]:
        name = _at(file.data, path).get("data")
        if name is not None and name not in params.data:
            known = ", ".join(params.data)
            raise file.error((*path, "data"), f"{'.'.join(path)}.data: no set {name!r} under data; it has {known}")


def _check_rows(file: YamlFile, root: Path) -> None:
    """Raise where a row stands in two lists, is none of the ledger's, or belongs to another table or list."""
    tables: dict[str, dict[str, Table]] = {}
    seen: dict[str, tuple[str, ...]] = {}
    for place in (*LISTS, ("proxy", "rows")):
        for row, entry in _at(file.data, place).items():
            where = (*place, row)
            if place in LISTS:
                if row in seen:
                    line = file.lines.get((*seen[row], row))
                    fault = f"row {row!r} stands under {'.'.join(seen[row])} too (line {line}); keep one"
                    raise file.error(where, fault)
                seen[row] = place
            name = row.partition("_")[0]
            folder = root / "paper" / name if (root / "paper" / name / "paper.yaml").is_file() else root / "paper"
            if not (folder / "paper.yaml").is_file():
                continue
            if folder.name not in tables:
                tables[folder.name] = load_tables(folder / "tables")
            known = tables[folder.name]
            table = next((t for t in known.values() if any(r.id == row for r in t.rows)), None)
            if table is None:
                raise file.error(where, f"no row {row!r} in the ledger; `python -m paper rows` lists them")
            if entry["table"] != table.id:
                fault = f'row {row!r} stands in table {table.id}, not {entry["table"]}; write "{table.id}"'
                raise file.error((*where, "table"), fault)
            if (wanted := LISTS.get(place, "classification")) != table.task:
                raise file.error(where, f"row {row!r} is of {table.task}, not {wanted}; move it to that section")
