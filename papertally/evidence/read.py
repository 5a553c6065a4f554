"""Read all evidence of a paper that can count, and say what is wrong with the rest."""

from __future__ import annotations

import base64
from collections.abc import Mapping, Sequence, Set
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from papertally.conventions.axes import any_paper
from papertally.evidence.examples import Examples, run_examples
from papertally.evidence.fingerprints import FINGERPRINTS, differing, parts, read_fingerprint
from papertally.evidence.io import EvidenceError, listed
from papertally.evidence.schema import PROFILES, ClaimEvidence, CostEvidence, Model, Rules, TrainingEvidence, read_form
from papertally.ledger.validation_messages import one_line


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
    external: bool = False  # no stage of a project that is held to fingerprints wrote what training decides
    cost: dict[str, CostEvidence] = field(default_factory=dict)
    runs: dict[str, dict[str, list[TrainingEvidence]]] = field(default_factory=dict)
    claims: dict[str, ClaimEvidence] = field(default_factory=dict)
    rules: Rules | None = None
    problems: list[Problem] = field(default_factory=list)
    paths: dict[tuple[str, str], str] = field(default_factory=dict)
    pictures: dict[tuple[str, str], str] = field(default_factory=dict)
    files: dict[tuple[str, str], list[str]] = field(default_factory=dict)  # of `runs`, in their order
    beside: dict[tuple[str, str], list[tuple[str, TrainingEvidence]]] = field(default_factory=dict)  # never judged
    examples: dict[str, dict[str, Examples]] = field(default_factory=dict)  # of a run's file, by column

    @property
    def rule(self) -> str:
        """Return the counting rule that decides MAdds."""
        return self.rules.default if self.rules else any_paper().default

    def bits(self, profile: str, row: str, column: str, files: Sequence[str] | None = None) -> list[Examples]:
        """Return which images a row's runs of a profile got right, a run each; files: of these alone."""
        mine = self.files.get((profile, row), []) if files is None else files
        found = (self.examples.get(file, {}).get(column) for file in mine)
        return [examples for examples in found if examples is not None]

    def problem(self, kind: str, subject: str) -> Problem | None:
        """Return the problem with a subject's evidence of a kind (cost, claims, mini, proxy, paper)."""
        prefix = f"{self.folder}/{kind}/"
        return next((p for p in self.problems if p.subject == subject and p.path.startswith(prefix)), None)


def _fingerprint_fault(
    root: Path, evidence: CostEvidence | TrainingEvidence, kind: str, folder: Path | None
) -> str | None:
    """Return why evidence is stale, or None: what its row's results depend on is not today's."""
    if folder is None:
        return None
    try:
        recipe = evidence.recipe if isinstance(evidence, TrainingEvidence) else ""
        today = parts(read_fingerprint(root, evidence.row, folder), kind, recipe)
    except EvidenceError as error:
        return f"cannot be held to today's code: {error}"
    if today == evidence.fingerprint:
        return None
    changed = differing(evidence.fingerprint, today) or ["what it states of itself"]
    return f"stale: {' and '.join(changed)} changed since ({folder.as_posix()}/{evidence.row}.json); run its stage anew"


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
        where = "proxy/orderings.yaml" if run.profile == "cifar" else "params.yaml"
        return f"stale: {where} states other training parameters today"
    known = pins.get(run.data.name)
    if known is not None and not known:
        return f"nothing pins {run.data.name} here; restore results/manifests/{run.data.name}.json"
    if known is not None and run.data.pin not in known:
        today_is = " or ".join(sorted(pin[:12] + "…" for pin in known))
        return f"stale: the data pin of {run.data.name} is {today_is} today, the run's is {run.data.pin[:12]}…"
    if run.seed is None and run.recipe != "released" and run.origin != "reported":
        return "names no seed, so that nobody can rerun it"
    return None


def _examples_fault(out: Evidence, results: Path, run: TrainingEvidence, shown: str) -> str | None:
    """Take the bits that a run names into `out`; returns why they, and so the run, cannot count, or None."""
    try:
        found = run_examples(results, run, out.folder)
    except EvidenceError as error:
        return str(error)
    if found:
        out.examples[shown] = found
    return None


