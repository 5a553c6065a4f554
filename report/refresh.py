"""Write the report and the model index, unless nothing that they read has changed: `make repro`'s first and last step.

python -m report.refresh [--mark FILE]
"""

from __future__ import annotations

import argparse
import hashlib
import sys
from collections.abc import Iterator
from pathlib import Path

from papertally.evidence.revision import NoRevision, git
from papertally.output import run
from papertally.pages.stamp import STAMP

ROOT = Path(__file__).resolve().parent.parent
#: A test holds this to the files that the report opens.
READ = (
    "configs",
    "fingerprints",
    "papers",
    "papertally",
    "params.yaml",
    "proxy/orderings.yaml",
    "report",
    "requirements.lock",
    "results",
)
#: Made by the report itself, or of no account for it.
MADE = ("report/out/", "report/dvc.")


def _files(root: Path) -> Iterator[Path]:
    for name in READ:
        path = root / name
        yield from [path] if path.is_file() else sorted(p for p in path.rglob("*") if p.is_file())


def inputs_digest(root: Path = ROOT) -> str:
    """Return the sha256 over names and bytes of all that the report reads, and over git's commit (evidence's dates)."""
    digest = hashlib.sha256()
    for path in _files(root):
        name = path.relative_to(root).as_posix()
        if name.startswith(MADE) or "__pycache__" in path.parts:
            continue
        digest.update(f"{name}\0".encode("utf-8", "surrogateescape"))
        digest.update(hashlib.sha256(path.read_bytes()).digest())
    try:
        digest.update(git(root, "rev-parse", "HEAD").encode())
    except NoRevision as reason:
        digest.update(str(reason).encode())
    return digest.hexdigest()


def is_current(root: Path = ROOT) -> bool:
    """Tell whether the report that lies there was made of what lies there."""
    out = root / "report/out"
    try:
        return (out / "index.html").is_file() and (out / STAMP).read_text("utf-8").strip() == inputs_digest(root)
    except OSError:
        return False


def main(argv: list[str] | None = None, root: Path = ROOT) -> int:
    """Write the report where it lies behind, and say where it is; returns the report's exit code."""
    parser = argparse.ArgumentParser(description="Write the report and the model index where they lie behind.")
    parser.add_argument("--mark", type=Path, help="a file to write first, on which DVC's other stages depend")
    mark = parser.parse_args(argv).mark
    if mark is not None:  # always the same, so that no stage takes it for a change
        mark.parent.mkdir(parents=True, exist_ok=True)
        mark.write_text("DVC runs stages in the order of their dependencies.\n", "utf-8", newline="\n")
    if is_current(root):
        print(f"report: {root / 'report/out/index.html'} (up to date)")
        return 0
    # imported late: the check above is all that a run with nothing to do needs
    from papertally.evidence.io import EvidenceError, write_text_atomic
    from report import __main__ as report
    from report import metadata

    code = metadata.main([], root) or report.main([], root)
    if code == 0:
        try:
            write_text_atomic(root / "report/out" / STAMP, inputs_digest(root) + "\n")
        except (OSError, EvidenceError) as error:
            print(f"warning: {error}", file=sys.stderr)
    return code


if __name__ == "__main__":
    raise SystemExit(run(main))
