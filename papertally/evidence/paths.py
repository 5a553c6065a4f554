"""Where one paper's ledger, evidence and report lie: the first paper's at the top, another's in folders of its name."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from papertally.ledger.load import LedgerError


def up(root: Path, folder: Path) -> str:
    """Return the way from a folder to the repository's root, for links: "" or with a slash at its end."""
    return Path(os.path.relpath(root, folder)).as_posix() + "/"


@dataclass(frozen=True)
class Places:
    """Name the folders of one paper. `name` is "" for the first paper: papers/micronet, results/, report/out/.

    own: `root` itself is a ledger's folder, outside any checkout, with its evidence and report in it.
    """

    root: Path
    name: str = ""
    own: bool = False

    def __post_init__(self) -> None:
        if self.name and not (self.ledger / "paper.yaml").is_file():
            known = sorted(p.parent.name for p in (self.root / "papers").glob("*/paper.yaml"))
            raise LedgerError(f"papers/{self.name}: no paper.yaml there; ledgers: {', '.join(known) or 'none'}")

    @property
    def ledger(self) -> Path:
        """Return the ledger's folder."""
        return self.root if self.own else self.root / "papers" / (self.name or "micronet")

    @property
    def results(self) -> Path:
        """Return the evidence's folder."""
        return self.root / "results" / self.name

    @property
    def out(self) -> Path:
        """Return where the report is written."""
        return self.root / "report" if self.own else self.root / "report/out" / self.name

    @property
    def baseline(self) -> Path:
        """Return the accepted verdicts' file."""
        if self.own:
            return self.root / "baseline.json"
        return self.root / "report" / (f"baseline_{self.name}.json" if self.name else "baseline.json")

    @property
    def metrics(self) -> Path:
        """Return the file that counts the verdicts for `dvc metrics`."""
        return self.results / "metrics/verdicts.json"

    def shown(self, path: Path) -> str:
        """Return a path relative to the root, for a reader."""
        return path.relative_to(self.root).as_posix()
