"""Matrices as pictures: a cell's strength by its value, blocks outlined with their ranks."""

from __future__ import annotations

import math

from markupsafe import Markup

from papertally.evidence.figures import Panel, PanelRow
from papertally.pages.figures.svg import Svg

LEVELS = 6
GAP, HEAD = 26.0, 20.0
#: Side of a cell: small where a matrix is large.
UNIT, LARGE_UNIT = 8.0, 18.0


def draw(name: str, title: str, row: PanelRow) -> Markup:
    """Return a row of matrices under their names; blue above zero, orange below, by the root of the size."""
    unit = LARGE_UNIT if max(len(p.values) for p in row.panels) <= 8 else UNIT
    width = sum(len(p.values[0]) for p in row.panels) * unit + GAP * (len(row.panels) - 1)
    tallest = max(len(p.values) for p in row.panels) * unit
    svg = Svg(name, width + 2, tallest + HEAD + 2, title, _describe(row))
    left = 1.0
    for i, panel in enumerate(row.panels):
        height, across = len(panel.values) * unit, len(panel.values[0]) * unit
        top = HEAD + (tallest - height) / 2
        svg.text(left + across / 2, top - 6, panel.name, "name", "middle")
        _cells(svg, panel, left, top, unit)
        _blocks(svg, panel, left, top, across, height)
        if i < len(row.panels) - 1:
            sign = "=" if i == 0 and len(row.panels) > 2 else "·" if len(row.panels) > 2 else ""
            svg.text(left + across + GAP / 2, HEAD + tallest / 2 + 4, sign, "name", "middle")
        left += across + GAP
    return svg.markup()


def _describe(row: PanelRow) -> str:
    parts = []
    for panel in row.panels:
        size = f"{panel.name}, {len(panel.values)} by {len(panel.values[0])}"
        if panel.ranks:
            found = sorted({r for line in panel.ranks for r in line})
            many = panel.groups > 1
            size += f", {panel.groups} by {panel.groups} blocks" if many else ""
            size += f" of rank {' and '.join(map(str, found))}"
        parts.append(size)
    return "; ".join(parts) + "."


def _cells(svg: Svg, panel: Panel, left: float, top: float, unit: float) -> None:
    """Add the cells as one path for each sign and strength."""
    largest = max((abs(v) for line in panel.values for v in line), default=0) or 1.0
    paths: dict[tuple[str, int], list[str]] = {}
    for i, line in enumerate(panel.values):
        for j, value in enumerate(line):
            level = math.ceil(math.sqrt(abs(value) / largest) * LEVELS - 0.5)
            if level:
                key = ("pos" if value > 0 else "neg", level)
                paths.setdefault(key, []).append(
                    f"M{left + j * unit:g} {top + i * unit:g}h{unit:g}v{unit:g}h-{unit:g}z"
                )
    for (sign, level), parts in sorted(paths.items()):
        svg.add("path", sign, d="".join(parts), fill_opacity=f"{level / LEVELS:.2f}")


def _blocks(svg: Svg, panel: Panel, left: float, top: float, width: float, height: float) -> None:
    """Add outlines of the matrix and of its blocks, and each block's rank."""
    svg.add("rect", "frame", x=left, y=top, width=width, height=height)
    g = panel.groups
    for i in range(1, g):
        svg.line(left, top + height * i / g, left + width, top + height * i / g, "frame")
        svg.line(left + width * i / g, top, left + width * i / g, top + height, "frame")
    for i, line in enumerate(panel.ranks or []):
        for j, rank in enumerate(line):
            x, y = left + width * (j + 0.5) / g, top + height * (i + 0.5) / g
            svg.add("circle", "plate", cx=x, cy=y, r=9)
            svg.text(x, y + 4.5, str(rank), "rank", "middle")
