"""One paper: a folder with its ledger, and where its evidence, its report and its accepted verdicts lie."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from papertally.ledger.entries import LedgerError
from papertally.ledger.load_tables import open_yaml


def up(root: Path, folder: Path) -> str:
    """Return the way from a folder to the root, for links: "" or with a slash at its end."""
    return Path(os.path.relpath(root, folder)).as_posix() + "/"


def ledger_folder(path: Path | None) -> Path:
    """Return a ledger's folder, the working folder where none is named. Raises LedgerError where there is none."""
    if path is not None and not path.is_dir():
        raise LedgerError(f"{path}: no folder; name the one that holds paper.yaml")
    return (path or Path()).resolve()


@dataclass(frozen=True, kw_only=True)
class Paper:
    """Name the folders of one paper.

    Args:
        folder: The ledger's folder, that of its paper.yaml.
        root: The folder that paths are shown from: a checkout's, or the ledger's own.
        results: The evidence's folder.
        out: Where the report is written.
        baseline: The accepted verdicts' file.
        fingerprints: The folder, from the root on, of what today's evidence depends on; None where no code of a
            project is held to it.
    """

    folder: Path
    root: Path
    results: Path
    out: Path
    baseline: Path
    fingerprints: Path | None = None

    @classmethod
    def at(cls, folder: Path, out: Path | None = None, baseline: Path | None = None) -> Paper:
        """Return the paper of a folder; out, baseline: instead of its own report/ and baseline.json.

        paper.yaml may name other folders of the same checkout by `results` and `fingerprints`. Raises LedgerError where
        there is no folder, or a name leads out of the checkout.
        """
        folder = ledger_folder(folder)
        said, places = open_yaml(folder / "paper.yaml"), {}
        raw = said.data if isinstance(said.data, dict) else {}
        checkout = next((f for f in folder.parents if (f / "pyproject.toml").is_file()), None)
        for key in ("results", "fingerprints"):
            if not isinstance(name := raw.get(key), str):
                continue
            place = Path(os.path.normpath(folder / name))
            if place != folder and folder not in place.parents and (checkout is None or checkout not in place.parents):
                raise said.error((key,), f"{key}: {name!r} leads out of the paper's checkout; name a folder within it")
            places[key] = place
        within = all(folder in place.parents for place in places.values())
        root = folder if within or checkout is None else checkout
        fingerprints = places.get("fingerprints")
        return cls(
            folder=folder,
            root=root,
            results=places.get("results", folder / "results"),
            out=out or folder / "report",
            baseline=baseline or folder / "baseline.json",
            fingerprints=None if fingerprints is None else fingerprints.relative_to(root),
        )

    @property
    def metrics(self) -> Path:
        """Return the file that counts the verdicts for `dvc metrics`."""
        return self.results / "metrics/verdicts.json"

    def shown(self, path: Path) -> str:
        """Return a path relative to the root, for a reader."""
        return path.relative_to(self.root).as_posix()
