"""The registered orderings on CIFAR-10 or CIFAR-100: run the pilot, choose by its rule, run what confirms, count costs.

python -m pipelines orderings run --phase pilot      # every registered run that is not filed yet, one after another
python -m pipelines orderings choose                 # the rule's choice from the pilot's evidence
python -m pipelines orderings run --phase confirm    # fresh seeds, family by family
python -m pipelines orderings run --row ROW --seed N [--schedule NAME]    # one run, by the schedule chosen
python -m pipelines orderings run --phase multiverse # every setting of the registered grid, seed by seed
python -m pipelines orderings costs                  # of the compared networks at the protocol's resolution
python -m pipelines orderings status
python -m pipelines orderings VERB --data cifar100   # the same on CIFAR-100, with a pilot and choice of its own

Several processes may run a phase at once: each takes runs that no other has. A killed one resumes or starts its run
anew; what is filed is not run again. What is run, and the rule, stand in proxy/orderings.yaml. On CIFAR-100 all is
filed under results/cifar100. Only `run` needs the packed set; the others read what is filed.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator
from pathlib import Path

import registry  # noqa: F401  registers the models
from papertally.evidence.checksum import file_computed
from papertally.evidence.datasets import apart
from papertally.evidence.io import EvidenceError
from papertally.evidence.provenance import snapshot
from papertally.evidence.registration import (
    CHOICE,
    COSTS,
    FILE,
    PROFILE,
    Choice,
    OrderingCosts,
    Registration,
    choose,
    read_choice,
    read_registration,
    trials,
)
from papertally.evidence.schema import TrainingEvidence, formed, read_form
from papertally.ledger.load import load_ledger
from pipelines import arguments
from pipelines.analysis.cost import values
from pipelines.common import ROOT, PipelineError, guard
from pipelines.data import cifar_images  # noqa: F401  its set registers itself
from pipelines.training.job import Job, cifar_job
from pipelines.training.run import alone, hushed, resolve, run_held
from registry.cost.models import model_cost

RESULTS = Path("results")
#: (row, schedule, seed)
Named = tuple[str, str, int]


def registered(root: Path = ROOT, data: str | None = None) -> Registration:
    """Return the registration, for another set where one is named.

    Raises PipelineError where there is none, LedgerError where it is malformed.
    """
    found = read_registration(root, load_ledger(root / "papers/micronet"))
    if found is None:
        raise PipelineError(f"{FILE}: missing; register what is run first")
    return found.on(data) if data else found


def results_of(registration: Registration) -> Path:
    """Return the folder of all that is filed of a registration, relative to the root."""
    return RESULTS / apart(registration.train.data)


def command_of(verb: str, registration: Registration) -> str:
    """Return a command of this module for the set that a registration names."""
    folder = apart(registration.train.data)
    return f"`python -m pipelines orderings {verb}{f' --data {folder}' if folder.parts else ''}`"


def chosen(root: Path = ROOT, data: str | None = None) -> Choice:
    """Return the filed choice. Raises PipelineError where there is none or it is not of today's registration."""
    known = registered(root, data)
    results, again = results_of(known), f"run {command_of('choose', known)}"
    found = read_choice(root, root / results)
    if found is None:
        pilot = command_of("run --phase pilot", known)
        raise PipelineError(f"{results / CHOICE}: missing; run {pilot}, then {command_of('choose', known)}")
    if found.schedule not in known.schedules or not set(found.seeds) <= set(known.confirm.seeds):
        raise PipelineError(f"{results / CHOICE}: is of another registration; {again}")
    return found


def pilot_runs(registration: Registration) -> Iterator[Named]:
    """Yield the pilot's runs, seed by seed, so that all schedules are under the same load."""
    pilot = registration.pilot
    for seed in pilot.seeds:
        for row in pilot.rows:
            for schedule in registration.schedules:
                yield row, schedule, seed


