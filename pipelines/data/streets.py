"""Stage `streets`: draw a seeded set of street-like scenes in Cityscapes' layout, for the mini profile.

python -m pipelines streets [FOLDER] [--train 160 --val 40 --seed 0]

Drawings, not photographs: they prove the path through mmsegmentation and IoUMetric, never the paper's numbers.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from pipelines.common import guard
from pipelines.data.drawn import byte, noise, run, write_set

HEIGHT, WIDTH = 128, 256
#: As in registry.segmentation.cityscapes (tested), whose package loads torch for longer than all the drawing.
IGNORE, IMAGE, LABEL = 255, "_leftImg8bit.png", "_gtFine_labelTrainIds.png"
NAMES = (
    "road",
    "sidewalk",
    "building",
    "wall",
    "fence",
    "pole",
    "traffic light",
    "traffic sign",
    "vegetation",
    "terrain",
    "sky",
    "person",
    "rider",
    "car",
    "truck",
    "bus",
    "train",
    "motorcycle",
    "bicycle",
)
ID = {name: i for i, name in enumerate(NAMES)}
#: A class's usual colour (BGR), shaken per object, so that minutes of training suffice to tell classes apart.
COLOURS = {
    "road": (90, 85, 85),
    "sidewalk": (150, 135, 165),
    "building": (80, 105, 140),
    "wall": (120, 140, 140),
    "fence": (120, 110, 70),
    "pole": (60, 60, 60),
    "traffic light": (20, 170, 220),
    "traffic sign": (210, 60, 30),
    "vegetation": (40, 110, 40),
    "terrain": (70, 160, 130),
    "sky": (235, 200, 160),
    "person": (60, 60, 190),
    "rider": (110, 40, 140),
    "car": (150, 60, 40),
    "truck": (40, 120, 200),
    "bus": (30, 200, 230),
    "train": (60, 170, 60),
    "motorcycle": (30, 20, 90),
    "bicycle": (160, 160, 40),
}
Colour = tuple[int, int, int]
Point = tuple[int, int]


@dataclass
class Scene:
    """Paint an image (H, W, 3) uint8 BGR and its train ids (H, W) uint8 together."""

    image: np.ndarray
    label: np.ndarray
    rng: np.random.Generator

    def colour(self, name: str, shake: int = 28) -> Colour:
        """Return a class's colour, shaken."""
        return _bgr(np.array(COLOURS[name]) + noise(self.rng, shake, 3))

    def polygon(self, name: str, points: list[Point], colour: Colour) -> None:
        """Fill a polygon of a class."""
        import cv2

        corners = np.array(points, np.int32)
        cv2.fillPoly(self.image, [corners], colour)
        cv2.fillPoly(self.label, [corners], ID[name])

    def box(self, name: str, x: int, y: int, w: int, h: int, colour: Colour) -> None:
        """Fill a rectangle of a class, (x, y) its upper left corner."""
        self.polygon(name, [(x, y), (x + w, y), (x + w, y + h), (x, y + h)], colour)

    def disc(self, name: str, x: int, y: int, radius: int, colour: Colour) -> None:
        """Fill a disc of a class."""
        import cv2

        cv2.circle(self.image, (x, y), radius, colour, -1)
        cv2.circle(self.label, (x, y), radius, ID[name], -1)


def _bgr(values: np.ndarray) -> Colour:
    b, g, r = (int(v) for v in byte(values))
    return b, g, r


