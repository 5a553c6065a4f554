"""What a report consists of, as plain data: cells, rows, tables, claims."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from papertally.checks import Finding, run
from papertally.evidence.bench import Bench
from papertally.evidence.forensics import ForensicsEvidence
from papertally.evidence.read import Evidence
from papertally.evidence.settings import Settings
from papertally.ledger.load import Ledger, Row
from papertally.ledger.schema import GROUNDS
from papertally.ledger.supplements import Supplements
from papertally.quantities.columns import is_cost
from papertally.verdicts import verdicts
from papertally.verdicts.answers import Answer, answer, counted
from papertally.verdicts.arithmetic import Line
from papertally.verdicts.budget import TableBudget
from papertally.verdicts.certificates import CertificateView
from papertally.verdicts.conventions import FamilyView, HeldOutView
from papertally.verdicts.orderings import Ordering, RelationalClaim
from papertally.verdicts.other_sets import OtherSet
from papertally.verdicts.plan import Plan
from papertally.verdicts.registered import Registered
from papertally.verdicts.small_scale import SAID, SmallScale, small_scale


@dataclass(frozen=True)
class CellView:
    """Hold one line of the report: a printed number, what was achieved, and the verdict.

    half: half width of the mean's interval as shown, half_width: in points; deviation: from the printed number, in
    percent (params, MAdds) or points; arithmetic: the verdict's; readings: what other rules, variants and recipes
    give; issues: ids of known ones. ground: what fixes the cell, of a repeat what fixes the first; repeats: it is one;
    distinct: the cell that repeats share; conventions: under how many of how many it holds; units: of the last printed
    place by which the nearest value lies outside; tests: what a result would test.
    """

    table: str
    row: int
    row_id: str
    column: str
    printed: str
    bold: bool
    achieved: int | float | None
    shown: str
    verdict: str
    rule: str
    evidence: str | None
    note: str
    half: str = ""
    half_width: float = 0.0
    deviation: float | None = None
    arithmetic: str = ""
    readings: tuple[str, ...] = ()
    issues: tuple[str, ...] = ()
    ground: str = "printed"
    repeats: bool = False
    distinct: str = ""
    conventions: tuple[int, int] | None = None
    deciding: tuple[str, ...] = ()
    units: float | None = None
    tests: str = "paper"

    @property
    def key(self) -> str:
        """Return the cell's name, row.column."""
        return f"{self.row_id}.{self.column}"

    @property
    def answer(self) -> Answer:
        """Return the answer about the printed number, with its basis."""
        return answer(self.verdict, self.ground, trained=not is_cost(self.column))


@dataclass(frozen=True)
class RowView:
    """Hold a printed row: labels, marks, its cells (None where the paper prints no number), small-scale results."""

    row: Row
    cells: list[CellView | str]
    mini: str
    mini_evidence: str | None
    construction: str
    notes: list[str]
    picture: str | None = None

    @property
    def has_notes(self) -> bool:
        """Tell whether a cell with a computed value, or the row, has a note."""
        cells = [c for c in self.cells if isinstance(c, CellView)]
        return bool(self.notes) or any(c.note and c.achieved is not None for c in cells)


@dataclass(frozen=True)
class TableView:
    """Hold a table as printed."""

    id: str
    title: str
    label_columns: tuple[str, ...]
    columns: tuple[str, ...]
    rows: list[RowView]
    budget: TableBudget | None
    has_mini: bool
    heads: tuple[str, ...] = ()


#: What a statement's verdict says was shown; any other leaves it open.
SHOWN_AS = {
    "reproduced": "reproduced",
    "differs": "not reproduced",
    "not-reproduced": "not reproduced",
    "derivation-holds": "derivation holds",
    "derivation-fails": "derivation fails",
    "agrees-with-itself": "paper agrees with itself",
    "paper-inconsistent": "paper contradicts itself",
    "built-as-stated": "built as stated",
    "built-otherwise": "built otherwise",
    "run-as-stated": "run as stated",
    "run-otherwise": "run otherwise",
}


@dataclass(frozen=True)
class ClaimView:
    """Hold one claim: does it hold on the paper's own numbers, and on achieved ones.

    own, worked: the expression worked out on the paper's own numbers and on achieved or computed ones; own_truth:
    holds, undecided or cannot, whatever the printed numbers were rounded from.
    """

    id: str
    section: str
    statement: str
    kind: str
    expression: str
    paper_holds: bool | None
    paper_quantity: str
    achieved: Any
    shown: str
    verdict: str
    evidence: str | None
    note: str
    arithmetic: str = ""
    reading: str = ""
    issue: str = ""
    own: tuple[Line, ...] = ()
    worked: tuple[Line, ...] = ()
    own_truth: str | None = None

    @property
    def shown_as(self) -> str:
        """Return in words what was shown of the statement: see SHOWN_AS; `open` where nothing was."""
        return SHOWN_AS.get(self.verdict, "open")

    @property
    def answer(self) -> Answer:
        """Return the answer about the statement, with its basis."""
        return answer(self.verdict)


