"""YAML is read as DVC reads it, and whatever cannot be is one line with file and line: any bytes, any ledger file."""

from __future__ import annotations

import os
import re
import shutil
from functools import lru_cache
from pathlib import Path

import pytest
from helpers import MICRONET
from hypothesis import example, given, settings
from hypothesis import strategies as st

from papertally.ledger.files import MAX_DEPTH, YamlFile
from papertally.ledger.load import LedgerError, load_ledger
from papertally.listing import main
from papertally.statements.expressions import ExpressionError, compile_expr

FILES = ("paper.yaml", "claims.yaml", "known_issues.yaml", "tables/table_01.yaml", "tables/table_05.yaml")
#: What YAML 1.1 and 1.2, or quick readers and careful ones, read differently.
WORDS = (
    "1e-1", "1e3", ".5", "1.", "-.5", "+.5", "0o7", "010", "08", "0x1F", "0b11", "1_000", "1:30", "1:30:00.5", "no",
    "yes", "on", "off", "y", "n", "True", "FALSE", "~", "null", "Null", "", ".inf", "-.INF", ".nan", "nan", "inf",
    "1e400",
    "12e03", "'1'", '"6"', "text", "a b", "[1, [2, x]]", "{a: 1, b: [no]}", "[]", "{}",
    "|\n  two\n  lines\n", ">\n  folded\n  text\n",
    "é", "0.1_0", "+1", "-0", "00", "0.0", "- 1", "1 2", "x # note", "'it''s'", '"\\u00e9\\n"',
)  # fmt: skip
HOSTILE = (
    "[=]", "=", "2020-13-45", "2020-01-01", "2020-02-30T25:61:61Z", "!custom x", "!!python/object:os.system x",
    "!!set {a}",
    "!!binary aGk=", "!!float x", "!!timestamp 1", "? [a, b] : c", "{? {a: 1} : b}", "&a [*a]", "&a {x: *a}", "*none",
    "<<",
    "{<<: 1}", "{<<: [1]}", "{<<: *x}", "1" * 5000, "0x" + "f" * 5000, "[" * 3000, "{a: " * 3000, "- " * 3000,
    "'open", "[1",
    '"\\ud800"', '"\\U00110000"', '"\\x"', "\0", "\x07", "\ufffe", "@a", "`a`", "%a", "a: b: c", "{a: 1, a: 2}",
    "[a]: 1",
    "&a &b c", "---", "--- x\n--- y", "...\nx", "%YAML 1.1\n---\nx", "%TAG ! x\n---\n!a", "\tx", "{1: 2}", "{~: 2}",
    "{1.5: 2}", "{true: 2}", "\u2028", "\x85", "\r", "\r\n", "1__0", "_", "? ", ": ", "-", "- - -", "!", "!!", "&", "*",
)  # fmt: skip


def dvc_reads(text: str):
    from dvc.utils.serialize import parse_yaml

    return parse_yaml(text, "x")


def same(a, b) -> bool:
    """Compare values with their types; NaN is NaN."""
    if isinstance(a, dict):
        return isinstance(b, dict) and list(a) == list(b) and all(same(a[k], b[k]) for k in a)
    if isinstance(a, list):
        return isinstance(b, list) and len(a) == len(b) and all(map(same, a, b))
    return type(a) is type(b) and (a == b or a != a)


def read(path: Path, content: bytes):
    """Return what a file with the content says, or its one error."""
    path.write_bytes(content)
    try:
        return YamlFile(path, "x.yaml", LedgerError).data, None
    except LedgerError as error:
        return None, str(error)


def one_line(error: str, name: str = "x.yaml") -> bool:
    return error.isprintable() and re.match(rf"{re.escape(name)}(:\d+)?: ", error) is not None and len(error) < 500


values = st.recursive(
    st.sampled_from(WORDS), lambda inner: st.lists(inner, max_size=3).map(lambda v: f"[{', '.join(v)}]"), max_leaves=4
)


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    return tmp_path_factory.mktemp("yaml")


@pytest.mark.slow
@given(entries=st.dictionaries(st.sampled_from("abcdefgh"), values, min_size=1), bom=st.booleans(), crlf=st.booleans())
def test_what_is_read_is_what_dvc_reads(folder, entries, bom, crlf):
    text = "".join(f"{key}: {value}\n" for key, value in entries.items())
    data, error = read(
        folder / "a.yaml", (("\ufeff" if bom else "") + text.replace("\n", "\r\n" if crlf else "\n")).encode()
    )
    if error is None:
        assert same(dvc_reads(text), data)
    else:
        assert one_line(error)


