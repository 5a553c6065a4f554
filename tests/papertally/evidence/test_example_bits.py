"""Per-example correctness: what is written is read, altered files are refused, rows are compared by images."""

from __future__ import annotations

import json
from types import SimpleNamespace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import binom

from papertally.evidence.checksum import seal
from papertally.evidence.examples import check_run, example_file, read_examples, write_examples
from papertally.evidence.io import EvidenceError
from papertally.evidence.schema import DataPin
from papertally.verdicts import mcnemar

PIN = DataPin(name="imagenet", pin="0" * 64)


def filed(tmp_path, flags, row="t5_relu", seed=0, **more):
    named = write_examples(
        tmp_path, flags, **{"profile": "paper", "column": "top1", "data": PIN, "recipe": "paper", **more}, row=row,
        seed=seed,
    )  # fmt: skip
    return tmp_path / named.file


@given(flags=st.lists(st.booleans(), min_size=1, max_size=70))
@pytest.mark.slow
def test_every_bit_comes_back(tmp_path_factory, flags):
    found = read_examples(filed(tmp_path_factory.mktemp("e"), flags))
    assert [bool(found.mask >> (len(flags) - 1 - i) & 1) for i in range(len(flags))] == flags
    assert found.percent == pytest.approx(100 * np.mean(flags))


def test_the_size_and_place_of_50000_images(tmp_path):
    path = filed(tmp_path, np.arange(50_000) % 3 == 0, seed=2)
    assert path == example_file(tmp_path, "paper", "t5_relu", 2, "top1", "paper")
    assert path.name == "t5_relu.paper.s2.top1.json"
    assert path.stat().st_size < 9_000


@pytest.mark.parametrize(
    ("change", "fault"),
    [
        ({"correct": 3}, "hash mismatch"),
        ({"correct": 3, "sealed": True}, "correct: 3, the bits count 2"),
        ({"images": 20, "sealed": True}, "1 bytes for 20 images"),
        ({"bits": "Af8=", "sealed": True}, "2 bytes for 4 images"),
        ({"bits": "/w==", "sealed": True}, "1 bytes for 4 images"),  # set bits beyond the last image
        ({"bits": "?", "sealed": True}, "is no base64"),
        ({"images": 10**12, "sealed": True}, "images: "),
        ({"more": 1, "sealed": True}, "more: Extra inputs"),
        ("[", "corrupt JSON"),
        (None, "No such file"),
    ],
)
def test_altered_files_are_refused_by_one_line(tmp_path, change, fault):
    path = filed(tmp_path, [True, False, True, False])
    if change is None:
        path.unlink()
    elif isinstance(change, str):
        path.write_text(change)
    else:
        data = {**json.loads(path.read_text()), **change}
        if data.pop("sealed", False):
            data = seal({k: v for k, v in data.items() if k != "digest"})
        path.write_text(json.dumps(data))
    with pytest.raises(EvidenceError, match=fault) as error:
        read_examples(path)
    assert "\n" not in str(error.value)
    assert "anew" in str(error.value)


def test_nothing_is_no_evidence(tmp_path):
    with pytest.raises(EvidenceError, match="no image was judged"):
        filed(tmp_path, [])


def test_bits_belong_to_the_run_that_reports_them(tmp_path):
    found = read_examples(filed(tmp_path, [True, True, False]))
    run = {"profile": "paper", "row": "t5_relu", "seed": 0, "recipe": "paper", "data": PIN}
    check_run(found, SimpleNamespace(**run, values={"top1": 66.6666}))
    with pytest.raises(EvidenceError, match=r"give 66.667 %, the run reports 33.300 %"):
        check_run(found, SimpleNamespace(**run, values={"top1": 33.3}))
    with pytest.raises(EvidenceError, match="reports nothing"):
        check_run(found, SimpleNamespace(**run, values={}))
    with pytest.raises(EvidenceError, match="of seed 0"):
        check_run(found, SimpleNamespace(**{**run, "seed": 1}, values={"top1": 66.6667}))


@given(st.integers(0, 40), st.integers(0, 40))
def test_mcnemar_is_a_fair_coin_over_what_differs(first, second):
    n = first + second
    expected = min(1.0, 2 * binom.cdf(min(first, second), n, 0.5)) if n else 1.0
    assert mcnemar.exact(first, second) == pytest.approx(expected)


def test_two_rows_are_compared_by_the_images(tmp_path, capsys):
    a = np.array([1] * 90 + [0] * 10, bool)
    b = np.array([0] * 12 + [1] * 80 + [0] * 8, bool)  # 12 right in a alone, 2 in b alone
    one, two = filed(tmp_path, a), filed(tmp_path, b, row="t6_a1")
    found = mcnemar.paired(read_examples(one), read_examples(two))
    assert (found.first, found.second, found.images) == (12, 2, 100)
    assert found.gap == pytest.approx(10)
    assert found.p == pytest.approx(2 * binom.cdf(2, 14, 0.5))
    assert mcnemar.main([str(one), str(two)]) == 0
    assert "+10.00 points on 100 images; 14.0 % are right in one alone (12 and 2)" in capsys.readouterr().out
    other = filed(tmp_path, b, row="t6_a2", data=DataPin(name="imagenet", pin="1" * 64))
    assert mcnemar.main([str(one), str(other)]) == 1
    assert "cannot be compared image by image" in capsys.readouterr().err
    assert mcnemar.main([str(one)]) == 2


bits = st.lists(st.integers(0, 1), min_size=40, max_size=40)


@pytest.mark.slow
@given(st.lists(bits, min_size=1, max_size=3), st.lists(bits, min_size=1, max_size=4))
def test_seeds_are_pooled_by_image(tmp_path_factory, mine, theirs):
    """An image is one toss however many runs there are: which row gets it right in more of as many runs each."""
    root = tmp_path_factory.mktemp("p")
    a, b = (
        [read_examples(filed(root, flags, row=row, seed=seed)) for seed, flags in enumerate(runs)]
        for row, runs in (("t5_relu", mine), ("t6_a1", theirs))
    )
    n = min(len(mine), len(theirs))
    found = mcnemar.pooled(a[::-1], b)  # in whatever order
    score = np.sum(mine[:n], axis=0) - np.sum(theirs[:n], axis=0)
    assert (found.first, found.second, found.seeds) == ((score > 0).sum(), (score < 0).sum(), n)
    assert found.p == pytest.approx(mcnemar.exact(found.first, found.second))
    assert found.gap == pytest.approx(100 * (np.mean(mine[:n]) - np.mean(theirs[:n])))
    if n == 1:
        one = mcnemar.paired(a[0], b[0])
        assert (found.first, found.second, found.p) == (one.first, one.second, one.p)


def test_other_images_are_not_pooled(tmp_path):
    a = read_examples(filed(tmp_path, [True, False]))
    other = read_examples(filed(tmp_path, [True, False], row="t6_a1", data=DataPin(name="imagenet", pin="1" * 64)))
    assert mcnemar.pooled([a], [other]) is None
    assert mcnemar.pooled([a], []) is None
