"""COCO keypoint files checked before a framework reads them: one clear line for what is missing or malformed."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from registry.dense.errors import DataError

KEYPOINTS = 17
DETECTIONS = "person_detection_results/COCO_val2017_detections_AP_H_56_person.json"
TRY_WITHOUT = "to try without it, run `python -m pipelines.people data/people` and set COCO_ROOT=data/people"


def check_coco(annotations: str, images: str, detections: str | None = None) -> dict[str, Any]:
    """Return a COCO keypoint annotation file after checking it and that its images' folder exists.

    Raises DataError naming the file, what is wrong and the mend.
    """
    if not Path(annotations).is_file():
        raise DataError(
            f"error: {annotations}: no such annotation file. Put COCO 2017 there (annotations/, train2017/, val2017/, "
            f"person_detection_results/) or set COCO_ROOT to its folder; {TRY_WITHOUT}"
        )
    data = _load(annotations)
    if not isinstance(data, dict):
        raise DataError(f"error: {annotations}: holds no COCO annotations (a JSON object); unpack it anew")
    for key in ("images", "annotations", "categories"):
        if not isinstance(data.get(key), list):
            raise DataError(f"error: {annotations}: has no list {key!r}; it is no COCO annotation file: unpack it anew")
    for image in data["images"]:
        if not isinstance(image, dict) or not {"id", "file_name", "height", "width"} <= image.keys():
            raise DataError(f"error: {annotations}: image {image!r:.60} lacks id, file_name, height or width")
    known = {image["id"] for image in data["images"]}
    for item in data["annotations"]:
        fault = _annotation_fault(item, known)
        if fault:
            name = item.get("id") if isinstance(item, dict) else item
            raise DataError(f"error: {annotations}: annotation {name!r:.40} {fault}; mend or unpack it anew")
    if not Path(images).is_dir():
        raise DataError(f"error: {images}: no such image folder; unpack the images of {Path(annotations).name} there")
    if data["images"] and not (first := Path(images) / data["images"][0]["file_name"]).is_file():
        raise DataError(f"error: {first}: no such image, though {annotations} lists it; unpack the images anew")
    if detections:
        _check_detections(detections, known)
    return data


def _annotation_fault(item: Any, known: set[int]) -> str | None:
    if not isinstance(item, dict) or not {"id", "image_id", "bbox"} <= item.keys():
        return "lacks id, image_id or bbox"
    if item["image_id"] not in known:
        return f"is of image {item['image_id']!r}, which the file does not list"
    if not isinstance(item["bbox"], list) or len(item["bbox"]) != 4:
        return "has no box of four numbers"
    points = item.get("keypoints")
    if points is not None and (not isinstance(points, list) or len(points) != 3 * KEYPOINTS):
        return f"has no {KEYPOINTS} keypoints of x, y and visibility"
    return None


def _check_detections(path: str, known: set[int]) -> None:
    if not Path(path).is_file():
        raise DataError(
            f"error: {path}: no such detection file. The paper tests with the person boxes of the simple-baselines "
            f"release (56.4 AP): put them there; {TRY_WITHOUT}"
        )
    found = _load(path)
    need = {"category_id", "image_id", "bbox", "score"}
    if not isinstance(found, list) or not all(isinstance(d, dict) and need <= d.keys() for d in found):
        raise DataError(f"error: {path}: is no list of detections with {', '.join(sorted(need))}; fetch it anew")
    if stray := [d["image_id"] for d in found if d["image_id"] not in known]:
        raise DataError(f"error: {path}: {len(stray)} boxes are of images that the annotations lack, first {stray[0]}")


def _load(path: str) -> Any:
    try:
        return json.loads(Path(path).read_text("utf-8"))
    except ValueError as error:
        raise DataError(f"error: {path}: truncated or malformed JSON ({error}); unpack or fetch it anew") from None
    except OSError as error:
        raise DataError(f"error: {path}: {error.strerror}; mend its permissions") from None
