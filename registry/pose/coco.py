"""COCO keypoint files checked before a framework reads them: one clear line for what is missing or malformed.

A fault is named by file, place and id: `FILE: annotations[17] (id 42): has no 'area'; MEND`. Nothing is filled in: what
the standard asks for and is absent is refused, because mmpose and pycocotools stop deep inside, or score wrongly.
"""

from __future__ import annotations

import gc
import json
import re
import sys
from collections.abc import Iterator, Mapping, Set
from contextlib import contextmanager
from pathlib import Path
from posixpath import normpath
from typing import Any

import numpy as np

from ..inputs.errors import DataError
from ..inputs.files import missing, shown
from ..strict import zip_strict
from .coco_entries import ANEW, Entries, is_number, short
from .coco_images import check_images
from .coco_places import check_boxes, check_points, check_sizes

KEYPOINTS = 17
#: COCO's keypoints in their order, as mmpose and the sigmas of the evaluation take them.
NAMES = (
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
)
PERSON = 1
LARGEST = sys.float_info.max
DETECTIONS = "person_detection_results/COCO_val2017_detections_AP_H_56_person.json"
TRY_WITHOUT = "to try without it, run `python -m pipelines people data/people` and set COCO_ROOT=data/people"
#: What each person's annotation must have, and the mend where it is absent.
REQUIRED = {
    "id": "give each annotation an id of its own",
    "image_id": "name its image by the image's id",
    "category_id": f'add "category_id": {PERSON} (person)',
    "bbox": "add its box, [x, y, width, height]",
    "area": "add its segment's area in pixels",
    "iscrowd": 'add "iscrowd": 0, or 1 for a crowd',
    "keypoints": f"add {KEYPOINTS} keypoints of x, y and visibility, all 0 where none is labelled",
    "num_keypoints": "add the number of its keypoints whose visibility is above 0",
}


def check_coco(
    annotations: str, images: str, detections: str | None = None, every_size: bool = False
) -> dict[str, Any]:
    """Return a COCO keypoint annotation file after checking all of it, its images and the person boxes.

    images: their folder; each must be there and whole. every_size: compare the size of every image with the file's,
    not of a sample. Raises DataError naming the file, the entry, what is wrong and the mend.
    """
    if not Path(annotations).is_file():
        why = "no such annotation file" if not Path(annotations).is_symlink() else missing(Path(annotations))
        tilde = "; '~' is not expanded here: write the whole path" if annotations.startswith("~") else ""
        raise DataError(
            f"error: {shown(annotations)}: {why}. Put COCO 2017 there (annotations/, train2017/, val2017/, "
            f"person_detection_results/) or set COCO_ROOT to its folder; {TRY_WITHOUT}{tilde}"
        )
    with _no_collection():
        data, sizes = _checked(annotations)
    check_images(annotations, images, data["images"], every_size)
    if detections:
        _check_detections(detections, sizes, {a["image_id"] for a in data["annotations"] if a.get("num_keypoints")})
    return data


def _checked(annotations: str) -> tuple[dict[str, Any], dict[int, tuple[int, int]]]:
    """Return an annotation file and its images' (width, height) by id, all but the images checked."""
    data = _load(annotations)
    if not isinstance(data, dict):
        raise DataError(f"error: {shown(annotations)}: holds no COCO annotations (a JSON object); unpack it anew")
    for key in ("images", "annotations", "categories"):
        if not isinstance(data.get(key), list):
            raise DataError(
                f"error: {shown(annotations)}: has no list {key!r}; it is no COCO annotation file: unpack it anew"
            )
        if not data[key]:
            raise DataError(f"error: {shown(annotations)}: its list {key!r} is empty; unpack it anew")
    sizes = _check_image_entries(Entries(annotations, "images", data["images"]))
    categories = _check_categories(Entries(annotations, "categories", data["categories"]))
    _check_annotations(Entries(annotations, "annotations", data["annotations"]), sizes, categories)
    return data, sizes


def _check_image_entries(images: Entries) -> dict[int, tuple[int, int]]:
    """Return (width, height) by image id."""
    for i, image in enumerate(images.all):
        if not {"id", "file_name", "height", "width"} <= image.keys():
            images.stop(i, "lacks id, file_name, height or width", f"add them, {ANEW}")
    ids = images.ids()
    names = [image["file_name"] for image in images.all]
    images.refuse(
        [i for i, name in enumerate(names) if not _names_file(name)],
        lambda i: f"'file_name' is {short(names[i])}, not a file's name in the image folder",
        f"name its file, {ANEW}",
    )
    first: dict[str, int] = {}
    images.refuse(
        [i for i, name in enumerate(names) if first.setdefault(normpath(name), i) != i],
        lambda i: f"is the file of images[{first[normpath(names[i])]}] again",
        f"list each image once, {ANEW}",
    )
    width, height = (images.whole(key, "write its pixels", 1) for key in ("width", "height"))
    return dict(zip_strict(ids, zip_strict(width, height)))


