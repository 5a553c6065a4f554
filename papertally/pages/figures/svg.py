"""Inline SVG by hand: escaped text, scales and ticks. Colours are CSS classes, so they follow light and dark."""

from __future__ import annotations

import math
import xml.etree.ElementTree as ET
from collections.abc import Sequence
from dataclasses import dataclass

from markupsafe import Markup

from papertally.verdicts.names import quantity

#: Mean width of a character of the figures' text at size 12, in units.
CHARACTER = 6.4


def number(value: float) -> str:
    """Return a coordinate to a tenth, without trailing zeros."""
    text = f"{value:.1f}"
    return text.removesuffix(".0").replace("-0", "0") if text in ("-0.0", "0.0") else text.removesuffix(".0")


class Svg:
    """Hold one drawing of width x height units with its title and description."""

    def __init__(self, name: str, width: float, height: float, title: str, description: str) -> None:
        self.root = ET.Element(
            "svg",
            {
                "viewBox": f"0 0 {number(width)} {number(height)}",
                "width": number(width),
                "height": number(height),
                "role": "img",
                "aria-labelledby": f"{name}-t {name}-d",
            },
        )
        ET.SubElement(self.root, "title", id=f"{name}-t").text = title
        ET.SubElement(self.root, "desc", id=f"{name}-d").text = description

    def add(self, tag: str, kind: str, tip: str = "", **attributes: float | str) -> ET.Element:
        """Add an element of a CSS class; tip: its tooltip; attributes: `_` stands for `-`."""
        found = {k.replace("_", "-"): v if isinstance(v, str) else number(v) for k, v in attributes.items()}
        element = ET.SubElement(self.root, tag, {"class": kind, **found})
        if tip:
            ET.SubElement(element, "title").text = tip
        return element

    def text(self, x: float, y: float, text: str, kind: str = "tick", anchor: str = "start") -> None:
        """Add a line of text whose baseline starts, has its middle or ends at (x, y)."""
        more = {} if anchor == "start" else {"text_anchor": anchor}
        self.add("text", kind, x=x, y=y, **more).text = text

    def line(self, x1: float, y1: float, x2: float, y2: float, kind: str) -> None:
        """Add a straight line."""
        self.add("line", kind, x1=x1, y1=y1, x2=x2, y2=y2)

    def path(self, points: Sequence[tuple[float, float]], kind: str, tip: str = "") -> None:
        """Add a line through points."""
        self.add("path", kind, tip, d="M" + "L".join(f"{number(x)} {number(y)}" for x, y in points))

    def diamond(self, x: float, y: float, size: float, kind: str, tip: str = "") -> None:
        """Add a diamond around (x, y)."""
        corners = [(x, y - size), (x + size, y), (x, y + size), (x - size, y)]
        self.add("path", kind, tip, d="M" + "L".join(f"{number(a)} {number(b)}" for a, b in corners) + "z")

    def grid(self, x: Scale, y: Scale, across: int, upwards: int) -> None:
        """Add about `across` and `upwards` lines of a grid, each with its value below or at the left."""
        for tick in x.ticks(across):
            self.line(x(tick), y.end, x(tick), y.start, "grid")
            self.text(x(tick), y.start + 17, quantity(tick), anchor="middle")
        for tick in y.ticks(upwards):
            self.line(x.start, y(tick), x.end, y(tick), "grid")
            self.text(x.start - 8, y(tick) + 4, quantity(tick), anchor="end")

    def markup(self) -> Markup:
        """Return the drawing; all text in it is escaped."""
        return Markup(ET.tostring(self.root, encoding="unicode"))


@dataclass(frozen=True)
class Scale:
    """Map values from low to high onto units from start to end; log: by their logarithm."""

    low: float
    high: float
    start: float
    end: float
    log: bool = False

    def __call__(self, value: float) -> float:
        low, high, at = (map(math.log, (self.low, self.high, value))) if self.log else (self.low, self.high, value)
        return self.start + (self.end - self.start) * (at - low) / (high - low)

    def ticks(self, wanted: int = 5) -> list[float]:
        """Return round values inside, about `wanted` of them."""
        return log_ticks(self.low, self.high, wanted) if self.log else ticks(self.low, self.high, wanted)


def ticks(low: float, high: float, wanted: int) -> list[float]:
    """Return multiples of 1, 2 or 5 times a power of ten between low and high."""
    raw = (high - low) / max(wanted, 1)
    power = 10.0 ** math.floor(math.log10(raw))
    step = next(m * power for m in (1, 2, 5, 10) if m * power >= raw * (1 - 1e-9))
    return [round(i * step, 12) for i in range(math.ceil(low / step - 1e-9), math.floor(high / step + 1e-9) + 1)]


def log_ticks(low: float, high: float, wanted: int) -> list[float]:
    """Return powers of ten times 1, 2, 3, 5 (or 1, 2, 5 or 1 alone, where those are too many) between low and high."""
    powers = range(math.floor(math.log10(low)), math.ceil(math.log10(high)) + 1)
    for digits in ((1, 2, 3, 5), (1, 2, 5), (1,)):
        found = [d * 10.0**p for p in powers for d in digits if low <= d * 10.0**p <= high]
        if len(found) <= wanted + 1:
            break
    return found


def padded(values: Sequence[float], share: float = 0.06, log: bool = False) -> tuple[float, float]:
    """Return the range of values with a margin of `share` on either side; of one value, one to either side."""
    low, high = min(values), max(values)
    if log:
        factor = math.exp((math.log(high) - math.log(low)) * share) if high > low else 2.0
        return low / factor, high * factor
    margin = (high - low) * share if high > low else 1.0
    return low - margin, high + margin


def cut(text: str, width: float) -> str:
    """Return text that fits a width in units, its end replaced by an ellipsis."""
    room = int(width / CHARACTER)
    return text if len(text) <= room else text[: max(room - 1, 1)].rstrip(" ,") + "…"
