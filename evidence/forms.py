"""The forms of evidence, each once: what stages construct and the report validates."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cached_property
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

from evidence.revision import code_revision  # noqa: F401  for those who write evidence
from paper import conventions

PROFILES = ("mini", "proxy", "paper")
Finite = Annotated[float, Field(allow_inf_nan=False)]
Count = Annotated[int, Field(gt=0)]


class Strict(BaseModel):
    """Refuse unknown keys."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class Sealed(Strict):
    """Hold the seal of what a stage wrote; a file that was edited since is no evidence."""

    digest: str


#: A value of an axis of structure.
Choice = bool | int | str


class CostValues(Strict):
    """Hold params and what one image takes, as counts by name that a convention weighs (paper/conventions.py)."""

    params: Annotated[int, Field(ge=0)]
    terms: dict[str, Annotated[int, Field(ge=0)]]

    @cached_property
    def madds(self) -> dict[str, int]:
        """Return MAdds under each convention that has a name."""
        return {name: conventions.madds(self.terms, m.counting) for name, m in conventions.members().items()}


class CostReading(Strict):
    """Hold the same network under other values of its unprinted structure; terms: those that differ from `values`."""

    structure: dict[str, Choice]
    params: Annotated[int, Field(ge=0)]
    terms: dict[str, Annotated[int, Field(ge=0)]]


class CostEvidence(Sealed):
    """Hold a row's closed-form cost; `variants` are named other readings, with a structure of their own.

    structure: the values that the row's network is built with of axes that the paper leaves open; readings: every
    combination of the axes that make a difference to it.
    """

    schema_: Literal[2] = Field(alias="schema")
    kind: Literal["cost"]
    row: str
    config: str
    fingerprint: dict[str, str]
    construction: str
    values: CostValues
    variants: dict[str, CostValues]
    structure: dict[str, Choice] = {}
    readings: list[CostReading] = []
    notes: list[str]
    input_size: list[Count]
    code_revision: str
    environment: dict[str, str]


class DataPin(Strict):
    """Name the data of a run."""

    name: str
    pin: str


class TrainingEvidence(Sealed):
    """Hold one seed's trained metrics, in percent.

    fingerprint, code_revision, environment: as they were when the run started; changed: what was no more so when its
    result was filed.
    """

    schema_: Literal[2] = Field(alias="schema")
    kind: Literal["training"]
    profile: Literal["mini", "proxy", "paper"]
    row: str
    seed: int | None
    values: dict[str, Finite]
    config: str
    fingerprint: dict[str, str | int | list[str]]
    params: dict[str, Any]
    data: DataPin
    code_revision: str
    environment: dict[str, str]
    epochs: Count | None
    duration_s: Annotated[float, Field(ge=0)]
    command: str
    changed: list[str] = []

    @property
    def recipe(self) -> str:
        """Return the name of the run's recipe: paper, official, released, or "" where the profile has one only."""
        train = self.params.get("train")
        return str(train.get("recipe", "")) if isinstance(train, Mapping) else ""


class ClaimEvidence(Sealed):
    """Hold what a claim's computation gave."""

    schema_: Literal[1] = Field(alias="schema")
    kind: Literal["claim"]
    claim: str
    computation: str
    computed: bool | int | float | list
    detail: str
    code_revision: str
    environment: dict[str, str]


class Rules(Strict):
    """Hold the counting rules as stated."""

    schema_: Literal[1] = Field(alias="schema")
    kind: Literal["rules"]
    default: str
    rules: dict[str, str]

    @model_validator(mode="after")
    def _known(self) -> Rules:
        if self.default not in self.rules:
            raise ValueError(f"default {self.default!r} is none of the rules")
        return self
