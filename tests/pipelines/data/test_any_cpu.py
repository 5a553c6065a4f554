"""What the product draws, computes and commits is the same on every CPU: tried under other CPUs' code paths.

Libraries choose their code by the CPU, and variables let one machine take another's choice. Found to depend on it:
- OpenCV's floating-point resize (Intel IPP's dispatch: three results on one machine). Nothing drawn uses it. mmpose's
  and mmsegmentation's own transforms do, so that even the pixels a net trains on differ in the last place.
- libm's sin, exp, log and pow (glibc picks FMA forms), NumPy's transcendental functions, Generator.normal and uniform
  (the compiler may fuse), matrix products, torch.randn (the 7th digit), LAPACK's ranks. Nothing committed rests on
  them: sets are drawn in integers, costs are integers, figures' curves decimals, statements' random weights multiples
  of 1/128, whose sums double precision holds exactly, with ranks by exact elimination.
- Everything trained: the first steps differ, and with them curves, scores, checkpoints and drawn predictions. Such
  values are compared by margins with an interval, or within one machine, where all runs take the same path.
- torchvision's resize of uint8 (floats without AVX2: a level of 255). A packed ImageNet's validation images are resized
  where it is packed, so they may differ by a level from a folder's, read on another CPU. Within one process they agree.
- Pillow's Lanczos weights (libm's sin, rounded to 22 bits): the photographs of `pipelines.data.photos`, on which only
  speed is measured, could differ in principle; in no setting below do they.
- Throughput, of course: results/bench and results/input are measurements of the machine that they name.
Encoders and decoders do not: libjpeg-turbo's SIMD is exact (Pillow's takes JSIMD_FORCENONE, OpenCV's does not), and PNG
is lossless. Pins are over pixels and annotations all the same, never over encoded files.
"""

from __future__ import annotations

import json
import math
import os
import subprocess
import sys

import cv2
import numpy as np
import portable
import pytest
from helpers import ROOT
from hypothesis import given
from hypothesis import strategies as st

from pipelines.common import load_params
from pipelines.data import people
from pipelines.data.drawn import byte, enlarge, noise

#: Pins of two training and two validation images by seed 3, on whatever CPU.
SMALL = {
    "people": "cd63cf88dc96bb7bf306a74b755e73a51e85a450bb23b2426d8b984ea62f3565",
    "streets": "e32f8fad1940951dac60329e51d9f0d6f36cf4d30f38d983bed27d07a30b176b",
}


def opencv_features() -> str:
    """Return what OpenCV found here beyond its baseline, as OPENCV_CPU_DISABLE takes it ('*AVX2' is on, '?' absent)."""
    words = cv2.getCPUFeaturesLine().split()
    return ",".join(w[1:] for w in words if w.startswith("*") and not w.endswith("?"))


def numpy_features() -> str:
    """Return what NumPy found here beyond its baseline, as NPY_DISABLE_CPU_FEATURES takes it."""
    return ",".join(np.show_config(mode="dicts")["SIMD Extensions"].get("found", []))


GLIBC = "glibc.cpu.hwcaps=-AVX,-AVX2,-AVX512F,-AVX2_Usable,-FMA,-FMA_Usable,-FMA4"
SETTINGS: dict[str, dict[str, str]] = {
    "plain": {},
    "ipp sse42": {"OPENCV_IPP": "sse42"},
    "ipp disabled": {"OPENCV_IPP": "disabled"},
    "opencv baseline": {"OPENCV_CPU_DISABLE": opencv_features()},
    "numpy baseline": {"NPY_DISABLE_CPU_FEATURES": numpy_features()},
    "torch default": {"ATEN_CPU_CAPABILITY": "default", "ONEDNN_MAX_CPU_ISA": "SSE41", "OMP_NUM_THREADS": "2"},
    "libm and jpeg without simd": {"GLIBC_TUNABLES": GLIBC, "JSIMD_FORCENONE": "1", "OPENBLAS_CORETYPE": "Nehalem"},
    # torch itself cannot be imported from a path that such a locale cannot name
    "another place": {"LC_ALL": "C", "TZ": "Asia/Tokyo", "PYTHONHASHSEED": "5"}
    | ({"PYTHONUTF8": "0"} if str(ROOT).isascii() else {}),
}
#: All of another CPU at once.
OTHER = {k: v for name in list(SETTINGS)[2:] for k, v in SETTINGS[name].items()}