def read_evidence(
    root: Path,
    settings: Mapping[str, Mapping[str, Any]] | None = None,
    pins: Mapping[str, Set[str]] | None = None,
    results: Path | None = None,
    fingerprints: Path | None = FINGERPRINTS,
) -> Evidence:
    """Return all evidence under root/results that can count, and a Problem for every file that cannot.

    settings: today's training parameters by "profile/row"; a run under others is stale. pins: today's data pins by
    the data's name; a run on other data is stale. results: the folder to read instead of root/results.
    fingerprints: their folder from the root on; None: a ledger's evidence that no code of a project is held to.
    """
    results = results or root / "results"
    external = fingerprints is None
    out = Evidence(folder=results.relative_to(root).as_posix(), external=external)

    def read(path: Path, subject: str, model: type[Model]) -> Model | None:
        shown = path.relative_to(root).as_posix()
        try:
            return read_form(path, shown, model)
        except EvidenceError as error:
            out.problems.append(Problem(shown, subject, str(error).removeprefix(f"{shown}: ")))
            return None

    def reject(path: Path, subject: str, fault: str) -> None:
        out.problems.append(Problem(path.relative_to(root).as_posix(), subject, one_line(fault)))

    for path in listed(results / "cost"):
        if path.stem == "rules":
            out.rules = read(path, "rules", Rules)
            continue
        cost = read(path, path.stem, CostEvidence)
        if cost is None:
            continue
        if cost.row != path.stem:
            reject(path, path.stem, f"is of row {cost.row!r}, not of the row that names the file")
        elif not cost.network and (fault := _fingerprint_fault(root, cost, "cost", fingerprints)):
            reject(path, path.stem, fault)
        else:
            out.cost[cost.row] = cost
            out.paths["cost", cost.row] = path.relative_to(root).as_posix()
    for cost in out.cost.values():
        for values in (cost.values, *cost.variants.values(), *cost.at.values()):
            values.add(out.rules.counting if out.rules else {})
    for row, cost in list(out.cost.items()):
        if any(out.rule not in values.madds for values in (cost.values, *cost.variants.values())):
            reject(results / "cost" / f"{row}.json", row, f"has no MAdds by the rule {out.rule!r}; run its stage anew")
            del out.cost[row], out.paths["cost", row]
    for path in listed(results / "claims"):
        claim = read(path, path.stem, ClaimEvidence)
        if claim is None:
            continue
        if claim.claim != path.stem:
            reject(path, path.stem, f"is of claim {claim.claim!r}, not of the claim that names the file")
        else:
            out.claims[claim.claim] = claim
            out.paths["claims", claim.claim] = path.relative_to(root).as_posix()
    for profile in PROFILES:
        for path in listed(results / profile, "**/*.json"):
            row = path.name.split(".")[0]
            if path.parent != results / profile:
                reject(path, row, f"lies too deep; move it to {profile}/, or delete it")
                continue
            run = read(path, row, TrainingEvidence)
            if run is None:
                continue
            today = None if settings is None else settings.get(f"{profile}/{row}")
            if profile == "cifar" and settings is not None:
                today = settings.get(f"cifar/{row}/{run.recipe}", {})  # of a schedule that nobody registered: none
            kind = "released" if run.recipe == "released" else profile
            if run.row != row:
                reject(path, row, f"is of row {run.row!r}, not of the row that names the file")
            elif run.profile != profile:
                reject(path, row, f"is of profile {run.profile!r}, but lies under {profile!r}")
            elif run.origin == "reported" and not external:  # nobody of this project saw what it depends on
                out.beside.setdefault((profile, row), []).append((path.relative_to(root).as_posix(), run))
            elif (
                (fault := _fingerprint_fault(root, run, kind, fingerprints))
                or (fault := _run_fault(run, today if run.judged else None, pins or {}))
                or (fault := _examples_fault(out, results, run, path.relative_to(root).as_posix()))
            ):
                reject(path, row, fault)
            elif not (run.judged or external):
                out.beside.setdefault((profile, row), []).append((path.relative_to(root).as_posix(), run))
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
