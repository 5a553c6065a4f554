"""A column of a table against another: printed points joined by series, what was computed and achieved beside them."""

from __future__ import annotations

import itertools
from dataclasses import dataclass

from markupsafe import Markup

from papertally.pages.figures.svg import CHARACTER, Scale, Svg, padded
from papertally.pages.sources import ScatterSpec
from papertally.verdicts.names import column_name, row_name
from papertally.verdicts.views import CellView, Report

WIDTH, HEIGHT = 900.0, 460.0
LEFT, RIGHT, TOP, BOTTOM = 44.0, 150.0, 22.0, 46.0
#: Where a label may stand from its point, the best first: (x, y, anchor).
PLACES = (
    (10, 4, "start"),
    (-10, 4, "end"),
    (10, 17, "start"),
    (10, -9, "start"),
    (-10, 17, "end"),
    (-10, -9, "end"),
    (0, -12, "middle"),
    (0, 22, "middle"),
    (10, 30, "start"),
    (-10, 30, "end"),
    (18, 4, "start"),
    (-18, 4, "end"),
)


@dataclass(frozen=True)
class Point:
    """Hold a row's two cells; series: its number, None where it stands alone."""

    name: str
    series: int | None
    x: CellView
    y: CellView
    printed: tuple[float, float]

    @property
    def achieved(self) -> str:
        """Return the achieved value with its interval as shown, or the verdict where there is none."""
        return " ".join(filter(None, (self.y.shown, self.y.half))) or self.y.answer.words

    @property
    def at(self) -> tuple[float, float]:
        """Return where achieved values stand; the printed one where there is none."""
        x, y = self.x.achieved, self.y.achieved
        return (self.printed[0] if x is None else float(x), self.printed[1] if y is None else float(y))


def points(report: Report, spec: ScatterSpec) -> list[Point]:
    """Return the rows of which the paper prints both columns, in printed order."""
    table = report.ledger.tables[spec.table]
    cells = {(c.row_id, c.column): c for c in report.cells}
    home = {row: i for i, series in enumerate(spec.series) for row in series.rows}
    out = []
    for row in table.rows:
        x, y = cells.get((row.id, spec.x)), cells.get((row.id, spec.y))
        if x and y:
            printed = (float(row.cells[spec.x].value), float(row.cells[spec.y].value))
            out.append(Point(row_name(table, row), home.get(row.id), x, y, printed))
    return out


class Labels:
    """Place labels so that they neither meet each other nor a point."""

    def __init__(self, taken: list[tuple[float, float]], lines: list[list[tuple[float, float]]]) -> None:
        self.boxes = [(x - 6, y - 6, x + 6, y + 6) for x, y in taken]
        self.lines = [(x, y, x, y) for line in lines for x, y in line]

    def place(self, x: float, y: float, text: str) -> tuple[float, float, str]:
        """Return where a point's label goes: (x, baseline y, anchor), the first place that is freest."""
        width = len(text) * CHARACTER
        tries = []
        for dx, dy, anchor in PLACES:
            left = x + dx - {"start": 0.0, "middle": width / 2, "end": width}[anchor]
            box = (left, y + dy - 11, left + width, y + dy + 3)
            inside = box[0] > LEFT and box[2] < WIDTH - 2 and box[1] > 0 and box[3] < HEIGHT - BOTTOM
            cost = 4 * sum(_meet(box, b) for b in self.boxes) + sum(_meet(box, b) for b in self.lines)
            tries.append((cost if inside else cost + 1000, box, (dx, dy, anchor)))
        best = min(tries, key=lambda t: t[0])
        self.boxes.append(best[1])
        dx, dy, anchor = best[2]
        return x + dx, y + dy, anchor


def along(start: tuple[float, float], end: tuple[float, float], steps: int = 24) -> list[tuple[float, float]]:
    """Return points along a line."""
    return [
        (start[0] + (end[0] - start[0]) * i / steps, start[1] + (end[1] - start[1]) * i / steps)
        for i in range(steps + 1)
    ]


def _meet(a: tuple[float, ...], b: tuple[float, ...]) -> bool:
    return a[0] < b[2] and b[0] < a[2] and a[1] < b[3] and b[1] < a[3]


