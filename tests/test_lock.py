"""The lock files serve every platform that README names: the text here, the wheels against the registry."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import tomllib
from collections.abc import Iterable
from importlib import metadata
from pathlib import Path
from urllib.parse import unquote, urlsplit

import pytest
from helpers import ROOT
from packaging.markers import default_environment
from packaging.requirements import Requirement
from packaging.tags import Tag, compatible_tags, cpython_tags, mac_platforms
from packaging.utils import canonicalize_name, parse_wheel_filename

LOCKS = ("requirements.lock", "requirements-uv.lock")
ENTRY = re.compile(r"([^\s\\][^\\]*?) \\\n((?:    --hash=sha256:[0-9a-f]{64}(?: \\)?\n)+)")
#: uv's name of a platform: what its Python says of itself. The oldest systems that torch's wheels run on.
PLATFORMS = {
    "x86_64-manylinux_2_28": {"sys_platform": "linux", "platform_system": "Linux", "platform_machine": "x86_64"},
    "aarch64-manylinux_2_28": {"sys_platform": "linux", "platform_system": "Linux", "platform_machine": "aarch64"},
    "aarch64-apple-darwin": {"sys_platform": "darwin", "platform_system": "Darwin", "platform_machine": "arm64"},
    "x86_64-pc-windows-msvc": {"sys_platform": "win32", "platform_system": "Windows", "platform_machine": "AMD64"},
}
MACOS = (14, 0)
#: Has no wheel, and its source is Python alone: it builds wherever Python runs.
SOURCES = {"antlr4-python3-runtime"}
CUDA = re.compile(r"(nvidia|cuda)-|triton$")
OFFLINE = re.compile(r"error sending request|Failed to fetch|dns error|timed out|network was disabled", re.I)
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))
CHECKER = tomllib.loads((ROOT / "papertally/pyproject.toml").read_text("utf-8"))
#: The oldest and the newest Python that set-up takes (.ci/python).
PYTHONS = ("3.11", "3.13")


def entries(text: str) -> list[tuple[Requirement, set[str]]]:
    """Return a lock's requirements with their hashes; nothing else may stand in it."""
    found = list(ENTRY.finditer(text))
    assert "".join(m.group() for m in found) == text
    return [(Requirement(m.group(1)), set(re.findall("[0-9a-f]{64}", m.group(2)))) for m in found]


def on(platform: str, lock: str = LOCKS[0], version: str = PYTHONS[0]) -> dict[str, str]:
    """Return the versions that a lock has for a platform and Python, by name."""
    full = {"python_version": version, "python_full_version": f"{version}.0"}
    python = {**default_environment(), **full, "os_name": "posix"}
    env = {**python, "implementation_name": "cpython", "platform_python_implementation": "CPython"}
    env |= PLATFORMS[platform] | ({"os_name": "nt"} if "windows" in platform else {})
    return {
        canonicalize_name(r.name): str(r.specifier).removeprefix("==")
        for r, _ in entries((ROOT / lock).read_text("utf-8")) if r.marker is None or r.marker.evaluate(env)
    }  # fmt: skip


def asked_for() -> list[Requirement]:
    """Return what pyproject.toml asks for, extras included."""
    found: list[str] = []
    for project in (PROJECT["project"], CHECKER["project"]):
        found += sum(project["optional-dependencies"].values(), project["dependencies"])
    return [Requirement(r) for r in found]


# The text


@pytest.mark.parametrize("lock", LOCKS)
def test_everything_is_pinned_and_hashed_and_nothing_has_an_address(lock):
    text = (ROOT / lock).read_text("utf-8")
    assert "://" not in text
    names = []
    for requirement, hashes in entries(text):
        assert requirement.url is None
        assert re.fullmatch(r"==[0-9][^,*]*", str(requirement.specifier)), requirement
        assert hashes
        names.append((canonicalize_name(requirement.name), str(requirement.marker)))
    assert names
    assert len(set(names)) == len(names)


@pytest.mark.parametrize("python", PYTHONS)
@pytest.mark.parametrize("platform", PLATFORMS)
def test_a_platform_gets_what_pyproject_asks_for(platform, python):
    locked = on(platform, version=python)
    for requirement in asked_for():
        version = locked.get(canonicalize_name(requirement.name))
        assert version is not None, requirement
        assert requirement.specifier.contains(version), requirement
    assert not {canonicalize_name(n) for n in PROJECT["tool"]["uv"]["exclude-dependencies"]} & set(locked)
    assert on(platform, LOCKS[1], python).keys() == {"uv"}


