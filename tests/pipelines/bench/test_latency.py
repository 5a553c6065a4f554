"""Latencies: ratios within rounds, intervals that hold the median, partners by printed MAdds, one real measurement."""

from __future__ import annotations

import json
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError
from torch import nn

from papertally.evidence.bench import Latency
from pipelines.bench import latency
from pipelines.bench import run as bench
from pipelines.common import PipelineError


@given(st.lists(st.floats(0.1, 10), min_size=6, max_size=60), st.floats(0.5, 0.999))
def test_an_interval_is_the_shortest_that_holds_the_median_often_enough(values, level):
    """Counted anew over all 2^n ways of lying below or above: the chance that either end is on the wrong side."""
    n = len(values)
    try:
        middle, low, high = latency.median_interval(values, level)
    except ValueError:
        assert 2 / 2**n > 1 - level
        return
    assert low <= middle <= high
    outside = sorted(values).index(low)  # values left out at the lower end, where none repeats

    def missed(left_out):
        return 2 * sum(math.comb(n, k) for k in range(left_out + 1)) / 2**n

    if len(set(values)) == n:
        assert missed(outside) <= 1 - level + 1e-12
        assert outside + 1 > n // 2 or missed(outside + 1) > 1 - level


def test_ratios_are_of_one_round_so_that_a_slow_round_does_not_count():
    seconds = {("a", "x"): [2.0, 20.0, 2.0, 2.0, 2.0, 2.0], ("b", "x"): [1.0, 10.0, 1.0, 1.0, 1.0, 1.0]}
    assert latency.ratios(seconds, [("a", "b")], ["x"]) == [
        {"of": "a", "to": "b", "runtime": "x", "ratio": 2.0, "low": 2.0, "high": 2.0}
    ]


def test_turns_take_the_fastest_call(monkeypatch):
    ticks = iter([0, 5, 10, 12, 20, 29])
    assert latency.fastest(lambda: None, 3, lambda: next(ticks)) == 2


def test_partners_print_the_same_madds():
    printed = latency.printed_madds(latency.default_rows())
    found = latency.pairs(latency.OURS, printed)
    assert ("t2_micronet_m1", "t2_mobilenetv3_0_35") in found
    assert ("t2_micronet_m3", "t2_ghostnet_0_5") in found
    assert ("t2_micronet_m3", "t2_shufflenetv2_0_5") in found
    assert ("t2_micronet_m1", "t2_mobilenetv3_bft_0_5") not in found  # 12M, 15M
    assert all(abs(math.log(printed[a] / printed[b])) <= math.log(latency.SAME) for a, b in found)


@pytest.mark.slow
def test_a_measurement_is_filed_whole(tmp_path, capsys, monkeypatch):
    """Of a small network in a row's place: writing a whole one takes ten times as long."""
    pytest.importorskip("onnxruntime")
    pytest.importorskip("onnxscript")
    small = nn.Sequential(nn.Conv2d(3, 4, 3, 8), nn.BatchNorm2d(4), nn.ReLU(), nn.AdaptiveAvgPool2d(1)).eval()
    monkeypatch.setattr(latency, "row_network", lambda row: small)
    monkeypatch.setattr(latency, "TURN", 0.0)
    out = tmp_path / "latency.json"
    assert bench.main(["latency", "--rounds", "6", "--rows", "t2_mobilenetv3_0_2", "--out", str(out)]) == 0
    found = Latency.model_validate(json.loads(out.read_text()))
    assert found.reference == "t2_mobilenetv3_0_2"
    assert set(found.ms["t2_mobilenetv3_0_2"]) == {"torch", "onnxruntime"}
    assert "one thread, one image" in capsys.readouterr().out


def test_bad_arguments_are_named():
    with pytest.raises(PipelineError, match="at least 6"):
        latency.main(["--rounds", "5"])
    with pytest.raises(PipelineError, match="no config of t2_none"):
        latency.main(["--rows", "t2_none"])


def test_a_file_of_what_was_not_measured_is_refused():
    base = {
        "schema": 1, "kind": "latency", "hardware": "h", "threads": 1, "batch_size": 1, "rounds": 7, "load": None,
        "runtimes": ["torch"], "reference": "a", "ours": [], "ms": {"a": {"torch": 1.0}}, "ratios": [],
        "code_revision": "r", "environment": {},
    }  # fmt: skip
    Latency.model_validate(base)
    for of, low, match in (("b", 1.0, "was not measured"), ("a", 3.0, "does not hold")):
        ratio = {"of": of, "to": "a", "runtime": "torch", "ratio": 2.0, "low": low, "high": 4.0}
        with pytest.raises(ValidationError, match=match):
            Latency.model_validate({**base, "ratios": [ratio]})
