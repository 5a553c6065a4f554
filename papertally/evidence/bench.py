"""The forms of a machine's measurements, as the benchmark writes them, and the plan and the page read them."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, model_validator

from papertally.evidence.schema import Finite, Strict

Rate = Annotated[Finite, Field(gt=0)]


class ModelRates(Strict):
    """Hold a row's images a second and peak memory in MiB (None where nobody tells)."""

    train: Rate
    inference: Rate | None
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
    """Hold one machine's figures, as pipelines.bench.run writes them.

    published: where somebody else printed them; empty for what was measured here.
    """

    schema_: Literal[1] = Field(alias="schema")
    kind: Literal["bench"]
    hardware: str
    gpu: bool
    batch_size: Annotated[int, Field(gt=0)]
    precision: str
    models: dict[str, ModelRates]
    ratios: dict[str, Rate]
    input: InputFigures | None = None
    published: str = ""
    code_revision: str
    environment: dict[str, str]


class Ratio(Strict):
    """Hold how long `of` takes over how long `to` takes: the rounds' median and a 95 % interval of that median."""

    of: str
    to: str
    runtime: str
    ratio: Rate
    low: Rate
    high: Rate

    @model_validator(mode="after")
    def _ordered(self) -> Ratio:
        if not self.low <= self.ratio <= self.high:
            raise ValueError("its interval does not hold the ratio")
        return self


class Latency(Strict):
    """Hold one machine's latencies of one thread, as pipelines.bench.latency writes them.

    ms: by row and runtime, this machine's only; ratios: every row's to `reference`, and each of `ours` to the rows of
    the same printed cost; load: the machine's load average before and after, None where it does not tell.
    """

    schema_: Literal[1] = Field(alias="schema")
    kind: Literal["latency"]
    hardware: str
    threads: Literal[1]
    batch_size: Annotated[int, Field(gt=0)]
    rounds: Annotated[int, Field(gt=5)]
    load: tuple[Finite, Finite] | None
    runtimes: list[str]
    reference: str
    ours: list[str]
    ms: dict[str, dict[str, Rate]]
    ratios: list[Ratio]
    code_revision: str
    environment: dict[str, str]

    @model_validator(mode="after")
    def _measured(self) -> Latency:
        every = {(row, runtime) for row, found in self.ms.items() for runtime in found}
        for r in self.ratios:
            if not {(r.of, r.runtime), (r.to, r.runtime)} <= every:
                raise ValueError(f"the ratio of {r.of} to {r.to} in {r.runtime} was not measured")
        return self

    def ratio(self, of: str, to: str, runtime: str) -> Ratio | None:
        """Return one row's ratio to another in a runtime, or None."""
        return next((r for r in self.ratios if (r.of, r.to, r.runtime) == (of, to, runtime)), None)


class OfficialSpeed(Strict):
    """Hold the authors' public code's times over ours at equal weights, as pipelines.bench.official measures them."""

    schema_: Literal[1] = Field(alias="schema")
    kind: Literal["official"]
    hardware: str
    threads: Literal[1]
    rounds: Annotated[int, Field(gt=5)]
    load: tuple[Finite, Finite] | None
    ratios: list[Ratio]
    code_revision: str
    environment: dict[str, str]