@dataclass
class Report:
    """Hold all that the templates print."""

    ledger: Ledger
    settings: Settings
    tables: list[TableView]
    claims: list[ClaimView]
    problems: list[Any]
    rules: dict[str, str]
    orderings: list[Ordering] = field(default_factory=list)
    ordered_claims: list[RelationalClaim] = field(default_factory=list)
    evidence: Evidence = field(default_factory=Evidence)
    plan: Plan | None = None
    benches: list[tuple[str, Bench]] = field(default_factory=list)
    changed: list[tuple[str, str, str]] = field(default_factory=list)
    statistics: list[str] = field(default_factory=list)
    supplements: Supplements | None = None
    families: list[FamilyView] = field(default_factory=list)
    held_out: list[HeldOutView] = field(default_factory=list)
    certificates: dict[str, list[CertificateView]] = field(default_factory=dict)
    forensics: list[ForensicsEvidence] = field(default_factory=list)
    registered: Registered | None = None
    other_sets: list[OtherSet] = field(default_factory=list)

    @property
    def cells(self) -> list[CellView]:
        """Return every numeric cell in printed order."""
        return [c for t in self.tables for r in t.rows for c in r.cells if isinstance(c, CellView)]

    @cached_property
    def checks(self) -> list[Finding]:
        """Return what the checks of the ledger find, the worst first."""
        return self.ledger.derived(run)

    @property
    def distinct(self) -> list[CellView]:
        """Return every experiment's or network's number once, as it is printed first."""
        return list({c.distinct: c for c in reversed(self.cells)}.values())[::-1]

    @property
    def small_scale(self) -> SmallScale | None:
        """Return what all protocols on small real data say of the printed orders, None where none has judged one."""
        return small_scale(self.orderings, self.ordered_claims, self.registered)

    def grounds(self) -> dict[str, dict[str, Any]]:
        """Return by ground how many cells there are, how many distinct ones, and these' verdicts."""
        out: dict[str, dict[str, Any]] = {}
        for ground in GROUNDS:
            cells = [c for c in self.cells if c.ground == ground]
            mine = [c for c in self.distinct if c.ground == ground]
            if cells:
                out[ground] = {"cells": len(cells), "distinct": len(mine), "verdicts": _count(c.verdict for c in mine)}
        return out

    def summary(self) -> dict[str, dict[str, int]]:
        """Return how often each verdict was given; verdicts never given are left out."""
        return {
            "cells": _count(c.verdict for c in self.cells),
            "claims": _count(c.verdict for c in self.claims),
        }

    def answers(self) -> dict[str, dict[str, int]]:
        """Return how often each answer was given: of distinct printed numbers, and of statements."""
        return {"cells": counted(c.answer for c in self.distinct), "claims": counted(c.answer for c in self.claims)}

    def own_summary(self) -> dict[str, int]:
        """Return how many statements hold, hold as printed, are undecided or cannot hold on the paper's own numbers."""
        counts = Counter(c.own_truth for c in self.claims)
        return {name: counts[name] for name in ("holds", "as-printed", "undecided", "cannot") if counts[name]}

    def verdict_map(self) -> dict[str, str]:
        """Return every verdict by the name of its cell, claim, or small-scale order, and which registered runs lack."""
        return {
            **{c.key: c.verdict for c in self.cells},
            **{f"claim {c.id}": c.verdict for c in self.claims},
            **self.small_scale_map(),
        }

    def small_scale_map(self) -> dict[str, str]:
        """Return what each protocol on small data says of each order, and whether registered tables are complete."""
        found = self.small_scale
        orders = {
            f"order {o.table} {o.higher} > {o.lower} ({name})": SAID[pair.verdict]
            for o in (found.orders if found else ())
            for name, pair in o.by.items()
        }
        families = self.registered.families if self.registered else []
        return orders | {
            f"registered table {f.table}": "incomplete" if f.absent or not f.of else "complete" for f in families
        }


def _count(names: Any) -> dict[str, int]:
    counts = Counter(names)
    return {name: counts[name] for name in verdicts.VERDICTS if counts[name]}