@pytest.mark.parametrize("word", WORDS)
def test_each_word_alone_is_what_dvc_reads(folder, word):
    data, error = read(folder / "w.yaml", f"k: {word}\n".encode())
    if error is None:
        assert same(dvc_reads(f"k: {word}\n"), data)
    else:
        assert word in ("- 1",)


MERGES = (
    "a: &a {x: 1, y: 2}\nb: {<<: *a, y: 3}\n", "a: &a {x: 1}\nb: &b {x: 2, z: 3}\nc: {<<: [*a, *b], w: 1}\n",
    "a: &a [1, 2]\nb: *a\nc: [*a, *a]\n", "a: &n 5\nb: *n\n", "a: &a {x: 1}\nb: &b {<<: *a}\nc: {<<: *b}\n",
    "a: &k key\nb: {*k : 1}\n", "a: {<<: {x: 1}, x: 2}\n",
)  # fmt: skip


@pytest.mark.parametrize("text", MERGES)
def test_aliases_and_merges_are_what_dvc_reads(folder, text):
    data, error = read(folder / "m.yaml", text.encode())
    assert error is None
    assert data == dvc_reads(text)


@pytest.mark.parametrize("word", HOSTILE)
@pytest.mark.parametrize("form", ["k: {}\n", "{}\n", "- {}\n", "a:\n  b: [{}]\n", "{}: 1\n"])
def test_hostile_yaml_is_read_as_dvc_does_or_is_one_line(folder, word, form):
    text = form.replace("{}", word)
    data, error = read(folder / "h.yaml", text.encode("utf-8", "surrogatepass"))
    if error is not None:
        assert one_line(error)
        assert re.match(r"x\.yaml:\d+: ", error)
    elif data is not None:
        assert same(dvc_reads(text), data) or not dvc_reads(text)


@given(st.binary(max_size=200))
@example(b"\xff\xfea\x00:\x00")
@example(b"\xef\xbb\xbf")
@example("a: é".encode("latin-1"))
@example("a: 1\n".encode("utf-16"))
def test_any_bytes_are_read_or_one_line(folder, content):
    _, error = read(folder / "b.yaml", content)
    assert error is None or one_line(error)


@pytest.mark.slow
@given(st.text(alphabet="ab:-[]{}&*!<>|%@?,#'\"\\ \t\n0.~=", max_size=60))
@settings(max_examples=400)
def test_any_punctuation_is_read_as_dvc_does_or_is_one_line(folder, text):
    data, error = read(folder / "p.yaml", text.encode())
    if error is not None:
        assert one_line(error)
    elif data is not None:
        assert same(dvc_reads(text), data) or not data


def test_lines_are_those_of_the_faults(folder):
    for text, line in (
        ("a: 1\nb: 2\na: 3\n", 3), ("a:\n  - 1\n  - !x 2\n", 3), ("a: 1\n\n\nb: 2020-13-45\n", 4),
        ("a: &x\n  - *x\n", 2),
        ("a: 1\nb: [1,\n 2\n", 3), ("a: 1\n---\nb: 1\n", 2), ("a: 1\nb: \0\n", 2), ("a: 1\n? [x]\n: 2\n", 2),
    ):  # fmt: skip
        _, error = read(folder / "l.yaml", text.encode())
        assert error.startswith(f"x.yaml:{line}: "), (text, error)


def test_depth_and_aliases_that_unfold_are_bounded(folder):
    deep = "[" * (MAX_DEPTH + 1) + "]" * (MAX_DEPTH + 1)
    assert "nested more than" in read(folder / "d.yaml", deep.encode())[1]
    assert read(folder / "d.yaml", deep[1:-1].encode())[1] is None
    assert "nested more than" in read(folder / "d.yaml", ("[" * 2_000_000).encode())[1]
    laughs = "a0: &a0 [x, x, x, x, x, x, x, x, x]\n" + "".join(
        f"a{i}: &a{i} [{', '.join([f'*a{i - 1}'] * 9)}]\n" for i in range(1, 12)
    )
    error = read(folder / "d.yaml", laughs.encode())[1]
    assert "aliases unfold" in error
    assert one_line(error)


def test_what_is_no_readable_file_is_one_line(tmp_path):
    (tmp_path / "folder").mkdir()
    (tmp_path / "dangling").symlink_to(tmp_path / "none")
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "loop").symlink_to(tmp_path / "loop")
    for name in ("folder", "dangling", "pipe", "loop", "none", "x" * 300):
        with pytest.raises(LedgerError) as caught:
            YamlFile(tmp_path / name, "x.yaml", LedgerError)
        assert one_line(str(caught.value))


