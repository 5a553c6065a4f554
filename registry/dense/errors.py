"""Errors of the data that a user brings, as one line."""

from __future__ import annotations


class DataError(SystemExit, Exception):
    """Say which data file is at fault and the mend.

    Catchable like any exception; where nobody catches it, as under mim, it ends the process with this line on stderr
    and exit code 1 instead of a traceback.
    """

    def __init__(self, message: str) -> None:
        # torch's loader re-raises a worker's error with its traceback as the message: keep the line.
        if message.startswith("Caught "):
            message = message[max(0, message.rfind("DataError: error: ") + len("DataError: ")) :]
        super().__init__(message.rstrip())