def _surroundings(scene: Scene, horizon: int) -> None:
    rng = scene.rng
    sky = (40 * np.arange(HEIGHT) // (HEIGHT - 1))[:, None, None]
    scene.image[:] = byte(np.array(scene.colour("sky", 12)) - sky)
    scene.label[:] = ID["sky"]
    x = 0
    while x < WIDTH:
        width = int(rng.integers(25, 70))
        if rng.integers(10) < 7:
            top = int(rng.integers(5, horizon - 8))
            _building(scene, x, top, width, horizon + 4)
        x += width
    for _ in range(int(rng.integers(2, 6))):
        colour, middle = scene.colour("vegetation"), rng.integers((0, horizon - 22), (WIDTH, horizon + 2))
        for _ in range(6):
            cx, cy = (int(v) for v in middle + noise(rng, 8, 2))
            scene.disc("vegetation", cx, cy, int(rng.integers(5, 13)), _bgr(np.array(colour) + noise(rng, 12, 3)))


def _building(scene: Scene, x: int, top: int, width: int, bottom: int) -> None:
    import cv2

    scene.box("building", x, top, width, bottom - top, scene.colour("building"))
    for wx in range(x + 4, x + width - 5, 9):
        for wy in range(top + 4, bottom - 8, 10):
            cv2.rectangle(scene.image, (wx, wy), (wx + 4, wy + 5), scene.colour("sky", 30), -1)


def _ground(scene: Scene, horizon: int) -> None:
    import cv2

    rng = scene.rng
    terrain = scene.colour("terrain")
    scene.box("terrain", 0, horizon, WIDTH, HEIGHT - horizon, terrain)
    middle = int(rng.integers(WIDTH // 3, 2 * WIDTH // 3))
    left, right = int(rng.integers(-40, 40)), int(rng.integers(WIDTH - 40, WIDTH + 40))
    walk = int(rng.integers(25, 70))
    for sign, edge in ((-1, left), (1, right)):
        points = [
            (middle + 6 * sign, horizon),
            (middle + 22 * sign, horizon),
            (edge + walk * sign, HEIGHT),
            (edge, HEIGHT),
        ]
        scene.polygon("sidewalk", points, scene.colour("sidewalk", 14))
    road = scene.colour("road", 12)
    scene.polygon("road", [(middle - 8, horizon), (middle + 8, horizon), (right, HEIGHT), (left, HEIGHT)], road)
    cv2.line(scene.image, (middle, horizon + 4), ((left + right) // 2, HEIGHT), (220, 220, 220), 1)
    for name in ("wall", "fence"):
        for sign in (-1, 1):
            if rng.integers(10) < 4:
                start = 0 if sign < 0 else int(rng.integers(WIDTH * 3 // 5, WIDTH * 4 // 5))
                length, height = int(rng.integers(35, 90)), int(rng.integers(8, 16))
                scene.box(name, start, horizon - 6, length, height, scene.colour(name))
                if name == "fence":
                    for x in range(start, start + length, 4):
                        cv2.line(scene.image, (x, horizon - 6), (x, horizon - 6 + height), (30, 30, 30), 1)


def _vehicle(scene: Scene, name: str, x: int, base: int, percent: int) -> None:
    import cv2

    w, h = {"car": (26, 12), "truck": (34, 24), "bus": (46, 24), "train": (70, 26)}[name]
    w, h = w * percent // 100, h * percent // 100
    body = scene.colour(name)
    scene.box(name, x, base - h, w, h, body)
    if name == "car":
        roof = [(x + w // 5, base - h), (x + w // 3, base - 8 * h // 5), (x + 2 * w // 3, base - 8 * h // 5)]
        scene.polygon(name, [*roof, (x + 4 * w // 5, base - h)], _bgr(np.array(body) * 3 // 5))
    elif name == "truck":
        cv2.rectangle(scene.image, (x, base - h), (x + w // 4, base), _bgr(np.array(body) * 3 // 5), -1)
    else:
        step = max(4, w // (5 if name == "bus" else 9))
        for wx in range(x + 2, x + w - step // 2, step):
            cv2.rectangle(scene.image, (wx, base - h + 3), (wx + step // 2, base - h // 2), (200, 180, 150), -1)
    if name != "train":
        for wx in (x + w // 5, x + 4 * w // 5):
            scene.disc(name, wx, base, max(2, h // 6), (20, 20, 20))


def _figure(scene: Scene, name: str, x: int, base: int, height: int) -> None:
    colour = scene.colour(name)
    width = max(3, height // 4)
    scene.box(name, x, base - 4 * height // 5, width, 4 * height // 5, colour)
    scene.disc(name, x + width // 2, base - 22 * height // 25, max(2, height // 8), (130, 160, 205))


def _two_wheels(scene: Scene, name: str, x: int, base: int, size: int, ridden: bool) -> None:
    if ridden:
        _figure(scene, "rider", x + size // 2, base - size // 3, 3 * size // 2)
    colour = scene.colour(name)
    radius = max(3, size // (3 if name == "bicycle" else 4))
    for wx in (x, x + 6 * size // 5):
        scene.disc(name, wx, base - radius, radius, (25, 25, 25) if name == "motorcycle" else colour)
    thick = size // 5 if name == "bicycle" else size // 2
    scene.box(name, x, base - radius - thick, 6 * size // 5, max(2, thick), colour)


def _furniture(scene: Scene, horizon: int) -> None:
    rng = scene.rng
    for _ in range(int(rng.integers(2, 5))):
        x, base = int(rng.integers(5, WIDTH - 5)), int(horizon + rng.integers(2, 14))
        top = base - int(rng.integers(30, 55))
        scene.box("pole", x, top, 2, base - top, scene.colour("pole", 15))
        what = rng.integers(10)
        if what < 4:
            scene.box("traffic light", x - 2, top - 4, 6, 13, scene.colour("traffic light"))
        elif what < 8:
            scene.disc("traffic sign", x + 1, top, int(rng.integers(5, 8)), scene.colour("traffic sign"))


def draw(rng: np.random.Generator) -> Scene:
    """Return a scene: sky, buildings, trees, ground, then far to near poles, vehicles, people and two-wheelers."""
    scene = Scene(np.zeros((HEIGHT, WIDTH, 3), np.uint8), np.zeros((HEIGHT, WIDTH), np.uint8), rng)
    horizon = int(rng.integers(48, 62))
    _surroundings(scene, horizon)
    _ground(scene, horizon)
    _furniture(scene, horizon)
    kinds = ("car", "car", "car", "truck", "bus", "train", "person", "person", "motorcycle", "bicycle")
    chosen = rng.integers(len(kinds), size=int(rng.integers(5, 10)))
    for base in sorted(int(v) for v in rng.integers(horizon + 8, HEIGHT - 8, len(chosen))):
        kind = kinds[chosen[0]]
        chosen = chosen[1:]
        near = 1000 * (base - horizon) // (HEIGHT - horizon)
        x = int(rng.integers(-10, WIDTH - 15))
        if kind in ("car", "truck", "bus", "train"):
            _vehicle(scene, kind, x, base, 60 + 140 * near // 1000)
        elif kind == "person":
            _figure(scene, kind, x, base, 18 + 26 * near // 1000)
        else:
            _two_wheels(scene, kind, x, base, 10 + 14 * near // 1000, rng.integers(10) < 7)
    hood = int(rng.integers(4, 9))
    scene.image[-hood:] = 35
    scene.label[-hood:] = IGNORE  # the own car, as in Cityscapes
    scene.image = byte(scene.image + noise(rng, 6, scene.image.shape))
    return scene


def generate(folder: Path, train: int, val: int, seed: int, pin: str | None = None) -> str:
    """Write the set, replacing `folder` only once all is there; returns the sha256 over its pixels and labels.

    Raises PipelineError where a pin is given and the set is not the pinned one.
    """
    import cv2

    def fill(root: Path, digest: Any) -> None:
        for number, (split, count) in enumerate((("train", train), ("val", val))):
            rng = np.random.default_rng([seed, number])
            places = {
                suffix: root / top / split / "drawn" for suffix, top in ((IMAGE, "leftImg8bit"), (LABEL, "gtFine"))
            }
            for place in places.values():
                place.mkdir(parents=True)
            for i in range(count):
                scene = draw(rng)
                for suffix, pixels in ((IMAGE, scene.image), (LABEL, scene.label)):
                    digest.update(pixels.tobytes())
                    cv2.imwrite(str(places[suffix] / f"drawn_{i:06d}_000019{suffix}"), pixels)

    return write_set(folder, "streets", "scenes", {"train": train, "val": val}, pin, fill)


def main(argv: list[str] | None = None) -> int:
    """Draw the pinned set, or any other where the command line says so."""
    return run("streets", "Draw street scenes in Cityscapes' layout.", generate, argv)


if __name__ == "__main__":
    raise SystemExit(guard(main))
