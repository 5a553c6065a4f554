"""What the registered orderings on CIFAR-10 decide: whole tables alone, by the seeds that the pilot's rule chose."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from papertally.evidence.examples import Examples
from papertally.evidence.read import Evidence
from papertally.evidence.registration import (
    COLUMN,
    PROFILE,
    Choice,
    OrderingCosts,
    Registration,
    choice_fault,
    of_phase,
    read_choice,
    read_costs,
    read_registration,
)
from papertally.evidence.schema import TrainingEvidence
from papertally.ledger.load import Claim, Ledger
from papertally.verdicts.names import row_name
from papertally.verdicts.orderings import Ordering, gap, is_relational, orderings
from papertally.verdicts.recipes import spreads
from papertally.verdicts.spread import Spread, adjusted
from papertally.verdicts.statements import Finding, Rule, relation


@dataclass(frozen=True)
class FamilyState:
    """Hold a registered table: how many of its runs are filed, which are not, and what they say once all are."""

    table: str
    have: int
    of: int
    ordering: Ordering | None = None
    absent: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class SettingState:
    """Hold a setting of the multiverse: how many of its runs are filed, and the orders of tables whose all are."""

    name: str
    have: int
    of: int
    orderings: list[Ordering]


@dataclass(frozen=True)
class Decided:
    """Hold a statement: holds, fails, undecided or not run; p values adjusted over all judged statements."""

    id: str
    statement: str
    verdict: str
    note: str
    p_holds: float | None = None
    p_fails: float | None = None


@dataclass(frozen=True)
class Twins:
    """Hold the difference of two names of one network, with its interval and p of no difference."""

    names: tuple[str, str]
    gap: float
    half_width: float
    p: float
    seeds: int


@dataclass(frozen=True)
class NetworkCost:
    """Hold what a compared network costs as it is trained here, and its ratio to the cheapest here and as printed."""

    name: str
    params: int
    madds: int
    ratio: float
    printed_ratio: float | None


@dataclass(frozen=True)
class Registered:
    """Hold all that the page says of the registered orderings.

    pilot: (runs filed, runs registered); fault: why the filed choice cannot count; processors: how many of the judged
    runs each made.
    """

    registration: Registration
    pilot: tuple[int, int]
    choice: Choice | None
    families: list[FamilyState]
    spread: Spread | None = None
    statements: list[Decided] = field(default_factory=list)
    twins: Twins | None = None
    costs: list[NetworkCost] = field(default_factory=list)
    size: tuple[int, ...] = ()
    revisions: list[str] = field(default_factory=list)
    processors: Counter[str] = field(default_factory=Counter)
    fault: str = ""
    settings: list[SettingState] = field(default_factory=list)

    @property
    def absent(self) -> list[str]:
        """Return the registered runs that are not filed, each once, where others of the chosen schedule are."""
        if not any(family.have for family in self.families):
            return []
        return list(dict.fromkeys(name for family in self.families for name in family.absent))

    @property
    def judged(self) -> list[FamilyState]:
        """Return the tables whose runs are all there."""
        return [family for family in self.families if family.ordering is not None]


def read_registered(root: Path, results: Path, ledger: Ledger, evidence: Evidence) -> Registered | None:
    """Return what the registered orderings of a paper decide, None where nothing is registered.

    Raises LedgerError for a malformed registration, EvidenceError for a malformed choice.
    """
    registration = read_registration(root, ledger)
    if registration is None:
        return None
    return judge_registered(registration, read_choice(root, results), read_costs(root, results), ledger, evidence)


def judge_registered(
    registration: Registration, choice: Choice | None, costs: OrderingCosts | None, ledger: Ledger, evidence: Evidence
) -> Registered:
    """Judge every table whose registered runs are all there, and the statements that only these tables' cells enter."""
    alpha = registration.alpha
    runs = evidence.runs.get(PROFILE, {})
    pilot = [
        len(mine)
        for schedule in registration.schedules
        for mine in of_phase(runs, registration.pilot.rows, schedule, registration.pilot.seeds).values()
    ]
    of_pilot = (sum(pilot), len(registration.pilot.rows) * len(registration.pilot.seeds) * len(registration.schedules))
    counted = _costs(registration, costs, ledger, evidence)
    size = tuple(costs.input_size[1:]) if costs else ()
    fault = choice_fault(registration, choice, runs) if choice else None
    if choice is None or fault:
        families = [FamilyState(f.table, 0, 0) for f in registration.families]
        return Registered(
            registration,
            of_pilot,
            None,
            families,
            costs=counted,
            size=size,
            fault=fault or "",
            settings=_settings(registration, ledger, evidence),
        )

    seeds = choice.seeds
    found = of_phase(runs, registration.rows, choice.schedule, seeds)
    whole = [f for f in registration.families if all(len(found[row]) == len(seeds) for row in f.rows)]
    judged = {row: found[row] for f in whole for row in f.rows}
    spread = spreads(judged).get(COLUMN)
    ordered = {o.table: o for o in orderings(ledger, judged, alpha, _bits(evidence, judged), [f.table for f in whole])}
    families = [
        FamilyState(
            f.table,
            sum(len(found[row]) for row in f.rows),
            len(f.rows) * len(seeds),
            ordered.get(f.table),
            tuple(
                f"{row}.{choice.schedule}.s{seed}"
                for row in f.rows
                for seed in seeds
                if seed not in {run.seed for run in found[row]}
            ),
        )
        for f in registration.families
    ]
    used = [run for mine in judged.values() for run in mine]
    return Registered(
        registration,
        of_pilot,
        choice,
        families,
        spread,
        statements(ledger, registration.rows, judged, alpha, spread),
        _twins(registration, ledger, found, len(seeds)),
        counted,
        size,
        sorted({run.code_revision for run in used}),
        Counter(ran_on(run.environment) for run in used),
        settings=_settings(registration, ledger, evidence),
    )


