"""What is still open, what would settle it, and how long that takes at a measured throughput: pure arithmetic.

One rule for every experiment: a run's time is its image passes times the seconds per image of a training step; a row
that was not measured takes the measured row nearest in MAdds, its time scaled by the ratio of MAdds.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from papertally.evidence.bench import Bench, ModelRates
from papertally.evidence.io import EvidenceError, listed, read_json
from papertally.evidence.read import Evidence
from papertally.evidence.schema import TrainingEvidence, read_form
from papertally.verdicts.measured import margins
from papertally.verdicts.power import power, seeds_needed
from papertally.verdicts.recipes import spreads
from papertally.verdicts.spread import Spread

#: Verdicts that a further run may change.
OPEN = ("not-run", "underpowered", "consistent (n = 1)", "inconsistent (n = 1)")
#: What a run's result would test.
TESTS = ("paper", "reconstruction", "quotation")


def _total(hours: Iterable[float | None]) -> float | None:
    """Return the sum, or None where one is not known."""
    known = list(hours)
    return None if None in known else math.fsum(h for h in known if h is not None)


@dataclass(frozen=True)
class Run:
    """Hold one row's experiment: all seeds that it still needs, its cost and what it settles alone.

    tests: what its result would test: the paper, a reconstruction of what the paper leaves open, or a quotation.
    """

    row: str
    table: str
    dataset: str
    seeds: int
    image_passes: int
    hours: float | None
    cells: list[str]
    claims: list[str]
    tests: str = "paper"

    @property
    def settles(self) -> int:
        """Return how many verdicts this run settles alone."""
        return len(self.cells) + len(self.claims)


@dataclass(frozen=True)
class Item:
    """Hold an open cell or claim, the rows that it still needs and the hours of their runs."""

    name: str
    kind: str
    rows: list[str]
    hours: float | None


@dataclass(frozen=True)
class Plan:
    """Hold all open items and runs, cheapest first, and the machine that the hours are of.

    published: who printed the machine's rates, where they were not measured here. unpriced: runs of rows whose budget
    the ledger does not state, those that settle most first; waiting: statements that need such rows; uncounted: rows
    with open costs that name no network; unmeasured: open measurements, how many by column and device.
    """

    hardware: str
    gpu: bool
    source: str
    items: list[Item]
    runs: list[Run]
    next_row: str | None
    unplanned: list[str] = field(default_factory=list)
    power: list[str] = field(default_factory=list)
    published: str = ""
    unpriced: list[Run] = field(default_factory=list)
    waiting: list[str] = field(default_factory=list)
    uncounted: list[str] = field(default_factory=list)
    unmeasured: dict[str, int] = field(default_factory=dict)

    @property
    def hours(self) -> float | None:
        """Return the hours of all runs, or None without a measured throughput."""
        return _total(r.hours for r in self.runs)

    @property
    def planned(self) -> list[Run]:
        """Return the runs that are planned: not those that would judge another work's number by this paper's recipe."""
        return [run for run in self.runs if run.tests != "quotation"]

    @property
    def planned_hours(self) -> float | None:
        """Return the hours of the planned runs, or None without a measured throughput."""
        return _total(r.hours for r in self.planned)

    @property
    def image_passes(self) -> int:
        """Return the images that all runs read."""
        return sum(r.image_passes for r in self.runs)

    def hours_by(self) -> dict[str, tuple[int, int, float | None]]:
        """Return by what runs test how many cells they settle, how many runs they are, and their hours."""
        out = {}
        for tests in TESTS:
            runs = [r for r in self.runs if r.tests == tests]
            hours = None if any(r.hours is None for r in runs) else math.fsum(r.hours or 0.0 for r in runs)
            if runs:
                out[tests] = (sum(len(r.cells) for r in runs), len(runs), hours)
        return out

    def as_dict(self) -> dict[str, Any]:
        """Return the plan for JSON."""
        runs = [{**asdict(r), "settles": r.settles} for r in self.runs]
        return {
            "schema": 1,
            "hardware": self.hardware,
            "gpu": self.gpu,
            "throughput": self.source,
            "published": self.published,
            "hours": self.hours,
            "image_passes": self.image_passes,
            "next": self.next_row,
            "runs": runs,
            "tests": {t: {"cells": c, "runs": n, "hours": h} for t, (c, n, h) in self.hours_by().items()},
            "items": [asdict(i) for i in self.items],
            "unplanned": self.unplanned,
            "power": self.power,
            "unpriced": [{**asdict(r), "settles": r.settles} for r in self.unpriced],
            "waiting": self.waiting,
            "uncounted": self.uncounted,
            "unmeasured": self.unmeasured,
        }


def read_benches(root: Path, results: Path | None = None) -> list[tuple[str, Bench]]:
    """Return the benchmarks under results (default: root/results): measured on a GPU, then as published, then a CPU's.

    Raises EvidenceError naming a corrupt one.
    """
    found = []
    for path in listed((results or root / "results") / "bench"):
        shown = path.relative_to(root).as_posix()
        if _kind(path) in ("latency", "official"):
            continue  # no rates
        found.append((shown, read_form(path, shown, Bench)))
        if not found[-1][1].models:
            raise EvidenceError(f"{shown}: measures no model; run `make bench` anew")
    return sorted(found, key=lambda f: (not f[1].gpu, bool(f[1].published)))


def _kind(path: Path) -> str:
    """Return what a file says that it holds; of a corrupt one, its reader will tell."""
    try:
        return str((read_json(path) or {}).get("kind"))
    except (OSError, ValueError, AttributeError):
        return ""


def seconds_per_image(row: str, madds: int, rates: Mapping[str, ModelRates]) -> float:
    """Return a training step's seconds an image: measured, or scaled by MAdds from the nearest measured row."""
    if row in rates:
        return 1 / rates[row].train
    nearest = min(rates.values(), key=lambda m: (abs(math.log(m.madds / madds)), m.madds))
    return madds / nearest.madds / nearest.train


