"""Say what a long run is doing: stage k of n, what runs and how far it is, and about how long it still takes."""

from __future__ import annotations

import json
import re
import shutil
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import TextIO

from papertally.evidence.io import EvidenceError, write_json_atomic
from pipelines.repro import worker

#: tqdm's percentage, in what a stage printed last.
PERCENT = re.compile(r"(\d+)%\|")
#: Seconds between two lines of a log file that nobody watches.
PAUSE = 30.0
TAIL = 4096


class Progress:
    """Print a line a stage, and between them what runs: on a terminal in place, else every PAUSE seconds."""

    def __init__(self, root: Path, names: Sequence[str], out: TextIO | None = None) -> None:
        self.root, self.names, self.out = root, list(names), out or sys.stdout
        self.live = self.out.isatty()
        self.begun: dict[str, float] = {}
        self.finished: dict[str, float] = {}  # seconds that it took
        self.known = self._known()
        self.shown = time.monotonic()
        self.width = 0

    def started(self, name: str) -> None:
        """Note that a stage began."""
        self.begun[name] = time.monotonic()

    def ended(self, name: str, words: str) -> None:
        """Print how a stage ended, in one line."""
        seconds = time.monotonic() - self.begun[name] if name in self.begun else 0.0
        self.finished[name] = seconds
        took = f" ({seconds:.0f} s)" if name in self.begun else ""
        digits = len(str(len(self.names)))
        self._line(f"[{len(self.finished):{digits}}/{len(self.names)}] {name}: {words}{took}")
        self.shown = time.monotonic()

    def show(self, running: Sequence[str]) -> None:
        """Say what runs and how long all will still take, where the last word is old enough."""
        now = time.monotonic()
        if not running or (not self.live and now - self.shown < PAUSE):
            return
        self.shown = now
        parts = [f"{name} {share:.0%}" if (share := self.share(name)) else name for name in running]
        left = self.left(running)
        text = f"{len(self.finished)} of {len(self.names)} stages done; now {', '.join(parts)}"
        self._line(text + (f"; about {clock(left)} left" if left is not None else ""), stay=not self.live)

    def share(self, name: str) -> float:
        """Return how much of a running stage is done, 0 to 1, by the bar that it printed last; 0 where it has none."""
        try:
            with worker.log_path(self.root, name).open("rb") as log:
                log.seek(0, 2)
                log.seek(max(0, log.tell() - TAIL))
                found = PERCENT.findall(log.read().decode("utf-8", "replace"))
        except OSError:
            return 0.0
        return min(int(found[-1]), 100) / 100 if found else 0.0

    def left(self, running: Sequence[str]) -> float | None:
        """Return about how many seconds the rest takes, from what stages took, here or before; None: no idea yet."""
        took = [s for name, s in self.finished.items() if name in self.begun]
        now = time.monotonic()
        whole = {}
        for name in running:
            elapsed, share = now - self.begun[name], self.share(name)
            whole[name] = max(elapsed / share, elapsed) if share >= 0.1 else self.known.get(name, 0.0)
        known = [s for s in [*took, *whole.values()] if s > 0]
        if not known:
            return None
        usual = sum(known) / len(known)
        waiting = [n for n in self.names if n not in self.finished and n not in self.begun]
        rest = [max(0.0, (whole[n] or usual) - (now - self.begun[n])) for n in running]
        rest += [self.known.get(name, usual) for name in waiting]
        return max(sum(rest) / max(1, len(running)), *rest)

    def close(self) -> None:
        """Keep what stages took, for the next run's estimate."""
        if self.live and self.width:
            self._line("", stay=False)
        took = {name: round(self.finished[name], 1) for name in self.finished if name in self.begun}
        try:
            write_json_atomic(self._file, {**self.known, **took})
        except EvidenceError:  # a full disk was said already; the estimate is all that is lost
            return

    @property
    def _file(self) -> Path:
        return self.root / "work_dirs/repro/seconds.json"

    def _known(self) -> dict[str, float]:
        try:
            return {str(k): float(v) for k, v in json.loads(self._file.read_text("utf-8")).items()}
        except (OSError, ValueError, TypeError, AttributeError):
            return {}

    def _line(self, text: str, stay: bool = True) -> None:
        if self.live:
            columns = shutil.get_terminal_size((100, 24)).columns - 1
            shown = text if stay else text[:columns]
            self.out.write("\r" + shown.ljust(self.width) + ("\n" if stay else ""))
            self.width = 0 if stay else len(shown)
        else:
            self.out.write(text + "\n")
        self.out.flush()


def clock(seconds: float) -> str:
    """Return a time as a reader takes it: 40 s, 3 min, 2 h 10 min."""
    if seconds < 90:
        return f"{max(1, round(seconds))} s"
    minutes = round(seconds / 60)
    return f"{minutes} min" if minutes < 60 else f"{minutes // 60} h {minutes % 60} min"
