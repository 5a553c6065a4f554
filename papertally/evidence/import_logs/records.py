"""Hold what an importer gives: every evaluation of a log, under the trainer's own names, with its file and line."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from papertally.evidence.io import EvidenceError

Split = Literal["train", "val", "test", "unsaid"]
#: The largest number of an epoch or step.
MOST = 10**12
#: What a training minimizes, by any name: accuracies and gradients' norms (infinite at times, in half precision) no.
LOSS = re.compile(r"(^|[\W_])loss", re.IGNORECASE)
#: How trainers write that nothing was evaluated.
BLANK = frozenset({"", "NA"})
_SPLITS: dict[str, Split] = {
    "train": "train",
    "training": "train",
    "val": "val",
    "valid": "val",
    "validation": "val",
    "eval": "val",
    "evaluation": "val",
    "dev": "val",
    "test": "test",
    "testing": "test",
}
_WORD = re.compile(r"[A-Za-z]+")


@dataclass(frozen=True, kw_only=True)
class Record:
    """Hold what a log says at one place.

    at: the epoch counted from 1, the iteration, or None where none is told; by: what `at` counts; split: of the names
    that name none themselves.
    """

    where: str
    metrics: Mapping[str, Any]
    at: int | None = None
    by: Literal["epoch", "iteration", "after iteration", "row", "step"] = "epoch"
    split: Split = "unsaid"

    @property
    def when(self) -> str:
        """Return when it was evaluated, in words; an epoch is its bare number."""
        if self.at is None:
            return "of no epoch told"
        return str(self.at) if self.by == "epoch" else f"{self.by} {self.at}"


@dataclass(frozen=True, kw_only=True)
class Records:
    """Hold a whole log. percent: names that the trainer always gives in percent; share: names always of 1."""

    form: str
    records: list[Record]
    trained: int | None = None
    base: int | None = None
    percent: Callable[[str], bool] = lambda name: False
    share: Callable[[str], bool] = lambda name: False
    notes: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class Importer:
    """Hold one trainer's reader: whether a text is its log, and the reading."""

    name: str
    recognizes: Callable[[Path, str], bool]
    read: Callable[[Path, str], Records]


def split_of(name: str) -> Split:
    """Return the split that a metric's name says: the first of its words that names one."""
    return next((_SPLITS[word.lower()] for word in _WORD.findall(name) if word.lower() in _SPLITS), "unsaid")


def bare(name: str) -> str:
    """Return a metric's name without the split before it."""
    word = _WORD.match(name.strip())
    if word and word[0].lower() in _SPLITS and (rest := name.strip()[word.end() :].lstrip("_/-. ")):
        return rest
    return name.strip()


def number(text: object, where: str) -> float:
    """Return a finite number of a log. Raises EvidenceError."""
    said = str(text)
    try:
        if isinstance(text, bool) or not said.isascii() or "_" in said:  # which Python reads, and no log has
            raise ValueError
        value = float(said)
    except ValueError:
        raise EvidenceError(f"{where}: {said[:40]!r} is no number; mend the log, or cut it before there") from None
    if not math.isfinite(value):
        raise EvidenceError(f"{where}: {text} is not finite: the run diverged, and there is nothing to bring in")
    return value


def epoch_number(text: object, where: str) -> int:
    """Return an epoch's or step's number. Raises EvidenceError."""
    value = number(text, where)
    if value != int(value) or not 0 <= value <= MOST:
        raise EvidenceError(f"{where}: {str(text)[:40]} is the number of no epoch; mend the log")
    return int(value)


def check_loss(name: str, text: object, where: str) -> None:
    """Raise EvidenceError for a loss that is not finite: what is evaluated after it, or was before, is no result."""
    if LOSS.search(name) and str(text).strip().lower().lstrip("+-") in ("nan", "inf", "infinity"):
        raise EvidenceError(f"{where}: {name.strip()} is {text}: the run diverged, and there is nothing to bring in")
