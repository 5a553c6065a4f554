"""Where DVC would stop for want of git, one line says so and what to do, and what it says to do helps."""

from __future__ import annotations

import os
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from helpers import ROOT

from pipelines.common import PipelineError
from pipelines.repro.checkout import check_dvc

pytestmark = pytest.mark.skipif(shutil.which("git") is None, reason="needs git")


@pytest.fixture
def archive(tmp_path: Path) -> Path:
    """Return an unpacked archive of a small DVC project, in a repository's folder but no repository."""
    root = tmp_path / "outer/a project"
    for name in (".dvc/config", "dvc.yaml", "more/dvc.yaml"):
        (root / name).parent.mkdir(parents=True, exist_ok=True)
    (root / ".dvc/config").write_text("[core]\n    analytics = false\n")
    (root / "dvc.yaml").write_text("stages: {a: {cmd: echo a > a, outs: [a]}}\n")
    (root / "more/dvc.yaml").write_text("stages: {}\n")
    if any((parent / ".git").exists() for parent in root.parents):
        pytest.skip("the temporary folder lies in a git repository")
    return root


def init(folder: Path, *options: str) -> None:
    environment = {k: v for k, v in os.environ.items() if not k.startswith("GIT_")}
    subprocess.run(["git", "init", "-q", *options, folder], check=True, capture_output=True, env=environment)


def stop(root: Path) -> str:
    with pytest.raises(PipelineError) as found:
        check_dvc(root)
    assert "\n" not in str(found.value)
    return str(found.value)


def test_a_repository_of_its_own_passes(archive):
    init(archive)
    assert check_dvc(archive) is None


@pytest.mark.parametrize("make", [lambda root: None, lambda root: (root / ".git").mkdir()])
def test_no_repository_stops_with_the_mend(archive, make):
    make(archive)
    fault = stop(archive)
    assert fault.startswith(f"{archive}: no git repository")
    assert "dvc config --local core.no_scm true" in fault.replace("-m ", "")


@pytest.mark.slow
def test_the_mend_helps(archive, monkeypatch):
    monkeypatch.setenv("GIT_DIR", str(ROOT / ".git"))  # as in a hook: DVC does not look there
    monkeypatch.chdir(archive)  # where the command is to be run
    command = shlex.split(re.search(r"`(.*)`", stop(archive)).group(1))
    assert subprocess.run([*command[:-4], "repro"], cwd=archive, capture_output=True).returncode != 0
    subprocess.run(command, cwd=archive, check=True, capture_output=True)
    assert check_dvc(archive) is None
    subprocess.run([*command[:-4], "repro"], cwd=archive, check=True, capture_output=True)
    assert (archive / "a").read_text() == "a\n"


def test_an_outer_repository_is_named(archive):
    init(archive.parent)
    assert str(archive.parent) in (check_dvc(archive) or "")


@pytest.mark.parametrize(
    ("ignored", "named"), [("a project/", "dvc.yaml"), ("more\n", "more/dvc.yaml"), ("*.yaml\n", "dvc.yaml")]
)
def test_a_repository_that_ignores_the_pipeline_stops(archive, ignored, named):
    init(archive.parent)
    (archive.parent / ".gitignore").write_text(ignored)
    assert f"{named}: ignored by the git repository {archive.parent}" in stop(archive)
    (archive / ".dvc/config.local").write_text("[core]\n    no_scm = true\n")
    assert check_dvc(archive) is None


def test_a_broken_or_missing_dvc_folder_stops(archive):
    init(archive)
    (archive / ".dvc/config").write_text("nonsense\n")
    assert "mend DVC's configuration" in stop(archive)
    shutil.rmtree(archive / ".dvc")
    assert ".dvc: missing" in stop(archive)


@pytest.mark.slow
def test_the_command_says_it_in_one_line(archive):
    for name in ("pipelines", "papertally", "report"):
        shutil.copytree(ROOT / name, archive / name, ignore=shutil.ignore_patterns("__pycache__", "out"))
    done = subprocess.run(
        [sys.executable, "-m", "pipelines.repro.checkout"], cwd=archive, capture_output=True, encoding="utf-8"
    )
    assert done.returncode == 1
    assert done.stderr.startswith(f"error: {archive}: no git repository")
    assert done.stderr.count("\n") == 1
