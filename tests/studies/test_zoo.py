"""A few of the zoo's networks, and that the study sees a count that is wrong."""

from __future__ import annotations

import json

import pytest
from helpers import ROOT

from studies import zoo

FAMILIES = {
    "convolutions": "mobilenetv2_050", "squeeze": "mobilenetv3_small_050", "grouped": "regnetx_002",
    "weights made over": "resnetv2_50x1_bit", "attention": "vit_tiny_patch16_224",
    "windows": "swin_tiny_patch4_window7_224", "mixers": "mixer_s32_224", "both": "mobilevit_xxs",
    "two heads": "levit_conv_128s", "functional": "gcvit_xxtiny",
}  # fmt: skip


@pytest.mark.slow
@pytest.mark.parametrize("name", FAMILIES.values(), ids=FAMILIES.keys())
def test_counts_equal_others(name):
    found = zoo.held("any", name)
    assert found.params == found.params_independent
    assert found.macs == found.macs_independent >= found.modules_independent
    assert not found.unknown


@pytest.mark.slow
def test_a_wrong_count_is_seen(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(zoo, "PRODUCTS", ("conv",))
    assert zoo.main(["--only", "mobilenetv2_050", "--out", str(tmp_path / "zoo.json")]) == 3
    assert "differs: mobilenetv2_050 +0 params -1280000 MACs" in capsys.readouterr().out
    assert json.loads((tmp_path / "zoo.json").read_text())["summary"]["equal"] == 0


def test_the_filed_zoo_is_wide_and_equal():
    found = json.loads((ROOT / "results/zoo.json").read_text())
    assert found["summary"]["networks"] >= 300
    assert found["summary"]["families"] >= 60
    assert all(r["equal"] for r in found["rows"])
    assert all(
        (r["params"], r["macs"]) == (r["params_independent"], r["macs_independent"]) for r in found["rows"]
    )  # fmt: skip
    assert len({tuple(r["input"]) for r in found["rows"]}) > 5
