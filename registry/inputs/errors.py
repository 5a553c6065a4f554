"""Errors that a user can mend, as one line, under mim too."""

from __future__ import annotations

from typing import Any


class DataError(SystemExit, Exception):
    """Say which data file is at fault and the mend.

    Catchable like any exception; where nobody catches it, as under mim, it ends the process with this line on stderr
    and exit code 1 instead of a traceback.
    """

    def __init__(self, message: str) -> None:
        # torch's loader re-raises a worker's error with its traceback as the message: keep the line.
        if message.startswith("Caught "):
            message = message[max(0, message.rfind("Error: error: ") + len("Error: ")) :]
        super().__init__(message.rstrip())


class DivergedError(DataError):
    """Say that a network's loss or outputs are not finite: ranked or decoded, they would pass for a poor result."""


def check_finite(*outputs: Any, what: str = "scores") -> None:
    """Raise DivergedError where a network's outputs (tensors) are not finite."""
    for output in outputs:
        if not bool(output.isfinite().all()):
            raise DivergedError(
                f"error: the network's {what} are not finite: its training diverged, or its weights are damaged; "
                "train anew with a lower lr"
            )
