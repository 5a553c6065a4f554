"""What git knows of this checkout: the commit of the code, or the reason why there is none to state.

A hook's GIT_DIR, a repository around an unpacked archive and the user's settings of git change nothing here: git is
pointed to this checkout's own `.git` and to no other. Pointed so, git reads a checkout of another owner too. Its
ownership check keeps a stranger's repository from running programs; here the stranger's Python runs already.
"""

from __future__ import annotations

import os
import subprocess
from collections.abc import Mapping
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

#: The checkout, or the folder of installed packages, that this code lies in.
CODE_ROOT = Path(__file__).resolve().parents[2]
UNKNOWN = "unknown"
DIRTY = "-dirty"
#: What decides a result: a change here, uncommitted, marks evidence's code revision as dirty.
CODE_PATHS = ("registry", "configs", "pipelines", "papertally", "papers", "report/*.py", "params.yaml", "dvc.yaml")
#: What an ignored file of these may decide all the same: Python imports it, and stages read it.
CODE = (".py", ".yaml")
#: Of git's variables, those that say where git and its configuration are; all others aim at some repository or output.
KEPT = ("GIT_EXEC_PATH", "GIT_CONFIG_GLOBAL", "GIT_CONFIG_SYSTEM", "GIT_CONFIG_NOSYSTEM", "GIT_SSL_CAINFO")
#: Settings of a user that would start programs, hide files, or call a file changed for its mode.
SETTINGS = {
    "core.fsmonitor": "false",
    "core.hooksPath": os.devnull,
    "core.excludesFile": "",
    "core.fileMode": "false",
    "core.quotePath": "false",
    "color.ui": "false",
    "log.showRoot": "true",
    "log.showSignature": "false",
}
SECONDS = 60


class NoRevision(Exception):
    """Say why git has no answer about this checkout."""


def git_environment(environ: Mapping[str, str] = os.environ) -> dict[str, str]:
    """Return an environment in which git speaks English, asks nothing and fetches nothing, and a hook's is left out."""
    kept = {k: v for k, v in environ.items() if k in KEPT or not k.startswith(("GIT_", "LC_", "LANG"))}
    return kept | {"LC_ALL": "C", "TZ": "UTC", "GIT_TERMINAL_PROMPT": "0", "GIT_NO_LAZY_FETCH": "1"}


def git(root: Path, *args: str, around: bool = False) -> str:
    """Return git's output about the repository whose `.git` lies in `root`; around: or in a folder that holds it.

    Raises NoRevision with the reason.
    """
    root = Path(root).resolve()
    tree = next((f for f in (root, *(root.parents if around else ())) if os.path.lexists(f / ".git")), None)
    if tree is None:
        raise NoRevision("no git repository of its own")
    command = ["git", "-C", str(root), "--no-pager", "--no-optional-locks", f"--git-dir={tree / '.git'}"]
    command.append(f"--work-tree={tree}")
    for key, value in SETTINGS.items():
        command += ["-c", f"{key}={value}"]
    try:
        done = subprocess.run(
            [*command, *args], stdin=subprocess.DEVNULL, capture_output=True, env=git_environment(), timeout=SECONDS
        )
    except FileNotFoundError:
        raise NoRevision("git is not installed") from None
    except subprocess.TimeoutExpired:
        raise NoRevision(f"git did not answer in {SECONDS} seconds") from None
    except OSError as error:
        raise NoRevision(f"git cannot be run: {error.strerror}") from None
    if done.returncode:
        said = done.stderr.decode("utf-8", "replace").replace(str(root), ".").split("\n")
        fault = next((line for line in said if line.startswith(("fatal:", "error:"))), f"exit {done.returncode}")
        raise NoRevision(f"git: {fault.partition(': ')[2] or fault}")
    return done.stdout.decode("utf-8", "replace")


def code_revision(root: Path) -> str:
    """Return this checkout's commit, with "-dirty" where code differs from it, or "unknown (REASON)"."""
    try:
        git(root, "rev-parse", "--git-dir")  # a fault of the repository itself is the reason
        try:
            commit = git(root, "rev-parse", "--verify", "HEAD^{commit}").strip()
        except NoRevision:
            raise NoRevision("the repository has no commit") from None
        # An archive unpacked over another repository: that one's commit says nothing of this code.
        names = [name for name in CODE_PATHS if (Path(root) / name).exists()]
        if names and not git(root, "ls-tree", "--name-only", commit, "--", *names):
            raise NoRevision("the repository does not hold this code")
        changed = git(root, "status", "--porcelain", "--ignored", "--untracked-files=all", "--", *CODE_PATHS)
        lines = [line for line in changed.splitlines() if not line.startswith("!! ") or line.endswith(CODE)]
        return commit + DIRTY if lines or _unwatched(root) else commit
    except NoRevision as reason:
        return f"{UNKNOWN} ({_wheel(root) or reason})"


def _unwatched(root: Path) -> bool:
    """Tell whether git was told not to look for changes in code that is there (assume-unchanged, skip-worktree)."""
    tags = (line.partition(" ") for line in git(root, "ls-files", "-v", "--", *CODE_PATHS).splitlines())
    return any((tag.islower() or tag == "S") and (Path(root) / name).exists() for tag, _, name in tags)


def _wheel(root: Path) -> str:
    """Return the release that code comes from where it was installed from a wheel, or ""."""
    try:
        installed = Path(root).resolve() == CODE_ROOT and not (CODE_ROOT / "pyproject.toml").exists()
        return f"release {version('papertally')}" if installed else ""
    except PackageNotFoundError:
        return ""
