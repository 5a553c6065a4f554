"""Grade the checks: recall by kind of planted fault, false alarms on right ledgers, as a table for docs/checks.md."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from functools import cache
from pathlib import Path
from random import Random

from papertally.checks import ALARMS, Finding, about, read_document, run
from papertally.checks.benchmark import table_errors, text_errors  # noqa: F401  each registers its kinds
from papertally.checks.benchmark.error_injection import KINDS, Planted
from papertally.checks.benchmark.render import as_text
from papertally.checks.benchmark.synthetic import right_ledger
from papertally.checks.typos import with_cell
from papertally.ledger.files import YamlFile
from papertally.ledger.load import Ledger, load_ledger
from papertally.ledger.schema import Strict

EACH = 20
INVENTED = 60
#: What a test set resolves says nothing of a fault, and does not count as finding one.
NO_FAULT = ("resolution",)
#: An even number: the checks were made on the ledgers of other seeds.
FIRST_SEED = 1000
#: The paper's ledger, made consistent: cells (to what their tables' rule gives) and one experiment printed twice.
PAPERS = Path(__file__).resolve().parents[3] / "papers"


class Corrected(Strict):
    """Describe corrected.yaml: what cells would print, and which rows repeat others, if nothing were wrong."""

    cells: dict[str, str]
    repeats: dict[str, str]


@dataclass
class Grade:
    """Hold how often one kind of fault was planted, and the worst severities and the checks by which it was found.

    homes: how often planted and found in the paper's ledger and in invented ones.
    """

    planted: int = 0
    homes: Counter[tuple[str, str]] = field(default_factory=Counter)
    severities: Counter[str] = field(default_factory=Counter)
    checks: Counter[str] = field(default_factory=Counter)

    @property
    def found(self) -> int:
        """Return how many of the planted faults some check named."""
        return sum(self.severities.values())


@dataclass
class Grades:
    """Hold the grades by kind, and the alarms on right ledgers by check and severity."""

    kinds: dict[str, Grade]
    alarms: Counter[tuple[str, str]]
    right: int

    @property
    def recall(self) -> float:
        """Return the share of all planted faults that was found."""
        return sum(g.found for g in self.kinds.values()) / sum(g.planted for g in self.kinds.values())


def corrected() -> Ledger:
    """Return a real paper's ledger without what contradicts itself: cells mended, statements that fail left out.

    It is the one under papers/ whose corrected.yaml says which cells and repeats are mended.
    """
    path = next(PAPERS.glob("*/corrected.yaml"))
    mended = YamlFile(path, path.name, ValueError).validate(Corrected)
    ledger = load_ledger(path.parent)
    for name, printed in mended.cells.items():
        ledger = with_cell(ledger, name, printed)
    for row_id, first in mended.repeats.items():
        table = ledger.tables[ledger.row(row_id).table]
        rows = tuple(replace(r, same_as=first) if r.id == row_id else r for r in table.rows)
        ledger = replace(ledger, tables={**ledger.tables, table.id: replace(table, rows=rows)})
    claims = tuple(
        c for c in ledger.claims if c.kind != "relation" or c.expression.evaluate(ledger.printed_value).holds
    )
    quoted = [
        q.model_copy(update={"cells": {c: ledger.cell(q.row, c).printed for c in q.cells}})
        for q in ledger.checks.quoted
    ]
    return replace(ledger, claims=claims, checks=ledger.checks.model_copy(update={"quoted": quoted}))


@cache
def ledger_of(seed: int) -> Ledger:
    """Return a right ledger: the paper's corrected one for an even seed, else an invented one."""
    if seed % 2:
        return right_ledger(seed)
    return corrected() if seed == FIRST_SEED else ledger_of(FIRST_SEED)


def alarms(ledger: Ledger, text: str | None) -> list[Finding]:
    """Return what the checks object to."""
    document = None if text is None else read_document(text)
    return [f for f in run(ledger, explain=False, document=document) if f.severity in ALARMS]


@cache
def alarms_before(seed: int, tex: bool | None) -> frozenset[Finding]:
    """Return what the checks object to in a right ledger, with its text (tex: LaTeX) or without (None)."""
    right = ledger_of(seed)
    return frozenset(alarms(right, None if tex is None else as_text(right, tex)))


