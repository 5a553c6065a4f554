"""Rows with their values and intervals, one below the other: as printed and achieved, and on the small data."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from markupsafe import Markup

from papertally.pages.figures.svg import CHARACTER, Scale, Svg, cut, padded
from papertally.verdicts.names import quantity

WIDTH, ROW, TOP, BOTTOM = 400.0, 23.0, 4.0, 24.0
LABEL, VALUE = 196.0, 92.0


@dataclass(frozen=True)
class Line:
    """Hold a row: name, printed number (None: on an axis where it has no place), value with its half width or None."""

    name: str
    printed: float | None
    value: float | None
    half: float
    shown: str


def draw(name: str, title: str, description: str, lines: Sequence[Line]) -> Markup:
    """Return a forest plot: a diamond as printed, a point with its interval as achieved, the value at the right."""
    label = min(LABEL, max(len(line.name) for line in lines) * CHARACTER + 10)
    value = min(VALUE, max(len(line.shown) for line in lines) * CHARACTER + 10)
    height = TOP + ROW * len(lines) + BOTTOM
    seen = [line.printed for line in lines if line.printed is not None]
    seen += [line.value + s * line.half for line in lines if line.value is not None for s in (-1, 1)]
    x = Scale(*padded(seen), label + 8, WIDTH - value - 8)
    svg = Svg(name, WIDTH, height, title, description)
    bottom = height - BOTTOM
    for tick in x.ticks(4):
        svg.line(x(tick), TOP, x(tick), bottom, "grid")
        svg.text(x(tick), bottom + 16, quantity(tick), anchor="middle")
    for i, line in enumerate(lines):
        y = TOP + ROW * (i + 0.5)
        svg.text(label, y + 4, cut(line.name, label), "label", "end")
        if line.printed is not None:  # beneath, and larger: both are seen where they agree
            svg.diamond(
                x(line.printed), y, 5 if line.value is None else 8, "printed", f"{line.name}: {line.printed:g} printed"
            )
        if line.value is not None:
            if line.half:
                svg.line(x(line.value - line.half), y, x(line.value + line.half), y, "bar s0")
            svg.add("circle", "dot s0", f"{line.name}: {line.shown}", cx=x(line.value), cy=y, r=3.5)
        svg.text(WIDTH, y + 4, line.shown, "value", "end")
    return svg.markup()


def gap(low: float, high: float, value: float, half: float, kind: str) -> Markup:
    """Return a difference with its interval against zero as a small drawing beside the same in words."""
    width, height = 150.0, 16.0
    x = Scale(low, high, 4, width - 4)
    svg = Svg("gap", width, height, "", "")
    svg.root.attrib = {"viewBox": f"0 0 {width:g} {height:g}", "class": "gap", "aria-hidden": "true"}
    svg.root[:] = []
    svg.line(x(0), 0, x(0), height, "axis")
    svg.line(max(x(value - half), 0), height / 2, min(x(value + half), width), height / 2, f"bar {kind}")
    svg.add("circle", f"dot {kind}", cx=x(value), cy=height / 2, r=3.5)
    return svg.markup()
