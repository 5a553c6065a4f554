"""The page's model: every text, number, link and drawing that the templates print, as plain data. No I/O."""

from __future__ import annotations

from dataclasses import dataclass, field

from papertally.ledger.load import Row, Table
from papertally.pages import figures as drawn
from papertally.pages.cell_details import Dossier, Dossiers, rule_names, small_line
from papertally.pages.checks import ChecksPage, checks_page
from papertally.pages.claims import ClaimPage, claim_pages
from papertally.pages.conventions import ConventionsPage, GroundPage, conventions_page, grounds_page
from papertally.pages.provenance import Provenance, provenance
from papertally.pages.registered import RegisteredPage, registered_pages
from papertally.pages.sections import Filter, PlanPage, filters, plan_page, verdict_rules
from papertally.pages.sentences import apart_lines, sentences, weight
from papertally.pages.small_scale import SmallScalePage, small_scale_page
from papertally.pages.sources import Sources
from papertally.pages.supplements import Supplement, supplements_page
from papertally.quantities.columns import is_cost
from papertally.verdicts.answers import ANSWERS, APART, MEANINGS, SIGNS, order_of
from papertally.verdicts.issues import check_issues
from papertally.verdicts.names import (
    PROFILES,
    column_name,
    count,
    large,
    percent,
    row_name,
    short_title,
)
from papertally.verdicts.views import CellView, Report, TableView

KINDS = {"cells": ("Printed numbers", "printed number"), "claims": ("Statements", "statement")}


@dataclass(frozen=True)
class Share:
    """Hold how often one verdict was given and what it means; start, width: of its part of the bar, in percent."""

    verdict: str
    slug: str
    glyph: str
    count: int
    percent: str
    start: float
    width: float
    meaning: str = ""


@dataclass(frozen=True)
class Shares:
    """Hold all verdicts of one kind of line."""

    kind: str
    head: str
    total: int
    shares: list[Share]
    note: str = ""


@dataclass(frozen=True)
class PageCell:
    """Hold a cell; delta: its deviation where it did not pass; keys: what columns are sorted by ("" sorts last)."""

    key: str
    printed: str
    bold: bool
    shown: str
    half: str
    verdict: str
    slug: str
    glyph: str
    delta: str
    keys: dict[str, str]
    ground: str = ""


@dataclass(frozen=True)
class PageRow:
    """Hold a row; cells: a string where the paper prints no number; small: the small profile's (head, value)."""

    id: str
    name: str
    labels: list[str]
    lead: str
    marks: list[str]
    ours: bool
    cells: list[PageCell | str]
    small_of: str
    small: list[tuple[str, str]]
    search: str


@dataclass(frozen=True)
class Picture:
    """Hold a strip of pictures."""

    src: str
    alt: str
    caption: str


@dataclass(frozen=True)
class PageTable:
    """Hold a table as printed, its cells' dossiers, pictures and what its experiments take.

    beside: times of networks of the same printed MAdds, as columns and rows.
    """

    id: str
    title: str
    labels: list[str]
    columns: list[tuple[str, str]]
    rows: list[PageRow]
    dossiers: list[Dossier]
    pictures: list[Picture]
    budget: str
    architecture: Architecture | None
    width: int
    cells: int
    beside: tuple[list[str], list[list[str]]] | None = None


@dataclass(frozen=True)
class Architecture:
    """Hold the printed body of an architecture table: models over columns, a line a printed row."""

    models: list[str]
    columns: list[str]
    rows: list[list[str]]


@dataclass(frozen=True)
class Issue:
    """Hold a known issue; checks: each computed number as (what the text says, its expression, whether it is so)."""

    id: str
    title: str
    kind: str
    detail: str
    arithmetic: str
    checks: list[tuple[str, str, bool | None]] = field(default_factory=list)


@dataclass
class Page:
    """Hold all that the two pages print."""

    title: str
    short: str
    arxiv: str
    profile: str
    profile_note: str
    lead: str
    sentences: list[tuple[str, str]]
    apart: list[str]
    shares: list[Shares]
    provenance: Provenance
    changed: list[tuple[str, str, str]]
    problems: list[tuple[str, str]]
    findings: list[ClaimPage]
    off: str
    filters: list[Filter]
    claim_filters: list[Filter]
    tables: list[PageTable]
    figures: list[drawn.Figure]
    forests: list[tuple[str, list[drawn.Figure]]]
    orders: list[drawn.Orders]
    order_claims: list[tuple[str, str, str, str]]
    proxy_data: str
    registered: list[RegisteredPage]
    small_scale: SmallScalePage | None
    other_sets: list[str]
    training: list[drawn.Figure]
    plan: PlanPage | None
    checks: ChecksPage | None
    claims: list[ClaimPage]
    issues: list[Issue]
    supplements: list[Supplement]
    aliases: list[tuple[str, str, str]]
    later: str
    versions: list[str]
    counting: list[tuple[str, str, str]]
    verdict_rules: list[tuple[list[Filter], str]]
    margins: str
    statistics: list[str]
    grounds: list[GroundPage]
    conventions: ConventionsPage | None
    has_small: bool = field(default=False)
    cited: str = ""