def make_plan(report: Any, evidence: Evidence, bench: tuple[str, Bench] | None) -> Plan:
    """Return what is open in a report, what settles it and what that costs.

    A row of fewer seeds than settings.seeds needs those that lack; an underpowered one with all of them, as many as
    give a power of 80 % at the spread observed, and one more where no number does.
    Runs of the recipe that decides count, a released checkpoint for none. Claims about data need annotation files and
    no training; claims on computations are no matter of runs; what has no budget in the ledger cannot be planned.
    """
    ledger, wanted = report.ledger, report.settings.seeds
    rates = bench[1].models if bench else {}
    open_cells: dict[str, list[str]] = {}
    for cell in report.cells:
        if ledger.trains(cell.row_id, cell.column) and cell.verdict in OPEN:
            open_cells.setdefault(ledger.canonical(cell.row_id), []).append(cell.key)
    tested: dict[str, str] = {}
    for cell in report.cells:
        if ledger.trains(cell.row_id, cell.column):
            tested.setdefault(ledger.canonical(cell.row_id), cell.tests)
    needs: dict[str, list[str]] = {}
    unplanned = []
    expressions = {c.id: c.expression for c in ledger.claims}
    for claim in report.claims:
        if claim.verdict not in OPEN:
            continue
        refs = expressions[claim.id].refs if claim.kind == "relation" else ()
        rows = dict.fromkeys(ledger.canonical(row) for row, column in refs if ledger.trains(row, column))
        if rows:
            needs[claim.id] = [row for row in rows if row in open_cells or not _settled(report, ledger, row)]
        else:
            unplanned.append(claim.id)
    wanting = dict.fromkeys([*open_cells, *(r for rows in needs.values() for r in rows)])
    budgets = {row: next((b for b in ledger.budgets if ledger.row(row).table in b.tables), None) for row in wanting}
    unplanned += [key for row, keys in open_cells.items() if budgets[row] is None for key in keys]
    waiting = [name for name, rows in needs.items() if any(budgets[row] is None for row in rows)]
    unplanned += waiting
    every = open_cells, needs
    open_cells = {row: keys for row, keys in open_cells.items() if budgets[row]}
    needs = {name: rows for name, rows in needs.items() if all(budgets[row] for row in rows)}
    enough, told = _enough(ledger, report.settings, evidence)
    runs: dict[str, Run] = {}
    unpriced: list[Run] = []
    for row, budget in budgets.items():
        table = ledger.row(row).table
        have = _trained(evidence.runs.get("paper", {}).get(row, []))
        seeds = wanted - have if have < wanted else max(1, enough.get(_column(ledger, row), 0) - have)
        if budget is None:
            cells, asked = every[0].get(row, []), [name for name, rows in every[1].items() if rows == [row]]
            unpriced.append(Run(row, table, "", seeds, 0, None, cells, asked, tested.get(row, TESTS[1])))
            continue
        passes = budget.images * budget.epochs * seeds
        cost = evidence.cost.get(row)
        hours = None
        if rates and cost:
            hours = passes * seconds_per_image(row, cost.values.madds[evidence.rule], rates) / 3600
        alone = [name for name, rows in needs.items() if rows == [row]]
        runs[row] = Run(
            row, table, budget.dataset, seeds, passes, hours, open_cells.get(row, []), alone, tested.get(row, TESTS[1])
        )
    items = [Item(key, "cell", [row], runs[row].hours) for row, keys in open_cells.items() for key in keys]
    items += [Item(name, "claim", list(rows), _total(runs[row].hours for row in rows)) for name, rows in needs.items()]

    def cheapest(x: Item | Run) -> tuple[bool, float]:
        return (x.hours is None, x.hours or 0.0)

    ordered = sorted(runs.values(), key=lambda r: (*cheapest(r), r.image_passes, r.row))
    best = max(ordered, key=lambda r: (r.settles, -(r.hours or r.image_passes)), default=None)
    return Plan(
        bench[1].hardware if bench else "no machine measured",
        bool(bench and bench[1].gpu),
        bench[0] if bench else "none; run `make bench`",
        sorted(items, key=lambda i: (*cheapest(i), i.name)),
        ordered,
        best.row if best else None,
        unplanned,
        told,
        bench[1].published if bench else "",
        sorted(unpriced, key=lambda r: -r.settles),
        waiting,
        *_others(report),
    )


