"""`mim train mmpose` finds type='MicroNet' through custom_imports, from the installed project."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from registry.checkpoints import read_file

CONFIG = Path(__file__).parent / "mim/pose.py"


def draw_people(folder: Path, count: int = 4) -> None:
    """Write a COCO keypoint set of noise images with one box each."""
    rng = np.random.default_rng(0)
    (folder / "images").mkdir(parents=True)
    images, annotations = [], []
    for i in range(1, count + 1):
        Image.fromarray(rng.integers(0, 255, (64, 48, 3), np.uint8)).save(folder / f"images/{i}.jpg")
        images.append({"id": i, "file_name": f"{i}.jpg", "width": 48, "height": 64})
        points = [v for x, y in rng.integers(4, 44, (17, 2)).tolist() for v in (x, y, 2)]
        annotations.append(
            {"id": i, "image_id": i, "category_id": 1, "bbox": [2, 2, 44, 60], "area": 2640, "iscrowd": 0,
             "keypoints": points, "num_keypoints": 17}
        )  # fmt: skip
    categories = [{"id": 1, "name": "person", "keypoints": [str(i) for i in range(17)], "skeleton": []}]
    data = {"images": images, "annotations": annotations, "categories": categories}
    (folder / "annotations.json").write_text(json.dumps(data))


@pytest.mark.slow
@pytest.mark.long
def test_mim_trains_a_micronet_in_mmpose(tmp_path):
    draw_people(tmp_path / "data/pose")
    mim = Path(sys.executable).with_name("mim")
    done = subprocess.run(
        [mim, "train", "mmpose", CONFIG, "--work-dir", "work"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-2000:]
    saved = read_file(next((tmp_path / "work").glob("epoch_1.pth")))
    assert "backbone.stem.0.0.weight" in saved["state_dict"]
