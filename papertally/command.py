"""What every command shares: one-line errors and words for what changed."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

from papertally.evidence.io import EvidenceError
from papertally.ledger.load import LedgerError
from papertally.output import run

#: Further errors that a user can mend, of packages that papertally does not import: their one line is printed as it is.
OTHER_ERRORS: list[Callable[[], type[Exception] | tuple[()]]] = []


class CommandError(Exception):
    """Say what stops a command, in one line that names the file and the mend."""

    def __init__(self, message: object = "") -> None:
        text = str(message)
        if text.startswith("Caught "):  # torch's loader makes a worker's traceback the message: keep the line
            text = text.rsplit(f"{type(self).__name__}: ", 1)[-1].rstrip()
        super().__init__(text)


def guard(main: Callable[[], int | None]) -> int:
    """Run a command's main and turn the errors a user can mend into one line and exit code 1."""

    def guarded() -> int | None:
        try:
            return main()
        except (CommandError, EvidenceError, LedgerError) as error:
            _end_bars()
            print(f"error: {error}", file=sys.stderr)
        except tuple(kind for find in OTHER_ERRORS if (kind := find())) as error:
            _end_bars()
            print(error, file=sys.stderr)
        return 1

    return run(guarded)


def _end_bars() -> None:
    """End the lines of progress bars, so that an error has a line of its own."""
    module = sys.modules.get("tqdm")
    for bar in list(getattr(module.tqdm, "_instances", ())) if module else ():
        bar.close()


def ledger_parser(verb: str, about: str) -> argparse.ArgumentParser:
    """Return the parser of a command line that names a ledger's folder and nothing else."""
    parser = argparse.ArgumentParser(prog=f"papertally {verb}", description=about)
    parser.add_argument("--path", type=Path, required=True, metavar="FOLDER", help="the folder of its paper.yaml")
    return parser


def told(new: Sequence[str], gone: Sequence[str] = ()) -> str:
    """Return in words what a computation changed: nothing, or which results."""
    parts = [f"{word}: {', '.join(names)}" for word, names in (("new or changed", new), ("gone", gone)) if names]
    return "; ".join(parts) or "nothing changed"
