"""What a file says decides, not how a checkout ends its lines: git for Windows, editors and zips change those."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest
from helpers import ROOT, fresh, training
from hypothesis import given
from hypothesis import strategies as st

from papertally.evidence.read import read_evidence
from papertally.ledger.files import committed_bytes
from papertally.pages.diff import verdict_map
from pipelines.analysis.structure import recipe_hash
from pipelines.tasks import row_config
from report.__main__ import main
from report.rows import find_row
from report.settings import load_settings

BOM = b"\xef\xbb\xbf"
ENDINGS = {
    "crlf": lambda text: text.replace(b"\n", b"\r\n"),
    "mixed": lambda text: text.replace(b"\n", b"\r\n", text.count(b"\n") // 2),
    "bom": lambda text: BOM + text,
    "bom and crlf": lambda text: BOM + text.replace(b"\n", b"\r\n"),
    "cr": lambda text: text.replace(b"\n", b"\r"),
}
TEXT = {".py", ".json", ".yaml", ".yml", ".csv"}


def rewrite(root: Path, ending: str) -> None:
    """Give every text file of a checkout other line ends."""
    for path in root.rglob("*"):
        if path.suffix in TEXT and path.is_file():
            path.write_bytes(ENDINGS[ending](path.read_bytes().removeprefix(BOM).replace(b"\r\n", b"\n")))


@pytest.mark.slow
@pytest.mark.parametrize("ending", ["crlf", "mixed", "bom and crlf"])
def test_evidence_counts_under_other_line_endings(checkout, ending):
    fresh(checkout)
    training(checkout)
    settings = load_settings(checkout)[1]
    before = read_evidence(checkout, settings)
    rewrite(checkout, ending)
    after = read_evidence(checkout, load_settings(checkout)[1])
    assert after.problems == before.problems
    assert after.cost == before.cost
    assert after.runs == before.runs
    assert after.claims == before.claims


@pytest.mark.slow
@pytest.mark.long
def test_the_report_is_the_same(checkout, capsys):
    def written() -> dict[str, bytes]:
        assert main(["--out", str(checkout / "out")], root=checkout) == 0
        assert main(["metadata"], root=checkout) == 0
        return {p.name: p.read_bytes() for p in (checkout / "out").iterdir() if p.is_file()}

    before = written()
    rewrite(checkout, "bom and crlf")
    assert written() == before
    rewrite(checkout, "crlf")  # what was just written too
    assert main(["metadata", "--check"], root=checkout) == 0


@pytest.mark.parametrize("ending", ["crlf", "mixed", "cr"])
def test_a_recipe_is_what_its_config_says(checkout, ending):
    row = find_row("t5_relu")
    before = recipe_hash(row_config(row, checkout))
    for path in (checkout / "configs").rglob("*.py"):
        path.write_bytes(ENDINGS[ending](path.read_bytes()))
    assert recipe_hash(row_config(row, checkout)) == before


@given(st.binary(), st.sampled_from(sorted(ENDINGS)))
def test_committed_bytes_undo_every_ending_and_nothing_else(tmp_path_factory, text, ending):
    text = text.replace(b"\r", b"").lstrip(BOM)
    path = tmp_path_factory.getbasetemp() / "text"
    path.write_bytes(text)
    assert committed_bytes(path) == text
    path.write_bytes(ENDINGS[ending](text))
    assert committed_bytes(path) == text


@pytest.mark.parametrize("encoding", ["utf-16", "utf-8-sig", "utf-32"])
def test_diff_takes_what_a_windows_shell_redirected(tmp_path, encoding):
    text = '{"cells": [{"row_id": "a", "column": "top1", "verdict": "differs"}],\r\n "claims": []}'
    (tmp_path / "old.json").write_bytes(text.encode(encoding))
    assert verdict_map(tmp_path / "old.json") == {("cell", "a.top1"): "differs"}


@pytest.mark.skipif(shutil.which("git") is None, reason="needs git")
@pytest.mark.parametrize("setting", ["core.autocrlf=true", "core.autocrlf=input", "core.eol=crlf"])
def test_git_checks_text_out_with_lf_whatever_it_is_told(tmp_path, setting):
    names = [".gitattributes", "params.yaml", "Makefile", ".ci/run", "configs/classification/t5_relu.py",
             "results/cost/rules.json", "results/pictures/mini/t9_micronet_m0.jpg", "docs/report.png"]  # fmt: skip
    names = [name for name in names if (ROOT / name).is_file()]
    assert ".gitattributes" in names
    source, clone = tmp_path / "source", tmp_path / "clone"
    environment = {k: v for k, v in os.environ.items() if not k.startswith("GIT_")}

    def git(*args: object) -> None:
        identity = ("-c", "user.name=x", "-c", "user.email=x@x")
        subprocess.run(["git", *identity, *args], check=True, capture_output=True, env=environment)

    for name in names:
        (source / name).parent.mkdir(parents=True, exist_ok=True)
        content = (ROOT / name).read_bytes()
        (source / name).write_bytes(content if name.endswith((".jpg", ".png")) else committed_bytes(ROOT / name))
    git("init", "-q", source)
    git("-C", source, "add", "-f", ".")
    git("-C", source, "commit", "-q", "-m", "x")
    git("-c", setting, "clone", "-q", "-c", setting, source, clone)
    for name in names:
        assert (clone / name).read_bytes() == (source / name).read_bytes()