def _names_file(name: Any) -> bool:
    """Tell whether a value can name a file in a folder, and none elsewhere: what lies elsewhere is in no pin."""
    return (
        isinstance(name, str)
        and bool(name)
        and not re.search("[\0\ud800-\udfff]", name)
        and not name.startswith("/")
        and ".." not in name.split("/")
    )


def _check_categories(categories: Entries) -> set[int]:
    """Return the ids of the categories: 1 must be COCO's person, and no other may have keypoints."""
    ids = categories.ids()
    if PERSON not in ids:
        categories.stop(0, f"is no person of id {PERSON}, which COCO's person has", f"mend the categories, {ANEW}")
    for i, category in enumerate(categories.all):
        names = category.get("keypoints")
        if category["id"] != PERSON:
            if names:
                categories.stop(i, f"has keypoints, which only the person (id {PERSON}) may have", f"remove it, {ANEW}")
            continue
        if not isinstance(names, list) or len(names) != KEYPOINTS:
            categories.stop(i, f"has no list of {KEYPOINTS} 'keypoints'", f"add COCO's names, {ANEW}")
        for place, (name, known) in enumerate(zip_strict(names, NAMES)):
            if name != known:
                categories.stop(
                    i,
                    f"keypoint {place + 1} is {short(name)}, COCO's is {known!r}",
                    f"put every person's keypoints in COCO's order, {ANEW}",
                )
    return set(ids)


def _check_annotations(entries: Entries, sizes: Mapping[int, tuple[int, int]], categories: set[int]) -> None:
    crowds, areas, boxed = (entries.column(key, REQUIRED[key]) for key in ("iscrowd", "area", "bbox"))
    entries.ids()
    # pycocotools marks a match by the annotation's id, and takes 0 for none
    entries.whole("id", "give it an id above 0", 1)
    image_ids, category_ids = (entries.whole(key, REQUIRED[key]) for key in ("image_id", "category_id"))
    entries.refuse(
        [i for i, v in enumerate(image_ids) if v not in sizes],
        lambda i: f"is of image {image_ids[i]}, which the file does not list",
        f"list the image, {ANEW}",
    )
    entries.refuse(
        [i for i, v in enumerate(category_ids) if v not in categories],
        lambda i: f"is of category {category_ids[i]}, which the file does not list",
        f"mend it, {ANEW}",
    )
    entries.refuse(
        [i for i, v in enumerate(crowds) if v not in (0, 1) or type(v) is float],
        lambda i: f"'iscrowd' is {short(crowds[i])}, not 0 or 1",
        f"{REQUIRED['iscrowd']}, {ANEW}",
    )
    if set(map(type, areas)) - {int, float} or not all(0 <= v <= LARGEST for v in areas):
        entries.refuse(
            [i for i, v in enumerate(areas) if not is_number(v) or v < 0],
            lambda i: f"'area' is {short(areas[i])}, not a number of pixels",
            f"{REQUIRED['area']}, {ANEW}",
        )
    boxes = entries.numbers("bbox", boxed, 4, "box of four numbers", range(len(boxed)))
    limits = np.array([sizes[i] for i in image_ids], np.float64)
    check_boxes(entries, boxes, limits, "mend the box or the image's width and height")
    places, points = _check_keypoints(entries, [i for i, v in enumerate(category_ids) if v == PERSON])
    single = np.zeros(len(boxes), bool)
    single[places] = (points[..., 2] > 0).any(1)
    single &= np.array(crowds, bool) == 0
    check_sizes(entries, boxes, np.array(areas, np.float64), limits, single)
    kept = np.flatnonzero(single[places]).tolist()
    places = [places[i] for i in kept]
    check_points(entries, places, points[kept], boxes[places], limits[places])


