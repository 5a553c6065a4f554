"""The code revision is this checkout's commit, or "unknown" with the reason: never another repository's commit."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from helpers import ROOT

from papertally.evidence.revision import code_revision, git_environment
from papertally.pages.provenance import evidence_dates, short

pytestmark = pytest.mark.skipif(shutil.which("git") is None, reason="needs git")
FILES = ("params.yaml", "registry/a.py", "results/cost/a.json")


@pytest.fixture(autouse=True)
def plain_git(monkeypatch, tmp_path):
    """Take the caller's git variables and settings out of the tests' own git calls."""
    for name in [name for name in os.environ if name.startswith("GIT_")]:
        monkeypatch.delenv(name)
    (tmp_path / "home").mkdir()
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "home"))


def git(folder: Path, *args: object) -> str:
    """Run the tests' own git."""
    identity = ("-c", "user.name=x", "-c", "user.email=x@x", "-c", "init.defaultBranch=main", "-c",
                "protocol.file.allow=always")  # fmt: skip
    environment = {k: v for k, v in os.environ.items() if not k.startswith("GIT_")}
    command = ["git", *identity, "-C", folder, *args]
    return subprocess.run(command, check=True, capture_output=True, text=True, encoding="utf-8", env=environment).stdout


def files(folder: Path, *names: str) -> None:
    """Write some of the project's files."""
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text("{}\n")


def repository(folder: Path, *names: str) -> str:
    """Make a repository with one commit of some files, and return the commit."""
    folder.mkdir(parents=True, exist_ok=True)
    files(folder, *names)
    git(folder, "init", "-q")
    git(folder, "add", ".")
    git(folder, "commit", "-q", "--allow-empty", "-m", "x")
    return git(folder, "rev-parse", "HEAD").strip()


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """Return a small committed project."""
    repository(tmp_path / "project", *FILES)
    return tmp_path / "project"


def head(folder: Path) -> str:
    return git(folder, "rev-parse", "HEAD").strip()


def test_a_commit_and_what_marks_it_dirty(project):
    assert code_revision(project) == head(project)
    files(project, "results/other.json", "notes.txt")  # no code
    assert code_revision(project) == head(project)
    (project / "params.yaml").write_text("a: 1\n")
    assert code_revision(project) == head(project) + "-dirty"
    git(project, "checkout", "params.yaml")
    files(project, "registry/new.py")
    assert code_revision(project) == head(project) + "-dirty"


@pytest.mark.parametrize(
    "names",
    [("GIT_DIR",), ("GIT_DIR", "GIT_WORK_TREE"), ("GIT_DIR", "GIT_INDEX_FILE"), ("GIT_COMMON_DIR",),
     ("GIT_INDEX_FILE",), ("GIT_OBJECT_DIRECTORY",), ("GIT_CEILING_DIRECTORIES",), ("GIT_NAMESPACE",),
     ("GIT_LITERAL_PATHSPECS",), ("GIT_CONFIG_PARAMETERS",), ("GIT_CONFIG",), ("GIT_SHALLOW_FILE",),
     ("GIT_PREFIX",), ("GIT_TRACE",)],
)  # fmt: skip
def test_a_hooks_variables_lead_to_no_other_repository(tmp_path, project, monkeypatch, names):
    repository(tmp_path / "other", "params.yaml")
    other = tmp_path / "other"
    values = {
        "GIT_DIR": other / ".git", "GIT_WORK_TREE": other, "GIT_INDEX_FILE": other / ".git/index",
        "GIT_COMMON_DIR": other / ".git", "GIT_OBJECT_DIRECTORY": other / ".git/objects",
        "GIT_CEILING_DIRECTORIES": tmp_path, "GIT_NAMESPACE": "x", "GIT_LITERAL_PATHSPECS": "1", "GIT_TRACE": "1",
        "GIT_CONFIG_PARAMETERS": f"'core.worktree'='{other}'", "GIT_CONFIG": other / ".git/config",
        "GIT_SHALLOW_FILE": other / "params.yaml", "GIT_PREFIX": "registry/",
    }  # fmt: skip
    commit = head(project)
    dates = evidence_dates(project)
    for name in names:
        monkeypatch.setenv(name, str(values[name]))
    assert code_revision(project) == commit
    assert evidence_dates(project) == dates
    assert set(dates) == {"results/cost/a.json"}