def _settings(registration: Registration, ledger: Ledger, evidence: Evidence) -> list[SettingState]:
    """Return every setting of the multiverse with the tables that it decides, once all runs of a table are in."""
    grid, runs, out = registration.multiverse, evidence.runs.get(PROFILE, {}), []
    for name in grid.settings if grid else ():
        found = of_phase(runs, registration.rows, name, grid.seeds if grid else [])
        seeds = len(grid.seeds) if grid else 0
        whole = [f for f in registration.families if all(len(found[row]) == seeds for row in f.rows)]
        judged = {row: found[row] for f in whole for row in f.rows}
        tables = [f.table for f in whole]
        decided = orderings(ledger, judged, registration.alpha, tables=tables) if judged else []
        have = sum(map(len, found.values()))
        out.append(SettingState(name=name, have=have, of=len(registration.rows) * seeds, orderings=decided))
    return out


def ran_on(environment: Mapping[str, str]) -> str:
    """Return a run's accelerator, or its processor with the vector instructions that torch used."""
    device = environment.get("device", "")
    if device and not device.startswith("cpu"):
        return device
    instructions = environment.get("instructions")
    return environment.get("cpu", "unknown") + (f" with {instructions}" if instructions else "")


def _bits(evidence: Evidence, judged: Mapping[str, Sequence[TrainingEvidence]]) -> Any:
    """Return a lookup of which images the judged runs got right; of no others of their rows."""

    def bits(row: str, column: str) -> list[Examples]:
        mine = {run.digest for run in judged.get(row, ())}
        pairs = zip(evidence.runs[PROFILE][row], evidence.files[PROFILE, row], strict=True) if mine else ()
        return evidence.bits(PROFILE, row, column, [file for run, file in pairs if run.digest in mine])

    return bits


