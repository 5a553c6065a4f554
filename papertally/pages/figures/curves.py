"""Lines over an axis: a figure's formulas with counted points, and small pictures of training curves."""

from __future__ import annotations

from markupsafe import Markup

from papertally.evidence.figures import FigureEvidence
from papertally.pages.figures.svg import Scale, Svg, padded
from papertally.pages.sources import Curve
from papertally.verdicts.names import column_name, quantity

WIDTH, HEIGHT = 620.0, 360.0
LEFT, RIGHT, TOP, BOTTOM = 56.0, 20.0, 22.0, 46.0
SMALL_WIDTH, SMALL_HEIGHT = 190.0, 96.0


def draw(name: str, figure: FigureEvidence) -> Markup:
    """Return formulas as lines and counted values as points on logarithmic axes, the named point marked."""
    xs = [px for s in figure.series for px, _ in [*s.line, *s.points]]
    ys = [py for s in figure.series for _, py in [*s.line, *s.points]]
    log = min(xs + ys) > 0
    x = Scale(*padded(xs, 0.04, log), LEFT, WIDTH - RIGHT, log)
    y = Scale(*padded(ys, 0.08, log), HEIGHT - BOTTOM, TOP, log)
    names = " and ".join(s.name for s in figure.series)
    mark = f" They meet at {figure.mark.name} = {figure.mark.x:g}." if figure.mark else ""
    svg = Svg(
        name,
        WIDTH,
        HEIGHT,
        f"Figure {figure.figure}: {figure.title}",
        f"{names} over {figure.x}, by formula and as counted.{mark} The numbers stand below.",
    )
    svg.grid(x, y, 8, 8)
    scale = ", logarithmic" if log else ""
    svg.text((LEFT + WIDTH - RIGHT) / 2, HEIGHT - 8, figure.x + scale, "name", "middle")
    svg.text(2, TOP - 9, figure.y + scale, "name")
    if figure.mark:
        mx, my = x(figure.mark.x), y(figure.mark.y)
        svg.line(mx, my, mx, HEIGHT - BOTTOM, "shift s2")
        svg.text(mx + 7, HEIGHT - BOTTOM - 9, f"{figure.mark.name} = {figure.mark.x:g}", "name")
    for i, series in enumerate(figure.series):
        kind = f"s{min(i, 1)}"
        svg.path([(x(a), y(b)) for a, b in series.line], f"series {kind}")
        for a, b in series.points:
            svg.add("circle", f"dot {kind}", f"{series.name}: {b:g} at {a:g}", cx=x(a), cy=y(b), r=4.5)
        first, last = series.line[0], series.line[-1]
        rising = last[1] > first[1]
        if rising:  # a name stands where its line is highest
            svg.text(x(last[0]), y(last[1]) - 12, series.name, f"name {kind}", "end")
        else:
            svg.text(x(first[0]) + 14, y(first[1]) + 4, series.name, f"name {kind}")
    return svg.markup()


def small(name: str, title: str, curve: Curve, low: float, high: float) -> Markup:
    """Return one run's curve between the bounds that all of its table share."""
    first, last = curve.points[0], curve.points[-1]
    metric = column_name(curve.metric)
    svg = Svg(
        name,
        SMALL_WIDTH,
        SMALL_HEIGHT,
        title,
        f"{metric} from {first[1]:.4g} at epoch {first[0]:g} to {last[1]:.4g} at epoch {last[0]:g}.",
    )
    x = Scale(*(padded([first[0], last[0]], 0) if first[0] < last[0] else (first[0] - 1, last[0] + 1)), 30, 182)
    y = Scale(low, high, 78, 10)
    for tick in y.ticks(2):
        svg.line(30, y(tick), 182, y(tick), "grid")
        svg.text(25, y(tick) + 4, quantity(tick), anchor="end")
    svg.text(30, 93, quantity(first[0]))
    svg.text(182, 93, quantity(last[0]), anchor="end")
    svg.path([(x(a), y(b)) for a, b in curve.points], "series s0")
    svg.add("circle", "dot s0", f"{metric} {last[1]:.4g}", cx=x(last[0]), cy=y(last[1]), r=3)
    return svg.markup()
