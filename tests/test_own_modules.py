"""Another module named like one of ours is named in the error; without the check what fails lies far away."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from helpers import ROOT
from mim_tools import script

from papertally.shadowing import ShadowedError, check_own, found_at

LOAD = "import sys; from mmengine.config import Config; Config.fromfile(sys.argv[1])"
USERS = 'custom_imports = dict(imports=["micronet_plugin"])\nmodel = dict(type="MicroNet", arch="m0")\n'


def foreign(folder: Path, name: str, kind: str) -> tuple[Path, Path]:
    """Write another module of a name, and return the folder for PYTHONPATH and the file or folder to be named."""
    if kind == "module":
        folder.mkdir()
        (folder / f"{name}.py").write_text("x = 1\n")
        return folder, folder / f"{name}.py"
    (folder / name).mkdir(parents=True)
    if kind == "package":
        (folder / name / "__init__.py").write_text("")
        return folder, folder / name / "__init__.py"
    return folder, folder / name


def python(*arguments: object, path: tuple[Path, ...], cwd: Path) -> subprocess.CompletedProcess[str]:
    """Run Python with a path of folders only, as a console script or PYTHONSAFEPATH has it."""
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(map(str, path)), "PYTHONSAFEPATH": "1"}
    command = [sys.executable, *map(str, arguments)]
    return subprocess.run(command, cwd=cwd, env=environment, capture_output=True, encoding="utf-8")


def one_line(done: subprocess.CompletedProcess[str], name: str, found: Path) -> bool:
    """Tell whether a command ended with the line that names what was found."""
    line = f"error: {found}: found in place of the package {name!r} in {ROOT}; "
    return done.returncode == 1 and done.stderr.startswith(line) and done.stderr.count("\n") == 1


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["module", "package"])
@pytest.mark.parametrize(
    ("command", "name"),
    [("report", "pipelines"), ("pipelines.analysis.cost", "report"), ("pipelines.cluster", "registry")],
)
def test_a_command_names_what_stands_in_our_place(tmp_path, command, name, kind):
    folder, found = foreign(tmp_path / "a folder", name, kind)
    assert one_line(python("-m", command, path=(folder, ROOT), cwd=tmp_path), name, found)


@pytest.mark.slow
@pytest.mark.parametrize("config", ["configs/micronet_m3.py", "configs/segmentation/micronet_m0.py", "a user's"])
@pytest.mark.parametrize("kind", ["module", pytest.param("package", marks=pytest.mark.long)])
def test_a_config_names_what_hides_the_plugin(tmp_path, config, kind):
    folder, found = foreign(tmp_path / "foreign", "registry", kind)
    (tmp_path / "mine.py").write_text(USERS)
    path = tmp_path / "mine.py" if config == "a user's" else ROOT / config
    assert one_line(python("-c", LOAD, path, path=(folder, ROOT), cwd=tmp_path), "registry", found)
    if config == "a user's":
        assert python("-c", LOAD, path, path=(ROOT, folder), cwd=tmp_path).returncode == 0


@pytest.mark.slow
@pytest.mark.long
def test_mim_says_it(tmp_path):
    """What `mim train mmpose` starts does."""
    folder, found = foreign(tmp_path / "foreign", "registry", "module")
    config = ROOT / "configs/micronet_m3.py"
    done = python(script("train", "mmpose"), config, path=(folder, ROOT), cwd=tmp_path)
    assert done.returncode != 0
    assert f"error: {found}: found in place of the package 'registry'" in done.stderr


@pytest.mark.parametrize("kind", ["module", "package", "folder"])
def test_the_check(tmp_path, monkeypatch, kind):
    ours = tmp_path / "ours"
    for name in ("first_own", "second_own"):
        (ours / name).mkdir(parents=True)
        (ours / name / "__init__.py").write_text("raise RuntimeError('imported')\n")
    monkeypatch.syspath_prepend(ours)
    check_own(ours, "first_own", "second_own", "absent")  # of a part of the checkout only what is there
    folder, found = foreign(tmp_path / "foreign", "second_own", kind)
    monkeypatch.setattr(sys, "path", [str(folder), *(p for p in sys.path if p != str(ours))])
    assert found_at("second_own") == found
    with pytest.raises(ShadowedError, match="error: .*second_own.*found in place of the package 'second_own'") as error:
        check_own(ours, "second_own")
    assert str(found) in str(error.value)
    with pytest.raises(ShadowedError, match="error: first_own: found in place"):
        check_own(ours, "first_own")


def test_a_linked_checkout_is_itself(tmp_path):
    (tmp_path / "link").symlink_to(ROOT, target_is_directory=True)
    done = python("-c", "import pipelines, report", path=(tmp_path / "link",), cwd=tmp_path)
    assert (done.returncode, done.stderr) == (0, "")


def test_these_tests_run_this_checkout():
    check_own(ROOT, "papertally", "registry", "pipelines", "report")
