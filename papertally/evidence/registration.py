"""The pre-registered orderings on CIFAR-10 (proxy/orderings.yaml): nets, seeds, schedules, and the rule between them.

What is judged was fixed before it was seen: a pilot's evidence chooses one of the registered schedules and a number of
seeds by `choose`, fresh seeds confirm. No torch.
"""

from __future__ import annotations

import itertools
import math
import zlib
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from statistics import NormalDist, fmean, variance
from typing import Annotated, Any, Literal

from pydantic import Field

from papertally.evidence.schema import CostValues, Count, Sealed, TrainingEvidence, read_form
from papertally.evidence.training_types import (
    MAX_SEED,
    BatchSize,
    Epochs,
    Images,
    Name,
    Positive,
    Seeds,
    Threads,
    WeightDecay,
)
from papertally.ledger.files import YamlFile
from papertally.ledger.load import Ledger, LedgerError
from papertally.ledger.schema import Identifier, Strict, Text

FILE = Path("proxy/orderings.yaml")
PROFILE = "cifar"
FOLDER = Path("orderings")
CHOICE = FOLDER / "choice.json"
COSTS = FOLDER / "costs.json"
COLUMN = "top1"
Rows = Annotated[list[Identifier], Field(min_length=2)]
PairOfRows = Annotated[list[Identifier], Field(min_length=2, max_length=2)]
#: Spreads in a gap beyond which no number of seeds is a plan.
MANY = 1000.0
Share = Annotated[float, Field(gt=0, le=1)]


class Training(Strict):
    """Hold what all schedules share. stem_stride, first_stride: of the stem and of the first block, printed as 2.

    test_images: how many of the test split's images are evaluated, the first in the order of their hashes.
    """

    data: Literal["cifar10"]  # on another set the same is run by --data
    image_size: Literal[32]
    stem_stride: Literal[1, 2]
    first_stride: Literal[1, 2]
    batch_size: BatchSize
    lr: Positive
    weight_decay: WeightDecay
    test_images: Images
    threads: Threads = 1


class Schedule(Strict):
    """Hold one way to train that is tried: how many training images, the first by their hashes, and epochs.

    What else a setting of the multiverse changes of what all schedules share: the images' size (scaled up), strides,
    learning rate, and whether the activation starts as the identity or as a ReLU.
    """

    images: Images
    epochs: Epochs
    image_size: Literal[32, 64] | None = None
    stem_stride: Literal[1, 2] | None = None
    first_stride: Literal[1, 2] | None = None
    lr: Positive | None = None
    start: Literal["identity", "relu"] | None = None


class Pilot(Strict):
    """Hold the pilot: every row by every schedule and seed. gap: the rows, the first printed higher, of the gap."""

    rows: Rows
    seeds: Annotated[Seeds, Field(min_length=2)]
    gap: PairOfRows


class Confirmation(Strict):
    """Hold the confirmatory runs: the first n of `seeds`, n at least `fewest`.

    n gives a difference of `share` times the pilot's gap the chance `power` to be significant in the largest table.
    """

    seeds: Annotated[Seeds, Field(min_length=2)]
    fewest: Annotated[int, Field(ge=2)]
    share: Share
    power: Annotated[float, Field(gt=0, lt=1)]


class Former(Strict):
    """Hold what an earlier registration ran: evidence by these schedules and seeds stays filed and enters nothing."""

    schedules: Annotated[dict[Name, Schedule], Field(min_length=1)]
    seeds: Seeds


class Multiverse(Strict):
    """Hold a grid of admissible settings, each run by every row and seed; an order counts only if all agree.

    before: every run that was known when the grid was registered.
    """

    before: Text
    settings: Annotated[dict[Name, Schedule], Field(min_length=2)]
    seeds: Annotated[Seeds, Field(min_length=2)]


class Family(Strict):
    """Hold a table's rows; they are judged together, with Holm's correction, or not at all."""

    table: Text
    rows: Rows


