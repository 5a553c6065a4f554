"""The forms of evidence, each once, and how a file is read as one."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import Annotated, Any, Literal, TypeVar

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from papertally.conventions import axes as conventions
from papertally.evidence.checksum import digest_of, seal
from papertally.evidence.io import EvidenceError, json_form, read_json
from papertally.ledger.validation_messages import one_line

PROFILES = ("mini", "proxy", "cifar", "paper")
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
    """Hold params and what one image takes, as counts by name that a convention weighs (conventions/axes.py).

    parts: the parameters by the operators that use them, and `buffers` beside them; none where only their sum is known.
    """

    params: Annotated[int, Field(ge=0)]
    terms: dict[str, Annotated[int, Field(ge=0)]]
    parts: dict[str, Annotated[int, Field(ge=0)]] = {}

    @cached_property
    def madds(self) -> dict[str, int]:
        """Return MAdds under each convention that has a name, of any paper and, where added, of a ledger."""
        members = conventions.any_paper().members
        return {name: conventions.madds(self.terms, m.counting) for name, m in members.items()}

    def add(self, counting: Mapping[str, Mapping[str, str]]) -> None:
        """Let a ledger's own conventions be among those that have a name."""
        self.madds.update({name: conventions.madds(self.terms, axes) for name, axes in counting.items()})


class CostReading(Strict):
    """Hold the same network under other values of its unprinted structure; terms: those that differ from `values`."""

    structure: dict[str, Choice]
    params: Annotated[int, Field(ge=0)]
    terms: dict[str, Annotated[int, Field(ge=0)]]


class CostEvidence(Sealed):
    """Hold a row's cost; `variants` are named other readings, with a structure of their own.

    structure: the values that the row's network is built with of axes that the paper leaves open; readings: every
    combination of the axes that make a difference to it. network: the name that the ledger gives of what was counted,
    in place of a config; unknown: its operators that no rule describes, with the elements that they put out; at: the
    same at other inputs, which columns of the ledger state ("3x384x384").
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
    network: str = ""
    unknown: dict[str, Count] = {}
    at: dict[str, CostValues] = {}
    code_revision: str
    environment: dict[str, str]

    def values_at(self, size: Sequence[int] | None) -> CostValues | None:
        """Return the cost at an input (None: the row's own), or None where it was not counted there."""
        if size is None or list(size) == self.input_size:
            return self.values
        return self.at.get(size_name(size))


def size_name(size: Sequence[int]) -> str:
    """Return how an input is named: 3x384x384."""
    return "x".join(map(str, size))


class DataPin(Strict):
    """Name the data of a run."""

    name: str
    pin: str


class ExamplesFile(Strict):
    """Name a file of per-example correctness (evidence/examples.py), from the folder of results on, and its seal."""

    file: Annotated[str, Field(pattern=r"^examples/[\w.-]+/[\w.-]+\.json$")]
    digest: str


class TrainingEvidence(Sealed):
    """Hold one seed's trained metrics, in percent; measured ones (latency) in the unit that `units` names.

    best_epoch: whose values these are, where a recipe keeps the best by the test images.
    fingerprint, code_revision, environment: as they were when the run started; changed: what was no more so when its
    result was filed; examples: by column, which images of the test set it got right. origin: who ran it: this project's
    trainer, OpenMMLab's tools on a row's config, or somebody elsewhere, whose word is all there is; differs: what is
    not as in the row's recipe. cpu_s: the processor's seconds of training and evaluation, where they were taken.
    """

    schema_: Literal[2] = Field(alias="schema")
    kind: Literal["training"]
    profile: Literal["mini", "proxy", "cifar", "paper"]
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
    best_epoch: Count | None = None
    duration_s: Annotated[float, Field(ge=0)]
    command: str
    changed: list[str] = []
    examples: dict[str, ExamplesFile] = {}
    units: dict[str, str] = {}
    origin: Literal["trainer", "mim", "reported"] = "trainer"
    differs: list[str] = []
    cpu_s: Annotated[float, Field(ge=0)] | None = None

    @property
    def judged(self) -> bool:
        """Tell whether the run may decide a cell: by a recipe of the row, run with this project's code."""
        return self.origin != "reported" and not self.differs

    @property
    def told(self) -> str:
        """Return in words what a run that decides nothing is."""
        what = "reported elsewhere" if self.origin == "reported" else "a variant"
        return f"{what} ({'; '.join(self.differs)})" if self.differs else what

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
    computed: bool | int | float | list[Any]
    detail: str
    code_revision: str
    environment: dict[str, str]


class ManifestEvidence(Strict):
    """Hold what a verified dataset is: how many files, the sha256 over the list of their hashes, and its counts."""

    schema_: Literal[1] = Field(alias="schema")
    kind: Literal["manifest"]
    dataset: str
    files: Count
    sha256: Annotated[str, Field(pattern="^[0-9a-f]{64}$")]
    counts: dict[str, int]
    code_revision: str


class Rules(Strict):
    """Hold the counting rules as stated; counting: how those of a ledger's own count, a value by axis."""

    schema_: Literal[1] = Field(alias="schema")
    kind: Literal["rules"]
    default: str
    rules: dict[str, str]
    counting: dict[str, dict[str, str]] = {}

    @model_validator(mode="after")
    def _known(self) -> Rules:
        if self.default not in self.rules:
            raise ValueError(f"default {self.default!r} is none of the rules")
        return self


Model = TypeVar("Model", bound=BaseModel)


def formed(form: type[BaseModel], evidence: Mapping[str, Any]) -> dict[str, Any]:
    """Return what a stage writes, sealed where its form has a seal, once it is of that form.

    Raises pydantic's ValidationError where it is not: the stage's fault, found before anything is filed.
    """
    found: dict[str, Any] = json_form(seal(evidence) if issubclass(form, Sealed) else evidence)
    form.model_validate(found)
    return found


def read_form(path: Path, shown: str, model: type[Model]) -> Model:
    """Return a file as `model`. Raises EvidenceError with the fault."""
    try:
        data = read_json(path)
    except OSError as error:
        raise EvidenceError(f"{shown}: {error.strerror}") from None
    except ValueError as error:
        raise EvidenceError(one_line(f"{shown}: corrupt JSON ({error})")) from None
    try:
        found = model.model_validate(data)
        if isinstance(found, Sealed) and found.digest != digest_of(data):
            raise EvidenceError(f"{shown}: hash mismatch: edited since its stage wrote it; run the stage anew")
        return found
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(map(str, first["loc"])) or "the file"
        if where == "digest":
            raise EvidenceError(f"{shown}: is not sealed; run its stage anew") from None
        raise EvidenceError(one_line(f"{shown}: {where}: {first['msg']}")) from None