def test_inside_a_hook(tmp_path, project):
    inner = repository(tmp_path / "inner", "params.yaml")
    hook = project / ".git/hooks/pre-commit"
    hook.parent.mkdir(exist_ok=True)
    code = "import papertally.evidence.revision as r, pathlib; print(r.code_revision(pathlib.Path('.')))"
    hook.write_text(
        f"#!/bin/sh\ntest \"$GIT_INDEX_FILE\" || exit 1\ncd '{tmp_path}/inner'\n"
        f"PYTHONPATH='{ROOT}' '{sys.executable}' -c \"{code}\" > '{tmp_path}/said'\n"
    )
    hook.chmod(0o755)
    git(project, "commit", "-q", "--allow-empty", "-m", "y")
    assert (tmp_path / "said").read_text().strip() == inner


def test_an_archive_has_no_commit_and_borrows_none(tmp_path):
    outer = tmp_path / "outer"
    repository(outer, "README")
    files(outer / "vendor/project", *FILES)
    assert code_revision(outer / "vendor/project") == "unknown (no git repository of its own)"
    git(outer, "add", ".")
    git(outer, "commit", "-q", "-m", "y")
    assert code_revision(outer / "vendor/project") == "unknown (no git repository of its own)"
    assert set(evidence_dates(outer / "vendor/project")) == {"results/cost/a.json"}  # what it tracks has its day


def test_an_archive_over_another_repository(tmp_path):
    repository(tmp_path / "outer", "README")
    files(tmp_path / "outer", *FILES)
    assert code_revision(tmp_path / "outer") == "unknown (the repository does not hold this code)"


@pytest.mark.slow
def test_worktrees_submodules_and_clones(tmp_path, project):
    commit = head(project)
    git(project, "worktree", "add", "-q", tmp_path / "tree")
    git(project, "clone", "-q", "--depth", "1", project.as_uri(), tmp_path / "shallow")
    git(project, "clone", "-q", "--separate-git-dir", tmp_path / "elsewhere", project, tmp_path / "separate")
    repository(tmp_path / "super", "README")
    git(tmp_path / "super", "submodule", "add", "-q", project, "sub")
    (tmp_path / "link").symlink_to(project, target_is_directory=True)
    for name in ("tree", "shallow", "separate", "super/sub", "link"):
        assert code_revision(tmp_path / name) == commit, name
        assert bool(evidence_dates(tmp_path / name)) == (name != "shallow")
        (tmp_path / name / "registry/a.py").write_text("changed\n")
        assert code_revision(tmp_path / name) == commit + "-dirty", name
        git(tmp_path / name, "checkout", "-q", "registry/a.py")


@pytest.mark.parametrize(
    ("make", "reason"),
    [
        (lambda folder: git(folder, "init", "-q"), "the repository has no commit"),
        (lambda folder: (folder / ".git").mkdir(), "git: not a git repository"),
        (lambda folder: (folder / ".git").write_text("gitdir: /no/such/place\n"), "git: not a git repository"),
        (lambda folder: (folder / ".git").write_text("nonsense\n"), "git: "),
        (lambda folder: (folder / ".git").symlink_to("nowhere"), "git: "),
    ],
)
def test_a_repository_without_an_answer_says_why(tmp_path, make, reason):
    files(tmp_path / "project", *FILES)
    make(tmp_path / "project")
    found = code_revision(tmp_path / "project")
    assert found.startswith(f"unknown ({reason}")
    assert found.endswith(")")
    assert "\n" not in found
    assert evidence_dates(tmp_path / "project") == {}


def test_without_git_it_says_so(project, monkeypatch, tmp_path):
    (tmp_path / "bin").mkdir()
    monkeypatch.setenv("PATH", str(tmp_path / "bin"))
    assert code_revision(project) == "unknown (git is not installed)"
    (tmp_path / "bin/git").write_text("#!/bin/sh\n")
    (tmp_path / "bin/git").chmod(0o644)
    assert code_revision(project).startswith("unknown (git ")


def test_a_refusal_of_git_is_the_reason(project, monkeypatch, tmp_path):
    (tmp_path / "bin").mkdir()
    refusal = "fatal: detected dubious ownership in repository"
    (tmp_path / "bin/git").write_text(f"#!/bin/sh\necho '{refusal}' >&2\nexit 128\n")
    (tmp_path / "bin/git").chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path / "bin"), prepend=os.pathsep)
    assert code_revision(project) == "unknown (git: detected dubious ownership in repository)"


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() != 0, reason="only root can give files away")
def test_a_checkout_of_another_owner_is_read(project):
    commit = head(project)
    for path in [project, *project.rglob("*")]:
        os.chown(path, 12345, 12345)
    with pytest.raises(subprocess.CalledProcessError):
        git(project, "status")
    assert code_revision(project) == commit
    assert evidence_dates(project)


