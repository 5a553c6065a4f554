"""Evidence of any content is a problem on the page or one line; never a traceback, and never a wrong count."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import synthetic
from hypothesis import given, settings
from hypothesis import strategies as st

from papertally.evidence.checksum import seal
from papertally.evidence.io import EvidenceError, read_json
from papertally.evidence.read import read_evidence
from papertally.evidence.schema import Rules, read_form
from report.__main__ import main

FILES = (
    "results/cost/one_plain.json", "results/cost/rules.json", "results/claims/count.json",
    "results/mini/one_plain.json", "results/proxy/two_half.paper.s0.json", "results/paper/one_wide.paper.s1.json",
    "results/figures/figure_2.json", "results/figures/figure_3.json", "results/bench/cpu.json",
)  # fmt: skip
VALUES = (
    None, True, -1, 0, 2**62, 10**18, 1e308, -1e308, 5e-324, "", "x", "a\0b", "é\n\x07", "../../x", "/", [], [[]], {},
    [None],
    {"": 1}, [1e308, -1e308], "\u202e", "1" * 300, [1, "x"], {"a": {"b": [1]}},
)  # fmt: skip
TEXTS = {
    "deep list": "[" * 100_000 + "]" * 100_000, "deep mapping": '{"a":' * 100_000 + "1" + "}" * 100_000,
    "deep within": '{"schema": ' + "[" * 80 + "]" * 80 + "}", "NaN": '{"schema": NaN}', "inf": '{"schema": -Infinity}',
    "1e999": '{"schema": 1e999}', "long number": '{"schema": ' + "9" * 5000 + "}",
    "long": '{"schema": ' + "9" * 25 + "}",
    "twice": '{"schema": 1, "schema": 1}', "half a pair": '{"schema": "\\ud800"}', "empty": "", "null": "null",
    "a": '"a"',
    "BOM": "\ufeff{}", "cut": '{"schema": 1, "ki', "two": "{} {}", "comment": "// x\n{}", "single": "{'schema': 1}",
    "control": '{"schema": "\x01"}', "trailing": '{"schema": 1,}', "nothing": "\0\0\0", "mapping": '{"a\\nb": 1}',
}  # fmt: skip


@pytest.fixture(scope="module")
def root(tmp_path_factory) -> Path:
    return synthetic.write(tmp_path_factory.mktemp("toy"))


def paths_of(value: Any, path: tuple = ()) -> list[tuple]:
    """Return the path of every value within JSON."""
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return [path] * bool(path) + [found for key, child in items for found in paths_of(child, (*path, key))]


def changed(content: Any, path: tuple, value: Any) -> Any:
    """Return evidence with another value at a path, sealed as a stage would."""
    content = json.loads(json.dumps(content))
    inner = content
    for key in path[:-1]:
        inner = inner[key]
    inner[path[-1]] = value
    return seal({k: v for k, v in content.items() if k != "digest"}) if "digest" in content else content


def report(root: Path, name: str, content: bytes, capsys) -> tuple[int, list[str]]:
    """Return the report's exit code and stderr's lines for a checkout with another file."""
    path = root / name
    before = path.read_bytes()
    path.write_bytes(content)
    try:
        code = main([], root=root)
    finally:
        path.write_bytes(before)
    return code, capsys.readouterr().err.splitlines()


@pytest.mark.parametrize("text", TEXTS)
def test_json_that_no_stage_writes_is_refused_in_one_line(tmp_path, text):
    path = tmp_path / "x.json"
    path.write_text(TEXTS[text], "utf-8")
    with pytest.raises(EvidenceError) as caught:
        read_form(path, "x.json", Rules)
    assert str(caught.value).startswith("x.json: ")
    assert str(caught.value).isprintable()


@pytest.mark.parametrize("content", [b"\xff\xfe", b'{"a": "\xe9"}', b"\x00"])
def test_bytes_that_are_no_utf_8_are_refused(tmp_path, content):
    (tmp_path / "x.json").write_bytes(content)
    with pytest.raises(EvidenceError, match="x.json: corrupt JSON"):
        read_form(tmp_path / "x.json", "x.json", Rules)


@given(st.recursive(st.none() | st.booleans() | st.integers(-(10**17), 10**17) | st.floats(-1e9, 1e9) | st.text(
    st.characters(exclude_categories=["Cs"])), lambda v: st.lists(v) | st.dictionaries(
        st.text(st.characters(exclude_categories=["Cs"])), v), max_leaves=20))  # fmt: skip
@pytest.mark.slow
def test_what_stages_write_reads_back(tmp_path_factory, value):
    path = tmp_path_factory.getbasetemp() / "value.json"
    path.write_text(json.dumps(value, ensure_ascii=False), "utf-8")
    assert read_json(path) == value


@pytest.mark.slow
@pytest.mark.parametrize("name", FILES)
@pytest.mark.parametrize("text", ["deep list", "1e999", "long", "twice", "half a pair", "NaN", "empty"])
def test_the_report_names_the_file_in_one_line(root, capsys, name, text):
    code, lines = report(root, name, TEXTS[text].encode("utf-8"), capsys)
    ours = [line for line in lines if name in line]
    assert len(ours) == 1
    assert (code, ours[0].startswith("warning: ")) in ((0, True), (1, False))
    assert len(lines) <= 2  # the toy paper's own corrupt file is the other


@settings(max_examples=25)
@given(data=st.data())
@pytest.mark.slow
def test_any_value_anywhere_in_evidence_is_read_or_one_line(root, data):
    name = data.draw(st.sampled_from(FILES))
    content = json.loads((root / name).read_text("utf-8"))
    path = data.draw(st.sampled_from(paths_of(content)))
    before = (root / name).read_bytes()
    value = data.draw(st.sampled_from(VALUES))
    (root / name).write_bytes(json.dumps(changed(content, path, value)).encode())
    try:
        assert main([], root=root) in (0, 1)
    finally:
        (root / name).write_bytes(before)


@pytest.mark.parametrize("name", ["cost", "claims", "mini", "proxy", "paper"])
def test_a_folder_that_cannot_be_listed_is_no_lack_of_evidence(tmp_path, name):
    assert read_evidence(tmp_path).problems == []  # no folder at all: nothing has run
    (tmp_path / "results").mkdir()
    (tmp_path / "results" / name).write_text("x")
    with pytest.raises(EvidenceError, match=f"results/{name}: cannot be listed .*; mend its permissions"):
        read_evidence(tmp_path)
