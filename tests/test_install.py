"""`make setup` goes into its own environment and reaches the user's index, whatever pip, uv and Python were told."""

from __future__ import annotations

import base64
import hashlib
import importlib.util
import json
import os
import subprocess
import sys
import tomllib
import zipfile
from pathlib import Path

import pytest
from helpers import ROOT
from hypothesis import given
from hypothesis import strategies as st

spec = importlib.util.spec_from_file_location("install", ROOT / ".ci/install.py")
tool = importlib.util.module_from_spec(spec)
spec.loader.exec_module(tool)

#: What was meant for other installs; each stopped or misled this one.
MISLEADING = {
    "PIP_USER": "1", "PIP_TARGET": "elsewhere", "PIP_PREFIX": "elsewhere", "PIP_ROOT": "elsewhere",
    "PIP_REQUIRE_VIRTUALENV": "1", "PIP_NO_DEPS": "1", "PIP_CONSTRAINT": "none.txt", "PIP_REQUIREMENT": "none.txt",
    "PIP_NO_BINARY": ":all:", "PIP_ONLY_BINARY": ":none:", "PIP_QUIET": "3", "PIP_VERBOSE": "2", "PIP_PYTHON": "/none",
    "PIP_DRY_RUN": "1", "PIP_IGNORE_INSTALLED": "1", "PIP_PLATFORM": "win32", "PIP_ABI": "none", "PIP_EDITABLE": "x",
    "PIP_PRE": "1", "PIP_ISOLATED": "1", "PIP_BREAK_SYSTEM_PACKAGES": "1", "PIP_REPORT": "x.json",
    "UV_SYSTEM_PYTHON": "1", "UV_PYTHON": "3.9", "UV_TARGET": "elsewhere", "UV_PREFIX": "elsewhere",
    "UV_PROJECT_ENVIRONMENT": "elsewhere", "UV_CONSTRAINT": "none.txt", "UV_OVERRIDE": "none.txt", "UV_NO_BUILD": "1",
    "UV_NO_BUILD_ISOLATION": "1", "UV_NO_BINARY": "1", "UV_EXCLUDE_NEWER": "2001-01-01", "UV_TORCH_BACKEND": "cpu",
    "UV_REQUIRE_HASHES": "1", "UV_NO_VERIFY_HASHES": "1", "UV_WORKING_DIRECTORY": "/", "UV_PROJECT": "/",
    "PYTHONUSERBASE": "elsewhere", "PYTHONPATH": "elsewhere", "PYTHONWARNINGS": "error", "PYTHONOPTIMIZE": "2",
    "PYTHONPLATLIBDIR": "none", "CONDA_PREFIX": "elsewhere", "VIRTUAL_ENV": "elsewhere",
    "SETUPTOOLS_USE_DISTUTILS": "x",
}  # fmt: skip
#: What says how to reach an index.
REACHING = {
    "PIP_INDEX_URL": "https://a.invalid/simple", "PIP_EXTRA_INDEX_URL": "https://b.invalid https://c.invalid",
    "PIP_CERT": "/a.pem", "PIP_CLIENT_CERT": "/b.pem", "PIP_TRUSTED_HOST": "a.invalid", "PIP_PROXY": "http://p.invalid",
    "PIP_FIND_LINKS": "/wheels", "PIP_NO_INDEX": "1", "PIP_TIMEOUT": "9", "PIP_RETRIES": "7", "PIP_CACHE_DIR": "/cache",
    "UV_INDEX_URL": "https://a.invalid/simple", "UV_DEFAULT_INDEX": "https://a.invalid/simple", "UV_INDEX": "x=y",
    "UV_EXTRA_INDEX_URL": "https://b.invalid", "UV_FIND_LINKS": "/wheels", "UV_NATIVE_TLS": "1", "UV_OFFLINE": "1",
    "UV_INSECURE_HOST": "a.invalid", "UV_HTTP_TIMEOUT": "99", "UV_CACHE_DIR": "/cache", "UV_KEYRING_PROVIDER": "x",
    "UV_INDEX_MINE_USERNAME": "me", "UV_INDEX_MINE_PASSWORD": "word", "SSL_CERT_FILE": "/c.pem",
    "REQUESTS_CA_BUNDLE": "/c.pem", "HTTPS_PROXY": "http://p.invalid", "no_proxy": "x", "NETRC": "/netrc", "HOME": "/h",
    "PATH": "/bin",
}  # fmt: skip


def options(environ: dict[str, str]) -> dict[str, str]:
    """Return what pip makes of its variables."""
    return {k[4:].lower().replace("_", "-"): v for k, v in environ.items() if k.startswith("PIP_")}


@given(st.sets(st.sampled_from(sorted(MISLEADING))), st.sets(st.sampled_from(sorted(REACHING))))
@pytest.mark.slow
def test_what_misleads_goes_and_what_reaches_an_index_stays(bad, good):
    environ = {k: MISLEADING[k] for k in bad} | {k: REACHING[k] for k in good}
    found = tool.clean(environ, options(environ))
    assert not set(found) & set(MISLEADING)
    assert {k: v for k, v in found.items() if k in good} == {k: REACHING[k] for k in good}
    assert found["PIP_CONFIG_FILE"] == os.devnull


