"""Stage `people`: draw a seeded set of articulated figures in COCO 2017's keypoint layout, for the mini profile.

python -m pipelines people [FOLDER] [--train 400 --val 80 --seed 0]

Drawings, not photographs: they prove the path through mmpose and CocoMetric, never the paper's numbers.
"""

from __future__ import annotations

import json
import math
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from pipelines.common import guard
from pipelines.data.drawn import byte, enlarge, noise, run, write_set

HEIGHT, WIDTH = 320, 400
UNIT = 1 << 14  # of sines
NAMES = [
    "nose",
    "left_eye",
    "right_eye",
    "left_ear",
    "right_ear",
    "left_shoulder",
    "right_shoulder",
    "left_elbow",
    "right_elbow",
    "left_wrist",
    "right_wrist",
    "left_hip",
    "right_hip",
    "left_knee",
    "right_knee",
    "left_ankle",
    "right_ankle",
]
#: A disc of its own colour (BGR) marks every joint, so that minutes of training suffice to tell them apart.
COLOURS = [
    (0, 0, 255),
    (0, 255, 255),
    (255, 255, 0),
    (0, 140, 255),
    (255, 140, 0),
    (0, 255, 0),
    (255, 0, 0),
    (160, 255, 60),
    (255, 60, 160),
    (255, 255, 255),
    (0, 0, 0),
    (60, 160, 255),
    (160, 60, 255),
    (0, 110, 0),
    (110, 0, 0),
    (180, 255, 180),
    (70, 70, 70),
]
DETECTIONS = "person_detection_results/COCO_val2017_detections_AP_H_56_person.json"


@dataclass
class Drawing:
    """Hold one image (H, W, 3) uint8 BGR and its annotations without ids."""

    image: np.ndarray
    people: list[dict[str, Any]] = field(default_factory=list)


def _sine(degrees: int) -> int:
    """Return the sine in units of 1 / UNIT, to the nearest integer: none lies so near a half that libm could tip it."""
    return round(UNIT * math.sin(math.radians(degrees % 360)))


def pose(rng: np.random.Generator, height: int) -> np.ndarray:
    """Return 17 joints (x, y) int64 of a front-facing figure about the hips' middle, `height` pixels tall.

    Coordinates are in hundredths of a pixel, angles in degrees, lengths in thousandths of the height.
    """

    def along(angle: int, length: int) -> np.ndarray:
        return np.array([_sine(angle), _sine(angle + 90)], np.int64) * (length * height) // (10 * UNIT)

    def degrees(low: int, high: int) -> int:
        return int(rng.integers(low, high + 1))

    lean = degrees(-14, 14)
    hips = np.zeros(2, np.int64)
    neck = along(180 + lean, 300)
    head = neck + along(180 + lean + degrees(-17, 17), 110)
    face = int(rng.integers(-10, 11))
    joints = {"nose": head + along(lean + 90, face)}
    for side, sign in (("left", 1), ("right", -1)):  # the figure's left is on the image's right
        joints[f"{side}_eye"] = head + along(lean + 90, sign * 25 + face) + along(180, 30)
        joints[f"{side}_ear"] = head + along(lean + 90, sign * 55) + along(180, 12)
        joints[f"{side}_shoulder"] = neck + along(lean + 90, sign * 110)
        joints[f"{side}_hip"] = hips + along(lean + 90, sign * 70)
        arm = sign * degrees(0, 149)
        joints[f"{side}_elbow"] = joints[f"{side}_shoulder"] + along(arm, 160)
        joints[f"{side}_wrist"] = joints[f"{side}_elbow"] + along(arm + sign * degrees(-17, 69), 150)
        leg = sign * degrees(-6, 34)
        joints[f"{side}_knee"] = joints[f"{side}_hip"] + along(leg, 240)
        joints[f"{side}_ankle"] = joints[f"{side}_knee"] + along(leg - sign * degrees(0, 34), 240)
    return np.array([joints[name] for name in NAMES])


def _pixel(hundredths: np.ndarray) -> np.ndarray:
    return (hundredths + 50) // 100