def draw(name: str, spec: ScatterSpec, found: list[Point]) -> Markup:
    """Return the chart: filled points as printed, rings at the computed x, diamonds with intervals as achieved."""
    xs = [v for p in found for v in (p.printed[0], p.at[0])]
    ys = [p.printed[1] for p in found]
    ys += [p.at[1] + s * p.y.half_width for p in found for s in (-1, 1) if p.y.achieved is not None]
    x = Scale(*padded(xs, 0.1, spec.log), LEFT, WIDTH - RIGHT, spec.log)
    y = Scale(*padded(ys, 0.08), HEIGHT - BOTTOM, TOP)
    shifted = sum(p.x.achieved is not None for p in found)
    scale = ", logarithmic" if spec.log else ""
    svg = Svg(
        name,
        WIDTH,
        HEIGHT,
        f"Figure {spec.figure}: {spec.title}",
        f"Across: {column_name(spec.x)}{scale}; upwards: {column_name(spec.y)}. {len(found)} printed points; {shifted} "
        f"have a computed {column_name(spec.x)}, {sum(p.y.achieved is not None for p in found)} an achieved "
        f"{column_name(spec.y)}. "
        "The numbers stand below.",
    )
    svg.grid(x, y, 7, 6)
    svg.text(
        (LEFT + WIDTH - RIGHT) / 2,
        HEIGHT - 8,
        column_name(spec.x) + scale,
        "name",
        "middle",
    )
    svg.text(LEFT - 36, TOP - 3, f"{column_name(spec.y)}, %", "name")
    kinds = [f"s{min(i, 1)}" if series.ours else "s2" for i, series in enumerate(spec.series)]
    for i, kind in enumerate(kinds):
        mine = sorted((p for p in found if p.series == i), key=lambda p: p.printed)
        if len(mine) > 1:
            svg.path([(x(p.printed[0]), y(p.printed[1])) for p in mine], f"series {kind}")
    for p in found:
        kind = "s2" if p.series is None else kinds[p.series]
        px, py, ax, ay = x(p.printed[0]), y(p.printed[1]), x(p.at[0]), y(p.at[1])
        if p.x.achieved is not None:
            svg.line(px, py, ax, py, f"shift {kind}")
            title = f"{p.name}: {column_name(spec.x)} {p.x.shown} computed"
            svg.add("circle", f"ring {kind}", title, cx=ax, cy=py, r=4)
        svg.add("circle", f"dot {kind}", f"{p.name}: {p.x.printed}, {p.y.printed} printed", cx=px, cy=py, r=4.5)
        if p.y.achieved is not None:
            low, high = (y(p.at[1] + s * p.y.half_width) for s in (-1, 1))
            svg.line(ax, low, ax, high, f"bar {kind}")
            svg.diamond(ax, ay, 6, f"dot {kind}", f"{p.name}: {p.achieved} achieved")
    at = [(x(v), y(p.printed[1])) for p in found for v in (p.printed[0], p.at[0])]
    segments = [[(x(p.printed[0]), y(p.printed[1])), (x(p.at[0]), y(p.printed[1]))] for p in found]
    for i, _ in enumerate(spec.series):
        ends = sorted((x(p.printed[0]), y(p.printed[1])) for p in found if p.series == i)
        segments += [list(pair) for pair in itertools.pairwise(ends)]
    labels = Labels(at, [along(start, end) for start, end in segments])
    for i, series in enumerate(spec.series):
        mine = [p for p in found if p.series == i]
        if mine:
            last = max(mine, key=lambda p: p.printed)
            svg.text(*end(labels, x(last.printed[0]), y(last.printed[1]), series.name, f"name {kinds[i]}"))
    for p in (p for p in found if p.series is None):
        svg.text(*end(labels, x(p.printed[0]), y(p.printed[1]), p.name, "tick"))
    return svg.markup()


def end(labels: Labels, x: float, y: float, text: str, kind: str) -> tuple[float, float, str, str, str]:
    """Return Svg.text's arguments for a point's label."""
    px, py, anchor = labels.place(x, y, text)
    return px, py, text, kind, anchor