def test_uv_takes_pips_index_where_it_is_told_none():
    found = tool.clean({}, {"index-url": "https://a.invalid", "cert": "/a.pem", "proxy": "http://p", "user": "1"})
    assert found["UV_DEFAULT_INDEX"] == "https://a.invalid"
    assert (found["SSL_CERT_FILE"], found["ALL_PROXY"]) == ("/a.pem", "http://p")
    told = {"UV_INDEX_URL": "https://b.invalid", "SSL_CERT_FILE": "/b.pem", "https_proxy": "http://q"}
    found = tool.clean(told, {"index-url": "https://a.invalid", "cert": "/a.pem", "proxy": "http://p"})
    assert {k: v for k, v in found.items() if not k.startswith("PIP_")} == told
    assert "UV_DEFAULT_INDEX" not in tool.clean({}, {"index-url": "https://a.invalid"}, uv_told=True)


def test_pips_files_are_read_as_pip_ranks_them():
    listed = (
        "Configuration loaded.\n:env:.cert='/e.pem'\nglobal.cert='/g.pem'\nglobal.index-url='https://g.invalid'\n"
        "install.index-url='https://i.invalid'\nglobal.extra-index-url='\\nhttps://b\\nhttps://c'\ninstall.user='true'\n"
    )
    assert tool.pip_options(listed) == {
        "cert": "/e.pem", "index-url": "https://i.invalid", "extra-index-url": "\nhttps://b\nhttps://c", "user": "true"
    }  # fmt: skip


def test_of_uvs_files_the_network_is_kept(tmp_path):
    system, user = tmp_path / "system.toml", tmp_path / "user.toml"
    system.write_text('offline = false\nnative-tls = true\n[pip]\nsystem = true\nindex-url = "https://s.invalid"\n')
    user.write_text(
        'cache-dir = "/ü \\"quoted\\""\nno-build = true\npython-preference = "only-managed"\n'
        '[[index]]\nname = "mine"\nurl = "https://m.invalid"\ndefault = true\n[pip]\ntarget = "/elsewhere"\n'
    )
    kept = tool.uv_settings([system, user])
    assert kept == {
        "offline": False, "native-tls": True, "pip": {"index-url": "https://s.invalid"}, "cache-dir": '/ü "quoted"',
        "index": [{"name": "mine", "url": "https://m.invalid", "default": True}],
    }  # fmt: skip
    assert tomllib.loads("".join(f"{key} = {tool.toml(value)}\n" for key, value in kept.items())) == kept
    user.write_text("nonsense")
    with pytest.raises(tool.InstallError, match="user.toml: .*; mend it"):
        tool.uv_settings([user])


def test_where_uvs_files_lie(tmp_path):
    (tmp_path / "uv").mkdir()
    (tmp_path / "uv/uv.toml").write_text("")
    environ = {"XDG_CONFIG_HOME": str(tmp_path), "XDG_CONFIG_DIRS": "/none", "HOME": "/none"}
    assert tool.uv_files(environ)[-1] == tmp_path / "uv/uv.toml"
    assert tool.uv_files({**environ, "UV_NO_CONFIG": "1"}) == []
    assert tool.uv_files({**environ, "UV_CONFIG_FILE": "/mine.toml"}) == [Path("/mine.toml")]


def wheel(folder: Path) -> str:
    """Write a tiny wheel whose console program `uv` records how it is called, and return its requirement with hash."""
    code = (
        "import json, os, sys\n\ndef main():\n    with open(os.environ['RECORD'], 'a') as f:\n"
        "        f.write(json.dumps([sys.argv[1:], dict(os.environ), os.getcwd()]) + '\\n')\n"
        "    return int(os.environ.get('FAIL', 0))\n"
    )
    files = {
        "uvstub.py": code,
        "uvstub-1.dist-info/METADATA": "Metadata-Version: 2.1\nName: uvstub\nVersion: 1\n",
        "uvstub-1.dist-info/WHEEL": "Wheel-Version: 1.0\nGenerator: x\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
        "uvstub-1.dist-info/entry_points.txt": "[console_scripts]\nuv = uvstub:main\n",
    }
    rows = []
    folder.mkdir()
    path = folder / "uvstub-1-py3-none-any.whl"
    with zipfile.ZipFile(path, "w") as file:
        for name, text in files.items():
            file.writestr(name, text)
            digest = base64.urlsafe_b64encode(hashlib.sha256(text.encode()).digest()).rstrip(b"=").decode()
            rows.append(f"{name},sha256={digest},{len(text.encode())}\n")
        file.writestr("uvstub-1.dist-info/RECORD", "".join(rows) + "uvstub-1.dist-info/RECORD,,\n")
    return f"uvstub==1 --hash=sha256:{hashlib.sha256(path.read_bytes()).hexdigest()}\n"


