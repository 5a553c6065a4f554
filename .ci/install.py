"""Install the locked packages and this project into the virtual environment whose Python runs this: `make setup`.

Of what a user told pip and uv, by variables or by files, that is kept which says how to reach a package index (mirrors,
certificates, proxies, caches). What says where to install, what and how is not: `user = true` or a `target`, meant for
other installs, would stop this one or send the packages elsewhere. Standard library only: nothing is installed yet.
"""

from __future__ import annotations

import ast
import json
import os
import re
import subprocess
import sys
import tempfile
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
#: pip's options that say how to reach an index.
PIP = (
    "index-url", "extra-index-url", "find-links", "no-index", "trusted-host", "cert", "client-cert", "proxy", "timeout",
    "default-timeout", "retries", "resume-retries", "keyring-provider", "cache-dir", "no-cache-dir", "use-feature",
)  # fmt: skip
PIP_VARIABLES = ("PIP_CONFIG_FILE", *("PIP_" + option.upper().replace("-", "_") for option in PIP))
#: uv's, in uv.toml and, in capitals, as UV_ variables.
UV = (
    "index", "default-index", "index-url", "extra-index-url", "find-links", "no-index", "index-strategy",
    "keyring-provider", "insecure-host", "allow-insecure-host", "native-tls", "system-certs", "offline", "cache-dir",
    "no-cache", "http-timeout", "http-retries", "http-connect-timeout", "request-timeout", "concurrent-downloads",
    "concurrent-installs", "concurrent-builds", "link-mode", "http-proxy", "https-proxy", "no-proxy", "credentials-dir",
)  # fmt: skip
#: What uv takes over from pip where it is told nothing of its own: uv does not read pip's settings.
SHARED = {
    "index-url": ("UV_DEFAULT_INDEX", "UV_INDEX_URL"), "cert": ("SSL_CERT_FILE",),
    "trusted-host": ("UV_INSECURE_HOST",), "proxy": ("ALL_PROXY", "HTTPS_PROXY", "https_proxy", "all_proxy"),
}  # fmt: skip
FOREIGN = ("PIP_", "UV_", "PYTHON", "VIRTUAL_ENV", "CONDA_", "SETUPTOOLS_", "DISTUTILS_", "__PYVENV_LAUNCHER__")


class InstallError(Exception):
    """Say what stops the set-up."""


def _kept_uv(name: str) -> bool:
    option = name.removeprefix("UV_").lower().replace("_", "-")
    return option in UV or (option.startswith("index-") and option.endswith(("-username", "-password")))


def clean(environ: Mapping[str, str], pip: Mapping[str, str], uv_told: bool = False) -> dict[str, str]:
    """Return the environment of the set-up. pip: its options, from files and variables; uv_told: uv.toml has an index.

    Whatever the user's files say, pip reads none of them: what is kept of them stands in variables.
    """
    kept = {k: v for k, v in environ.items() if not k.startswith(FOREIGN) or (k.startswith("UV_") and _kept_uv(k))}
    options = {key: value for key, value in pip.items() if key in PIP}
    kept |= {"PIP_" + key.upper().replace("-", "_"): value for key, value in options.items()}
    for key, names in SHARED.items():
        if key in options and not any(name in kept for name in names) and not (key == "index-url" and uv_told):
            kept[names[0]] = options[key]
    return kept | {"PIP_CONFIG_FILE": os.devnull, "PIP_DISABLE_PIP_VERSION_CHECK": "1", "PIP_NO_INPUT": "1"}


def pip_options(listed: str) -> dict[str, str]:
    """Return pip's options by name from the lines of `pip config list`; a variable beats [install] beats [global]."""
    found: dict[str, dict[str, str]] = {}
    for section, name, value in re.findall(r"^(:env:|[\w-]+)\.([\w-]+)=(['\"].*)$", listed, re.MULTILINE):
        found.setdefault(section, {})[name] = str(ast.literal_eval(value))
    return {**found.get("global", {}), **found.get("install", {}), **found.get(":env:", {})}