# the ledger


@lru_cache
def text_of(name: str) -> str:
    return (MICRONET / name).read_text("utf-8")


@pytest.fixture(scope="module")
def ledger_copy(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("ledger") / "paper"
    shutil.copytree(MICRONET, folder, ignore=shutil.ignore_patterns("*.py", "__pycache__"))
    return folder


def fault_of(folder: Path, name: str, content: bytes) -> str | None:
    """Return the one error that a ledger with a changed file has, or None; anything but a LedgerError fails."""
    path = folder / name
    path.write_bytes(content)
    try:
        load_ledger(folder)
        return None
    except LedgerError as error:
        return str(error)
    finally:
        path.write_text(text_of(name), "utf-8")


@pytest.mark.slow
@given(name=st.sampled_from(FILES), data=st.data())
@settings(max_examples=40)
def test_a_mutated_ledger_is_one_line(ledger_copy, name, data):
    lines = text_of(name).split("\n")
    number = data.draw(st.integers(0, len(lines) - 1))
    how = data.draw(st.sampled_from(("value", "insert", "drop", "twice", "cut", "indent", "key")))
    line = lines[number]
    word = data.draw(st.sampled_from(HOSTILE + WORDS))
    key, colon, _ = line.partition(":")
    lines[number : number + 1] = {
        "value": [f"{key}{colon} {word}"], "insert": [line, word], "drop": [], "twice": [line, line],
        "cut": [line[: len(line) // 2]], "indent": [" " + line], "key": [f"{word}:{line.partition(':')[2]}"],
    }[how]  # fmt: skip
    error = fault_of(ledger_copy, name, "\n".join(lines).encode("utf-8", "surrogatepass"))
    assert error is None or (error.isprintable() and ".yaml" in error or "tables" in error)


@pytest.mark.slow
@pytest.mark.parametrize("name", FILES)
@pytest.mark.parametrize(
    "content",
    ["", "- a\n", "text", "3", "~", "---\n---\n", "a: 1", "schema: 1\n? [a]\n: b", "schema: 1\nx: &a [*a]",
     "schema: !custom 1", "labels: [=]", "schema: 2020-13-45", "schema: 1\nschema: 1", "[" * 5000, "schema: '1'",
     "schema: true", "{schema: 1, ? {a: b} : c}", "rows: 5", "claims: {}", "schema: 1\nclaims: [1]\nrows: [1]"],
)  # fmt: skip
def test_a_ledger_file_of_another_shape_is_one_line(ledger_copy, capsys, name, content):
    (ledger_copy / name).write_text(content)
    try:
        assert main(["--path", str(ledger_copy)]) == 1
    finally:
        (ledger_copy / name).write_text(text_of(name), "utf-8")
    error = capsys.readouterr().err
    lines = error.splitlines()
    assert lines
    assert all(re.match(rf"error: \w+/{Path(name).name}:\d+: ", line) for line in lines)  # a line a fault


@pytest.mark.slow
@pytest.mark.parametrize("name", FILES[:3])
def test_a_ledger_file_that_is_none_is_one_line(ledger_copy, name):
    path = ledger_copy / name
    for make in (lambda: path.mkdir(), lambda: path.symlink_to("nowhere"), lambda: None):
        path.unlink()
        make()
        try:
            with pytest.raises(LedgerError, match=Path(name).name) as caught:
                load_ledger(ledger_copy)
            assert str(caught.value).isprintable()
        finally:
            if path.is_dir():
                path.rmdir()
            path.unlink(missing_ok=True)
            path.write_text(text_of(name), "utf-8")


@pytest.mark.slow
@given(st.text(alphabet="ab.01()+-*/<>=!,'\"[]\\ \n\0andortprxmi", max_size=60))
@example("(" * 500 + "a.b" + ")" * 500)
@example("a.b < " + "+".join(["1"] * 5000))
@example("-" * 3000 + "a.b < 1")
@example("a.b < " + "9" * 5000)
@example("a.b < \0")
@example("not " * 3000 + "a.b")
@example("a.b < 1e999 ** 2")
@settings(max_examples=300)
def test_any_expression_compiles_or_is_an_expression_error(text):
    try:
        compile_expr(text)
    except ExpressionError as error:
        assert str(error)  # noqa: PT017
