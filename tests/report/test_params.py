"""Every value of params.yaml is checked; stages and report say the same one line with file and line."""

from __future__ import annotations

import copy
import re
import shutil
from functools import lru_cache
from pathlib import Path

import pytest
import yaml
from helpers import ROOT
from hypothesis import given, settings
from hypothesis import strategies as st

from papertally.evidence.settings import SettingsError
from pipelines.common import PipelineError, guard, load_params
from report.__main__ import main as report
from report.params import Params
from report.settings import data_pins, load_settings


@lru_cache
def text() -> str:
    return (ROOT / "params.yaml").read_text("utf-8")


@lru_cache
def params() -> dict:
    return yaml.safe_load(text().replace("1e-", "1.0e-"))


@pytest.fixture(scope="module")
def root(tmp_path_factory) -> Path:
    """Return a folder with the ledger alone, in which params.yaml can be anything."""
    folder = tmp_path_factory.mktemp("params")
    shutil.copytree(ROOT / "papers", folder / "papers", ignore=shutil.ignore_patterns("*.py", "__pycache__"))
    return folder


def fault(root: Path, content: str | bytes) -> str | None:
    """Return the one line that stages and report give for a file, or None; they give the same."""
    (root / "params.yaml").write_bytes(
        content if isinstance(content, bytes) else content.encode("utf-8", "surrogatepass")
    )
    found = []
    for error, use in ((PipelineError, load_params), (SettingsError, load_settings), (SettingsError, data_pins)):
        try:
            use(root)
            found.append(None)
        except error as caught:
            found.append(str(caught))
    assert len(set(found)) == 1
    if found[0] is not None:
        assert found[0].isprintable()
        assert re.match(r"params\.yaml:\d+: ", found[0]), found[0]
    return found[0]


def set_at(tree: dict, path: tuple, value) -> dict:
    tree = copy.deepcopy(tree)
    inner = tree
    for key in path[:-1]:
        inner = inner[key]
    inner[path[-1]] = value
    return tree


def test_the_repositorys_own_file_is_sound(root):
    assert fault(root, text()) is None
    assert load_params(ROOT) == params()