def under(settings: dict[str, str], *command: str) -> dict:
    """Run tests/portable.py under these settings alone of their kind, the repository's code first."""
    kept = {k: v for k, v in os.environ.items() if k not in {k for s in SETTINGS.values() for k in s}}
    path = os.pathsep.join([str(ROOT), str(ROOT / "tests")])
    environment = {"OMP_NUM_THREADS": "1", **kept, "PYTHONPATH": path, **{k: v for k, v in settings.items() if v}}
    line = [sys.executable, "-m", "portable", *command]
    ran = subprocess.run(line, cwd=ROOT, env=environment, capture_output=True, text=True)
    assert ran.returncode == 0, ran.stderr
    return json.loads(ran.stdout)


@pytest.fixture(scope="module")
def plain(tmp_path_factory):
    return under({}, "small", str(tmp_path_factory.mktemp("plain")))


@pytest.mark.parametrize("name", SMALL)
def test_small_sets_are_the_same_on_every_machine(name, tmp_path):
    assert portable.DRAWN[name](tmp_path / name, train=2, val=2, seed=3) == SMALL[name]


@pytest.mark.slow
@pytest.mark.long
@pytest.mark.parametrize("name", [name for name in SETTINGS if name != "plain"])
def test_every_set_is_the_same_bytes_under(name, plain, tmp_path):
    if "" in SETTINGS[name].values():
        pytest.skip("this CPU has nothing beyond the library's baseline")
    assert len(plain) == 7  # three pins, four folders
    assert under(SETTINGS[name], "small", str(tmp_path)) == plain


@pytest.mark.slow
@pytest.mark.xdist_group("test_pinned_on_another_cpu")
@pytest.mark.long
def test_the_pinned_sets_are_drawn_on_another_cpu(tmp_path):
    pins = {name: known["pin"] for name, known in load_params()["data"].items()}
    assert under(OTHER, "pinned", str(tmp_path)) == pins


@pytest.mark.slow
@pytest.mark.xdist_group("test_values_on_another_cpu")
@pytest.mark.long
def test_statements_figures_and_costs_are_the_committed_ones_here_and_on_another_cpu():
    """The committed files may come from another machine; a manifest of real data adds statements of its own."""
    other = under(OTHER, "values")
    assert {name.partition("/")[0] for name in other} == {"claims", "figures", "cost"}
    assert other == portable.values()
    for name, value in other.items():
        if (path := ROOT / f"results/{name}.json").is_file():
            assert portable.found(json.loads(path.read_text("utf-8"))) == value, name


def test_no_sine_can_be_tipped_by_libm():
    """No sine's rounding lies nearer to a half than a hundred thousand times libm's error, in units of 1 / UNIT."""
    for degrees in range(360):
        exact = people.UNIT * math.sin(math.radians(degrees))
        assert abs(abs(exact) % 1 - 0.5) > 1e-4
        assert people._sine(degrees) == round(exact)


@pytest.mark.slow
@given(st.integers(1, 9), st.integers(1, 9), st.integers(9, 60), st.integers(9, 60), st.integers(0, 1000))
def test_enlarging_is_opencvs_rounded_down(rows, columns, height, width, seed):
    grid = np.random.default_rng(seed).integers(0, 256, (rows, columns, 3))
    expected = cv2.resize(grid.astype(np.float64), (width, height), interpolation=cv2.INTER_LINEAR)
    difference = expected - enlarge(grid, height, width)
    assert difference.min() > -0.01
    assert difference.max() < 1.01


def test_noise_is_bell_shaped_and_small():
    values = noise(np.random.default_rng(0), 6, (100_000,))
    assert abs(values.mean()) < 0.1
    assert values.std() == pytest.approx(6.5, abs=0.1)
    assert abs(values).max() <= 18
    assert byte(np.array([-3, 0, 255, 300])).tolist() == [0, 0, 255, 255]