def _shares(report: Report) -> list[Shares]:
    out = []
    for kind, counts in report.answers().items():
        apart = sum(counts.get(name, 0) for name in APART)
        note = f"about the paper; {apart} more are not" if apart else ""
        total, start, shares = sum(counts[name] for name in ANSWERS), 0.0, []
        for name in ANSWERS:
            n = counts[name]
            width = 100 * n / total if total else 0.0
            part = (round(start, 2), round(width, 2))
            shares.append(Share(name, name, SIGNS[name], n, percent(n, total), *part, MEANINGS[name]))
            start += width
        out.append(Shares(kind, KINDS[kind][0], total, shares, note))
    return out


def _lead(report: Report) -> str:
    """Return the four counts of each kind in a sentence."""
    parts = []
    for kind, counts in report.answers().items():
        total = sum(counts[name] for name in ANSWERS)
        noun = "distinct number" if kind == "cells" else KINDS[kind][1]
        told = ", ".join(f"{counts[name]} {name}" for name in ANSWERS)
        if total:
            parts.append(f"{count(total, noun)} about the paper: {told}.")
    return " ".join(parts)


def _delta(cell: CellView) -> str:
    """Return what a cell that did not reproduce comes to: conventions under which it does, percent, or points."""
    if cell.deviation is None or cell.verdict == "reproduced":
        return ""
    if cell.verdict == "depends" and cell.conventions:
        return f"{cell.conventions[0]:,} of {cell.conventions[1]:,}"
    return f"{cell.deviation:+.1f} %" if is_cost(cell.column) else f"{cell.deviation:+.2f}"


def _cell(report: Report, cell: CellView) -> PageCell:
    achieved = "" if cell.achieved is None else f"{cell.achieved:.10g}"
    keys = {
        "printed": f"{report.ledger.cell(cell.row_id, cell.column).value:f}",
        "achieved": achieved,
        "deviation": "" if cell.deviation is None else f"{cell.deviation:.6g}",
        "verdict": str(order_of(cell.answer)),
    }
    return PageCell(
        cell.key,
        cell.printed,
        cell.bold,
        cell.shown,
        cell.half,
        cell.answer.words,
        cell.answer.name,
        cell.answer.sign,
        _delta(cell),
        keys,
        cell.ground,
    )


def _budget(view: TableView) -> str:
    b = view.budget
    if b is None and any(row.row.same_as is None for row in view.rows):
        return ""
    if b is None:
        return "Every row repeats an experiment of another table."
    takes = (
        f"To find out: {count(b.experiments, 'experiment')} × {b.epochs} epochs × {b.images:,} images ({b.dataset}, "
        f"{b.source}) = {large(b.image_passes)} image passes"
    )
    if b.uncounted == b.experiments:
        return f"{takes}, for one seed."
    rest = f" ({count(b.uncounted, 'row')} without left out)" if b.uncounted else ""
    madds = f"about {b.peta_madds:,.0f} × 10¹⁵ MAdds forward and backward at the printed MAdds{rest}"
    return f"{takes}, {madds}, for one seed."


def _architecture(table: Table) -> Architecture | None:
    raw = table.architecture
    if raw is None:
        return None
    blank = [""] * len(raw.columns)
    rows = []
    for row in raw.rows:
        cells = [cell for model in raw.models for cell in row.cells(model) or blank]
        if row.all:
            cells = [row.all, *[""] * (len(cells) - 1)]
        rows.append([row.part or row.output or "", *cells])
    return Architecture([m.upper() for m in raw.models], list(raw.columns), rows)


def _table(report: Report, view: TableView, dossiers: Dossiers, sources: Sources) -> PageTable:
    table = report.ledger.tables[view.id]
    rows, papers, pictures = [], [], []
    for found in view.rows:
        row: Row = found.row
        name = row_name(table, row)
        small_of, small = small_line(report, row)
        cells = [c if isinstance(c, str) else _cell(report, c) for c in found.cells]
        papers += [dossiers.cell(table, row, c) for c in found.cells if not isinstance(c, str)]
        labels = list(row.labels)
        rows.append(
            PageRow(
                row.id,
                name,
                labels,
                "*" if "*" in row.marks else "",
                [m for m in row.marks if m != "*"],
                found.construction.startswith("ours"),
                cells,
                small_of,
                small,
                " ".join([row.id, name, *labels, table.title]).lower(),
            )
        )
        if found.picture:
            template = sources.config.pictures.get(table.task, "Predictions of {model} on validation images of {data}.")
            data = small_of.partition(",")[0] or "the validation set"
            alt = template.replace("{model}", name).replace("{data}", data)
            pictures.append(Picture(found.picture, alt, ", ".join([name, *(f"{h} {v}" for h, v in small)])))
    return PageTable(
        view.id,
        view.title,
        list(view.label_columns),
        list(zip(view.columns, view.heads, strict=True)),
        rows,
        papers,
        pictures,
        _budget(view),
        _architecture(table),
        len(view.label_columns) + len(view.columns),
        sum(not isinstance(c, str) for r in rows for c in r.cells),
        _beside(sources, table),
    )


