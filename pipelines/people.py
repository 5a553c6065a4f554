"""Stage `people`: draw a seeded set of articulated figures in COCO 2017's keypoint layout, for the mini profile.

python -m pipelines.people [FOLDER] [--train 400 --val 80 --seed 0]

Drawings, not photographs: they prove the path through mmpose and CocoMetric, never the paper's numbers.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from pipelines.common import guard
from pipelines.drawn import run, write_set

HEIGHT, WIDTH = 320, 400
NAMES = [
    "nose", "left_eye", "right_eye", "left_ear", "right_ear", "left_shoulder", "right_shoulder", "left_elbow",
    "right_elbow", "left_wrist", "right_wrist", "left_hip", "right_hip", "left_knee", "right_knee", "left_ankle",
    "right_ankle",
]  # fmt: skip
#: A disc of its own colour (BGR) marks every joint, so that minutes of training suffice to tell them apart.
COLOURS = [
    (0, 0, 255), (0, 255, 255), (255, 255, 0), (0, 140, 255), (255, 140, 0), (0, 255, 0), (255, 0, 0), (160, 255, 60),
    (255, 60, 160), (255, 255, 255), (0, 0, 0), (60, 160, 255), (160, 60, 255), (0, 110, 0), (110, 0, 0),
    (180, 255, 180), (70, 70, 70),
]  # fmt: skip
DETECTIONS = "person_detection_results/COCO_val2017_detections_AP_H_56_person.json"


@dataclass
class Drawing:
    """Hold one image (H, W, 3) uint8 BGR and its annotations without ids."""

    image: np.ndarray
    people: list[dict[str, Any]] = field(default_factory=list)


def pose(rng: np.random.Generator, height: float) -> np.ndarray:
    """Return 17 joints (x, y) of a front-facing figure about the hips' middle, `height` pixels tall."""

    def step(start: np.ndarray, angle: float, length: float) -> np.ndarray:
        return start + length * height * np.array([np.sin(angle), np.cos(angle)])

    lean = rng.uniform(-0.25, 0.25)
    hips = np.zeros(2)
    neck = step(hips, np.pi + lean, 0.30)
    across = np.array([np.cos(lean), -np.sin(lean)]) * height
    head = step(neck, np.pi + lean + rng.uniform(-0.3, 0.3), 0.11)
    face = rng.uniform(-0.01, 0.01)
    joints = {"nose": head + across * face}
    for side, sign in (("left", 1), ("right", -1)):  # the figure's left is on the image's right
        joints[f"{side}_eye"] = head + across * (sign * 0.025 + face) + [0, -0.03 * height]
        joints[f"{side}_ear"] = head + across * sign * 0.055 + [0, -0.012 * height]
        joints[f"{side}_shoulder"] = neck + across * sign * 0.11
        joints[f"{side}_hip"] = hips + across * sign * 0.07
        arm = sign * rng.uniform(0.0, 2.6)
        joints[f"{side}_elbow"] = step(joints[f"{side}_shoulder"], arm, 0.16)
        joints[f"{side}_wrist"] = step(joints[f"{side}_elbow"], arm + sign * rng.uniform(-0.3, 1.2), 0.15)
        leg = sign * rng.uniform(-0.1, 0.6)
        joints[f"{side}_knee"] = step(joints[f"{side}_hip"], leg, 0.24)
        joints[f"{side}_ankle"] = step(joints[f"{side}_knee"], leg - sign * rng.uniform(0.0, 0.6), 0.24)
    return np.array([joints[name] for name in NAMES])


def _limbs() -> list[tuple[str, str]]:
    pairs = []
    for side in ("left", "right"):
        pairs += [(f"{side}_hip", f"{side}_knee"), (f"{side}_knee", f"{side}_ankle")]
        pairs += [(f"{side}_shoulder", f"{side}_elbow"), (f"{side}_elbow", f"{side}_wrist")]
    return pairs