def confirming_runs(registration: Registration, choice: Choice) -> Iterator[Named]:
    """Yield the confirmatory runs, family by family, the twins after the first, and in each seed by seed."""
    seen = set()
    first, *others = (family.rows for family in registration.families)
    for rows in (first, registration.twins, *others):
        for seed in choice.seeds:
            for row in rows:
                if (row, seed) not in seen:
                    seen.add((row, seed))
                    yield row, choice.schedule, seed


def multiverse_runs(registration: Registration) -> Iterator[Named]:
    """Yield the runs of the grid, seed by seed and family by family, so that early ends leave all settings alike.

    Raises PipelineError where no grid is registered.
    """
    grid = registration.multiverse
    if grid is None:
        raise PipelineError(f"{FILE}: registers no multiverse; add it first")
    for seed in grid.seeds:
        for row in registration.rows:
            for setting in grid.settings:
                yield row, setting, seed


def filed(job: Job) -> TrainingEvidence | None:
    """Return a run's evidence where it is sound and of this job."""
    path = job.out / job.evidence
    try:
        found = read_form(path, job.evidence.as_posix(), TrainingEvidence)
    except EvidenceError:
        return None
    same = (found.params, found.data.pin, found.fingerprint) == (job.params, job.pin, dict(job.fingerprint))
    return found if same and found.seed == job.seed else None


def run_all(names: Iterator[Named], registration: Registration, root: Path = ROOT) -> tuple[int, int]:
    """Run what is not filed and what no other process has; returns (runs made here, runs that others have)."""
    made = others = 0
    for row, schedule, seed in names:
        job = cifar_job(row, schedule, seed, registration, root)
        if filed(job):
            continue
        with alone(job, wait=False) as held:
            if not held:
                others += 1
            elif not filed(job):  # by another, since the look above
                found = run_held(job)
                made += 1
                print(f"{job.stem}: top1 {found['top1']:.2f} %", flush=True)
    return made, others


def pilot_evidence(registration: Registration, root: Path = ROOT) -> dict[str, dict[str, list[TrainingEvidence]]]:
    """Return the pilot's evidence by schedule and row. Raises PipelineError where one of its runs is missing."""
    pilot = registration.pilot
    out: dict[str, dict[str, list[TrainingEvidence]]] = {}
    for row, schedule, seed in pilot_runs(registration):
        job = cifar_job(row, schedule, seed, registration, root, packed=False)
        found = filed(job)
        if found is None:
            again = command_of("run --phase pilot", registration)
            raise PipelineError(f"{job.evidence}: missing, or not of the registered run; run {again}")
        out.setdefault(schedule, {row: [] for row in pilot.rows})[row].append(found)
    return out


def file_choice(root: Path = ROOT, data: str | None = None) -> Choice:
    """Compute the rule's choice from the pilot's evidence and file it."""
    registration = registered(root, data)
    found = pilot_evidence(registration, root)
    try:
        tried = trials(found, registration.pilot.gap)
    except ValueError as error:
        raise PipelineError(f"{results_of(registration) / PROFILE}: the pilot decides nothing: {error}") from None
    schedule, needed, seeds = choose(registration, tried)
    evidence = formed(
        Choice,
        {
            "schema": 1,
            "kind": "choice",
            "schedule": schedule,
            "seeds": seeds,
            "needed": needed,
            "trials": {name: t.model_dump() for name, t in tried.items()},
            "pilot": {
                cifar_job(r.row, name, int(r.seed or 0), registration, root, packed=False).evidence.as_posix(): r.digest
                for name, runs in found.items()
                for mine in runs.values()
                for r in mine
            },
        },
    )
    file_computed(root / results_of(registration) / CHOICE, evidence)
    return Choice.model_validate(evidence)


