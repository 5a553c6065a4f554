"""Say before DVC runs what would stop it in this checkout: no git repository, or one that ignores the pipeline.

python -m pipelines checkout     exits with 1 and one line where DVC cannot run here, with 0 where it can

An unpacked archive is no git repository; DVC then says only that. In a folder inside another repository DVC takes that
one for its own: it runs, but compares revisions there (`dvc metrics diff`, `dvc exp`), which a note says.
"""

from __future__ import annotations

import os
import shlex
import sys
from pathlib import Path

from pipelines.common import ROOT, PipelineError, guard

NO_GIT = ("config", "--local", "core.no_scm", "true")


def _mend() -> str:
    """Return the command that tells DVC to do without git, as the shell of this folder takes it."""
    program = Path(sys.executable).with_name("dvc")
    command = [str(program)] if program.exists() else [sys.executable, "-m", "dvc"]
    if program.exists() and program.is_relative_to(Path.cwd()):
        command = [os.path.relpath(program)]
    return f"run `{shlex.join([*command, *NO_GIT])}` there and start again"


def check_dvc(root: Path = ROOT) -> str | None:
    """Return a note on the repository that DVC would take, or None. Raises PipelineError where DVC would stop."""
    from dvc.config import Config, ConfigError
    from scmrepo.exceptions import SCMError
    from scmrepo.git import Git

    root = root.resolve()
    if not (root / ".dvc").is_dir():
        raise PipelineError(f"{root / '.dvc'}: missing, so that DVC finds no project; restore it from the repository")
    try:
        if Config(str(root / ".dvc"))["core"].get("no_scm"):
            return None
    except ConfigError as error:
        raise PipelineError(f"{root / '.dvc'}: {' '.join(str(error).split())}; mend DVC's configuration") from None
    try:
        repository = Git(str(root))
    except SCMError:
        raise PipelineError(f"{root}: no git repository, and DVC expects one (an archive?); {_mend()}") from None
    try:
        for path in sorted([*root.glob("dvc.yaml"), *root.glob("*/dvc.yaml")]):
            if repository.is_ignored(str(path)):
                shown = path.relative_to(root).as_posix()
                raise PipelineError(f"{shown}: ignored by the git repository {repository.root_dir}; {_mend()}")
        if Path(repository.root_dir).resolve() != root:
            return f"DVC takes {repository.root_dir} for this project's git repository; if it is not, {_mend()}"
        return None
    finally:
        repository.close()


def main() -> int:
    """Check this checkout."""
    if note := check_dvc():
        print(f"note: {note}", file=sys.stderr)
    return 0


if __name__ == "__main__":
    raise SystemExit(guard(main))
