"""The page's figures: what is drawn, with which numbers and which evidence. Drawing lies in the modules beside."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from functools import partial

from markupsafe import Markup

from papertally.evidence.figures import FigureEvidence
from papertally.pages.cell_details import Value, link
from papertally.pages.figures import curves, forest, latency, matrices, scatter
from papertally.pages.figures.svg import padded
from papertally.pages.sources import Curve, ForestSpec, ScatterSpec, Sources
from papertally.verdicts.names import column_name, count, row_name
from papertally.verdicts.orderings import Ordering
from papertally.verdicts.registered import told_p
from papertally.verdicts.views import CellView, Report

DRAWN = {"holds": "s0", "fails": "bad", "underpowered": "s2"}


@dataclass(frozen=True)
class Panel:
    """Hold one drawing with a line of text."""

    caption: str
    svg: Markup


@dataclass(frozen=True)
class Figure:
    """Hold a figure: drawings, what the marks mean, the same numbers as a table, and the evidence.

    layout: wide (one drawing), grid (some side by side), stack (one below the other) or small (many).
    """

    id: str
    head: str
    title: str
    caption: str
    layout: str
    panels: list[Panel]
    legend: list[tuple[str, str]] = field(default_factory=list)
    columns: list[str] = field(default_factory=list)
    rows: list[list[str]] = field(default_factory=list)
    evidence: list[Value] = field(default_factory=list)


@dataclass(frozen=True)
class Gap:
    """Hold a printed order of two rows, what the small data says of it, and what the paper's test set resolves.

    z: the printed gap in standard errors of that set; images: the comparison image by image, where bits are filed;
    p: of no difference, after Holm's correction.
    """

    higher: str
    lower: str
    difference: str
    verdict: str
    svg: Markup
    resolution: str
    z: str
    images: str
    p: str = ""


@dataclass(frozen=True)
class Orders:
    """Hold a table's printed orders on the small data."""

    table: str
    tau: str
    counts: str
    gaps: list[Gap]
    spread: str


def figures(report: Report, sources: Sources, up: str) -> list[Figure]:
    """Return the paper's figures in its order: charts of printed cells, and what the stage `figures` computed."""
    out = [scatter_figure(report, spec) for spec in sources.config.scatter]
    out += [evidence_figure(path, figure, up) for path, figure in sources.figures]
    out = sorted((f for f in out if f.panels), key=lambda f: (len(f.head), f.head))
    for spec in sources.config.scatter:
        if beside := time_figure(report, spec, sources, up):
            at = next((i for i, f in enumerate(out) if f.id == f"figure-{spec.figure}"), -1)
            out.insert(at + 1, beside)
    return out


def scatter_figure(report: Report, spec: ScatterSpec) -> Figure:
    """Return a chart of one column against another with its numbers."""
    found = scatter.points(report, spec)
    x, y = column_name(spec.x), column_name(spec.y)
    trained = any(p.y.achieved is not None for p in found)
    legend = [("dot", "printed"), ("ring", f"{x} computed here, at the printed {y}")]
    legend += [("diamond", f"{y} achieved here, with its interval")] if trained else []
    nothing = "" if trained else f" No {y} has been achieved yet: that takes the profile paper."
    name = f"figure-{spec.figure}"
    return Figure(
        name,
        f"Figure {spec.figure}",
        spec.title,
        f"Filled points are printed in Table {spec.table}; the line to a ring is how far the {x} computed here lie "
        f"from the printed ones.{nothing}",
        "wide",
        [Panel("", scatter.draw(name, spec, found))] if found else [],
        legend,
        ["Row", f"{x} printed", f"{x} computed", f"{y} printed", f"{y} achieved"],
        [[p.name, p.x.printed, p.x.shown or "–", p.y.printed, p.achieved] for p in found],
    )