def test_cuda_is_for_linux_alone():
    cuda = {platform: {n for n in on(platform) if CUDA.match(n)} for platform in PLATFORMS}
    assert all(bool(names) == ("linux" in platform) for platform, names in cuda.items()), cuda
    versions = [on(platform) for platform in PLATFORMS]
    common = set.intersection(*(set(v) for v in versions))
    assert all(len({v[name] for v in versions}) == 1 for name in common)


@pytest.mark.slow
@pytest.mark.skipif(sys.platform not in ("linux", "darwin", "win32"), reason="the lock does not serve it")
def test_the_lock_holds_what_its_packages_ask_for_here():
    """Follow the installed packages' own requirements; skipped where another version is installed than locked."""
    here = {**default_environment(), "extra": ""}
    locked = {
        canonicalize_name(r.name): r for r, _ in entries((ROOT / LOCKS[0]).read_text("utf-8"))
        if r.marker is None or r.marker.evaluate(here)
    }  # fmt: skip
    out = {canonicalize_name(n) for n in PROJECT["tool"]["uv"]["exclude-dependencies"]}
    there = {canonicalize_name(d.name): d for d in metadata.distributions()}
    seen: set[tuple[str, str]] = set()
    todo = [(canonicalize_name(r.name), extra) for r in asked_for() for extra in ("", *r.extras)]
    while todo:
        name, extra = todo.pop()
        if (name, extra) in seen or name in out:
            continue
        seen.add((name, extra))
        assert name in locked, name
        if (installed := there.get(name)) is None:
            pytest.skip(f"{name} is not installed")
        if not locked[name].specifier.contains(installed.version):
            pytest.skip(f"{name} {installed.version} is installed, not {locked[name]}")
        for wanted in map(Requirement, installed.requires or []):
            if wanted.marker is None or wanted.marker.evaluate({**here, "extra": extra}):
                todo += [(canonicalize_name(wanted.name), e) for e in ("", *wanted.extras)]
    assert {name for name, _ in seen} == set(locked)


def test_what_is_built_from_source_needs_no_compiler():
    for name in SOURCES:
        assert "Root-Is-Purelib: true" in (metadata.distribution(name).read_text("WHEEL") or "")


# The registry


def uv(*arguments: str, cwd: Path) -> subprocess.CompletedProcess[str]:
    """Run uv; skip where it cannot reach the registry."""
    pytest.importorskip("uv")
    if os.environ.get("UV_OFFLINE"):
        pytest.skip("UV_OFFLINE is set")
    done = subprocess.run(
        [sys.executable, "-m", "uv", *arguments], cwd=cwd, capture_output=True, text=True, timeout=600, check=False,
        env={**os.environ, "MACOSX_DEPLOYMENT_TARGET": ".".join(map(str, MACOS))},
    )  # fmt: skip
    if done.returncode and OFFLINE.search(done.stderr):
        pytest.skip(f"the package registry is out of reach: {done.stderr.strip().splitlines()[-1].strip()[:200]}")
    return done


def copied(folder: Path, lock: str) -> str:
    """Copy a lock into a folder of its own, without this project's settings for uv."""
    shutil.copy(ROOT / lock, folder / lock)
    return lock


@pytest.fixture(scope="session", params=LOCKS)
def offered(request, tmp_path_factory) -> tuple[str, dict[str, list[tuple[str, str]]]]:
    """Return a lock's name and what the registry has of each of its versions: names and hashes of files."""
    folder = tmp_path_factory.mktemp("offered")
    done = uv(
        "pip", "compile", copied(folder, request.param), "--universal", "--no-deps", "--python-version", "3.11",
        "--format", "pylock.toml", "--output-file", "pylock.toml", "--quiet", cwd=folder,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-2000:]
    found: dict[str, list[tuple[str, str]]] = {}
    for package in tomllib.loads((folder / "pylock.toml").read_text("utf-8"))["packages"]:
        files = [*package.get("wheels", []), *([package["sdist"]] if "sdist" in package else [])]
        found[canonicalize_name(package["name"])] = [
            (unquote(urlsplit(file["url"]).path).rpartition("/")[2], file["hashes"]["sha256"]) for file in files
        ]  # fmt: skip
    return request.param, found


