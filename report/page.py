"""The page's model: every text, number, link and drawing that the templates print, as plain data. No I/O."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from paper.ledger import Row, Table
from paper.schema import COST_COLUMNS
from report import figures, verdicts
from report.claims import ClaimPage, claim_pages
from report.dossier import Dossier, Dossiers, Value, link, rule_names, small_line
from report.names import (
    ALWAYS,
    COLUMNS,
    GLYPHS,
    ORDER,
    PROFILES,
    count,
    large,
    percent,
    row_name,
    short_title,
    slug,
    span,
    spoken,
)
from report.provenance import Provenance, provenance
from report.sources import Sources
from report.views import CellView, Report, TableView

KINDS = {"cells": ("Printed numbers", "printed number"), "claims": ("Statements", "statement")}


@dataclass(frozen=True)
class Share:
    """Hold how often one verdict was given; start, width: of its part of the bar, in percent."""

    verdict: str
    slug: str
    glyph: str
    count: int
    percent: str
    start: float
    width: float


@dataclass(frozen=True)
class Shares:
    """Hold all verdicts of one kind of line."""

    kind: str
    head: str
    total: int
    shares: list[Share]


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
    """Hold a table as printed, its cells' dossiers, pictures and what its experiments take."""

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


@dataclass(frozen=True)
class Architecture:
    """Hold the printed body of an architecture table: models over columns, a line a printed row."""

    models: list[str]
    columns: list[str]
    rows: list[list[str]]


@dataclass(frozen=True)
class Filter:
    """Hold a verdict that tables can be filtered by."""

    verdict: str
    slug: str
    glyph: str
    count: int


@dataclass(frozen=True)
class PlanPage:
    """Hold what is open and what settling it takes."""

    summary: str
    hours: str
    source: Value | None
    next: str
    columns: list[str]
    rows: list[list[str]]
    benches: list[tuple[str, list[list[str]], list[str]]]


@dataclass
class Page:
    """Hold all that the two pages print."""

    title: str
    short: str
    arxiv: str
    profile: str
    profile_note: str
    lead: str
    shares: list[Shares]
    provenance: Provenance
    changed: list[tuple[str, str, str]]
    problems: list[tuple[str, str]]
    findings: list[ClaimPage]
    off: str
    filters: list[Filter]
    claim_filters: list[Filter]
    tables: list[PageTable]
    figures: list[figures.Figure]
    forests: list[tuple[str, list[figures.Figure]]]
    orders: list[figures.Orders]
    order_claims: list[tuple[str, str, str, str]]
    proxy_data: str
    training: list[figures.Figure]
    plan: PlanPage | None
    claims: list[ClaimPage]
    issues: list[Any]
    aliases: list[tuple[str, str, str]]
    later: str
    counting: list[tuple[str, str, str]]
    verdict_rules: list[tuple[list[Filter], str]]
    margins: str
    has_small: bool = field(default=False)


def _shares(report: Report) -> list[Shares]:
    out = []
    for kind, counts in report.summary().items():
        total, start, shares = sum(counts.values()), 0.0, []
        for verdict in (v for v in ORDER if v in ALWAYS or v in counts):
            n = counts.get(verdict, 0)
            width = 100 * n / total if total else 0.0
            part = (round(start, 2), round(width, 2))
            shares.append(Share(spoken(verdict), slug(verdict), GLYPHS[verdict], n, percent(n, total), *part))
            start += width
        out.append(Shares(kind, KINDS[kind][0], total, shares))
    return out


def _lead(report: Report) -> str:
    """Return the result in two sentences."""
    parts = []
    for kind, counts in report.summary().items():
        total, passed = sum(counts.values()), counts.get("reproduced", 0)
        failed = sum(counts.get(v, 0) for v in verdicts.FAILED)
        waiting = sum(counts.get(v, 0) for v in verdicts.UNCHECKED)
        near = total - passed - failed - waiting
        close = f", {near} come close" if near else ""
        parts.append(
            f"Of {count(total, KINDS[kind][1])}, {passed} are reproduced{close}, {failed} fail and {waiting} are open."
        )
    return " ".join(parts)


def _filter(verdict: str, n: int) -> Filter:
    return Filter(spoken(verdict), slug(verdict), GLYPHS[verdict], n)


