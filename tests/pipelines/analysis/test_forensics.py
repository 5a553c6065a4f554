"""Edits are counted as the model would be, tried by kind, and none reaches totals that it does not have."""

from __future__ import annotations

import pytest
from helpers import MICRONET

from papertally.evidence.forensics import read_forensics
from papertally.ledger.load import load_ledger
from pipelines.analysis import forensics
from pipelines.analysis.cost import restructured
from pipelines.common import ROOT, load_config
from registry.arch import ARCHS, get_arch
from registry.cost.models import model_cost

LEDGER = load_ledger(MICRONET)
AXES = {axis.id: list(axis.values) for axis in LEDGER.conventions.structure}


@pytest.mark.parametrize(
    ("row", "arch", "size"),
    [("t2_micronet_m3", "m3", (224, 224)), ("t8_micronet_m2", "pose_m2", (256, 192))],
)
def test_structures_cost_what_the_models_closed_form_says(row, arch, size):
    config, seen = load_config(row, plugins=False).model, 0
    for structure, params, terms in forensics.structures(ARCHS[arch], arch, AXES):
        if structure["reduction"] in (5, 16):
            cost = model_cost(restructured(config, structure), size)
            assert (params, {k: n for k, n in terms().items() if n}) == (cost.params, cost.named()), structure
            seen += 1
    assert seen in (8, 24)


def test_edits_are_of_the_named_kinds_and_change_what_they_say():
    arch, numbers = ARCHS["m2"], forensics._numbers(LEDGER, "1")
    assert numbers["kernel"] == [3, 5]
    assert 36 in numbers["squeeze"]
    found = list(forensics.edits(arch, numbers))
    assert [found[0][0], found[0][2]] == ["none", arch]
    order = [forensics.KINDS.index(kind) for kind, _, _ in found]
    assert order == sorted(order)
    assert len({edited for _, _, edited in found}) == len(found)
    for kind, words, edited in found[1:]:
        different = [(a, b) for a, b in zip(arch.blocks, edited.blocks, strict=True) if a != b]
        assert len(different) == (2 if "moves" in words[0] else 1)
        assert len(words) == (2 if kind == "two cells of a row" else 1)


def test_a_misprint_that_we_plant_is_found():
    """M1's own totals, from M1 with one cell changed: the search must lead back."""
    from dataclasses import replace

    from papertally.evidence.read import read_evidence

    blocks = list(get_arch("m1").blocks)
    blocks[4] = replace(blocks[4], kernel=3)
    ARCHS["planted"] = replace(get_arch("m1"), blocks=tuple(blocks))
    try:
        case = forensics.Case("planted", "t2_micronet_m1", "planted", "1", ("reduction", "k_linear", "hidden"))
        numbers = {**dict.fromkeys(("channels", "squeeze", "g1", "g2"), []), "kernel": [3, 5]}
        edits = list(forensics.edits(ARCHS["planted"], numbers))
        assert ("one cell", ["block 5: k 3 -> 5"]) in [(kind, words) for kind, words, _ in edits]
        back = next(edited for _, words, edited in edits if words == ["block 5: k 3 -> 5"])
        assert back.blocks == get_arch("m1").blocks
        wanted = LEDGER.cell("t2_micronet_m1", "params").interval
        assert any(params in wanted for _, params, _ in forensics.structures(back, "m1", AXES))
        assert forensics.against(LEDGER, case, 2_394_648, {"hidden": 1024}, back) == ""
        mask, _ = forensics.admissible(LEDGER, read_evidence(ROOT))
        assert 0 < mask.sum() < mask.size
    finally:
        del ARCHS["planted"]


def test_what_is_filed_says_how_many_were_tried():
    found = {f.row: f for f in read_forensics(ROOT, ROOT / "results")}
    assert set(found) == {"t2_micronet_m2", "t2_micronet_m3", "t8_micronet_m2"}
    for of in found.values():
        assert [s.kind for s in of.sizes] == list(forensics.KINDS)
        assert all(s.tried >= s.built >= s.reached >= s.uncontradicted for s in of.sizes)
    m3 = found["t2_micronet_m3"]
    assert sum(s.uncontradicted for s in m3.sizes) == 0  # Table 9's total is below every such backbone
    assert all("Table 9" in e.against for e in m3.edits)
