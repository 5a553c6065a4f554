"""Time of one image in one thread against a printed column: Figure 1 with the clock in MAdds' place."""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from markupsafe import Markup

from papertally.evidence.bench import Latency, Ratio
from papertally.ledger.load import Table
from papertally.pages.figures.scatter import BOTTOM, HEIGHT, LEFT, RIGHT, TOP, WIDTH, Labels, along, end
from papertally.pages.figures.svg import Scale, Svg, padded
from papertally.pages.sources import ScatterSpec
from papertally.verdicts.names import column_name, count, row_name

RUNTIMES = {"torch": "PyTorch", "onnxruntime": "ONNX Runtime"}


@dataclass(frozen=True)
class Point:
    """Hold a row: its time over the reference's, the printed value, and the series it belongs to."""

    row: str
    name: str
    series: int | None
    time: float
    printed: float
    shown: str


def runtime_name(runtime: str) -> str:
    """Return a runtime as a reader knows it."""
    return RUNTIMES.get(runtime, runtime)


def points(table: Table, spec: ScatterSpec, found: Latency, runtime: str) -> list[Point]:
    """Return the measured rows of which the table prints spec.y, in printed order; the reference's time is 1."""
    home = {row: i for i, series in enumerate(spec.series) for row in series.rows}
    out = []
    for row in table.rows:
        ratio = found.ratio(row.id, found.reference, runtime)
        time = 1.0 if row.id == found.reference else None if ratio is None else ratio.ratio
        cell = row.cells.get(spec.y)
        if time is not None and cell is not None and cell.numeric:
            out.append(Point(row.id, row_name(table, row), home.get(row.id), time, float(cell.value), cell.printed))
    return out


def draw(name: str, spec: ScatterSpec, found: Sequence[Point], of: str, runtime: str) -> Markup:
    """Return the chart of one runtime: times over `of`'s on a logarithmic axis, the printed value upwards."""
    x = Scale(*padded([p.time for p in found], 0.1, True), LEFT, WIDTH - RIGHT, True)
    y = Scale(*padded([p.printed for p in found], 0.08), HEIGHT - BOTTOM, TOP)
    svg = Svg(
        name,
        WIDTH,
        HEIGHT,
        f"Figure {spec.figure} by time in {runtime_name(runtime)}",
        f"Across: time of one image over {of}'s, logarithmic; upwards: {column_name(spec.y)} as printed. {len(found)} "
        "rows. The numbers stand below.",
    )
    svg.grid(x, y, 7, 6)
    svg.text((LEFT + WIDTH - RIGHT) / 2, HEIGHT - 8, f"time over {of}'s, logarithmic", "name", "middle")
    svg.text(LEFT - 36, TOP - 3, f"{column_name(spec.y)} printed, %", "name")
    kinds = [f"s{min(i, 1)}" if series.ours else "s2" for i, series in enumerate(spec.series)]
    segments = []
    for i, kind in enumerate(kinds):
        mine = sorted((x(p.time), y(p.printed)) for p in found if p.series == i)
        if len(mine) > 1:
            svg.path(mine, f"series {kind}")
            segments += [along(*pair) for pair in itertools.pairwise(mine)]
    for p in found:
        kind = "s2" if p.series is None else kinds[p.series]
        tip = f"{p.name}: {p.time:.2f}, {p.shown} printed"
        svg.add("circle", f"dot {kind}", tip, cx=x(p.time), cy=y(p.printed), r=4.5)
    labels = Labels([(x(p.time), y(p.printed)) for p in found], segments)
    for p in found:
        kind = "tick" if p.series is None else f"name {kinds[p.series]}"
        svg.text(*end(labels, x(p.time), y(p.printed), p.name, kind))
    return svg.markup()


def partners(found: Latency) -> list[Ratio]:
    """Return the ratios of the paper's networks to the others of the same printed MAdds."""
    return [r for r in found.ratios if r.of in found.ours and r.to not in found.ours]


def span(values: Sequence[float]) -> str:
    """Return the range of some ratios in words."""
    low, high = (f"{v:.1f}" for v in (min(values), max(values)))
    return low if low == high else f"{low} to {high}"


def told(table: Table, spec: ScatterSpec, found: Latency, drawn: Mapping[str, Sequence[Point]]) -> str:
    """Return in a paragraph what the times show beside the printed MAdds."""
    names = {row.id: row_name(table, row) for row in table.rows}
    out = [
        f"One thread, one image, random weights, on {found.hardware}: each network's time over that of "
        f"{names.get(found.reference, found.reference)} in the same round, the median of {found.rounds} rounds."
    ]
    for runtime in found.runtimes:
        near = [r for r in partners(found) if r.runtime == runtime]
        if near:
            out.append(
                f"In {runtime_name(runtime)} the paper's network takes {span([r.ratio for r in near])} times as long "
                f"as another of the same printed MAdds ({count(len(near), 'pair')}; it is the faster one in "
                f"{sum(r.high < 1 for r in near)})."
            )
    for own in found.ours:
        better = [
            {p.name for p in drawn[runtime] if p.row not in found.ours and _beats(p, drawn[runtime], own)}
            for runtime in found.runtimes
        ]
        if both := [name for name in names.values() if all(name in each for each in better)]:
            out.append(f"Faster than {names[own]} in each and printed as more accurate: {', '.join(both)}.")
    return " ".join([*out, spec.time])


def _beats(point: Point, every: Sequence[Point], own: str) -> bool:
    """Tell whether a row is both faster than `own` and printed as better."""
    mine = next((p for p in every if p.row == own), None)
    return mine is not None and point.time < mine.time and point.printed > mine.printed


def numbers(found: Latency, table: Table) -> tuple[list[str], list[list[str]]]:
    """Return the table of every row's milliseconds and time over the reference's, by runtime."""
    columns = ["Row", "MAdds printed"]
    for runtime in found.runtimes:
        columns += [f"{runtime_name(runtime)}, ms", "over the reference"]
    rows = []
    for row in table.rows:
        if row.id not in found.ms:
            continue
        line = [row_name(table, row), row.cells["madds"].printed if "madds" in row.cells else "–"]
        for runtime in found.runtimes:
            r = found.ratio(row.id, found.reference, runtime)
            line += [f"{found.ms[row.id][runtime]:.2f}", "1" if r is None else interval(r)]
        rows.append(line)
    return columns, rows


def interval(r: Ratio) -> str:
    """Return a ratio with its interval."""
    return f"{r.ratio:.2f} ({r.low:.2f} to {r.high:.2f})"


def beside(found: Latency, table: Table) -> tuple[list[str], list[list[str]]]:
    """Return the table of the paper's networks against those of the same printed MAdds, by runtime."""
    names = {row.id: row_name(table, row) for row in table.rows}
    cells = {row.id: row.cells["madds"].printed for row in table.rows if "madds" in row.cells}
    pairs = dict.fromkeys((r.of, r.to) for r in partners(found) if r.of in names and r.to in names)
    rows = []
    for of, to in pairs:
        ratios = [found.ratio(of, to, runtime) for runtime in found.runtimes]
        rows.append(
            [names[of], cells.get(of, "–"), names[to], cells.get(to, "–")]
            + ["–" if r is None else interval(r) for r in ratios]
        )
    columns = ["Row", "MAdds printed", "Against", "MAdds printed"]
    return columns + [f"times as long in {runtime_name(r)}" for r in found.runtimes], rows