def _beside(sources: Sources, table: Table) -> tuple[list[str], list[list[str]]] | None:
    """Return times beside a table's printed MAdds, or None where none were measured of its rows."""
    if sources.latency is None:
        return None
    columns, rows = drawn.latency.beside(sources.latency[1], table)
    return (columns, rows) if rows else None


def _issues(report: Report) -> list[Issue]:
    checks: dict[str, list[tuple[str, str, bool | None]]] = {}
    for found in check_issues(report.ledger, report.evidence):
        checks.setdefault(found.issue, []).append((found.says, found.expression, found.holds))
    return [
        Issue(i.id, i.title, i.kind, i.detail, i.arithmetic, checks.get(i.id, []))
        for i in report.ledger.issues.values()
    ]


def _off(report: Report) -> str:
    """Return how many printed numbers fail, and how many of them a known issue names."""
    bad = [c for c in report.distinct if c.answer.name == "contradicted"]
    named = sum(bool(c.issues) for c in bad)
    return f"{count(len(bad), 'distinct number')}, of which {count(named, 'stands', 'stand')} under known issues."


def _margins(report: Report) -> str:
    """Return the margins of this ledger's own columns, and the level."""
    ledger, s = report.ledger, report.settings
    names = [c for t in ledger.tables.values() for c in t.columns if not is_cost(c)]
    usual = [c for c in s.margins if c in names]
    said = [
        f"{column_name(c)} {ledger.margins[c] if c in ledger.margins else format(s.margins[c], 'g')}"
        for c in dict.fromkeys([*usual, *names])
        if c in ledger.margins or c in s.margins
    ]
    return ", ".join(said) + f"; alpha {s.alpha:g}"


def build_page(report: Report, sources: Sources, up: str) -> Page:
    """Return the page's model; `up` leads from the page to the repository's root."""
    dossiers = Dossiers(report, sources, up)
    claims = claim_pages(report, sources, up)
    weights = {c.id: weight(c) for c in report.claims}
    failed = [c for c, v in zip(claims, report.claims, strict=True) if v.answer.name == "contradicted"]
    failed.sort(key=lambda c: -weights[c.id])
    tables = [_table(report, view, dossiers, sources) for view in report.tables]
    first = report.orderings[0] if report.orderings else None
    s = report.settings
    return Page(
        title=report.ledger.title,
        short=short_title(report.ledger.title),
        arxiv=report.ledger.arxiv,
        profile=s.profile,
        profile_note=PROFILES[s.profile],
        lead=_lead(report),
        sentences=sentences(report, sources.config.claims),
        apart=apart_lines(report),
        shares=_shares(report),
        provenance=provenance(report.evidence, sources.dates),
        changed=report.changed,
        problems=[(p.path, p.fault) for p in [*report.problems, *sources.problems]],
        findings=failed,
        off=_off(report),
        filters=filters(c.answer for c in report.cells),
        claim_filters=filters(c.answer for c in report.claims),
        tables=tables,
        figures=drawn.figures(report, sources, up),
        forests=[(spec.title, drawn.forests(report, spec)) for spec in sources.config.forest],
        orders=drawn.orders(report.orderings),
        small_scale=small_scale_page(report.small_scale),
        registered=registered_pages(report.registered, report.other_sets),
        other_sets=[f"{other.title}: {other.told()}." for other in report.other_sets],
        order_claims=[(c.id, c.statement, c.verdict, c.note) for c in report.ordered_claims],
        proxy_data=f"{first.data}, {count(first.epochs, 'epoch')}" if first else "",
        training=drawn.training(report, sources, up),
        plan=plan_page(report, up),
        checks=checks_page(report.checks),
        claims=claims,
        issues=_issues(report),
        supplements=supplements_page(report),
        aliases=[(a.this, a.later, a.note) for a in report.ledger.aliases],
        later=report.ledger.later_version or "",
        versions=[f"versions_{name}.html" for name in sources.config.versions],
        counting=rule_names(report.rules, report.evidence.rule),
        verdict_rules=verdict_rules(report),
        margins=_margins(report),
        statistics=list(report.statistics),
        grounds=grounds_page(report),
        conventions=conventions_page(report),
        has_small=any(row.small for table in tables for row in table.rows),
        cited=report.ledger.cited,
    )