def tags_of(platform: str, version: str) -> set[Tag]:
    """Return the tags of wheels that a CPython takes on a platform."""
    python = tuple(map(int, version.split(".")))
    machine = platform.partition("-")[0]
    if "windows" in platform:
        names = ["win_amd64"]
    elif "apple" in platform:
        names = list(mac_platforms(MACOS, {"aarch64": "arm64"}.get(machine, machine)))
    else:
        names = [f"{libc}_{machine}" for libc in ("manylinux2014", *(f"manylinux_2_{n}" for n in range(17, 29)))]
        names += [f"manylinux{year}_{machine}" for year in (1, 2010)] + [f"manylinux_2_{n}_{machine}" for n in (5, 12)]
    interpreter = f"cp{version.replace('.', '')}"
    return {*cpython_tags(python, platforms=names), *compatible_tags(python, interpreter, names)}


def unserved(platform: str, names: Iterable[str], hashes: dict[str, set[str]],
             files: dict[str, list[tuple[str, str]]], version: str = PYTHONS[0]) -> set[str]:  # fmt: skip
    """Return the packages that have no file with a listed hash that can be installed on a platform."""
    tags = tags_of(platform, version)

    def serves(name: str, file: str, digest: str) -> bool:
        if digest not in hashes[name]:
            return False
        return not tags.isdisjoint(parse_wheel_filename(file)[3]) if file.endswith(".whl") else name in SOURCES

    return {name for name in names if not any(serves(name, *file) for file in files[name])}


def hashes_of(lock: str) -> dict[str, set[str]]:
    """Return a lock's hashes by name."""
    return {canonicalize_name(r.name): hashes for r, hashes in entries((ROOT / lock).read_text("utf-8"))}


@pytest.mark.slow
@pytest.mark.parametrize("python", PYTHONS)
@pytest.mark.parametrize("platform", PLATFORMS)
def test_a_wheel_with_a_listed_hash_is_there_for_every_package(platform, python, offered):
    lock, files = offered
    names, hashes = on(platform, lock, python), hashes_of(lock)
    assert unserved(platform, names, hashes, files, python) == set()
    for name in sorted(set(names) - SOURCES)[::20]:  # the check notices a hash that is not listed
        wheels = [file for file in files[name] if unserved(platform, [name], hashes, {name: [file]}, python) == set()]
        left = {name: hashes[name] - {digest for _, digest in wheels}}
        assert unserved(platform, [name], left, files, python) == {name}


@pytest.mark.slow
def test_intel_macs_have_no_torch(offered):
    lock, files = offered
    missing = unserved("x86_64-apple-darwin", on("aarch64-apple-darwin", lock), hashes_of(lock), files)
    assert ("torch" in missing) == (lock == LOCKS[0])  # as README says


@pytest.mark.slow
@pytest.mark.parametrize("python", PYTHONS)
@pytest.mark.parametrize("platform", PLATFORMS)
def test_uv_resolves_the_lock(platform, python, tmp_path):
    wanted = on(platform, version=python)
    only = [word for name in sorted(set(wanted) - SOURCES) for word in ("--only-binary", name)]
    here = ("--python", sys.executable, "--python-platform", platform, "--python-version", python, "--target", "none")
    lock = ("-r", copied(tmp_path, LOCKS[0]))
    done = uv("pip", "install", "--dry-run", "--require-hashes", "--no-deps", *here, *only, *lock, cwd=tmp_path)
    assert done.returncode == 0, done.stderr[-2000:]
    assert {canonicalize_name(n) for n in re.findall(r"(?m)^ \+ ([\w.-]+)==", done.stderr)} == set(wanted)


@pytest.mark.slow
def test_the_lock_is_what_pyproject_resolves_to(tmp_path):
    lock = tmp_path / copied(tmp_path, LOCKS[0])  # its versions are kept where they can be
    done = uv(
        "pip", "compile", "pyproject.toml", "papertally/pyproject.toml", "--all-extras", "--universal",
        "--python-version", "3.11", "--no-annotate",
        "--no-header", "--quiet", "--output-file", str(lock), cwd=ROOT,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-2000:]
    before = [str(requirement) for requirement, _ in entries((ROOT / LOCKS[0]).read_text("utf-8"))]
    assert [str(Requirement(line)) for line in lock.read_text("utf-8").splitlines()] == before
