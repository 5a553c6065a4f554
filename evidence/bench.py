"""The form of a machine's measurements, as the benchmark writes them and the plan reads them."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from evidence.forms import Finite, Strict

Rate = Annotated[Finite, Field(gt=0)]


class ModelRates(Strict):
    """Hold a row's images a second and peak memory in MiB (None where the device does not tell)."""

    train: Rate
    inference: Rate
    peak_mib: Finite | None
    madds: Annotated[int, Field(gt=0)]


class InputFigures(Strict):
    """Hold the input pipelines' images per core-second, their parts' CPU milliseconds an image, and waits on a GPU.

    loader_wait_percent: of a training step; None where no GPU trained.
    """

    images_per_core_second: dict[str, Rate]
    cpu_ms: dict[str, Rate]
    loader_wait_percent: dict[str, Finite] | None


class Bench(Strict):
    """Hold one machine's figures, as pipelines.bench.run writes them."""

    schema_: Literal[1] = Field(alias="schema")
    kind: Literal["bench"]
    hardware: str
    gpu: bool
    batch_size: Annotated[int, Field(gt=0)]
    precision: str
    models: dict[str, ModelRates]
    ratios: dict[str, Rate]
    input: InputFigures | None = None
    code_revision: str
    environment: dict[str, str]