class Registration(Strict):
    """Hold proxy/orderings.yaml. families: in the order in which they are run. twins: two names of one network.

    before: what was run before it was registered; former: what of that is filed by the same settings; amendments: what
    was changed since, when, knowing what, and why; remarks: what a reader has to bear in mind; decided_by: what was
    found since to decide the sign of the orders. Neither changes a run or a judgement.
    """

    schema_: Literal[1] = Field(alias="schema")
    before: Text
    former: Former | None = None
    amendments: list[Text] = []
    remarks: list[Text] = []
    decided_by: str = ""
    train: Training
    schedules: Annotated[dict[Name, Schedule], Field(min_length=1)]
    pilot: Pilot
    confirm: Confirmation
    alpha: Annotated[float, Field(gt=0, lt=0.5)]
    families: Annotated[list[Family], Field(min_length=1)]
    twins: PairOfRows
    multiverse: Multiverse | None = None

    @property
    def rows(self) -> list[str]:
        """Return every confirmatory row once, in the order of the families."""
        return list(dict.fromkeys(row for family in self.families for row in family.rows))

    @property
    def known(self) -> dict[str, Schedule]:
        """Return every schedule that filed runs may be of, earlier registrations' last."""
        grid = self.multiverse.settings if self.multiverse else {}
        return {**self.schedules, **(self.former.schedules if self.former else {}), **grid}

    @property
    def pairs(self) -> int:
        """Return how many differences the largest table has."""
        return max(math.comb(len(family.rows), 2) for family in self.families)

    def on(self, data: str) -> Registration:
        """Return the same registration for another set."""
        return self.model_copy(update={"train": self.train.model_copy(update={"data": data})})

    def settings(self, schedule: str) -> dict[str, Any]:
        """Return what evidence states of a run by a schedule."""
        found = self.known[schedule]
        return {**self.train.model_dump(), **found.model_dump(exclude_none=True), "recipe": schedule}


class Trial(Strict):
    """Hold what the pilot says of one schedule: gap, its own spread and what it is held to in points, seconds a run.

    pooled: the spread over all rows and schedules; gain: (gap / pooled)^2 per second; runs: how many it rests on.
    """

    gap: float
    sd: Annotated[float, Field(ge=0)]
    pooled: Annotated[float, Field(gt=0)]
    seconds: Annotated[float, Field(gt=0)]
    gain: Annotated[float, Field(ge=0)]
    runs: Count


class Choice(Sealed):
    """Hold what `choose` made of the pilot; pilot: the digests of the evidence that it read, by file."""

    schema_: Literal[1] = Field(alias="schema")
    kind: Literal["choice"]
    schedule: Name
    seeds: Seeds
    needed: Count
    trials: dict[Name, Trial]
    pilot: dict[str, str]


class OrderingCosts(Sealed):
    """Hold the costs of the compared networks as they are trained: on small images, at the registered strides."""

    schema_: Literal[1] = Field(alias="schema")
    kind: Literal["ordering_costs"]
    input_size: list[Count]
    stem_stride: int
    first_stride: int
    rows: dict[str, CostValues]
    code_revision: str
    environment: dict[str, str]


def random_seed(row: str, seed: int) -> int:
    """Return the seed that a run's generators start from: mixed with the row's name, so that no two rows share one.

    Two names of one network are so two independent samples of it.
    """
    return zlib.crc32(f"{row} {seed}".encode()) % MAX_SEED


def read_registration(root: Path, ledger: Ledger | None = None) -> Registration | None:
    """Return the registration, or None where there is none. Raises LedgerError with file and line.

    ledger: whose tables and rows it is held to.
    """
    if not (root / FILE).is_file():
        return None
    file = YamlFile(root / FILE, FILE.as_posix(), LedgerError)
    found = file.validate(Registration)
    _check(file, found)
    if ledger is not None:
        _check_rows(file, found, ledger)
    return found


