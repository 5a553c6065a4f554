"""What stands behind a cell: printed and achieved values, seeds, files, command, rule, arithmetic, cost to settle."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote

from papertally.evidence.revision import UNKNOWN
from papertally.evidence.schema import CostEvidence, TrainingEvidence
from papertally.ledger.load import Row, Table
from papertally.pages.sources import Sources
from papertally.quantities.columns import is_cost
from papertally.verdicts import verdicts
from papertally.verdicts.model import CellView, Report
from papertally.verdicts.names import (
    GROUND_WORDS,
    PROFILES,
    column_name,
    column_place,
    count,
    large,
    row_name,
    show,
    span,
)
from papertally.verdicts.plan import OPEN, Run
from papertally.verdicts.recipes import called, groups, spreads


@dataclass(frozen=True)
class Value:
    """Hold a piece of text, perhaps with a link, perhaps to copy as code."""

    text: str
    href: str = ""
    code: bool = False


@dataclass(frozen=True)
class Fact:
    """Hold what is said under one head, a line each."""

    term: str
    values: list[Value]


@dataclass(frozen=True)
class Dossier:
    """Hold all that a click on a cell shows."""

    id: str
    title: str
    table: str
    verdict: str
    slug: str
    facts: list[Fact] = field(default_factory=list)


def link(up: str, path: str) -> str:
    """Return the address of a file of the repository; `up` leads from the page to its root."""
    return up + quote(path)


def responses(report: Report, subject: str) -> list[Value]:
    """Return what was answered to the verdict on a cell or a statement, by responses.yaml."""
    return [Value(text) for text in report.supplements.responses_to(subject)] if report.supplements else []


class Dossiers:
    """Write the dossiers of a report's cells."""

    def __init__(self, report: Report, sources: Sources, up: str) -> None:
        self.report, self.sources, self.up = report, sources, up
        self.runs: Mapping[str, Run] = {r.row: r for r in report.plan.runs} if report.plan else {}

    def file(self, path: str, text: str = "") -> Value:
        """Return a link to a file."""
        return Value(text or path, link(self.up, path))

    def dated(self, path: str) -> str:
        """Return the day on which a file was committed."""
        return self.sources.dates.get(path, UNKNOWN)

    def place(self, table: Table) -> list[Value]:
        """Return a link to the table in the paper; a reader of PDF that knows no named places opens its first page."""
        arxiv = self.report.ledger.arxiv
        if not arxiv:
            return [Value(f"Table {table.id}", self.report.ledger.address)] if self.report.ledger.address else []
        number = re.match(r"\d+", table.id)
        where = f"#nameddest=table.{number[0]}" if number else ""
        return [Value(f"Table {table.id} on arXiv", f"https://arxiv.org/pdf/{arxiv}{where}")]

    def cell(self, table: Table, row: Row, view: CellView) -> Dossier:
        """Return one cell's dossier."""
        cell = row.cells[view.column]
        low, high = (show(x, cell.printed, unit=cell.unit) for x in (cell.interval.low, cell.interval.high))
        facts = [
            Fact(
                "Printed", [Value(f"{cell.printed}, as every value from {low} up to {high} prints"), *self.place(table)]
            )
        ]
        facts += self.ground(row, view)
        facts += self.cost(row, view) if is_cost(view.column) else self.trained(row, view)
        facts += [Fact("Known issues", [Value(self.report.ledger.issues[i].title, f"#issue-{i}") for i in view.issues])]
        facts.append(Fact("Responses", responses(self.report, view.key)))
        title = f"{row_name(table, row)}: {cell.about.title or column_name(view.column)}"
        return Dossier(view.key, title, table.id, view.answer.words, view.answer.name, [f for f in facts if f.values])

    def ground(self, row: Row, view: CellView) -> list[Fact]:
        """Return what fixes a cell, what it repeats, and under how many conventions it holds."""
        found = self.report.ledger.ground(row.id, view.column)
        words = [f"{view.ground}: {GROUND_WORDS[view.ground]}"]
        words += [f"decided by {', '.join(a.replace('_', ' ') for a in found.decided_by)}"] if found.decided_by else []
        words += [f"source {found.source}"] if found.source else []
        words += [found.drawn] if found.drawn else []
        facts = [Fact("Ground", [Value(text) for text in words])]
        if view.repeats:
            facts.append(Fact("Repeats", [Value(view.distinct, f"#e-{view.distinct}")]))
        if view.conventions:
            holds, of = view.conventions
            facts.append(Fact("Conventions", [Value(f"holds under {holds:,} of {of:,}", "#conventions")]))
        return facts

    def judged(self, view: CellView) -> list[Fact]:
        """Return rule, arithmetic and what other rules, variants and recipes give."""
        return [
            Fact("Rule", [Value(view.rule)]),
            Fact("Why" if view.achieved is None else "Arithmetic", [Value(view.arithmetic)] if view.arithmetic else []),
            Fact("Other readings", [Value(reading) for reading in view.readings]),
        ]

    def made(self, items: Sequence[CostEvidence | TrainingEvidence], paths: Sequence[str]) -> list[Fact]:
        """Return where evidence comes from, what several files share but once."""

        def machine(item: CostEvidence | TrainingEvidence) -> str:
            rest = [f"{k} {v}" for k, v in sorted(item.environment.items()) if k != "device"]
            return ", ".join([item.environment.get("device", UNKNOWN), *rest])

        def once(texts: Iterable[str], **kind: Any) -> list[Value]:
            return [Value(text, **kind) for text in dict.fromkeys(texts)]

        return [
            Fact("Config", [self.file(c) for c in dict.fromkeys(item.config for item in items)]),
            Fact("Hardware", once(map(machine, items))),
            Fact("Code revision", once((item.code_revision for item in items), code=True)),
            Fact("Date", once(map(self.dated, paths))),
            Fact("Changed while it ran", once(what for item in items for what in getattr(item, "changed", ()))),
        ]

    # params, MAdds

    def cost(self, row: Row, view: CellView) -> list[Fact]:
        """Return the facts of a computed cell."""
        found = self.report.evidence.cost.get(self.report.ledger.canonical(row.id))
        facts = self.judged(view)
        if view.achieved is None:
            facts.append(Fact("Evidence", [self.file(view.evidence)] if view.evidence else [Value("none")]))
        elif found is not None and view.evidence:
            shown = f"{view.shown} ({view.achieved:,}), {view.deviation:+.1f} % from the printed number"
            facts.insert(0, Fact("Computed", [Value(shown)]))
            facts.append(Fact("Evidence", [self.file(view.evidence)]))
            facts += self.made([found], [view.evidence])
            size = self.report.ledger.cell(row.id, view.column).about.input or found.input_size
            facts.append(Fact("Counted at", [Value(" × ".join(map(str, size)))] if found.network else []))
            facts.append(Fact("Construction", [Value(found.construction), *map(Value, found.notes)]))
        command = self.sources.config.commands.get("cost")
        facts.append(Fact("To rerun", [Value(command, code=True)] if command else []))
        facts.append(Fact("Cost to settle", [Value("seconds: a closed form, no training")]))
        return facts

    # what training decides

    def trained(self, row: Row, view: CellView) -> list[Fact]:
        """Return the facts of a trained cell: runs by recipe, the deciding one first, small profile, cost."""
        source = self.report.ledger.canonical(row.id)
        runs = self.report.evidence.runs.get("paper", {}).get(source, [])
        files = self.report.evidence.files.get(("paper", source), [])
        mine = [(r, f) for r, f in zip(runs, files, strict=True) if view.column in r.values]
        facts = []
        if view.achieved is None:
            facts.append(Fact("Evidence", [self.file(view.evidence)] if view.evidence else [Value("none")]))
        else:
            level = f"{100 * (1 - self.report.settings.alpha):g} % interval of the mean"
            text = f"{view.shown} {view.half} ({level})" if view.half else f"{view.shown}, one seed"
            facts.append(Fact("Achieved", [Value(f"{text}, {view.deviation:+.2f} points from the printed number")]))
        for group in groups(runs, files, view.column):
            seeds = [self.seed(r, f, view.column) for r, f in mine if f in group.files]
            facts.append(Fact(f"Seeds, {called(group, self.report.ledger)}", seeds))
        beside = [
            self.file(path, f"{run.told}: {run.values[view.column]:.2f}, {self.dated(path)}, {path}")
            for profile in dict.fromkeys(("paper", self.report.settings.profile))
            for path, run in self.report.evidence.beside.get((profile, source), [])
            if view.column in run.values
        ]
        facts.append(Fact("Beside them, never judged", beside))
        facts += self.judged(view)
        if mine:
            pins = dict.fromkeys(f"{r.data.name}, pin {r.data.pin}" for r, _ in mine)
            facts.append(Fact("Data", [Value(pin) for pin in pins]))
            facts += self.made([r for r, _ in mine], [f for _, f in mine])
            facts.append(Fact("To rerun", [Value(c, code=True) for c in dict.fromkeys(r.command for r, _ in mine)]))
        return facts + self.small(row, view.column) + self.settle(row, view)

    def seed(self, run: TrainingEvidence, path: str, column: str) -> Value:
        """Return one run's value with a link to its file."""
        name = "no seed stated" if run.seed is None else f"seed {run.seed}"
        return self.file(path, f"{name}: {run.values[column]:.2f}, {self.dated(path)}, {path}")

    def small(self, row: Row, column: str) -> list[Fact]:
        """Return the small profile's result of a column: shown, never compared."""
        profile = self.report.settings.profile
        source = self.report.ledger.canonical(row.id)
        runs = self.report.evidence.runs.get(profile, {}).get(source, []) if profile != "paper" else []
        files = self.report.evidence.files.get((profile, source), []) if runs else []
        values = [
            Value(
                f"{run.values[column]:.2f} on {run.data.name} (pin {run.data.pin[:12]}), seed {run.seed}, "
                f"{run.epochs} epochs, {self.dated(path)}: {path}",
                link(self.up, path),
            )
            for run, path in zip(runs, files, strict=True)
            if column in run.values
        ]
        commands = [Value(c, code=True) for c in dict.fromkeys(r.command for r in runs if column in r.values)]
        return [Fact(f"Profile {profile}, never compared", [*values, *commands])] if values else []

    def settle(self, row: Row, view: CellView) -> list[Fact]:
        """Return what a decision takes: seeds, image passes, hours at the measured throughput, commands."""
        source = self.report.ledger.canonical(row.id)
        run, plan = self.runs.get(source), self.report.plan
        if run is None or plan is None or view.verdict not in OPEN:
            return [Fact("Cost to settle", [Value("settled")])] if view.achieved is not None else []
        passes = f"{count(run.seeds, 'further seed' if view.achieved is not None else 'seed')}, "
        passes += f"{large(run.image_passes)} images of {run.dataset} in training"
        lines = [Value(passes)]
        if run.hours is None:
            lines.append(Value("hours unknown: no throughput is measured for this row"))
        else:
            unit = "GPU-hours" if plan.gpu else "machine-hours"
            lines.append(Value(f"{span(run.hours)} {unit} on {plan.hardware}", link(self.up, plan.source)))
        return [Fact("Cost to settle", lines), Fact("To run", self.commands(row, run.seeds))]

    def commands(self, row: Row, seeds: int) -> list[Value]:
        """Return the commands for the seeds that lack, one a seed where the command names it."""
        source = self.report.ledger.row(self.report.ledger.canonical(row.id))
        template = self.sources.config.commands.get(self.report.ledger.tables[source.table].task)
        if template is None:
            return []
        cost = self.report.evidence.cost.get(source.id)
        have = {run.seed for run in self.report.evidence.runs.get("paper", {}).get(source.id, [])}
        free = [s for s in range(seeds + len(have)) if s not in have][:seeds]
        names = {"{row}": source.id, "{config}": cost.config if cost else ""}
        filled = []
        for number in free:
            text = template
            for key, value in {**names, "{seed}": str(number)}.items():
                text = text.replace(key, value)
            filled.append(text)
        return [Value(text, code=True) for text in dict.fromkeys(filled)]