def uv_files(environ: Mapping[str, str]) -> list[Path]:
    """Return the uv.toml files of system and user that exist, the stronger one last."""
    if environ.get("UV_NO_CONFIG", "0").lower() not in ("", "0", "false"):
        return []
    if environ.get("UV_CONFIG_FILE"):
        return [Path(environ["UV_CONFIG_FILE"])]
    home = Path(environ.get("HOME") or Path.home())
    system = [Path(p) / "uv/uv.toml" for p in environ.get("XDG_CONFIG_DIRS", "/etc/xdg").split(":")]
    user = Path(environ.get("APPDATA") or environ.get("XDG_CONFIG_HOME") or home / ".config") / "uv/uv.toml"
    return [path for path in (Path("/etc/uv/uv.toml"), *reversed(system), user) if path.is_file()]


def uv_settings(files: list[Path]) -> dict[str, Any]:
    """Return what is kept of uv.toml files. Raises InstallError naming a malformed one."""
    kept: dict[str, Any] = {}
    for path in files:
        try:
            said = tomllib.loads(path.read_text("utf-8"))
        except (OSError, ValueError) as error:
            raise InstallError(f"{path}: {error}; mend it") from None
        for table, target in ((said, kept), (said.get("pip", {}), kept.setdefault("pip", {}))):
            target |= {key: value for key, value in table.items() if key in UV}
    return kept


def toml(value: Any) -> str:
    """Return a TOML value: a string, number, list or inline table."""
    if isinstance(value, dict):
        return "{" + ", ".join(f"{json.dumps(key)} = {toml(v)}" for key, v in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(map(toml, value)) + "]"
    return json.dumps(value, ensure_ascii=False)


def call(*command: str | Path, env: Mapping[str, str], read: bool = False) -> str:
    """Run a program in the root. Raises InstallError where it fails; its own words stand above."""
    done = subprocess.run(
        [str(part) for part in command], cwd=ROOT, env=dict(env), stdout=subprocess.PIPE if read else None,
        encoding="utf-8", errors="replace",
    )  # fmt: skip
    if done.returncode:
        words = " ".join(Path(part).name for part in command[:5] if not str(part).startswith("-"))
        raise InstallError(f"set-up: `{words}` ended with {done.returncode}; what it says stands above")
    return done.stdout or ""


def install(binaries: Path, environ: Mapping[str, str], bootstrap: Path, lock: Path) -> None:
    """Install uv by pip, the locked packages and the project by uv. Raises InstallError."""
    python = binaries / "python"
    bare = {k: v for k, v in environ.items() if not k.startswith(("PIP_", "PYTHON")) or k in PIP_VARIABLES}
    bare |= {"PIP_QUIET": "0", "PIP_VERBOSE": "0"}
    settings = uv_settings(uv_files(environ))
    told = any("index" in key for key in (*settings, *settings.get("pip", {})))
    options = pip_options(call(python, "-I", "-m", "pip", "config", "list", env=bare, read=True))
    env = clean(environ, options, told)
    call(python, "-I", "-m", "pip", "install", "--quiet", "--require-hashes", "-r", bootstrap, env=env)
    with tempfile.TemporaryDirectory() as folder:
        if any(settings.values()):  # in place of the files that it was read from
            env["UV_CONFIG_FILE"] = str(Path(folder) / "uv.toml")
            text = "".join(f"{key} = {toml(value)}\n" for key, value in settings.items())
            Path(env["UV_CONFIG_FILE"]).write_text(text, "utf-8")
        elif settings:
            env["UV_NO_CONFIG"] = "1"
        uv, into = (binaries / "uv", "pip"), ("--quiet", "--python", python)
        call(*uv, "sync", *into, "--require-hashes", "--compile-bytecode", bootstrap, lock, env=env)
        call(*uv, "install", *into, "--no-deps", "-e", "papertally", "-e", ".", env=env)
    packages = call(python, "-I", "-c", "import sysconfig; print(sysconfig.get_path('purelib'))", env=env, read=True)
    # `python -m pipelines` and `python -m report` from any folder: packages of this checkout that no wheel has.
    (Path(packages.strip()) / "micronet_checkout.pth").write_text(f"{ROOT}\n", "utf-8")


def main() -> int:
    """Set the environment up; returns 1 with one line where it fails."""
    try:
        install(Path(sys.prefix) / "bin", os.environ, ROOT / "requirements-uv.lock", ROOT / "requirements.lock")
    except (InstallError, OSError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