@pytest.mark.parametrize(
    ("key", "value"),
    [("core.fsmonitor", "touch ran; exit 1 #"), ("core.hooksPath", "hooks"), ("core.pager", "touch ran; false"),
     ("color.ui", "always"), ("status.showUntrackedFiles", "no"), ("core.excludesFile", "ignore"),
     ("core.worktree", "/"), ("core.bare", "true"), ("log.showSignature", "true"), ("log.showRoot", "false"),
     ("status.short", "true"), ("status.branch", "true"), ("core.quotePath", "true"), ("diff.external", "touch ran"),
     ("diff.noprefix", "true"), ("format.pretty", "full"), ("core.untrackedCache", "true")],
)  # fmt: skip
def test_settings_of_git_change_nothing(project, monkeypatch, key, value):
    dates = evidence_dates(project)
    (project / "ignore").write_text("*.py\n")
    (project / "hooks").mkdir()
    (project / "hooks/post-index-change").write_text("#!/bin/sh\ntouch ran\n")
    (project / "hooks/post-index-change").chmod(0o755)
    value = str(project / value) if value in ("ignore", "hooks") else value
    commit = head(project)
    git(project, "config", key, value)
    os.utime(project / "params.yaml", (1, 1))  # git looks into it again
    assert code_revision(project) == commit
    assert evidence_dates(project) == dates
    files(project, "registry/new.py")
    assert code_revision(project) == commit + "-dirty"
    assert not (project / "ran").exists()


def test_code_that_git_was_told_to_overlook_is_changed_code(project):
    commit = head(project)
    files(project, "registry/__pycache__/a.pyc", "registry/notes.txt")
    (project / ".git/info/exclude").write_text("registry/*\n")
    assert code_revision(project) == commit
    files(project, "registry/new.py")
    assert code_revision(project) == commit + "-dirty"
    (project / "registry/new.py").unlink()
    for flag in ("assume-unchanged", "skip-worktree"):
        git(project, "update-index", f"--{flag}", "params.yaml")
        (project / "params.yaml").write_text("changed\n")
        assert code_revision(project) == commit + "-dirty"
        git(project, "update-index", f"--no-{flag}", "params.yaml")
        git(project, "checkout", "-q", "params.yaml")
    git(project, "sparse-checkout", "set", "results")  # what it leaves out is not there
    assert code_revision(project) == commit


def test_a_changed_mode_is_no_changed_code(project):
    (project / "registry/a.py").chmod(0o755)
    assert code_revision(project) == head(project)


def test_nothing_is_written_into_the_repository(project):
    os.utime(project / "params.yaml", (1, 1))
    index = (project / ".git/index").read_bytes()
    code_revision(project)
    assert (project / ".git/index").read_bytes() == index


def test_names_that_are_not_ascii(project):
    files(project, "results/cost/ü.json")
    git(project, "add", ".")
    git(project, "commit", "-q", "-m", "ü")
    files(project, "results/cost/é.json")
    dates = evidence_dates(project)
    assert re.fullmatch(r"\d{4}-\d\d-\d\d", dates["results/cost/ü.json"])
    assert dates["results/cost/é.json"] == "uncommitted"


def test_the_environment_of_git_is_english_and_keeps_where_settings_lie():
    found = git_environment({"LANG": "de_DE.UTF-8", "LANGUAGE": "de", "LC_MESSAGES": "de_DE", "GIT_DIR": "x",
                             "GIT_CONFIG_GLOBAL": "g", "PATH": "p", "HOME": "h"})  # fmt: skip
    assert found["LC_ALL"] == "C"
    assert {k: found.get(k) for k in ("PATH", "HOME", "GIT_CONFIG_GLOBAL")} == {
        "PATH": "p", "HOME": "h", "GIT_CONFIG_GLOBAL": "g"
    }  # fmt: skip
    assert not {"GIT_DIR", "LANG", "LANGUAGE", "LC_MESSAGES"} & set(found)


def test_the_page_shortens_commits_and_shows_reasons_whole():
    assert short("a" * 40) == "a" * 7
    assert short("a" * 64 + "-dirty") == "a" * 7 + "+"
    reason = "unknown (git: not a git repository: /home/x-dirty/y)"
    assert short(reason) == reason