@pytest.mark.slow
@pytest.mark.long
def test_a_real_pip_under_a_users_settings(tmp_path, monkeypatch, capfd):
    """A real environment and pip; uv is a stub that records its call. No network."""
    binaries = tmp_path / "a venv/bin"
    subprocess.run([sys.executable, "-I", "-m", "venv", tmp_path / "a venv"], check=True)
    (tmp_path / "requirements.txt").write_text(wheel(tmp_path / "wheels"))
    (tmp_path / "pip.conf").write_text(
        f"[global]\nno-index = true\nfind-links = {tmp_path / 'wheels'}\ncert = /a.pem\nquiet = 3\n"
        f"[install]\nuser = true\ntarget = {tmp_path / 'elsewhere'}\nprefix = {tmp_path / 'elsewhere'}\n"
    )
    (tmp_path / "config/uv").mkdir(parents=True)
    (tmp_path / "config/uv/uv.toml").write_text("offline = true\n[pip]\nsystem = true\n")
    environ = {
        **{k: v for k, v in os.environ.items() if not k.startswith(("PIP_", "UV_", "SSL_"))}, **MISLEADING,
        "PYTHONHOME": "/none", "PIP_CONFIG_FILE": str(tmp_path / "pip.conf"), "RECORD": str(tmp_path / "record"),
        "XDG_CONFIG_HOME": str(tmp_path / "config"),
    }  # fmt: skip
    lock = tmp_path / "requirements.lock"
    tool.install(binaries, environ, tmp_path / "requirements.txt", lock)
    assert not (tmp_path / "elsewhere").exists()
    assert list((tmp_path / "a venv").glob("lib/python*/site-packages/uvstub.py"))
    sync, editable = [json.loads(line) for line in (tmp_path / "record").read_text().splitlines()]
    assert sync[0][:2] == ["pip", "sync"]
    assert {"--require-hashes", str(lock), str(binaries / "python")} <= set(sync[0])
    assert editable[0][-4:] == ["-e", "papertally", "-e", "."]
    for _, seen, folder in (sync, editable):
        assert not set(seen) & (set(MISLEADING) | {"PYTHONHOME"})
        assert seen["SSL_CERT_FILE"] == "/a.pem"
        assert Path(folder) == ROOT
        assert "UV_CONFIG_FILE" in seen
    with pytest.raises(tool.InstallError, match=r"set-up: `uv pip sync` ended with 2; what it says stands above"):
        tool.install(binaries, {**environ, "FAIL": "2"}, tmp_path / "requirements.txt", lock)
    (tmp_path / "requirements.txt").write_text("uvstub==2 --hash=sha256:" + "0" * 64 + "\n")
    with pytest.raises(tool.InstallError, match=r"set-up: `python pip install` ended with 1"):
        tool.install(binaries, environ, tmp_path / "requirements.txt", lock)


def test_make_runs_it_apart_from_the_users_python():
    done = subprocess.run(["make", "-n", "-B", "setup"], cwd=ROOT, capture_output=True, encoding="utf-8")
    lines = [line for line in done.stdout.splitlines() if "python" in line and "command -v" not in line]
    assert done.returncode == 0, done.stderr
    assert any("-I .ci/install.py" in line for line in lines)
    assert all(" -I " in line or line.startswith(("test -x", "rm ")) for line in lines)


def fake(folder: Path, name: str, version: str, whole: bool = True) -> None:
    """Write a program that answers as a Python of a version does; whole: it can make an environment."""
    path = folder / name
    path.write_text(f'#!/bin/sh\ncase "$3" in *version_info*) echo {version} ;; *) exit {0 if whole else 1} ;; esac\n')
    path.chmod(0o755)


def chosen(folder: Path, *named: str) -> tuple[int, str, str]:
    """Return (exit code, the last part of the chosen path, what was said) of .ci/python with a folder as its path."""
    command = ["/bin/sh", ROOT / ".ci/python", *named]
    done = subprocess.run(command, env={"PATH": str(folder)}, capture_output=True, encoding="utf-8")
    return done.returncode, Path(done.stdout.strip()).name, done.stderr


def test_the_newest_python_that_serves_is_taken(tmp_path):
    for name, version in (("python3", "3.14"), ("python3.11", "3.11"), ("python3.12", "3.12"), ("python3.10", "3.10")):
        fake(tmp_path, name, version)
    assert chosen(tmp_path)[:2] == (0, "python3.12")
    fake(tmp_path, "python3.13", "3.13", whole=False)  # as Debian has it without python3.13-venv
    assert chosen(tmp_path)[:2] == (0, "python3.12")
    assert chosen(tmp_path, "python3.11")[:2] == (0, "python3.11")
    code, _, said = chosen(tmp_path, "python3.13")
    assert (code, said.count("\n")) == (1, 1)
    assert "apt install python3.13-venv" in said
    code, _, said = chosen(tmp_path, "python3.10")
    assert code == 1
    assert "python3.10 is Python 3.10" in said


def test_without_a_python_that_serves_one_line_says_the_mend(tmp_path):
    fake(tmp_path, "python3", "3.14")
    code, _, said = chosen(tmp_path)
    assert (code, said.count("\n")) == (1, 1)
    assert "python3 is Python 3.14" in said
    assert "make PYTHON=/path/to/python3.12" in said