def _filters(found: Iterable[str]) -> list[Filter]:
    counts = Counter(found)
    return [_filter(v, counts[v]) for v in ORDER if counts[v]]


def _delta(cell: CellView) -> str:
    """Return a deviation for a cell that did not reproduce: percent of the printed number, or points."""
    if cell.deviation is None or cell.verdict == "reproduced":
        return ""
    return f"{cell.deviation:+.1f} %" if cell.column in COST_COLUMNS else f"{cell.deviation:+.2f}"


def _cell(report: Report, cell: CellView) -> PageCell:
    achieved = "" if cell.achieved is None else f"{cell.achieved:.10g}"
    keys = {
        "printed": f"{report.ledger.cell(cell.row_id, cell.column).value:f}",
        "achieved": achieved,
        "deviation": "" if cell.deviation is None else f"{cell.deviation:.6g}",
        "verdict": str(ORDER.index(cell.verdict)),
    }
    return PageCell(
        cell.key, cell.printed, cell.bold, cell.shown, cell.half, spoken(cell.verdict), slug(cell.verdict),
        GLYPHS[cell.verdict], _delta(cell), keys,
    )  # fmt: skip


def _budget(view: TableView) -> str:
    b = view.budget
    if b is None:
        return "Every row repeats an experiment of another table."
    return (
        f"To find out: {count(b.experiments, 'experiment')} × {b.epochs} epochs × {b.images:,} images ({b.dataset}, "
        f"{b.source}) = {large(b.image_passes)} image passes, about {b.peta_madds:,.0f} × 10¹⁵ MAdds forward and "
        "backward at the printed MAdds, for one seed."
    )


def _architecture(table: Table) -> Architecture | None:
    raw = table.architecture
    if raw is None:
        return None
    models = [name for name in type(raw.rows[0]).model_fields if name not in ("part", "output", "all")]
    models = [name for name in models if any(getattr(row, name) for row in raw.rows)]
    blank = [""] * len(raw.columns)
    rows = []
    for row in raw.rows:
        cells = [cell for model in models for cell in getattr(row, model) or blank]
        if row.all:
            cells = [row.all, *[""] * (len(cells) - 1)]
        rows.append([row.part or row.output or "", *cells])
    return Architecture([m.upper() for m in models], list(raw.columns), rows)


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
        rows.append(PageRow(
            row.id, name, labels, "*" if "*" in row.marks else "", [m for m in row.marks if m != "*"],
            found.construction.startswith("ours"), cells, small_of, small,
            " ".join([row.id, name, *labels, table.title]).lower(),
        ))  # fmt: skip
        if found.picture:
            template = sources.config.pictures.get(table.task, "Predictions of {model} on validation images of {data}.")
            data = small_of.partition(",")[0] or "the validation set"
            alt = template.replace("{model}", name).replace("{data}", data)
            pictures.append(Picture(found.picture, alt, ", ".join([name, *(f"{h} {v}" for h, v in small)])))
    return PageTable(
        view.id, view.title, list(view.label_columns), [(c, COLUMNS[c]) for c in view.columns], rows, papers, pictures,
        _budget(view), _architecture(table), len(view.label_columns) + len(view.columns),
        sum(not isinstance(c, str) for r in rows for c in r.cells),
    )  # fmt: skip


def _plan(report: Report, up: str) -> PlanPage | None:
    plan = report.plan
    if plan is None or not plan.runs:
        return None
    kinds = Counter(item.kind for item in plan.items)
    summary = (
        f"{count(kinds['cell'], 'printed number')} and {count(kinds['claim'], 'statement')} wait for "
        f"{count(len(plan.runs), 'row')} to be trained with {report.settings.seeds} seeds: {large(plan.image_passes)} "
        "images in training."
    )
    unit = "GPU-hours" if plan.gpu else "machine-hours"
    hours = "" if plan.hours is None else f"{plan.hours:,.0f} {unit} on {plan.hardware}"
    names = {row.id: f"{row_name(table, row)}" for table in report.ledger.tables.values() for row in table.rows}
    rows = [
        [run.table, names[run.row], str(run.seeds), large(run.image_passes),
         "–" if run.hours is None else span(run.hours),
         str(len(run.cells)), str(len(run.claims))]
        for run in plan.runs
    ]  # fmt: skip
    benches = []
    for _, bench in report.benches:
        lines = [
            [names.get(row, row), f"{m.train:,.1f}", f"{m.inference:,.1f}",
             "–" if m.peak_mib is None else f"{m.peak_mib:,.0f}"]
            for row, m in bench.models.items()
        ]  # fmt: skip
        ratios = [f"{name}: {ratio:.2f}" for name, ratio in bench.ratios.items() if "auto / eager" in name]
        benches.append((f"{bench.hardware}, batch {bench.batch_size}, {bench.precision}", lines, ratios))
    source = Value(plan.source, link(up, plan.source)) if hours else None
    following = f"{names[plan.next_row]} (Table {report.ledger.row(plan.next_row).table})" if plan.next_row else ""
    columns = ["Table", "Row", "Seeds", "Images", unit.capitalize() if not plan.gpu else unit, "Cells", "Statements"]
    return PlanPage(summary, hours, source, following, columns, rows, benches)