def draw_figure(image: np.ndarray, joints: np.ndarray, height: float, rng: np.random.Generator) -> np.ndarray:
    """Draw a figure into the image, in its own clothes, and return its mask (H, W) uint8."""
    import cv2

    at = {name: tuple(int(v) for v in np.round(p)) for name, p in zip(NAMES, joints, strict=True)}
    skin = tuple(int(v) for v in np.clip(np.array([130, 160, 205]) * rng.uniform(0.6, 1.15), 0, 255))
    shirt, trousers = (tuple(int(v) for v in rng.integers(0, 256, 3)) for _ in range(2))
    thick = max(2, round(height * 0.055))
    mask = np.zeros(image.shape[:2], np.uint8)
    torso = np.array([at[n] for n in ("left_shoulder", "right_shoulder", "right_hip", "left_hip")])
    head = tuple(int(v) for v in (joints[3] + joints[4]) / 2)

    def both(draw: Any, colour: tuple[int, int, int]) -> None:
        draw(image, colour)
        draw(mask, 255)

    both(lambda to, c: cv2.fillPoly(to, [torso], c), shirt)
    both(lambda to, c: cv2.polylines(to, [torso], True, c, thick), shirt)
    for a, b in _limbs():
        colour = trousers if "knee" in a + b else (shirt if "shoulder" in a else skin)
        both(lambda to, c, a=a, b=b: cv2.line(to, at[a], at[b], c, thick), colour)
    both(lambda to, c: cv2.circle(to, head, max(3, round(height * 0.065)), c, -1), skin)
    for name, colour in zip(NAMES, COLOURS, strict=True):
        radius = max(2, round(height * (0.018 if "eye" in name or name == "nose" else 0.032)))
        both(lambda to, c, name=name, radius=radius: cv2.circle(to, at[name], radius, c, -1), colour)
    return mask


def background(rng: np.random.Generator) -> np.ndarray:
    """Return a smooth gradient with rectangles, circles and noise."""
    import cv2

    corners = rng.uniform(60, 200, (2, 2, 3)).astype(np.float32)
    image = cv2.resize(corners, (WIDTH, HEIGHT), interpolation=cv2.INTER_LINEAR)
    for _ in range(int(rng.integers(3, 9))):
        x, y, w, h = (int(v) for v in rng.integers((0, 0, 10, 10), (WIDTH, HEIGHT, 120, 120)))
        colour = tuple(float(v) for v in rng.uniform(30, 225, 3))
        if rng.random() < 0.5:
            cv2.rectangle(image, (x, y), (x + w, y + h), colour, -1)
        else:
            cv2.circle(image, (x, y), w // 2, colour, -1)
    return np.clip(image + rng.normal(0, 6, image.shape), 0, 255).astype(np.uint8)


def draw(rng: np.random.Generator) -> Drawing:
    """Return an image of one to three people, far ones first, some behind a board."""
    import cv2

    out = Drawing(background(rng))
    masks, figures = [], []
    for height in sorted(rng.uniform(90, 285, int(rng.integers(1, 4)))):
        joints = pose(rng, height)
        low, high = joints.min(0), joints.max(0)
        room = np.array([WIDTH, HEIGHT]) - (high - low)
        joints += rng.uniform(-0.08, 1.08, 2) * np.maximum(room, 10) - low
        mask = draw_figure(out.image, joints, height, rng)
        for other in masks:
            other[mask > 0] = 0
        masks.append(mask)
        figures.append(joints)
    if rng.random() < 0.35:  # a board in front of everybody
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
    for x, y in joints:
        if not (0 <= x < WIDTH - 1 and 0 <= y < HEIGHT - 1):
            points += [0, 0, 0]
            continue
        count += 1
        points += [round(float(x), 2), round(float(y), 2), 2 if mask[round(y), round(x)] else 1]
    ys, xs = np.nonzero(mask)
    if count < 6 or len(xs) < 200:
        return None
    box = [int(xs.min()), int(ys.min()), int(np.ptp(xs)) + 1, int(np.ptp(ys)) + 1]
    return {
        "category_id": 1, "iscrowd": 0, "area": float(len(xs)), "bbox": box, "num_keypoints": count,
        "keypoints": points, "segmentation": [],
    }  # fmt: skip


def detections(annotations: list[dict], rng: np.random.Generator) -> list[dict[str, Any]]:
    """Return person boxes as a detector would: the true ones shaken, and low-scored false ones."""
    found = []
    for item in annotations:
        x, y, w, h = item["bbox"]
        dx, dy, dw, dh = rng.normal(0, 0.04, 4)
        box = [x + dx * w, y + dy * h, w * (1 + dw), h * (1 + dh)]
        score = rng.uniform(0.7, 1)
        found.append((item["image_id"], box, score))
        if rng.random() < 0.15:
            false = [*rng.uniform((0, 0), (WIDTH / 2, HEIGHT / 2)), *rng.uniform((30, 60), (90, 120))]
            found.append((item["image_id"], false, rng.uniform(0.05, 0.3)))
    return [
        {"image_id": i, "category_id": 1, "bbox": [round(float(v), 2) for v in box], "score": round(float(s), 4)}
        for i, box, s in found
    ]


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