def file_costs(root: Path = ROOT, data: str | None = None) -> bool:
    """Count every registered network at the protocol's resolution and file it; returns whether that is new."""
    registration = registered(root, data)
    schedule = next(iter(registration.schedules))
    size = registration.train.image_size
    rows = {}
    for row in registration.rows:
        with hushed():
            job = cifar_job(row, schedule, 0, registration, root, packed=False)
            config = resolve(job, root / job.work.parent)
        rows[row] = values(model_cost(config.model, (size, size)))
    train = registration.train
    return file_computed(
        root / results_of(registration) / COSTS,
        formed(
            OrderingCosts,
            {
                "schema": 1,
                "kind": "ordering_costs",
                "input_size": [3, size, size],
                "stem_stride": train.stem_stride,
                "first_stride": train.first_stride,
                "rows": rows,
                **snapshot(root),
            },
        ),
    )


def tell_status(root: Path = ROOT, data: str | None = None) -> None:
    """Print how many registered runs are filed, by phase and family."""
    registration = registered(root, data)

    def count(names: list[Named]) -> str:
        have = sum(filed(cifar_job(*name, registration, root, packed=False)) is not None for name in names)
        return f"{have} of {len(names)} runs"

    print(f"pilot: {count(list(pilot_runs(registration)))}")
    for setting in registration.multiverse.settings if registration.multiverse else ():
        print(f"multiverse, {setting}: {count([run for run in multiverse_runs(registration) if run[1] == setting])}")
    choice = read_choice(root, root / results_of(registration))
    if choice is None:
        print("choice: none yet")
        return
    print(f"choice: {choice.schedule}, {len(choice.seeds)} seeds ({choice.needed} needed)")
    for family in registration.families:
        names = [(row, choice.schedule, seed) for row in family.rows for seed in choice.seeds]
        print(f"Table {family.table}: {count(names)}")


def one_run(options: argparse.Namespace, registration: Registration) -> Named:
    """Return the run that a command line names. Raises PipelineError for one that is not registered."""
    if options.row is None or options.seed is None:
        raise PipelineError("orderings run: give --phase, or --row and --seed")
    schedule = options.schedule or chosen(data=options.data).schedule
    pilot, confirm, former = registration.pilot, registration.confirm, registration.former
    if former and schedule in former.schedules:  # to make a filed run of an earlier registration again
        known = options.row in registration.rows and options.seed in former.seeds
    elif registration.multiverse and schedule in registration.multiverse.settings:
        known = options.row in registration.rows and options.seed in registration.multiverse.seeds
    else:
        known = schedule in registration.schedules and (
            (options.row in pilot.rows and options.seed in pilot.seeds)
            or (options.row in registration.rows and options.seed in confirm.seeds)
        )
    if not known:
        raise PipelineError(f"{FILE}: registers no run of {options.row} by {schedule} with seed {options.seed}")
    return options.row, schedule, options.seed


def main(argv: list[str] | None = None) -> int:
    """Run, choose, count or tell."""
    options = arguments.orderings().parse_args(argv)
    registration = registered(data=options.data)
    results = results_of(registration)
    if options.verb == "run":
        if options.phase == "pilot":
            names = pilot_runs(registration)
        elif options.phase == "confirm":
            names = confirming_runs(registration, chosen(data=options.data))
        elif options.phase == "multiverse":
            names = multiverse_runs(registration)
        else:
            names = iter([one_run(options, registration)])
        made, others = run_all(names, registration)
        print(f"{made} runs made; {others} are another process's; {results / PROFILE}/", file=sys.stderr)
    elif options.verb == "choose":
        found = file_choice(data=options.data)
        print(f"{results / CHOICE}: {found.schedule}, seeds {', '.join(map(str, found.seeds))}")
    elif options.verb == "costs":
        print(f"{results / COSTS}: {'written' if file_costs(data=options.data) else 'nothing changed'}")
    else:
        tell_status(data=options.data)
    return 0


if __name__ == "__main__":
    raise SystemExit(guard(main))