def _limbs() -> list[tuple[str, str]]:
    pairs = []
    for side in ("left", "right"):
        pairs += [(f"{side}_hip", f"{side}_knee"), (f"{side}_knee", f"{side}_ankle")]
        pairs += [(f"{side}_shoulder", f"{side}_elbow"), (f"{side}_elbow", f"{side}_wrist")]
    return pairs


def draw_figure(image: np.ndarray, joints: np.ndarray, height: int, rng: np.random.Generator) -> np.ndarray:
    """Draw a figure into the image, in its own clothes, and return its mask (H, W) uint8; joints as `pose` has them."""
    import cv2

    at = {name: tuple(int(v) for v in _pixel(p)) for name, p in zip(NAMES, joints, strict=True)}
    skin = tuple(int(v) for v in byte(np.array([130, 160, 205]) * rng.integers(600, 1151) // 1000))
    shirt, trousers = (tuple(int(v) for v in rng.integers(0, 256, 3)) for _ in range(2))

    def part(thousandths: int, least: int) -> int:
        return max(least, (height * thousandths + 500) // 1000)

    thick = part(55, 2)
    mask = np.zeros(image.shape[:2], np.uint8)
    torso = np.array([at[n] for n in ("left_shoulder", "right_shoulder", "right_hip", "left_hip")])
    head = tuple(int(v) for v in _pixel((joints[3] + joints[4]) // 2))

    def both(draw: Any, colour: tuple[int, int, int]) -> None:
        draw(image, colour)
        draw(mask, 255)

    both(lambda to, c: cv2.fillPoly(to, [torso], c), shirt)
    both(lambda to, c: cv2.polylines(to, [torso], True, c, thick), shirt)
    for a, b in _limbs():
        colour = trousers if "knee" in a + b else (shirt if "shoulder" in a else skin)
        both(lambda to, c, a=a, b=b: cv2.line(to, at[a], at[b], c, thick), colour)
    both(lambda to, c: cv2.circle(to, head, part(65, 3), c, -1), skin)
    for name, colour in zip(NAMES, COLOURS, strict=True):
        radius = part(18 if "eye" in name or name == "nose" else 32, 2)
        both(lambda to, c, name=name, radius=radius: cv2.circle(to, at[name], radius, c, -1), colour)
    return mask


def background(rng: np.random.Generator) -> np.ndarray:
    """Return a smooth gradient with rectangles, circles and noise."""
    import cv2

    image = byte(enlarge(rng.integers(60, 201, (2, 2, 3)), HEIGHT, WIDTH))
    for _ in range(int(rng.integers(3, 9))):
        x, y, w, h = (int(v) for v in rng.integers((0, 0, 10, 10), (WIDTH, HEIGHT, 120, 120)))
        colour = tuple(int(v) for v in rng.integers(30, 226, 3))
        if rng.integers(2):
            cv2.rectangle(image, (x, y), (x + w, y + h), colour, -1)
        else:
            cv2.circle(image, (x, y), w // 2, colour, -1)
    return byte(image + noise(rng, 5, image.shape))


def draw(rng: np.random.Generator) -> Drawing:
    """Return an image of one to three people, far ones first, some behind a board."""
    import cv2

    out = Drawing(background(rng))
    masks, figures = [], []
    for height in sorted(int(v) for v in rng.integers(90, 286, int(rng.integers(1, 4)))):
        joints = pose(rng, height)
        low, high = joints.min(0), joints.max(0)
        room = 100 * np.array([WIDTH, HEIGHT]) - (high - low)
        joints += rng.integers(-80, 1081, 2) * np.maximum(room, 1000) // 1000 - low
        mask = draw_figure(out.image, joints, height, rng)
        for other in masks:
            other[mask > 0] = 0
        masks.append(mask)
        figures.append(joints)
    if rng.integers(100) < 35:  # a board in front of everybody
        x, y = (int(v) for v in rng.integers((0, HEIGHT // 3), (WIDTH - 40, HEIGHT - 30)))
        corner = (x + int(rng.integers(25, 90)), y + int(rng.integers(15, 60)))
        cv2.rectangle(out.image, (x, y), corner, tuple(int(v) for v in rng.integers(0, 256, 3)), -1)
        for mask in masks:
            cv2.rectangle(mask, (x, y), corner, 0, -1)
    for joints, mask in zip(figures, masks, strict=True):
        if person := annotate(joints, mask):
            out.people.append(person)
    return out


def annotate(joints: np.ndarray, mask: np.ndarray) -> dict[str, Any] | None:
    """Return a COCO annotation: visibility 2 where the joint's pixel is the figure's own, 1 hidden, 0 outside."""
    points, count = [], 0
    for (x, y), (column, row) in zip(joints.tolist(), _pixel(joints).tolist(), strict=True):
        if not (0 <= x < 100 * (WIDTH - 1) and 0 <= y < 100 * (HEIGHT - 1)):
            points += [0, 0, 0]
            continue
        count += 1
        points += [x / 100, y / 100, 2 if mask[row, column] else 1]
    ys, xs = np.nonzero(mask)
    if count < 6 or len(xs) < 200:
        return None
    box = [int(xs.min()), int(ys.min()), int(np.ptp(xs)) + 1, int(np.ptp(ys)) + 1]
    return {
        "category_id": 1,
        "iscrowd": 0,
        "area": float(len(xs)),
        "bbox": box,
        "num_keypoints": count,
        "keypoints": points,
        "segmentation": [],
    }


def detections(annotations: list[dict], rng: np.random.Generator) -> list[dict[str, Any]]:
    """Return person boxes as a detector would: the true ones shaken, and low-scored false ones."""
    found = []

    def add(image: int, box: list[int], score: int) -> None:  # hundredths of a pixel, ten thousandths
        shown = [int(v) / 100 for v in box]
        found.append({"image_id": image, "category_id": 1, "bbox": shown, "score": int(score) / 10000})

    for item in annotations:
        x, y, w, h = item["bbox"]
        dx, dy, dw, dh = noise(rng, 4, 4).tolist()  # hundredths of the box
        box = [100 * x + dx * w, 100 * y + dy * h, w * (100 + dw), h * (100 + dh)]
        add(item["image_id"], box, rng.integers(7000, 10001))
        if rng.integers(100) < 15:
            false = rng.integers((0, 0, 3000, 6000), (50 * WIDTH, 50 * HEIGHT, 9001, 12001))
            add(item["image_id"], false.tolist(), rng.integers(500, 3001))
    return found


def generate(folder: Path, train: int, val: int, seed: int, pin: str | None = None) -> str:
    """Write the set, replacing `folder` only once all is there; returns the sha256 over its pixels and annotations.

    Raises PipelineError where a pin is given and the set is not the pinned one.
    """
    import cv2

    category = {"id": 1, "name": "person", "supercategory": "person", "keypoints": NAMES, "skeleton": []}

    def fill(root: Path, digest: Any) -> None:
        for number, (split, count) in enumerate((("train2017", train), ("val2017", val))):
            rng = np.random.default_rng([seed, number])
            images, annotations = [], []
            (root / split).mkdir(parents=True)
            for i in range(1, count + 1):
                drawing = draw(rng)
                name = f"{i:012d}.jpg"
                cv2.imwrite(str(root / split / name), drawing.image, [cv2.IMWRITE_JPEG_QUALITY, 95])
                digest.update(drawing.image.tobytes())
                images.append({"id": i, "file_name": name, "height": HEIGHT, "width": WIDTH})
                for person in drawing.people:
                    annotations.append({"id": len(annotations) + 1, "image_id": i, **person})
            data = {"images": images, "annotations": annotations, "categories": [category]}
            files = {f"annotations/person_keypoints_{split}.json": data}
            if split == "val2017":
                files[DETECTIONS] = detections(annotations, rng)
            for name, content in files.items():
                text = json.dumps(content, sort_keys=True)
                digest.update(text.encode())
                (root / name).parent.mkdir(parents=True, exist_ok=True)
                (root / name).write_text(text)

    return write_set(folder, "people", "people", {"train": train, "val": val}, pin, fill)


def main(argv: list[str] | None = None) -> int:
    """Draw the pinned set, or any other where the command line says so."""
    return run("people", "Draw people in COCO's keypoint layout.", generate, argv)


if __name__ == "__main__":
    raise SystemExit(guard(main))