def statements(
    ledger: Ledger,
    rows: Sequence[str],
    judged: Mapping[str, Sequence[TrainingEvidence]],
    alpha: float,
    spread: Spread | None,
) -> list[Decided]:
    """Return every statement that orders registered rows alone, decided where all its cells are judged.

    Both directions of all judged statements are one family: the chance of any false decision is `alpha` at most.
    """
    rule = Rule(alpha, 2, {}, {COLUMN: spread} if spread else {})

    def values(row: str, column: str) -> list[float] | None:
        return [run.values[column] for run in judged.get(row, ()) if column in run.values] or None

    mine: dict[str, tuple[Claim, Finding]] = {}
    for claim in ledger.claims:
        if claim.kind != "relation" or not is_relational(claim.expression):
            continue
        if all(ledger.canonical(row) in rows and column == COLUMN for row, column in claim.expression.refs):
            mine[claim.id] = (
                claim,
                relation(claim.expression, values, lambda row, column: None, rule, ledger.canonical),
            )
    tested = {name: finding for name, (_, finding) in mine.items() if finding.early is None}
    p = adjusted(
        {
            **{f"{name} holds": finding.holds for name, finding in tested.items()},
            **{f"{name} fails": finding.fails for name, finding in tested.items()},
        }
    )
    out = []
    for name, (claim, finding) in mine.items():
        if name not in tested:
            note = finding.early.note if finding.early else ""
            out.append(Decided(name, claim.statement, "not run", note))
            continue
        holds, fails = p[f"{name} holds"], p[f"{name} fails"]
        verdict = "holds" if holds <= alpha else "fails" if fails <= alpha else "undecided"
        note = f"fails at {finding.worst}" if verdict == "fails" else ""
        out.append(Decided(name, claim.statement, verdict, note, holds, fails))
    return out


def _name(ledger: Ledger, row_id: str) -> str:
    """Return a row's name with the table that prints it first."""
    for table in ledger.tables.values():
        for row in table.rows:
            if row.id == row_id:
                return f"{row_name(table, row)} (Table {table.id})"
    return row_id


def _twins(
    registration: Registration, ledger: Ledger, found: Mapping[str, Sequence[TrainingEvidence]], seeds: int
) -> Twins | None:
    """Return the difference of the twins once both have all seeds; their spread is pooled over all whole rows."""
    a, b = registration.twins
    if any(len(found[row]) < seeds for row in (a, b)):
        return None
    spread = spreads({row: mine for row, mine in found.items() if len(mine) == seeds}).get(COLUMN)
    values = [[run.values[COLUMN] for run in found[row]] for row in (a, b)]
    difference, half, p = gap(values[0], values[1], registration.alpha, spread)
    return Twins((_name(ledger, a), _name(ledger, b)), difference, half, p, seeds)


def _costs(
    registration: Registration, costs: OrderingCosts | None, ledger: Ledger, evidence: Evidence
) -> list[NetworkCost]:
    """Return what every registered network costs here, with its ratio to the cheapest here and at the paper's size."""
    rows = {row: costs.rows[row] for row in registration.rows if row in costs.rows} if costs else {}
    if not rows:
        return []
    rule = evidence.rule
    for values in rows.values():
        values.add(evidence.rules.counting if evidence.rules else {})
    least = min(rows, key=lambda row: rows[row].madds[rule])
    full = evidence.cost.get(least)
    out = []
    for row, values in rows.items():
        mine = evidence.cost.get(row)
        printed = mine.values.madds[rule] / full.values.madds[rule] if mine and full else None
        madds = values.madds[rule]
        out.append(NetworkCost(_name(ledger, row), values.params, madds, madds / rows[least].madds[rule], printed))
    return sorted(out, key=lambda cost: (cost.madds, cost.name))


def told_p(p: float | None) -> str:
    """Return a p value for a reader."""
    if p is None or math.isnan(p):
        return ""
    return "< 0.001" if p < 0.001 else f"{p:.3f}" if p < 0.1 else f"{p:.2f}"