def time_figure(report: Report, spec: ScatterSpec, sources: Sources, up: str) -> Figure | None:
    """Return a chart again with measured time in MAdds' place, a drawing a runtime; None where none is known."""
    if sources.latency is None or spec.x != "madds":
        return None
    path, found = sources.latency
    table = report.ledger.tables[spec.table]
    drawn = {runtime: latency.points(table, spec, found, runtime) for runtime in found.runtimes}
    if not all(drawn.values()):
        return None
    name = f"figure-{spec.figure}-time"
    of = next((p.name for points in drawn.values() for p in points if p.row == found.reference), found.reference)
    panels = [
        Panel(latency.runtime_name(runtime), latency.draw(f"{name}-{i}", spec, points, of, runtime))
        for i, (runtime, points) in enumerate(drawn.items())
    ]
    columns, rows = latency.numbers(found, table)
    return Figure(
        name,
        f"Figure {spec.figure}, by the clock",
        f"Time of one image against {column_name(spec.y)} as printed",
        latency.told(table, spec, found, drawn),
        "stack",
        panels,
        [],
        columns,
        rows,
        [Value(path, link(up, path))],
    )


def evidence_figure(path: str, figure: FigureEvidence, up: str) -> Figure:
    """Return a figure that the stage `figures` computed."""
    name = f"figure-{figure.figure}"
    common = partial(
        Figure, name, f"Figure {figure.figure}", figure.title, figure.caption, evidence=[Value(path, link(up, path))]
    )
    if figure.form == "curves":
        rows = [
            [series.name, f"{x:g}", f"{y:g}", _at(series.line, x)] for series in figure.series for x, y in series.points
        ]
        return common(
            layout="wide",
            panels=[Panel("", curves.draw(name, figure))] if figure.series else [],
            legend=[("line", "by the paper's formula"), ("dot", "counted on the project's modules")],
            columns=["Curve", figure.x, "counted", "by formula"],
            rows=rows,
        )
    panels, rows = [], []
    for i, row in enumerate(figure.rows):
        panels.append(Panel(row.name, matrices.draw(f"{name}-{i}", row.name, row)))
        rows += [
            [
                row.name,
                panel.name,
                f"{len(panel.values)} × {len(panel.values[0])}",
                f"{panel.groups} × {panel.groups}",
                ", ".join(map(str, sorted({r for line in panel.ranks for r in line}))),
            ]
            for panel in row.panels
            if panel.ranks
        ]
    legend = [("pos", "above zero"), ("neg", "below zero"), ("rank", "rank of a block")]
    columns = ["Case", "Matrix", "Size", "Blocks", "Ranks found"]
    return common(layout="grid", panels=panels, legend=legend, columns=columns, rows=rows)


def _at(line: list[tuple[float, float]], x: float) -> str:
    return next((f"{b:g}" for a, b in line if abs(a - x) < 1e-6), "–")


def forests(report: Report, spec: ForestSpec) -> list[Figure]:
    """Return a figure a table: printed and achieved values on one axis; the small data's on an axis of its own."""
    cells = {(c.row_id, c.column): c for c in report.cells}
    proxy = {o.table: o for o in report.orderings if spec.column == "top1"}
    out = []
    for table_id in spec.tables:
        table = report.ledger.tables[table_id]
        rows = [(row_name(table, r), cells[r.id, spec.column]) for r in table.rows if (r.id, spec.column) in cells]
        if rows:
            out.append(_forest(report, table_id, table.title, spec.column, rows, proxy.get(table_id)))
    return out


def _forest(
    report: Report, table: str, title: str, column: str, rows: list[tuple[str, CellView]], order: Ordering | None
) -> Figure:
    name, head = f"forest-{table}", column_name(column)
    values = {n: float(report.ledger.cell(c.row_id, c.column).value) for n, c in rows}
    lines = [
        forest.Line(
            n,
            values[n],
            None if c.achieved is None else float(c.achieved),
            c.half_width,
            f"{c.shown} {c.half}".strip() or c.printed,
        )
        for n, c in rows
    ]
    done = sum(c.achieved is not None for _, c in rows)
    what = f"{done} of {count(len(rows), 'row')} trained with the paper's data" if done else "no row trained yet"
    panels = [
        Panel(
            f"{head} in percent, printed and achieved: {what}",
            forest.draw(
                f"{name}-paper",
                f"Table {table}: printed and achieved {head}",
                f"{count(len(rows), 'row')}; {what}. The numbers stand below.",
                lines,
            ),
        )
    ]
    columns, table_rows = ["Row", "printed", "achieved", "verdict"], []
    small = {} if order is None else {label: (mean, half, n) for label, _, mean, half, n in order.rows}
    if order is not None:
        columns.append(f"{order.data}, never compared")
        panels.append(
            Panel(
                f"{head} in percent on {order.data}, {count(order.epochs, 'epoch')}: for the order alone",
                forest.draw(
                    f"{name}-proxy",
                    f"Table {table}: {head} on {order.data}",
                    f"{count(len(order.rows), 'row')} with intervals. "
                    + ("" if order.tau is None else f"Kendall's τ against the printed order: {order.tau:.2f}. ")
                    + "The numbers stand below.",
                    [
                        forest.Line(n, None, mean, _finite(half), _mean(mean, half, k))
                        for n, _, mean, half, k in order.rows
                    ],
                ),
            )
        )
    for n, c in rows:
        line = [n, c.printed, f"{c.shown} {c.half}".strip() or "–", c.answer.words]
        if order is not None:
            line.append(_mean(*small[n]) if n in small else "–")
        table_rows.append(line)
    return Figure(name, f"Table {table}", title, "", "stack", panels, [], columns, table_rows)