def _others(report: Any) -> tuple[list[str], dict[str, int]]:
    """Return (rows with open costs that name no network, open measurements by column and device)."""
    ledger = report.ledger
    uncounted: dict[str, None] = {}
    unmeasured: dict[str, int] = {}
    for cell in report.cells:
        row = ledger.row(ledger.canonical(cell.row_id))
        about = ledger.cell(cell.row_id, cell.column).about
        if cell.verdict != "not-run":
            continue
        if about.kind == "cost" and not row.network:
            uncounted[row.id] = None
        elif about.kind == "measured":
            what = cell.column + (f" on {about.device}" if about.device else "")
            unmeasured[what] = unmeasured.get(what, 0) + 1
    return list(uncounted), unmeasured


def _trained(runs: Sequence[TrainingEvidence]) -> int:
    """Return how many seeds there are of the recipe that decides and that can be trained further."""
    recipes = [run.recipe or "paper" for run in runs]
    return next((recipes.count(name) for name in ("paper", "official") if name in recipes), 0)


def _column(ledger: Any, row: str) -> str:
    """Return the metric that a row's seeds are planned for: its first trained one."""
    return next((c for c in ledger.row(row).cells if ledger.trains(row, c)), "")


def _enough(ledger: Any, settings: Any, evidence: Evidence) -> tuple[dict[str, int], list[str]]:
    """Return (seeds for a power of 80 % by column, what the spread observed, or stated, lets settings.seeds do)."""
    known = margins(ledger, settings)
    seen = spreads(evidence.runs.get("paper", {}))
    enough, told = {}, []
    for column in list(seen) or list(ledger.printed_spread)[:1]:
        if column not in known:
            continue
        theirs = settings.printed_spread.get(column, settings.seed_spread)
        spread = seen.get(column) or Spread(settings.seed_spread, 10**6)
        what = "observed" if column in seen else "stated; none is observed yet"
        rule = (spread, theirs, known[column], settings.alpha)
        needed = seeds_needed(*rule, least=settings.seeds)
        told.append(
            f"{column}: at a spread of {spread.sd:.2f} points between seeds ({what}) {settings.seeds} seeds reproduce "
            f"a true number with a chance of {100 * power(settings.seeds, *rule):.0f} %; "
            + (f"{needed} do so with 80 %" if needed else "no number of seeds up to 30 does so with 80 %")
        )
        if needed:
            enough[column] = needed
    return enough, told


def _settled(report: Any, ledger: Any, row: str) -> bool:
    """Tell whether a row has trained cells and all of them are settled."""
    mine = [c for c in report.cells if ledger.canonical(c.row_id) == row and ledger.trains(c.row_id, c.column)]
    return bool(mine) and all(c.verdict not in OPEN for c in mine)


def dumps(plan: Plan) -> str:
    """Return the plan as JSON text."""
    return json.dumps(plan.as_dict(), indent=1, allow_nan=False)  # ASCII: valid JSON in any encoding
