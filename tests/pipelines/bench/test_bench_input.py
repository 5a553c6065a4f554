"""The input benchmark measures both pipelines on the same images, and waits where there are any."""

from __future__ import annotations

import pytest
import torch
from PIL import Image

from papertally.evidence.bench import InputFigures
from pipelines.bench import input as bench_input
from pipelines.bench.run import Bencher
from pipelines.common import PipelineError
from pipelines.data import imagenet, photos


@pytest.mark.slow
def test_all_pipelines_are_measured_on_the_same_images(monkeypatch):
    monkeypatch.setattr(bench_input, "BATCH", 8)
    monkeypatch.setattr(bench_input, "PARTS_IMAGES", 8)
    found = bench_input.figures(1, images=24)
    figures = InputFigures.model_validate(found)
    assert set(figures.images_per_core_second) == {"folder", "image", "crop", "jpeg"}
    ratios = bench_input.ratios(found)
    assert len(ratios) == 3
    assert all("packed / folder" in name and ratio > 1 for name, ratio in ratios.items())
    parts = found["cpu_ms"]
    assert parts["packed: cut"] < parts["packed: cut, decode, resize, flip"]
    text = bench_input.show({**found, "loader_wait_percent": {"folder": 12.5}})
    assert "input: image" in text
    assert "12.5 % of a step" in text


@pytest.mark.slow
def test_steps_are_timed_with_their_loader(monkeypatch):
    monkeypatch.setattr(bench_input, "BATCH", 8)
    bencher = Bencher("t2_mobilenetv3_0_2", 4, torch.device("cpu"))
    with bench_input.drawn(16, None) as (folder, packed):
        found = bench_input.waits(folder, packed, bencher, workers=0, steps=2)
    assert set(found) == {"folder", "image", "crop", "jpeg"}
    assert all(0 < percent < 100 for percent in found.values())


@pytest.mark.parametrize(("load", "step", "percent"), [(0, 2, 0), (2, 0, 100), (1, 3, 25)])
def test_a_wait_is_the_loaders_alone(monkeypatch, load, step, percent):
    clock = [0.0]

    def sleep(seconds):
        clock[0] += seconds

    def batches():
        for i in range(5):
            sleep(load if i else 100)  # the first batch starts the workers
            yield i

    monkeypatch.setattr(bench_input.time, "perf_counter", lambda: clock[0])
    assert bench_input.loader_wait(batches(), lambda _: sleep(step), lambda: None) == pytest.approx(percent)


@pytest.mark.slow
def test_generated_images_have_imagenets_layout_and_come_near_its_sizes(tmp_path):
    root = photos.draw_folder(tmp_path / "imagenet", photos.photographs(), train=60, val=3, classes=3)
    assert imagenet.count(root) == {"train_classes": 3, "train_images": 60, "val_classes": 3, "val_images": 3}
    files = sorted((root / "train").rglob("*.JPEG"))
    sizes = [Image.open(path).size for path in files]
    assert sum(w for w, _ in sizes) / 60 == pytest.approx(469, rel=0.1)
    assert sum(h for _, h in sizes) / 60 == pytest.approx(387, rel=0.1)
    assert sum(path.stat().st_size for path in files) / 60 == pytest.approx(108_000, rel=0.25)
    again = photos.draw_folder(tmp_path / "again", photos.photographs(), train=60, val=3, classes=3)
    assert all(path.read_bytes() == (again / path.relative_to(root)).read_bytes() for path in files)


def test_photographs_come_from_a_folder_or_an_archive(tmp_path, shared):
    assert len(photos.photographs(shared / "data/coco_kpts.zip")) == 105
    with pytest.raises(PipelineError, match="holds no .jpg"):
        photos.photographs(tmp_path)
    (tmp_path / "a.zip").write_bytes(b"no archive")
    with pytest.raises(PipelineError, match="a.zip: cannot be read"):
        photos.photographs(tmp_path / "a.zip")