def _finite(half: float) -> float:
    return half if half < float("inf") else 0.0


def _mean(mean: float, half: float, seeds: int) -> str:
    return f"{mean:.1f} ± {half:.1f}" if seeds > 1 else f"{mean:.1f}, one seed"


def orders(orderings: Iterable[Ordering]) -> list[Orders]:
    """Return every table's printed orders with the small data's differences, drawn on one scale a table."""
    out = []
    for order in orderings:
        if not order.pairs:
            continue
        ends = [p.gap + s * p.half_width for p in order.pairs for s in (-1, 1) if p.half_width < float("inf")]
        low, high = padded([*ends, *(p.gap for p in order.pairs), 0.0], 0.05)
        gaps = [
            Gap(
                p.higher,
                p.lower,
                f"{p.gap:+.2f} ± {p.half_width:.2f}",
                p.verdict,
                forest.gap(low, high, p.gap, p.half_width, DRAWN[p.verdict]),
                p.resolution,
                "" if p.z is None else f"{p.z:.1f}",
                p.images,
                told_p(p.adjusted),
            )
            for p in order.pairs
        ]
        found = Counter(p.verdict for p in order.pairs)
        told = [f"{count(found['holds'], 'order holds', 'orders hold')} of {len(order.pairs)}"]
        told += [count(found["fails"], "fails", "fail")] if found["fails"] else []
        told += [f"{found['underpowered']} underpowered"] if found["underpowered"] else []
        tau = "" if order.tau is None or order.p is None else f"{order.tau:.2f}, p = {order.p:.2g}"
        out.append(Orders(order.table, tau, ", ".join(told), gaps, order.spread))
    return out


def training(report: Report, sources: Sources, up: str) -> list[Figure]:
    """Return the training curves, a figure a table: of the profile shown and of the profile paper."""
    out = []
    for table in report.ledger.tables.values():
        names = {row.id: row_name(table, row) for row in table.rows if row.same_as is None}
        for profile in dict.fromkeys(("paper", report.settings.profile)):
            found = [c for c in sources.curves if c.row in names and c.profile == profile]
            order = list(names)
            found.sort(key=lambda c: (order.index(c.row), c.label))
            for metric in dict.fromkeys(c.metric for c in found):
                mine = [c for c in found if c.metric == metric]
                low, high = padded([v for c in mine for _, v in c.points], 0.04)
                name = f"curves-{profile}-{table.id}-{metric}"
                what = f"{column_name(metric)} by epoch"
                panels = [
                    Panel(
                        (title := " ".join(filter(None, (names[c.row], c.label)))),
                        curves.small(f"{name}-{i}", f"{title}: {what}", c, low, high),
                    )
                    for i, c in enumerate(mine)
                ]
                head, folders = f"Table {table.id}", list(_folders(mine, up))
                out.append(Figure(name, head, f"{what}, profile {profile}", "", "small", panels, evidence=folders))
    return out


def _folders(found: Iterable[Curve], up: str) -> Iterable[Value]:
    for folder in dict.fromkeys(c.path.rpartition("/")[0] + "/" for c in found):
        yield Value(folder, link(up, folder))
