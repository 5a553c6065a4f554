"""Draw a row's predictions on its validation images, by the framework's own visualizer."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from pipelines.common import PipelineError

HEIGHT = 220  # of a picture in a strip, pixels
#: Below this confidence a keypoint is not drawn.
KEYPOINT_THRESHOLD = 0.15


def _predicted_images(runner: Any, count: int) -> Iterator[tuple[str, list[Any]]]:
    """Yield the first `count` images' paths with the predictions of all their boxes."""
    seen: dict[str, list[Any]] = {}
    runner.model.eval()
    for batch in runner.test_dataloader:
        for sample in runner.model.test_step(batch):
            seen.setdefault(sample.img_path, []).append(sample)
        if len(seen) > count:  # an image's boxes may go on in the next batch
            break
    yield from list(seen.items())[:count]


def _draw_pose(path: str, samples: list[Any]) -> np.ndarray:
    from mmcv import imread
    from mmpose.structures import merge_data_samples
    from mmpose.visualization import PoseLocalVisualizer

    class Visualizer(PoseLocalVisualizer):
        """mmpose passes the radius as an array of one, which numpy 2 does not turn into a number."""

        def draw_circles(self, center: Any, radius: Any, *args: Any, **kwargs: Any) -> Any:
            return super().draw_circles(center, float(np.ravel(radius)[0]), *args, **kwargs)

    image = imread(path, channel_order="rgb")
    visualizer = Visualizer(radius=4, line_width=2)
    visualizer.set_dataset_meta(_coco_meta())
    confident = [s for s in samples if s.gt_instances.bbox_scores.max() >= 0.5] or samples
    return visualizer.add_datasample(
        "prediction", image, merge_data_samples(confident), draw_gt=False, kpt_thr=KEYPOINT_THRESHOLD
    )


def _draw_segmentation(path: str, samples: list[Any]) -> np.ndarray:
    from mmcv import imread
    from mmseg.datasets import CityscapesDataset
    from mmseg.visualization import SegLocalVisualizer

    class Visualizer(SegLocalVisualizer):
        """Keep the drawing, which mmsegmentation only hands to storage."""

        def add_image(self, name: str, image: np.ndarray, step: int = 0) -> None:
            self.drawn = image

    visualizer = Visualizer(alpha=0.6)
    visualizer.dataset_meta = CityscapesDataset.METAINFO
    image = imread(path, channel_order="rgb")
    visualizer.add_datasample("prediction", image, samples[0], draw_gt=False, with_labels=False)
    return visualizer.drawn


def _coco_meta() -> dict[str, Any]:
    from mmpose.datasets.datasets.utils import parse_pose_metainfo

    return parse_pose_metainfo({"from_file": "configs/_base_/datasets/coco.py"})


DRAWERS = {"pose": _draw_pose, "segmentation": _draw_segmentation}


def strip(runner: Any, task: str, count: int = 4) -> np.ndarray:
    """Return `count` images with predictions side by side: RGB uint8 (220, W, 3)."""
    import cv2

    out = []
    for path, samples in _predicted_images(runner, count):
        image = DRAWERS[task](path, samples)
        width = round(image.shape[1] * HEIGHT / image.shape[0])
        out.append(cv2.resize(image, (width, HEIGHT), interpolation=cv2.INTER_AREA))
    return np.concatenate(out, axis=1)


def save(image: np.ndarray, path: Path) -> None:
    """Write an RGB image as JPEG, atomically. Raises PipelineError where it cannot be written."""
    from PIL import Image

    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(path.name + ".tmp")
    try:
        Image.fromarray(image).save(partial, "JPEG", quality=82)
        os.replace(partial, path)
    except OSError as error:
        partial.unlink(missing_ok=True)
        raise PipelineError(f"{path}: cannot be written ({error}); free space or mend permissions") from None