MINI = ("mini", "classification")
CASES = [
    # where, value as YAML, what the line says
    (MINI, "lr", "'0.1'", '"0.1" is text; write 0.1'), (MINI, "lr", "-0.1", "out of range; write a number above 0"),
    (MINI, "lr", "0", "above 0"), (MINI, "lr", ".nan", "not finite"), (MINI, "lr", ".inf", "not finite"),
    (MINI, "lr", "nan", '"nan" is text'), (MINI, "lr", "true", "true is not a number"), (MINI, "lr", "", "is empty"),
    (MINI, "lr", "[0.1]", "is a list"), (MINI, "lr", "1e400", "not finite"), (MINI, "lr", "0,1", '"0,1" is text'),
    (MINI, "lr", "1e-1x", '"1e-1x" is text'), (MINI, "lr", "2020-01-01", "a date to YAML"),
    (MINI, "lr", ".1e0", '".1e0" is text; write 0.1'), (MINI, "lr", "'1_0.5'", "write 10.5"),
    (("data", "people"), "seed", "4294967296", "below 4294967296"),
    (MINI, "epochs", '"6"', '"6" is text; write 6'), (MINI, "epochs", "2.5", "2.5 is no whole number"),
    (MINI, "epochs", "6.0", "6.0 is no whole number; write 6"), (MINI, "epochs", "0", "of at least 1"),
    (MINI, "epochs", "1:30", '"1:30" is text'), (MINI, "epochs", "true", "true is not a whole number"),
    (MINI, "epochs", "1e99", "is no whole number"), (MINI, "epochs", "9" * 40, "out of range"),
    (MINI, "epochs", "9" * 5000, "too long a number"), (MINI, "seed", "-1", "of at least 0"),
    (MINI, "seed", "4294967296", "of at most 400000"), (MINI, "batch_size", "0", "of at least 2"),
    (MINI, "batch_size", "1", "of at least 2"), (MINI, "image_size", "32px", '"32px" is text'),
    (MINI, "image_size", "0", "of at least"), (MINI, "image_size", "[32, 32]", "is a list"),
    (MINI, "classes", "1", "of at least 2"), (MINI, "weight_decay", "-1", "of at least 0"),
    (MINI, "weight_decay", "3.0e5", "below 1"), (MINI, "threads", "0", "of at least 1"),
    (MINI, "threads", "auto", "is text"),
    (MINI, "folder", '""', "is empty"), (MINI, "folder", "/etc", "no folder of this repository"),
    (MINI, "folder", "../x", "no folder of this repository"), (MINI, "folder", "3", "is a number; write it in quotes"),
    (MINI, "data", "digit", "no set 'digit' under data"), (MINI, "data", "5", "write it in quotes"),
    (("mini", "pose"), "input_size", "[64]", "has 1 entries"), (("mini", "pose"),
    "input_size", "[64, 96, 3]", "has 3 entries"),
    (("mini", "pose"), "input_size", "64x96", "is text; write a list"), (("mini", "pose"),
    "input_size", "[64, 90]", "write 96"),
    (("mini", "pose"), "input_size", "[64, '96']", '"96" is text; write 96'), (("mini", "pose"),
    "sigma", "0", "above 0"),
    (("mini", "segmentation"), "input_size", "[256, 0]", "of at least 32"),
    (("mini", "segmentation"), "anneal_epochs", "-5", "of at least 1"),
    (("paper",), "seeds", "[0, 1, 1]", "seed 1 stands twice"), (("paper",), "seeds", "[]", "has 0 entries"),
    (("paper",), "seeds", "3", "write a list"), (("paper",), "seeds", "[0, -1]", "of at least 0"),
    (("paper",), "seeds", "[0, '1']", '"1" is text; write 1'), (("proxy",), "seeds", "[0.5]", "no whole number"),
    (("proxy", "train"), "image_size", "64", "is not 32"), (("proxy",),
    "pin", "0x123", "is a number; write it in quotes"),
    (("data", "digits"), "pin", "abc", "is no sha256"), (("data", "people"), "pin", "g" * 64, "is no sha256"),
    (("data", "people"), "pin", "A" * 64, "is no sha256"), (("data", "people"), "train", "0", "of at least 1"),
    (("data", "people"), "seed", "-1", "of at least 0"), ((), "profile", "big", "is not 'mini', 'proxy' or 'paper'"),
    ((), "profile", "", "is not 'mini'"), ((), "mini", "", "is empty; write keys with values"),
    (("mini",), "pose", "", "is empty"), (("mini",), "first", "t3_dw", "is text; write a list"),
    (("mini",), "first", "[3]", "write it in quotes"), (("mini",), "first", "[t3_dw, t3_dw]", "'t3_dw' stands twice"),
    (("mini",), "first", "[t3_none]", "no row 't3_none' in the ledger"),
    (("proxy",), "rows", "[t5_relu, t5_relu]", "'t5_relu' stands twice under proxy.rows"),
    (("proxy",), "rows", "[t8_micronet_m0]", "is of pose; proxy.rows takes rows of classification"),
    (("proxy",), "rows", "{t5_relu: 1}", "write a list"),
]  # fmt: skip


@pytest.mark.slow
@pytest.mark.parametrize(("where", "key", "value", "message"), CASES, ids=lambda v: str(v)[:24])
def test_a_wrong_value_is_named_with_its_line(root, where, key, value, message):
    marker = "vvvv"
    changed = yaml.safe_dump(set_at(params(), (*where, key), marker), sort_keys=False)
    line = next(i for i, text_line in enumerate(changed.split("\n"), start=1) if marker in text_line)
    error = fault(root, changed.replace(marker, value))
    assert message in error
    assert error.startswith(f"params.yaml:{line}: ")