def _check(file: YamlFile, found: Registration) -> None:
    """Raise where pilot and confirmation overlap, or one names what the other parts lack."""
    confirm, pilot, former = found.confirm, found.pilot, found.former
    if former and (names := sorted(set(former.schedules) & set(found.schedules))):
        raise file.error(("former", "schedules"), f"{names[0]!r} is a schedule of today's too; rename today's")
    for part, seeds in (("confirm", confirm.seeds), ("pilot", pilot.seeds)):
        if former and (shared := sorted(set(former.seeds) & set(seeds))):
            raise file.error((part, "seeds"), f"seed {shared[0]} was run before; take fresh seeds")
    if shared := sorted(set(confirm.seeds) & set(pilot.seeds)):
        raise file.error(("confirm", "seeds"), f"seed {shared[0]} is the pilot's too; confirm with fresh seeds")
    if confirm.fewest > len(confirm.seeds):
        fault = f"{confirm.fewest} is more than the {len(confirm.seeds)} seeds; name more, or lower it"
        raise file.error(("confirm", "fewest"), fault)
    for where, rows, known in (
        (("pilot", "gap"), pilot.gap, pilot.rows),
        (("twins",), found.twins, found.rows),
    ):
        if lacks := [row for row in rows if row not in known]:
            raise file.error(where, f"row {lacks[0]!r} is none of {', '.join(known)}; add it there")
        if rows[0] == rows[1]:
            raise file.error(where, f"row {rows[0]!r} stands twice; name two")
    taken: dict[int, str] = {}
    grid = found.multiverse
    if grid and (names := sorted(set(grid.settings) & {*found.schedules, *(former.schedules if former else {})})):
        raise file.error(("multiverse", "settings"), f"{names[0]!r} is a schedule's name too; rename the setting")
    phases = [(pilot.rows, pilot.seeds), (found.rows, confirm.seeds)]
    phases += [(found.rows, grid.seeds)] if grid else []
    for rows, seeds in phases:
        for row, seed in itertools.product(rows, seeds):
            mixed, name = random_seed(row, seed), f"{row}, seed {seed}"
            if mixed in taken:
                fault = f"{name} draws the same numbers as {taken[mixed]}; change one of the seeds"
                raise file.error(("confirm", "seeds"), fault)
            taken[mixed] = name


def _check_rows(file: YamlFile, found: Registration, ledger: Ledger) -> None:
    """Raise where a family is no table's, has a row of another, one of our construction, or one experiment twice."""
    for i, family in enumerate(found.families):
        where = ("families", i)
        table = ledger.tables.get(family.table)
        if table is None:
            raise file.error((*where, "table"), f"no table {family.table!r}; the ledger has {', '.join(ledger.tables)}")
        mine = {ledger.canonical(row.id) for row in table.rows}
        for j, row in enumerate(family.rows):
            if row in family.rows[:j]:
                raise file.error((*where, "rows", j), f"row {row!r} stands twice; keep one")
            if row not in mine:
                fault = f"no experiment {row!r} in Table {family.table}; it has {', '.join(sorted(mine))}"
                raise file.error((*where, "rows", j), fault)
            if ledger.ground(row, COLUMN).constructed:
                fault = f"the paper does not print the architecture of {row!r}; take it out"
                raise file.error((*where, "rows", j), fault)


def seconds_of(run: TrainingEvidence) -> float:
    """Return what a run took: the processor's seconds where they are known, for another's load is no cost of it."""
    return run.duration_s if run.cpu_s is None else run.cpu_s


def _variance(groups: Iterable[Sequence[float]]) -> float:
    """Return the variance pooled over groups of runs that differ by their seed alone."""
    groups = list(groups)
    freedom = sum(len(values) - 1 for values in groups)
    return math.fsum(variance(values) * (len(values) - 1) for values in groups) / freedom