def _rules(report: Report) -> list[tuple[list[Filter], str]]:
    """Return what each verdict means, as the settings have it."""
    s = report.settings

    def of(*names: str) -> list[Filter]:
        return [_filter(name, 0) for name in names]

    narrow, wide = 100 * (1 - 2 * s.alpha), 100 * (1 - s.alpha)
    return [
        (of("reproduced"),
         "Params, MAdds: the value prints as the printed string (2.4M stands for 2.35M up to 2.45M). Trained: the "
         f"{narrow:g} % interval of mean − printed lies inside the margin (two one-sided t tests)."),
        (of("close", "differs"),
         f"Params, MAdds: within {s.close_percent:g} % of the printed number, or further off."),
        (of("not-reproduced", "underpowered"),
         f"Trained: the {wide:g} % interval lies outside the margin, or neither is shown."),
        (of("consistent (n = 1)", "inconsistent (n = 1)"), "Trained, one seed: never more than that."),
        (of("paper-inconsistent"), "The paper's own numbers contradict the statement or the cell."),
        (of("blocked"), "The paper does not give the architecture and no construction of ours stands in."),
        (of("not-run"), "Nobody ran it."),
        (of("invalid-evidence"), "A result file is corrupt, stale or altered."),
    ]  # fmt: skip


def _off(report: Report) -> str:
    """Return how many printed numbers fail, and how many of them a known issue names."""
    bad = [c for c in report.cells if c.verdict in verdicts.FAILED]
    named = sum(bool(c.issues) for c in bad)
    return f"{count(len(bad), 'printed number')}, of which {count(named, 'stands', 'stand')} under known issues."


def build_page(report: Report, sources: Sources, up: str) -> Page:
    """Return the page's model; `up` leads from the page to the repository's root."""
    dossiers = Dossiers(report, sources, up)
    claims = claim_pages(report, sources, up)
    failed = [c for c, v in zip(claims, report.claims, strict=True) if v.verdict in verdicts.FAILED]
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
        shares=_shares(report),
        provenance=provenance(report.evidence, sources.dates),
        changed=report.changed,
        problems=[(p.path, p.fault) for p in [*report.problems, *sources.problems]],
        findings=failed,
        off=_off(report),
        filters=_filters(c.verdict for c in report.cells),
        claim_filters=_filters(c.verdict for c in report.claims),
        tables=tables,
        figures=figures.figures(report, sources, up),
        forests=[(spec.title, figures.forests(report, spec)) for spec in sources.config.forest],
        orders=figures.orders(report),
        order_claims=[(c.id, c.statement, c.verdict, c.note) for c in report.ordered_claims],
        proxy_data=f"{first.data}, {count(first.epochs, 'epoch')}" if first else "",
        training=figures.training(report, sources, up),
        plan=_plan(report, up),
        claims=claims,
        issues=list(report.ledger.issues.values()),
        aliases=[(a.this, a.later, a.note) for a in report.ledger.aliases],
        later=report.ledger.later_version,
        counting=rule_names(report.rules),
        verdict_rules=_rules(report),
        margins=", ".join(f"{COLUMNS.get(k, k)} {v:g}" for k, v in s.margins.items()) + f"; alpha {s.alpha:g}",
        has_small=any(row.small for table in tables for row in table.rows),
    )