def small_line(report: Report, row: Row) -> tuple[str, list[tuple[str, str]]]:
    """Return a row's results of the small profile, (head, value) by column, and what they are of: ("", []) if none."""
    profile = report.settings.profile
    runs: Sequence[TrainingEvidence] = report.evidence.runs.get(profile, {}).get(row.id, [])
    if profile == "paper" or not runs:
        return "", []
    out, shared = [], spreads(report.evidence.runs[profile])
    for column in sorted({c for run in runs for c in run.values}, key=column_place):
        values = [run.values[column] for run in runs if column in run.values]
        if values:
            estimate = verdicts.estimate(values, report.settings.alpha, shared.get(column))
            half = f" ± {estimate.half_width:.1f}" if estimate.n > 1 else ""
            out.append((column_name(column), f"{math.fsum(values) / len(values):.1f}{half}"))
    first = runs[0]
    seeds = f", {count(len(runs), 'seed')}" if len(runs) > 1 else ""
    return f"{first.data.name}, {count(first.epochs, 'epoch') if first.epochs else 'no epoch'}{seeds}", out


def profile_note(profile: str) -> str:
    """Return what a profile's results are good for."""
    return PROFILES[profile]


def rule_names(rules: Mapping[str, Any], deciding: str) -> list[tuple[str, str, str]]:
    """Return the counting rules: name, what the report does with it, statement."""
    return [(n, "decides" if n == deciding else "shown beside", text) for n, text in rules.items()]