def trials(pilot: Mapping[str, Mapping[str, Sequence[TrainingEvidence]]], gap: Sequence[str]) -> dict[str, Trial]:
    """Return what the pilot's runs say of every schedule; gap: the two rows of the gap, higher first.

    pilot: its runs by schedule and row. The spread that a gap is held to is pooled over all of them: a schedule's own
    rests on too few. Raises ValueError where it is 0, which no rate can be made of.
    """
    values = {
        schedule: {row: [run.values[COLUMN] for run in mine] for row, mine in runs.items()}
        for schedule, runs in pilot.items()
    }
    pooled = math.sqrt(_variance(v for rows in values.values() for v in rows.values()))
    out = {}
    for schedule, rows in values.items():
        seconds = fmean(seconds_of(run) for mine in pilot[schedule].values() for run in mine)
        if not pooled or not seconds:
            raise ValueError("all seeds gave the same result, or took no time")
        found = fmean(rows[gap[0]]) - fmean(rows[gap[1]])
        gain = (found / pooled) ** 2 / seconds  # either way: to prefer the paper's would let the schedule decide it
        out[schedule] = Trial(
            gap=found,
            sd=math.sqrt(_variance(rows.values())),
            pooled=pooled,
            seconds=seconds,
            gain=gain,
            runs=sum(map(len, rows.values())),
        )
    return out


def seeds_needed(found: Trial, registration: Registration) -> int:
    """Return how many seeds a row give the registered power, by the normal approximation, Holm's first step included.

    n = 2 (z(1 - alpha / 2m) + z(power))^2 (spread / difference)^2 with m differences in the largest table.
    """
    difference = registration.confirm.share * abs(found.gap)
    normal = NormalDist()
    z = normal.inv_cdf(1 - registration.alpha / (2 * registration.pairs)) + normal.inv_cdf(registration.confirm.power)
    ratio = MANY if difference == 0 else min(MANY, z * found.pooled / difference)
    return math.ceil(2 * ratio**2)


def choose(registration: Registration, tried: Mapping[str, Trial]) -> tuple[str, int, list[int]]:
    """Return the schedule of the largest gain, the seeds that it needs and those that are run.

    The first registered wins a tie; fewer seeds than `fewest` are raised to it, more than there are cut.
    """
    best = max(registration.schedules, key=lambda name: tried[name].gain)
    needed = seeds_needed(tried[best], registration)
    confirm = registration.confirm
    return best, needed, confirm.seeds[: min(max(needed, confirm.fewest), len(confirm.seeds))]


def read_choice(root: Path, results: Path) -> Choice | None:
    """Return the filed choice, or None where there is none yet. Raises EvidenceError."""
    path = results / CHOICE
    return read_form(path, path.relative_to(root).as_posix(), Choice) if path.is_file() else None


def read_costs(root: Path, results: Path) -> OrderingCosts | None:
    """Return the filed costs of the compared networks, or None. Raises EvidenceError."""
    path = results / COSTS
    return read_form(path, path.relative_to(root).as_posix(), OrderingCosts) if path.is_file() else None


def of_phase(
    runs: Mapping[str, Sequence[TrainingEvidence]], rows: Sequence[str], schedule: str, seeds: Sequence[int]
) -> dict[str, list[TrainingEvidence]]:
    """Return the registered runs among a profile's, by row in the order of `rows`, seeds in theirs."""
    out = {}
    for row in rows:
        mine = {run.seed: run for run in runs.get(row, ()) if run.recipe == schedule}
        out[row] = [mine[seed] for seed in seeds if seed in mine]
    return out


def choice_fault(
    registration: Registration, choice: Choice, runs: Mapping[str, Sequence[TrainingEvidence]]
) -> str | None:
    """Return why a filed choice is not the rule's, made of the pilot's runs as they are filed today, or None."""
    filed = {run.digest for mine in runs.values() for run in mine}
    if lost := sum(digest not in filed for digest in choice.pilot.values()):
        return f"{lost} of the {len(choice.pilot)} pilot runs that it was made from are not filed, or not sound, today"
    pilot = registration.pilot
    try:
        mine = {name: of_phase(runs, pilot.rows, name, pilot.seeds) for name in registration.schedules}
        found = choose(registration, trials(mine, pilot.gap))
    except (ValueError, ArithmeticError):  # a row without runs has no mean
        return "the pilot is not whole"
    same = found == (choice.schedule, choice.needed, choice.seeds)
    return None if same else "is not what the rule makes of the filed pilot"
