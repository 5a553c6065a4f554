"""A rerun that finds the same leaves a tracked file as it is; anything else is filed."""

from __future__ import annotations

import json

import pytest

from papertally.evidence.checksum import file_computed, seal
from papertally.evidence.io import remove_others, write_json_atomic

SAID = {"schema": 1, "kind": "claim", "claim": "x", "computed": 3, "detail": "d"}
HERE = {"code_revision": "a" * 40, "environment": {"device": "cpu (x86_64)"}}
THERE = {"code_revision": "b" * 40 + "-dirty", "environment": {"device": "cpu (arm64)"}}


def filed(tmp_path, **changes):
    return file_computed(tmp_path / "x.json", seal({**SAID, **HERE, **changes}))


def test_the_same_found_elsewhere_changes_no_byte(tmp_path):
    assert filed(tmp_path)
    before = (tmp_path / "x.json").read_bytes()
    assert not filed(tmp_path)
    assert not file_computed(tmp_path / "x.json", seal({**SAID, **THERE}))
    assert (tmp_path / "x.json").read_bytes() == before


@pytest.mark.parametrize("change", [{"computed": 4}, {"computed": 3.5}, {"detail": "e"}, {"more": None}, {"schema": 2}])
def test_any_other_result_is_filed(tmp_path, change):
    filed(tmp_path)
    assert file_computed(tmp_path / "x.json", seal({**SAID, **THERE, **change}))
    found = json.loads((tmp_path / "x.json").read_text("utf-8"))
    assert found["code_revision"] == THERE["code_revision"]
    assert found == seal(found)


@pytest.mark.parametrize(
    "damage",
    [
        lambda p: p.unlink(),
        lambda p: p.write_text("{"),
        lambda p: p.write_text("[1]"),
        lambda p: p.write_bytes(b"\xff\xfe"),
        lambda p: write_json_atomic(p, {**json.loads(p.read_text("utf-8")), "digest": "0" * 64}),
        lambda p: write_json_atomic(p, {**json.loads(p.read_text("utf-8")), **THERE}),  # edited: its seal is broken
    ],
)
def test_a_damaged_file_is_replaced(tmp_path, damage):
    filed(tmp_path)
    damage(tmp_path / "x.json")
    assert filed(tmp_path)
    assert json.loads((tmp_path / "x.json").read_text("utf-8")) == seal({**SAID, **HERE})


def test_tuples_and_lists_say_the_same(tmp_path):
    assert filed(tmp_path, computed=(1, (2, 3)))
    assert not filed(tmp_path, computed=[1, [2, 3]])


def test_results_of_rows_that_are_gone_are_removed(tmp_path):
    for name in ("a", "b", "c"):
        write_json_atomic(tmp_path / f"{name}.json", {})
    assert remove_others(tmp_path, {"a", "c"}) == ["b.json"]
    assert sorted(p.stem for p in tmp_path.iterdir()) == ["a", "c"]
    assert remove_others(tmp_path / "none", {"a"}) == []
