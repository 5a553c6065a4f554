"""Read what a run elsewhere logged of its evaluations: one importer a trainer, told by its own header or keys."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path

from papertally.evidence.import_logs.columns import LOGGED, Target, by_column, column_of, named_factors, names_of
from papertally.evidence.import_logs.json_logs import JSON_IMPORTERS
from papertally.evidence.import_logs.records import Records, number
from papertally.evidence.import_logs.tables import TABLE_IMPORTERS
from papertally.evidence.import_logs.tensorboard import is_events, read_events
from papertally.evidence.import_logs.text_logs import TEXT_IMPORTERS
from papertally.evidence.io import EvidenceError

__all__ = ["LOGGED", "Log", "Target", "column_of", "number", "read_log", "read_records"]

#: Every importer of a text, asked in this order; the last takes any table with named columns.
IMPORTERS = [*JSON_IMPORTERS, *TEXT_IMPORTERS, *TABLE_IMPORTERS]
FORMS = "the log of a trainer that docs/your_paper.md names, or a CSV with named columns"


@dataclass(frozen=True)
class Log:
    """Hold what a log says: its form, and (epoch, values by column in the columns' units) of every evaluation.

    whens: the same evaluations' times in words; trained: how many epochs it ran, where it says so; base: the number of
    its first epoch, where that is known; notes: what was not read.
    """

    form: str
    epochs: list[tuple[int | None, dict[str, float]]]
    trained: int | None = None
    whens: list[str] = field(default_factory=list)
    signs: dict[str, int] = field(default_factory=dict)
    base: int | None = None
    notes: list[str] = field(default_factory=list)

    def last(self) -> tuple[int | None, dict[str, float]]:
        """Return the last evaluation."""
        return self.epochs[-1]

    def _best(self, column: str) -> int:
        sign = self.signs.get(column, 0)
        if not sign:
            raise EvidenceError(f"--epoch best: nobody knows which way {column} is better; say `better` in the table")
        return max(range(len(self.epochs)), key=lambda i: (sign * self.epochs[i][1].get(column, -sign * math.inf), -i))

    def best(self, column: str) -> tuple[int | None, dict[str, float]]:
        """Return the first evaluation that is best in a column. Raises EvidenceError where no way is better."""
        return self.epochs[self._best(column)]

    def taken(self, path: Path, which: str, column: str) -> tuple[int | None, dict[str, float], dict[str, str]]:
        """Return the last or best evaluation, the best by a column, and what evidence states of a log at `path`."""
        i = len(self.epochs) - 1 if which == "last" else self._best(column)
        content = sha256(path.read_bytes()).hexdigest()
        about = {"log": path.name, "log_sha256": content, "form": self.form, "epoch": f"{which}, {self.whens[i]}"}
        if self.base is not None:
            about["epochs_in_log"] = f"counted from {self.base}"
        return *self.epochs[i], about


def read_records(path: Path) -> Records:
    """Return everything that a log evaluates, under its own names. Raises EvidenceError naming file, line and fault."""
    if is_events(path):
        return read_events(path)
    if path.is_dir():
        raise EvidenceError(f"{path}: is a folder; give the path of a log in it")
    if path.exists() and not path.is_file():
        raise EvidenceError(f"{path}: is no file; give the path of a log")
    try:
        text = path.read_bytes().decode("utf-8-sig")
    except OSError as error:
        raise EvidenceError(f"{path}: {error.strerror}; give the path of a log") from None
    except UnicodeDecodeError:
        raise EvidenceError(f"{path}: is no text; give {FORMS}") from None
    importer = next(importer for importer in IMPORTERS if importer.recognizes(path, text))
    return importer.read(path, text)


def read_log(path: Path, columns: Sequence[str | Target], named: Mapping[str, str] | None = None) -> Log:
    """Return a log's evaluations of a table's columns.

    Args:
        path: the log.
        columns: those of the row's table that training decides; a bare name stands for what it usually is.
        named: what the log calls a column, where that is no usual name; NAME*100 of a share, NAME/100 of a percentage.

    Raises:
        EvidenceError: naming file, line and fault.
    """
    targets = [Target.usual(column) if isinstance(column, str) else column for column in columns]
    log = read_records(path)
    found = by_column(log, targets, named or {})
    wanted = ", ".join(target.name for target in targets)
    if not found:
        names = names_of(log)
        offered = f"it has {', '.join(names[:12])}" if names else "it has none at all"
        cut = f" ({'; '.join(log.notes)})" if log.notes else ""
        mend = "name its metric: --column COLUMN=NAME" if names else f"give {FORMS}"
        raise EvidenceError(f"{path}: has no evaluation of {wanted}; {offered}{cut}; {mend}")
    every = {str(name).strip() for record in log.records for name in record.metrics}
    for column, metric in named_factors(named or {}, every)[0].items():
        if not any(column in values for _, values in found):
            raise EvidenceError(f"--column {column}={metric}: {path} logs no such metric; mend the name")
    whens = ["of a test" if r.split == "test" and r.at is None else r.when for r, _ in found]
    return Log(
        form=log.form,
        epochs=[(record.at, values) for record, values in found],
        trained=log.trained,
        whens=whens,
        signs={target.name: target.sign for target in targets},
        base=log.base,
        notes=log.notes,
    )
