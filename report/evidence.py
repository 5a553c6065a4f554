"""Evidence files: how stages write results/ and how the report reads it. Needs no torch."""

from __future__ import annotations

import ast
import base64
import hashlib
import json
import math
import os
import tempfile
from collections.abc import Mapping, Set
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any, Literal, TypeVar

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from paper.faults import one_line
from paper.files import committed_bytes
from report.revision import code_revision  # noqa: F401  for those who write evidence

#: Of JSON's brackets within each other; no file of ours has ten.
MAX_DEPTH = 60
PROFILES = ("mini", "proxy", "paper")
Finite = Annotated[float, Field(allow_inf_nan=False)]
Count = Annotated[int, Field(gt=0)]


class EvidenceError(Exception):
    """Say which evidence file is at fault and how to mend it."""


def write_text_atomic(path: Path, text: str) -> None:
    """Write a UTF-8 file so that a kill or a full disk leaves the old one whole. Raises EvidenceError naming it."""
    write_bytes_atomic(path, text.encode("utf-8"))


def write_bytes_atomic(path: Path, content: bytes) -> None:
    """Write a file so that a kill or a full disk leaves the old one whole. Raises EvidenceError naming it."""
    temporary = None
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=path.name, suffix=".tmp")
        with os.fdopen(handle, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        os.chmod(temporary, 0o644)
        os.replace(temporary, path)
    except OSError as error:
        if temporary:
            Path(temporary).unlink(missing_ok=True)
        raise EvidenceError(f"{path}: cannot be written ({error.strerror}); free space or mend permissions") from None


def write_json_atomic(path: Path, value: Any) -> None:
    """Write sorted, indented JSON atomically; refuses NaN."""
    write_text_atomic(path, json.dumps(value, indent=1, sort_keys=True, ensure_ascii=False, allow_nan=False) + "\n")


def seal(evidence: Mapping[str, Any]) -> dict[str, Any]:
    """Return evidence with `digest`, the sha256 over all its other keys, by which a later edit shows."""
    return {**evidence, "digest": _digest(evidence)}


def _digest(evidence: Mapping[str, Any]) -> str:
    content = {key: value for key, value in evidence.items() if key != "digest"}
    text = json.dumps(content, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False)
    return hashlib.sha256(text.encode("utf-8")).hexdigest()


#: What tells where and when a result was computed, not what it is.
PROVENANCE = frozenset({"code_revision", "environment", "digest"})


def file_computed(path: Path, evidence: Mapping[str, Any]) -> bool:
    """Write what a stage computed and sealed, atomically; returns whether anything but its provenance is new.

    A sound file that says the same stays as it is: a rerun elsewhere, or at a later commit, confirms it and changes no
    tracked file. For results that every machine computes alike; a trained run is always filed anew.
    """
    try:
        old = read_json(path)
        same = isinstance(old, dict) and old.get("digest") == _digest(old) and _bare(old) == _bare(json_form(evidence))
    except (OSError, ValueError):
        same = False
    if not same:
        write_json_atomic(path, evidence)
    return not same


def json_form(value: Any) -> Any:
    """Return a value as JSON gives it back: tuples are lists, keys text."""
    return json.loads(json.dumps(value, allow_nan=False))


def _bare(evidence: Mapping[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in evidence.items() if key not in PROVENANCE}


def remove_others(folder: Path, known: Set[str]) -> list[str]:
    """Delete the JSON files of a folder whose stems are not known any more, and return their names."""
    old = sorted(path for path in folder.glob("*.json") if path.stem not in known)
    for path in old:
        path.unlink()
    return [path.name for path in old]


def config_inputs(root: Path, config: Path) -> dict[str, str]:
    """Return the sha256 of a config and of every `_base_` that it builds on, as committed, by path relative to `root`.

    Reads the files' text only. Raises EvidenceError naming a missing or malformed one.
    """
    inputs: dict[str, str] = {}
    todo = [Path(config)]
    while todo:
        path = todo.pop()
        try:
            text = committed_bytes(root / path)
            tree = ast.parse(text)
        except OSError as error:
            raise EvidenceError(f"{path}: {error.strerror}; restore the config") from None
        except SyntaxError as error:
            raise EvidenceError(f"{path}:{error.lineno}: no Python ({error.msg}); mend the config") from None
        except (ValueError, RecursionError, MemoryError) as error:  # a null byte, deep nesting
            raise EvidenceError(one_line(f"{path}: no Python ({error}); mend the config")) from None
        inputs[path.as_posix()] = hashlib.sha256(text).hexdigest()
        for node in tree.body:
            if isinstance(node, ast.Assign) and any(isinstance(t, ast.Name) and t.id == "_base_" for t in node.targets):
                for base in _bases(node, path):
                    found = Path(os.path.normpath(path.parent / base))
                    if found.as_posix() not in inputs:
                        todo.append(found)
    return inputs


def _bases(node: ast.Assign, path: Path) -> list[str]:
    """Return what a config's `_base_ = ...` names. Raises EvidenceError naming the line."""
    try:
        named = ast.literal_eval(node.value)
    except (ValueError, TypeError, RecursionError):
        named = None
    found = [named] if isinstance(named, str) else named
    if not isinstance(found, list | tuple) or not all(isinstance(base, str) for base in found):
        raise EvidenceError(f"{path}:{node.lineno}: _base_ is no path or list of paths; mend the config")
    return list(found)


def config_hash(inputs: Mapping[str, str], params: Mapping[str, Any]) -> str:
    """Return the sha256 over a config's files and the parameters of its run."""
    text = json.dumps({"inputs": dict(inputs), "params": dict(params)}, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()


class Strict(BaseModel):
    """Refuse unknown keys."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class Sealed(Strict):
    """Hold the seal of what a stage wrote; a file that was edited since is no evidence."""

    digest: str


class CostValues(Strict):
    """Hold params and MAdds by counting rule."""

    params: Annotated[int, Field(ge=0)]
    madds: dict[str, Annotated[int, Field(ge=0)]]


class CostEvidence(Sealed):
    """Hold a row's closed-form cost; `variants` are named other readings."""

    schema_: Literal[1] = Field(alias="schema")
    kind: Literal["cost"]
    row: str
    table: str
    config: str
    config_hash: str
    inputs: dict[str, str]
    construction: str
    values: CostValues
    variants: dict[str, CostValues]
    notes: list[str]
    input_size: list[Count]
    code_revision: str
    environment: dict[str, str]


class DataPin(Strict):
    """Name the data of a run."""

    name: str
    pin: str


class TrainingEvidence(Sealed):
    """Hold one seed's trained metrics, in percent."""

    schema_: Literal[1] = Field(alias="schema")
    kind: Literal["training"]
    profile: Literal["mini", "proxy", "paper"]
    row: str
    table: str
    seed: int | None
    values: dict[str, Finite]
    config: str
    config_hash: str
    inputs: dict[str, str]
    params: dict[str, Any]
    data: DataPin
    code_revision: str
    environment: dict[str, str]
    epochs: Count | None
    duration_s: Annotated[float, Field(ge=0)]
    command: str

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


@dataclass(frozen=True)
class Problem:
    """Name an evidence file that cannot count, and the row or claim that it was for."""

    path: str
    subject: str
    fault: str


@dataclass
class Evidence:
    """Hold all evidence of one paper, by row and by claim, with the path of every file."""

    folder: str = "results"
    cost: dict[str, CostEvidence] = field(default_factory=dict)
    runs: dict[str, dict[str, list[TrainingEvidence]]] = field(default_factory=dict)
    claims: dict[str, ClaimEvidence] = field(default_factory=dict)
    rules: Rules | None = None
    problems: list[Problem] = field(default_factory=list)
    paths: dict[tuple[str, str], str] = field(default_factory=dict)
    pictures: dict[tuple[str, str], str] = field(default_factory=dict)
    files: dict[tuple[str, str], list[str]] = field(default_factory=dict)  # of `runs`, in their order

    @property
    def rule(self) -> str:
        """Return the counting rule that decides MAdds."""
        return self.rules.default if self.rules else "plain"

    def problem(self, kind: str, subject: str) -> Problem | None:
        """Return the problem with a subject's evidence of a kind (cost, claims, mini, proxy, paper)."""
        prefix = f"{self.folder}/{kind}/"
        return next((p for p in self.problems if p.subject == subject and p.path.startswith(prefix)), None)


Model = TypeVar("Model", bound=BaseModel)


def _read(path: Path, shown: str, model: type[Model]) -> Model:
    """Return a file as `model`. Raises EvidenceError with the fault."""
    try:
        data = read_json(path)
    except OSError as error:
        raise EvidenceError(f"{shown}: {error.strerror}") from None
    except ValueError as error:
        raise EvidenceError(one_line(f"{shown}: corrupt JSON ({error})")) from None
    try:
        found = model.model_validate(data)
        if isinstance(found, Sealed) and found.digest != _digest(data):
            raise EvidenceError(f"{shown}: hash mismatch: edited since its stage wrote it; run the stage anew")
        return found
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(map(str, first["loc"])) or "the file"
        if where == "digest":
            raise EvidenceError(f"{shown}: is not sealed; run its stage anew") from None
        raise EvidenceError(one_line(f"{shown}: {where}: {first['msg']}")) from None


def read_json(path: Path) -> Any:
    """Return what a JSON file holds. Raises OSError, and ValueError for what this project would never write.

    Beside broken JSON: NaN and infinities, numbers of many digits, a key that stands twice, half a surrogate pair,
    hundreds of brackets within each other.
    """
    content = path.read_bytes()
    try:
        data = json.loads(
            content.decode(json.detect_encoding(content)), parse_constant=_no_number, parse_float=_finite,
            parse_int=_whole, object_pairs_hook=_mapping,
        )  # fmt: skip
    except RecursionError:
        raise ValueError("nested too deep") from None
    level = [data]
    for _ in range(MAX_DEPTH):
        level = [
            child for value in level if isinstance(value, dict | list)
            for child in (value.values() if isinstance(value, dict) else value)
        ]  # fmt: skip
        if not level:
            break
    else:
        raise ValueError("nested too deep")
    json.dumps(data, ensure_ascii=False).encode("utf-8")  # UnicodeEncodeError, a ValueError, names half a pair
    return data


def _no_number(text: str) -> float:
    raise ValueError(f"{text[:40]} is no number")


def _finite(text: str) -> float:
    value = float(text)
    return value if math.isfinite(value) else _no_number(text)


def _whole(text: str) -> int:
    if len(text) > 19:
        raise ValueError(f"{text[:40]}… has too many digits")
    return int(text)


def _mapping(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    out = dict(pairs)
    if len(out) < len(pairs):
        keys = [key for key, _ in pairs]
        raise ValueError(f"key {next(key for key in keys if keys.count(key) > 1)!r} stands twice")
    return out


def _config_fault(root: Path, evidence: CostEvidence | TrainingEvidence, params: Mapping[str, Any]) -> str | None:
    """Return why evidence is stale, or None."""
    try:
        today = config_inputs(root, Path(evidence.config))
    except EvidenceError as error:
        return f"its config is gone or malformed: {error}"
    if config_hash(evidence.inputs, params) != evidence.config_hash:
        return "its config hash does not fit its own contents; it was edited by hand"
    if today != evidence.inputs:
        changed = sorted(set(today.items()) ^ set(evidence.inputs.items()))
        return f"stale: {changed[0][0]} changed since"
    return None


def _twin(run: TrainingEvidence, runs: list[TrainingEvidence], files: list[str]) -> str | None:
    """Return the file that already holds a run's recipe and seed, or None: counted twice, a seed feigns precision."""
    same = (f for r, f in zip(runs, files, strict=True) if (r.recipe, r.seed) == (run.recipe, run.seed))
    return next(same, None)


def _data_uri(picture: Path) -> str:
    """Return a JPEG as a data URI, so that the page stays one file; an altered file is a broken picture there."""
    return "data:image/jpeg;base64," + base64.b64encode(picture.read_bytes()).decode("ascii")


def _run_fault(run: TrainingEvidence, today: Mapping[str, Any] | None, pins: Mapping[str, Set[str]]) -> str | None:
    """Return why a run cannot count today, or None: other parameters, other data, no seed."""
    if today is not None and run.params.get("train") != dict(today):
        return "stale: params.yaml states other training parameters today"
    known = pins.get(run.data.name)
    if known is not None and run.data.pin not in known:
        today_is = " or ".join(sorted(pin[:12] + "…" for pin in known))
        return f"stale: the data pin of {run.data.name} is {today_is} today, the run's is {run.data.pin[:12]}…"
    if run.seed is None and run.recipe != "released":
        return "names no seed, so that nobody can rerun it"
    return None


def read_evidence(
    root: Path, settings: Mapping[str, Mapping[str, Any]] | None = None, pins: Mapping[str, Set[str]] | None = None,
    results: Path | None = None,
) -> Evidence:  # fmt: skip
    """Return all evidence under root/results that can count, and a Problem for every file that cannot.

    settings: today's training parameters by "profile/row"; a run under others is stale. pins: today's data pins by
    the data's name; a run on other data is stale. results: the folder to read instead of root/results.
    """
    results = results or root / "results"
    out = Evidence(folder=results.relative_to(root).as_posix())

    def read(path: Path, subject: str, model: type[Model]) -> Model | None:
        shown = path.relative_to(root).as_posix()
        try:
            return _read(path, shown, model)
        except EvidenceError as error:
            out.problems.append(Problem(shown, subject, str(error).removeprefix(f"{shown}: ")))
            return None

    def reject(path: Path, subject: str, fault: str) -> None:
        out.problems.append(Problem(path.relative_to(root).as_posix(), subject, one_line(fault)))

    for path in sorted((results / "cost").glob("*.json")):
        if path.stem == "rules":
            out.rules = read(path, "rules", Rules)
            continue
        cost = read(path, path.stem, CostEvidence)
        if cost is None:
            continue
        if cost.row != path.stem:
            reject(path, path.stem, f"is of row {cost.row!r}, not of the row that names the file")
        elif fault := _config_fault(root, cost, {}):
            reject(path, path.stem, fault)
        else:
            out.cost[cost.row] = cost
            out.paths["cost", cost.row] = path.relative_to(root).as_posix()
    for row, cost in list(out.cost.items()):
        if any(out.rule not in values.madds for values in (cost.values, *cost.variants.values())):
            reject(results / "cost" / f"{row}.json", row, f"has no MAdds by the rule {out.rule!r}; run its stage anew")
            del out.cost[row], out.paths["cost", row]
    for path in sorted((results / "claims").glob("*.json")):
        claim = read(path, path.stem, ClaimEvidence)
        if claim is None:
            continue
        if claim.claim != path.stem:
            reject(path, path.stem, f"is of claim {claim.claim!r}, not of the claim that names the file")
        else:
            out.claims[claim.claim] = claim
            out.paths["claims", claim.claim] = path.relative_to(root).as_posix()
    for profile in PROFILES:
        for path in sorted((results / profile).glob("*/*.json")):
            row = path.name.split(".")[0]
            run = read(path, row, TrainingEvidence)
            if run is None:
                continue
            today = None if settings is None else settings.get(f"{profile}/{row}")
            if run.row != row:
                reject(path, row, f"is of row {run.row!r}, not of the row that names the file")
            elif run.profile != profile:
                reject(path, row, f"is of profile {run.profile!r}, but lies under {profile!r}")
            elif (fault := _config_fault(root, run, run.params)) or (fault := _run_fault(run, today, pins or {})):
                reject(path, row, fault)
            elif twin := _twin(run, out.runs.get(profile, {}).get(row, []), out.files.get((profile, row), [])):
                reject(path, row, f"repeats seed {run.seed} of {twin}; keep one of them")
            else:
                shown = path.relative_to(root).as_posix()
                out.runs.setdefault(profile, {}).setdefault(row, []).append(run)
                out.files.setdefault((profile, row), []).append(shown)
                out.paths.setdefault((profile, row), shown)
                picture = results / "pictures" / profile / f"{row}.jpg"
                if picture.is_file():
                    out.pictures[profile, row] = _data_uri(picture)
    return out
