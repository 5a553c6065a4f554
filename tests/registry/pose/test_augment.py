"""The two readings of section 6.1's augmentation, by their measured spreads."""

from __future__ import annotations

import numpy as np
import pytest

from pipelines.analysis.overlays import recipe_config
from pipelines.common import PipelineError
from pipelines.training.job import recipe_settings
from registry.pose.augment import ClippedBBoxTransform
from report.rows import ROOT, find_row

# isort: split
from mmpose.datasets.transforms.common_transforms import RandomBBoxTransform

SETTINGS = {"shift_prob": 0.0, "scale_factor": (0.65, 1.35), "rotate_factor": 45.0, "rotate_prob": 1.0}


@pytest.mark.parametrize(
    ("kind", "scale", "rotation", "beyond", "ends"),
    [(RandomBBoxTransform, 0.189, 24.3, 0.0, 0.0), (ClippedBBoxTransform, 0.252, 43.0, 0.317, 0.318)],
)
def test_spreads_of_each_reading(kind, scale, rotation, beyond, ends):
    """Of a normal clipped at 1 the sd is 0.7187, at 2 0.9593; 31.7 % lie beyond 1. Truncated at 1 it is 0.5396."""
    np.random.seed(0)  # noqa: NPY002  the generator that mmengine seeds
    step = kind(**SETTINGS)  # kept: its method holds it by a weak reference
    _, scales, turns = step._get_transform_params(200_000)
    assert np.std(scales) == pytest.approx(scale, abs=0.002)
    assert np.std(turns) == pytest.approx(rotation, rel=0.01)
    assert np.mean(np.abs(turns) > 45) == pytest.approx(beyond, abs=0.005)
    assert np.mean((scales <= 0.6501) | (scales >= 1.3499)) == pytest.approx(ends, abs=0.005)
    assert np.abs(turns).max() <= (45 if kind is RandomBBoxTransform else 90)


def test_the_recipe_changes_the_draws_alone():
    row = find_row("t8_micronet_m0")
    own, changed = recipe_config(row, "paper", ROOT), recipe_config(row, "hrnet", ROOT)
    settings = recipe_settings(row, "hrnet", 0)
    steps = [(a, b) for a, b in zip(own.train_dataloader.dataset.pipeline, changed.train_dataloader.dataset.pipeline,
                                    strict=True) if a != b]  # fmt: skip
    ((before, after),) = steps
    assert (before.pop("type"), after.pop("type")) == ("RandomBBoxTransform", "ClippedBBoxTransform")
    assert before == after
    assert settings == {**recipe_settings(row, "paper", 0), "recipe": "hrnet", "augmentation": "clipped"}
    with pytest.raises(PipelineError, match="--recipe hrnet: is of pose only"):
        recipe_settings(find_row("t5_relu"), "hrnet", 0)