def noticed(planted: Planted, seed: int) -> list[Finding]:
    """Return the new alarms that name what was planted: one of its cells, or its statement or table."""
    tex = None if planted.text is None else planted.text.startswith("\\")
    before = alarms_before(seed if seed % 2 else FIRST_SEED, tex)
    new = [f for f in alarms(planted.ledger, planted.text) if f not in before and f.check not in NO_FAULT]
    return [f for f in new if planted.cells & set(f.cells) or f.subject in planted.subjects]


def plant(name: str, each: int = EACH) -> Iterator[tuple[Planted, int]]:
    """Yield faults of one kind with the seeds of the right ledgers they were planted into; the same everywhere."""
    done = 0
    for seed in range(FIRST_SEED, FIRST_SEED + 50 * each):
        planted = KINDS[name](ledger_of(seed), Random(f"{name} {seed}"))
        if planted is not None:
            done += 1
            yield planted, seed
        if done == each:
            return
    raise ValueError(f"no ledger has a place for {name!r}")


def grade_kind(name: str, each: int = EACH) -> Grade:
    """Plant one kind of fault and count what is found."""
    grade = Grade()
    for planted, seed in plant(name, each):
        grade.planted += 1
        home = "invented" if seed % 2 else "paper"
        grade.homes[home, "planted"] += 1
        if found := noticed(planted, seed):
            grade.severities[min((f.severity for f in found), key=ALARMS.index)] += 1
            grade.checks.update({f.check for f in found})
            grade.homes[home, "found"] += 1
    return grade


def right_alarms(invented: int = INVENTED) -> tuple[Counter[tuple[str, str]], int]:
    """Return the alarms on right ledgers by check and severity, and how many ledgers were read."""
    found: Counter[tuple[str, str]] = Counter()
    ledgers = [corrected(), *(right_ledger(seed) for seed in range(FIRST_SEED, FIRST_SEED + invented))]
    for n, ledger in enumerate(ledgers):
        found.update((f.check, f.severity) for f in alarms(ledger, as_text(ledger, tex=n % 2 == 1)))
    return found, len(ledgers)


def grade(each: int = EACH, invented: int = INVENTED) -> Grades:
    """Return all grades."""
    kinds = {name: grade_kind(name, each) for name in KINDS}
    found, right = right_alarms(invented)
    return Grades(kinds, found, right)


def table(grades: Grades) -> str:
    """Return the grades as Markdown."""
    lines = [
        "| Planted fault | Planted | Found | Impossible | Undecided by rounding | Suspicious | Found by |",
        "|---|--:|--:|--:|--:|--:|---|",
    ]
    for name, g in grades.kinds.items():
        counts = " | ".join(str(g.severities[s]) for s in ALARMS)
        by = ", ".join(c for c in about() if c in g.checks)
        lines.append(f"| {name} | {g.planted} | {g.found} | {counts} | {by} |")
    total = sum(g.planted for g in grades.kinds.values())
    counts = " | ".join(str(sum(g.severities[s] for g in grades.kinds.values())) for s in ALARMS)
    found = sum(g.found for g in grades.kinds.values())
    lines.append(f"| **all** | **{total}** | **{found}** ({100 * grades.recall:.1f} %) | {counts} | |")
    homes = sum((g.homes for g in grades.kinds.values()), Counter())
    of = {home: f"{homes[home, 'found']} of {homes[home, 'planted']}" for home in ("paper", "invented")}
    lines += ["", f"In this paper's ledger {of['paper']}, in invented ones {of['invented']}."]
    lines += ["", f"Alarms on {grades.right} right ledgers, the paper's corrected one among them:", ""]
    lines += ["| Check | Impossible | Undecided by rounding | Suspicious |", "|---|--:|--:|--:|"]
    for name in about():
        if any(grades.alarms[name, s] for s in ALARMS):
            lines.append(f"| {name} | {' | '.join(str(grades.alarms[name, s]) for s in ALARMS)} |")
    lines.append(
        f"| **all** | {' | '.join(str(sum(n for (_, x), n in grades.alarms.items() if x == s)) for s in ALARMS)} |"
    )
    return "\n".join(lines)
