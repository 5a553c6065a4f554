"""A row's handle: its id resolved once to ledger, table and task, and where its files lie."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from papertally.evidence.io import EvidenceError
from papertally.ledger.load import LedgerError, load_tables
from papertally.ledger.load_tables import row_prefix

ROOT = Path(__file__).resolve().parent.parent
#: The folder of the ledger whose rows have no prefix, and no folder of their own among configs and results.
MICRONET = Path("papers/micronet")
CONFIGS, FINGERPRINTS, RESULTS = Path("configs"), Path("fingerprints"), Path("results")
TASKS = ("classification", "pose", "segmentation")
#: How the first paper's rows are named: t, the table, an underscore.
ROW_LIKE = re.compile(r"t\d+[a-z]?_")


@dataclass(frozen=True)
class Row:
    """Name a row of a ledger. ledger: its folder under papers/, "" for the first paper; prefix: how its row ids begin.

    All paths are relative to the repository's root.
    """

    id: str
    ledger: str
    table: str
    task: str
    prefix: str = ""

    @property
    def config(self) -> Path:
        """Return the row's config."""
        return CONFIGS / (self.prefix or self.task) / f"{self.id}.py"

    @property
    def fingerprint(self) -> Path:
        """Return the file that says what the row's results depend on."""
        return FINGERPRINTS / f"{self.id}.json"

    @property
    def results(self) -> Path:
        """Return the folder of its paper's evidence."""
        return Path("papers", self.ledger) / RESULTS if self.ledger else RESULTS


@lru_cache(maxsize=8)
def _rows(papers: Path) -> dict[str, Row]:
    """Return every row of every ledger under `papers` by id. Raises LedgerError."""
    out: dict[str, Row] = {}
    folders = sorted(p.parent for p in papers.glob("*/paper.yaml"))
    prefixes = {folder: row_prefix(folder) for folder in folders}
    for folder, prefix in prefixes.items():
        nearer = {p: f for f, p in prefixes.items() if prefix and p != prefix and p.startswith(f"{prefix}_")}
        for table in load_tables(folder / "tables", prefix=f"{prefix}_" if prefix else "").values():
            for row in table.rows:
                if strange := [name for p, name in nearer.items() if row.id.startswith(f"{p}_")]:
                    fault = f"row id {row.id!r} begins as those of papers/{strange[0].name} do; rename it"
                    raise LedgerError(f"papers/{folder.name}: {fault}")
                if row.id in out:
                    other = out[row.id].ledger or MICRONET.name
                    fault = f"row id {row.id!r} is taken by papers/{other}; rename it"
                    raise LedgerError(f"papers/{folder.name}: {fault}")
                ledger = "" if folder.name == MICRONET.name else folder.name
                out[row.id] = Row(row.id, ledger, table.id, table.task, prefix)
    return out


def all_rows(root: Path = ROOT) -> dict[str, Row]:
    """Return every row of the ledgers under root/papers by id; without any, of this checkout's. Raises LedgerError."""
    own = root / "papers"
    return _rows(own if any(own.glob("*/paper.yaml")) else ROOT / "papers")


def find_row(row_id: str, root: Path = ROOT) -> Row:
    """Return a row by its id. Raises LedgerError for an unknown one."""
    try:
        return all_rows(root)[row_id]
    except KeyError:
        raise LedgerError(f"papers/micronet/tables: no row {row_id!r}; `papertally ledger rows` lists them") from None


def configured_rows(root: Path = ROOT, tasks: Iterable[str] = TASKS, ledger: str = "") -> list[str]:
    """Return the row ids of the first paper, or of a named ledger, that have a config, sorted.

    Raises EvidenceError for a config that is named as a row is, but like none.
    """
    rows, out = all_rows(root), []
    prefixes = {row.ledger: row.prefix for row in rows.values() if row.ledger}
    for folder in [ledger] if ledger else list(tasks):
        for path in (root / CONFIGS / prefixes.get(folder, folder)).glob("*.py"):
            row = rows.get(path.stem)
            if row is not None and row.config == path.relative_to(root):
                out.append(row.id)
            elif ROW_LIKE.match(path.stem) or path.stem.startswith(f"{prefixes.get(ledger, '-')}_"):
                shown = path.relative_to(root).as_posix()
                raise EvidenceError(f"{shown}: no row of that name and task in papers/; rename it or add the row")
    return sorted(out)