def _check_keypoints(entries: Entries, persons: list[int]) -> tuple[list[int], np.ndarray]:
    """Return the places of entries with keypoints, and those, (N, 17, 3)."""
    for key in ("keypoints", "num_keypoints"):
        entries.column(key, REQUIRED[key], persons)
    # mmpose trains on whatever has keypoints, of whatever category
    places = [i for i, entry in enumerate(entries.all) if "keypoints" in entry]
    values = [entries.all[i]["keypoints"] for i in places]
    points = entries.numbers(
        "keypoints", values, 3 * KEYPOINTS, f"{KEYPOINTS} keypoints of x, y and visibility", places
    )
    visible = points[:, 2::3]
    wrong = ~np.isin(visible, (0, 1, 2))
    entries.refuse(
        [places[i] for i in np.flatnonzero(wrong.any(1))],
        lambda i: f"has visibility {visible[places.index(i)][wrong[places.index(i)]][0]:g}, not 0, 1 or 2",
        f"mend it, {ANEW}",
    )
    labelled = dict(zip_strict(places, np.count_nonzero(visible, axis=1).tolist()))
    counts = {i: entries.all[i]["num_keypoints"] for i in persons}
    sound = {i for i, v in counts.items() if type(v) is int and 0 <= v <= KEYPOINTS and (v > 0) == (labelled[i] > 0)}
    entries.refuse(
        [i for i in counts if i not in sound],
        lambda i: f"'num_keypoints' is {short(counts[i])}, but {labelled[i]} have a visibility above 0",
        f"write their number, {ANEW}",
    )
    crowd = (entries.all[i]["iscrowd"] for i in persons if labelled[i])
    if all(crowd):
        raise DataError(
            f"error: {shown(entries.path)}: holds no person with a labelled keypoint; unpack "
            "annotations_trainval2017.zip anew"
        )
    return places, points.reshape(-1, KEYPOINTS, 3)


def _check_detections(path: str, known: Mapping[int, tuple[int, int]], people: Set[int]) -> None:
    if not Path(path).is_file():
        why = "no such detection file" if not Path(path).is_symlink() else missing(Path(path))
        raise DataError(
            f"error: {shown(path)}: {why}. The paper tests with the person boxes of the simple-baselines "
            f"release (56.4 AP): put them there; {TRY_WITHOUT}"
        )
    found = _load(path)
    need = {"category_id", "image_id", "bbox", "score"}
    if not isinstance(found, list) or not all(isinstance(d, dict) and need <= d.keys() for d in found):
        first = (
            next((i for i, d in enumerate(found) if not isinstance(d, dict) or not need <= d.keys()), None)
            if isinstance(found, list)
            else None
        )
        where = "" if first is None else f"[{first}]: "
        raise DataError(
            f"error: {shown(path)}: {where}is no list of detections with {', '.join(sorted(need))}; fetch it anew"
        )
    if not found:
        raise DataError(f"error: {shown(path)}: holds no boxes; fetch it anew")
    boxes = Entries(path, "", found)
    image_ids, categories = (boxes.whole(key, "fetch the file anew") for key in ("image_id", "category_id"))
    if stray := [v for v in image_ids if v not in known]:
        raise DataError(
            f"error: {shown(path)}: {len(stray)} boxes are of images that the annotations lack, first {stray[0]}; "
            "fetch the boxes of these images"
        )
    if PERSON not in categories:
        raise DataError(f"error: {shown(path)}: holds no box of a person (category {PERSON}); fetch it anew")
    scores = [d["score"] for d in found]
    boxes.refuse(
        [i for i, v in enumerate(scores) if not is_number(v) or not 0 <= v <= 1],
        lambda i: f"'score' is {short(scores[i])}, no finite number from 0 to 1",
        "fetch the file anew",
    )
    corners = boxes.numbers("bbox", [d["bbox"] for d in found], 4, "box of four numbers", range(len(found)))
    limits = np.array([known[i] for i in image_ids], np.float64)
    check_boxes(boxes, corners, limits, "take boxes of these images", "or fetch the file anew")
    if 2 * len(without := people - set(image_ids)) > len(people):
        raise DataError(
            f"error: {shown(path)}: has no box in {len(without)} of the {len(people)} images with labelled persons, "
            f"first image {min(without)}; fetch the boxes of these images"
        )


def _load(path: str) -> Any:
    try:
        content = Path(path).read_bytes()
        if not content.strip():
            raise DataError(f"error: {shown(path)}: is empty; unpack or fetch it anew")
        if content.startswith((b"\x1f\x8b", b"PK\x03\x04")):
            raise DataError(f"error: {shown(path)}: is still compressed; unpack it (gunzip or unzip) under this name")
        if content.startswith((b"\xef\xbb\xbf", b"\xff\xfe", b"\xfe\xff")):
            raise DataError(f"error: {shown(path)}: begins with a byte order mark; save it as UTF-8 without one")
        return json.loads(content.decode("utf-8"))
    except (ValueError, RecursionError) as error:
        raise DataError(
            f"error: {shown(path)}: truncated or malformed JSON ({error}); unpack or fetch it anew"
        ) from None
    except OSError as error:
        raise DataError(f"error: {shown(path)}: {error.strerror}; mend its permissions") from None


@contextmanager
def _no_collection() -> Iterator[None]:
    """Keep Python from looking for garbage among millions of new objects, which doubles the time."""
    before = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if before:
            gc.enable()
