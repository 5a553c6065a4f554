"""Run a command so that its output never decides how it ends: not the terminal's encoding, not a reader that left.

What the encoding lacks is printed escaped (`\\u26a0`): the reader asked for that encoding, nothing is lost, and an exit
code means what is documented. Output that nobody reads any more (`| head -1`) is dropped and the command goes on: it
still has files to write and a code to return. A full disk behind `> FILE` is an error, in one line.
"""

from __future__ import annotations

import io
import os
import select
import sys
from collections.abc import Callable
from typing import TextIO

ESCAPE = "backslashreplace"


class SteadyFile(io.FileIO):
    """Write to a descriptor; drop what a reader that left would not read. Raises OSError once for other faults."""

    def __init__(self, descriptor: int, name: str, silent: bool = False) -> None:
        super().__init__(descriptor, "w", closefd=False)
        self.shown, self.gone, self.silent = name, False, silent
        self.terminal = os.isatty(descriptor)  # once hung up, it is none

    def write(self, content: bytes) -> int:  # type: ignore[override]
        """Write all of the bytes, also where the descriptor does not block."""
        rest = memoryview(content).cast("B")
        while rest.nbytes and not self.gone:
            try:
                written = super().write(rest)
                if written is None:
                    select.select([], [self], [])
                rest = rest[written or 0 :]
            except OSError as error:
                self.gone = True  # what follows at exit must not fail again
                if not (self.silent or self.terminal or isinstance(error, ConnectionError)):
                    raise OSError(error.errno, error.strerror, self.shown) from None
        return len(content)


def _steady(stream: TextIO, name: str, silent: bool) -> TextIO:
    if not isinstance(stream, io.TextIOWrapper):
        return stream
    stream.reconfigure(errors=ESCAPE)
    if os.name == "nt" or isinstance(getattr(stream.buffer, "raw", stream.buffer), SteadyFile):
        return stream  # Windows' console has its own writer
    stream.flush()
    raw = SteadyFile(stream.fileno(), name, silent)
    buffer = raw if isinstance(stream.buffer, io.FileIO) else io.BufferedWriter(raw)  # type: ignore[type-var]  # raw: PYTHONUNBUFFERED
    return io.TextIOWrapper(
        buffer, stream.encoding, ESCAPE, line_buffering=stream.line_buffering, write_through=stream.write_through
    )


def steady_output() -> None:
    """Make this process's standard output and error steady; leaves streams that somebody put in their place."""
    for descriptor in (0, 1, 2):
        try:
            os.fstat(descriptor)
        except OSError:  # closed (`>&-`): the next file opened would get its number, and others' output
            os.open(os.devnull, os.O_RDWR)
    for name, shown in (("stdout", "standard output"), ("stderr", "standard error")):
        stream = getattr(sys, name)
        if stream is None:
            unread = open(os.devnull, "w", encoding="utf-8", errors=ESCAPE)  # noqa: SIM115  while the process runs
            setattr(sys, name, unread)
        elif stream is getattr(sys, f"__{name}__"):
            setattr(sys, name, _steady(stream, shown, silent=name == "stderr"))


def run(main: Callable[[], int | None]) -> int:
    """Run a command's main with steady output and return its exit code, or 1 with one line for a fault of the files."""
    steady_output()
    try:
        try:
            return main() or 0
        finally:
            sys.stdout.flush()
    except OSError as error:
        print(f"error: {error.filename or 'file system'}: {error.strerror or error}", file=sys.stderr)
        return 1
