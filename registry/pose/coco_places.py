"""Whether boxes, areas and keypoints lie where their images are: coordinates of another kind pass every other check.

Crowds and persons without labelled keypoints may be of no size. What single entries may well have (a keypoint beside
its box) is refused where most of a file is so: then its numbers are shares of the image, or corners.
"""

from __future__ import annotations

import numpy as np

from .coco_entries import ANEW, Entries, short

#: How far a box may end beyond its image and a keypoint lie beside a box, in pixels: annotation tools round.
SLACK = 2
SHARE_BEYOND, SHARE_APART = 0.25, 0.5


def check_boxes(entries: Entries, boxes: np.ndarray, limits: np.ndarray, mend: str, anew: str = ANEW) -> None:
    """Check boxes (N, 4) against their images' (width, height), limits (N, 2). Raises DataError naming an entry."""

    def refuse(bad: np.ndarray, fault: str, mend: str) -> None:
        entries.refuse(np.flatnonzero(bad), lambda i: f"its box {short(boxes[i].tolist())} {fault}", f"{mend}, {anew}")

    refuse((boxes[:, 2:] < 0).any(1), "has a side below 0", "write [x, y, width, height]")
    refuse((boxes[:, 2:] > 2 * limits).any(1), "is larger than its image", "write [x, y, width, height] in pixels")
    refuse(((boxes[:, :2] > limits) | (boxes[:, :2] + boxes[:, 2:] < 0)).any(1), "lies outside its image", mend)
    beyond = (boxes[:, :2] + boxes[:, 2:] > limits + SLACK).any(1)
    if np.count_nonzero(beyond) > SHARE_BEYOND * len(boxes):
        refuse(beyond, "ends beyond its image, as [x1, y1, x2, y2] would", "write [x, y, width, height]")


def check_sizes(entries: Entries, boxes: np.ndarray, areas: np.ndarray, limits: np.ndarray, single: np.ndarray) -> None:
    """Check areas (N) against images, and that the persons `single` (N, truth) have a box and an area of a pixel."""
    entries.refuse(
        np.flatnonzero(areas > 1.1 * limits.prod(1)),
        lambda i: f"'area' is {areas[i]:g}, more than the {limits[i].prod():g} pixels of its image",
        f"write its segment's area in pixels, {ANEW}",
    )
    entries.refuse(
        np.flatnonzero(single & (boxes[:, 2:] < 1).any(1)),
        lambda i: f"has labelled keypoints in a box of less than a pixel, {short(boxes[i].tolist())}",
        f"write its box in pixels, {ANEW}",
    )
    entries.refuse(
        np.flatnonzero(single & (areas < 1)),
        lambda i: f"has labelled keypoints on an 'area' of {areas[i]:g}, by which their distances are judged",
        f"write its segment's area in pixels, {ANEW}",
    )


def check_points(
    entries: Entries, places: list[int], points: np.ndarray, boxes: np.ndarray, limits: np.ndarray
) -> None:
    """Check the labelled ones of keypoints (N, K, 3) of the entries at `places` against their boxes and images, (N, .).

    Raises DataError naming an entry with a keypoint further off than its image is large, or the first of a file most of
    whose persons have all keypoints beside their boxes.
    """
    xy, labelled = points[..., :2], points[..., 2] > 0
    far = labelled & ((xy < -limits[:, None]) | (xy > 2 * limits[:, None])).any(2)
    entries.refuse(
        [places[i] for i in np.flatnonzero(far.any(1))],
        lambda i: (
            f"has a keypoint at {short(xy[places.index(i)][far[places.index(i)]][0].tolist())}, far outside its image"
        ),
        f"write its place in pixels, {ANEW}",
    )
    low, high = boxes[:, None, :2] - SLACK, boxes[:, None, :2] + boxes[:, None, 2:] + SLACK
    near = labelled & ((xy >= low) & (xy <= high)).all(2)
    apart = labelled.any(1) & ~near.any(1)
    if np.count_nonzero(apart) > SHARE_APART * np.count_nonzero(labelled.any(1)):
        entries.refuse(
            [places[i] for i in np.flatnonzero(apart)],
            lambda i: f"all its keypoints lie apart from its box {short(boxes[places.index(i)].tolist())}",
            f"write both in pixels of the image, {ANEW}",
        )
