"""A row's handle: its id resolved once to ledger, table and task, and where its files lie."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from evidence.io import EvidenceError
from paper.ledger import HERE, LedgerError, load_tables

ROOT = HERE.parent
CONFIGS, FINGERPRINTS, RESULTS = Path("configs"), Path("fingerprints"), Path("results")
TASKS = ("classification", "pose", "segmentation")
#: How the first paper's rows are named: t, the table, an underscore.
ROW_LIKE = re.compile(r"t\d+[a-z]?_")


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


@lru_cache(maxsize=8)
def _rows(paper: Path) -> dict[str, Row]:
    """Return every row of every ledger under `paper` by id. Raises LedgerError."""
    out: dict[str, Row] = {}
    names = sorted(p.parent.name for p in paper.glob("*/paper.yaml"))
    for ledger in ("", *names):
        nearer = [f"{name}_" for name in names if ledger and name.startswith(f"{ledger}_")]
        for table in load_tables(paper / ledger / "tables", prefix=f"{ledger}_" if ledger else "").values():
            for row in table.rows:
                if strange := [prefix for prefix in nearer if row.id.startswith(prefix)]:
                    fault = f"row id {row.id!r} begins as those of paper/{strange[0][:-1]} do; rename it"
                    raise LedgerError(f"paper/{ledger}: {fault}")
                if row.id in out:
                    other = out[row.id].ledger or "the first paper"
                    raise LedgerError(f"paper/{ledger}: row id {row.id!r} is taken by {other}; rename it")
                out[row.id] = Row(row.id, ledger, table.id, table.task)
    return out


def all_rows(root: Path = ROOT) -> dict[str, Row]:
    """Return every row of the ledgers under root/paper by id; without any, of this package's. Raises LedgerError."""
    own = root / "paper"
    return _rows(own if (own / "paper.yaml").is_file() else HERE)


def find_row(row_id: str, root: Path = ROOT) -> Row:
    """Return a row by its id. Raises LedgerError for an unknown one."""
    try:
        return all_rows(root)[row_id]
    except KeyError:
        raise LedgerError(f"paper/tables: no row {row_id!r}; `python -m paper rows` lists them") from None


def configured_rows(root: Path = ROOT, tasks: Iterable[str] = TASKS, ledger: str = "") -> list[str]:
    """Return the row ids of the first paper, or of a named ledger, that have a config, sorted.

    Raises EvidenceError for a config that is named as a row is, but like none.
    """
    rows, out = all_rows(root), []
    for folder in [ledger] if ledger else list(tasks):
        for path in (root / CONFIGS / folder).glob("*.py"):
            row = rows.get(path.stem)
            if row is not None and row.config == path.relative_to(root):
                out.append(row.id)
            elif ROW_LIKE.match(path.stem) or path.stem.startswith(f"{ledger or '-'}_"):
                shown = path.relative_to(root).as_posix()
                raise EvidenceError(f"{shown}: no row of that name and task in paper/; rename it or add the row")
    return sorted(out)
