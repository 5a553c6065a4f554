"""A row's handle: its id resolved once to ledger, table and task, and where its files lie."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from evidence.io import EvidenceError
from paper.ledger import HERE, LedgerError, load_tables

ROOT = HERE.parent
CONFIGS, FINGERPRINTS, RESULTS = Path("configs"), Path("fingerprints"), Path("results")
TASKS = ("classification", "pose", "segmentation")


@dataclass(frozen=True)
class Row:
    """Name a row of a ledger. ledger: "" for the first paper. All paths are relative to the repository's root."""

    id: str
    ledger: str
    table: str
    task: str

    @property
    def config(self) -> Path:
        """Return the row's config."""
        return CONFIGS / (self.ledger or self.task) / f"{self.id}.py"

    @property
    def fingerprint(self) -> Path:
        """Return the file that says what the row's results depend on."""
        return FINGERPRINTS / f"{self.id}.json"

    @property
    def results(self) -> Path:
        """Return the folder of its paper's evidence."""
        return RESULTS / self.ledger


@lru_cache(maxsize=1)
def _rows() -> dict[str, Row]:
    """Return every row of every ledger by id. Raises LedgerError."""
    out: dict[str, Row] = {}
    for ledger in ("", *sorted(p.parent.name for p in HERE.glob("*/paper.yaml"))):
        for table in load_tables(HERE / ledger / "tables").values():
            out |= {row.id: Row(row.id, ledger, table.id, table.task) for row in table.rows}
    return out


def find_row(row_id: str) -> Row:
    """Return a row by its id. Raises LedgerError for an unknown one."""
    try:
        return _rows()[row_id]
    except KeyError:
        raise LedgerError(f"paper/tables: no row {row_id!r}; `python -m paper rows` lists them") from None


def configured_rows(root: Path = ROOT, tasks: Iterable[str] = TASKS, ledger: str = "") -> list[str]:
    """Return the row ids of the first paper, or of a named ledger, that have a config, sorted.

    Raises EvidenceError for a config that is named like no row.
    """
    folders = [ledger] if ledger else list(tasks)
    prefix = f"{ledger}_" if ledger else "t"
    found = sorted(path for folder in folders for path in (root / CONFIGS / folder).glob(f"{prefix}*.py"))
    for path in found:
        if path.stem not in _rows():
            shown = path.relative_to(root).as_posix()
            raise EvidenceError(f"{shown}: no row of that name in paper/; rename it or add the row to its table")
    return [path.stem for path in found]