@pytest.mark.slow
@pytest.mark.parametrize(
    ("value", "read"),
    [
        ("1e-1", 0.1),
        (".5", 0.5),
        ("1.", 1.0),
        ("1", 1),
        ("0x1", 1),
        ("0o1", 1),
        ("01", 1),
        ("1_0.5", 10.5),
        ("5e-324", 5e-324),
    ],
)
def test_numbers_are_read_as_dvc_reads_them(root, value, read):
    assert fault(root, text().replace("    lr: 0.1", f"    lr: {value}", 1)) is None
    found = load_params(root)["mini"]["classification"]["lr"]
    assert (found, type(found)) == (read, type(read))
    from dvc.utils.serialize import load_yaml

    assert load_yaml(str(root / "params.yaml")) == load_params(root)


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("profile: mini\n", "", "key 'profile' is missing"),
        ("profile: mini\n", "profil: mini\n", "unknown key 'profil'"),
        ("profile: mini\n", "profile: mini\nprofile: paper\n", "'profile' stands twice"),
        ("    val: 80\n", "", "'data.people.val' is missing"),
        ("    val: 80\n", "\tval: 80\n", "not valid YAML"),
        ("    weight_decay: 3.0e-5\n", "", "weight_decay' is missing"),
        ("    epochs: 4\n", "    epochs: 4\n    momentum: 0.9\n", "unknown key 'mini.classification.momentum'"),
        ("    lr: 0.1\n", "    lr: &l 0.1\n    seed: *l\n", "seed"),
        ("    lr: 0.1\n", "    lr: !float 0.1\n", "tags are not read"),
        ("mini:\n", "maxi:\n", "unknown key 'maxi'"),
        ("  pose:", "  poses:", "unknown key 'mini.poses'"),
        ("  first: [", "  first: [t8_x, ", "no row 't8_x' in the ledger"),
    ],
)
def test_a_wrong_shape_is_named(root, old, new, message):
    assert old in text()
    assert message in fault(root, text().replace(old, new, 1))


@pytest.mark.parametrize(
    "content",
    ["", "- a\n", "text", "3", "~\n", "{}", "[" * 100_000, "a: &a [*a]", "? [a]\n: b", "a: \0", b"\xff\xfe",
    "---\na: 1\n---\n",
     b"a: \xe9", "%YAML 1.1\n---\na: 1", "a: [=]", "a: 2020-13-45", "profile: mini\nrows: 5", "<<: {a: 1}"],
)  # fmt: skip
def test_another_file_altogether_is_one_line(root, content):
    assert fault(root, content)


@pytest.mark.slow
def test_bom_crlf_and_merges_are_read(root):
    for content in ("\ufeff" + text(), text().replace("\n", "\r\n")):
        assert fault(root, content) is None
        assert load_params(root) == params()
    shared = "common: &c {threads: 1}\n"
    assert "unknown key 'common'" in fault(root, text() + shared)
    before, mini = text().split("mini:\n", 1)
    mini = mini.replace("    data: digits", "    <<: {lr: 1, seed: 5}\n    data: digits", 1).replace(
        "    seed: 0\n", "", 1
    )
    merged = f"{before}mini:\n{mini}"
    assert fault(root, merged) is None
    found = load_params(root)["mini"]["classification"]
    assert (found["lr"], found["seed"]) == (0.1, 5)


def leaves(tree, path=()):
    """Return the path of every value, lists' entries apart."""
    if isinstance(tree, dict):
        return [found for key, value in tree.items() for found in leaves(value, (*path, key))] + (
            [path] if path else []
        )
    return [path]


@given(data=st.data())
@settings(max_examples=60)
@pytest.mark.slow
def test_any_other_value_anywhere_is_sound_or_one_line(root, data):
    path = data.draw(st.sampled_from(leaves(params())))
    value = data.draw(
        st.one_of(
            st.none(), st.booleans(), st.integers(), st.floats(), st.text(max_size=20), st.lists(st.integers(),
            max_size=3),
            st.dictionaries(st.text(max_size=5), st.integers(), max_size=2),
        )
    )  # fmt: skip
    fault(root, yaml.safe_dump(set_at(params(), path, value), sort_keys=False, allow_unicode=True))


def test_report_and_stages_exit_with_one_line(checkout, capsys, monkeypatch):
    path = checkout / "params.yaml"
    path.write_text(text().replace("    lr: 0.1", "    lr: fast", 1))
    assert report([], root=checkout) == 1
    first = capsys.readouterr().err
    assert guard(lambda: load_params(checkout) and None) == 1
    assert capsys.readouterr().err == first
    assert first.count("\n") == 1
    assert first.startswith("error: params.yaml:")


@pytest.mark.slow
def test_optional_sections_may_be_absent(root):
    for key in ("paper", "proxy"):
        assert not Params.model_fields[key].is_required()
        changed = {k: v for k, v in params().items() if k != key}
        assert fault(root, yaml.safe_dump(changed)) is None
    for key in ("pose", "segmentation", "first"):
        mini = {k: v for k, v in params()["mini"].items() if k not in (key, "first")}
        assert fault(root, yaml.safe_dump({**params(), "mini": mini})) is None
    lacks = {k: v for k, v in params()["mini"].items() if k != "pose"}
    assert "key 'mini.pose' is missing; add it" in fault(root, yaml.safe_dump({**params(), "mini": lacks}))
