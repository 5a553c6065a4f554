"""Pack a report so that it travels.

python -m report export FOLDER [--ledger NAME | --path FOLDER]

Writes FOLDER/crate (an RO-Crate of report, ledger and evidence) and FOLDER/hub (for each row with a result of the
paper's own data: `.eval_results/` and a model card). FOLDER must be new or empty.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from papertally.ledger.load import add_ledger_arguments
from papertally.ledger.paper import Paper
from papertally.pages.export.crate import write_crate
from papertally.pages.export.hub import write_hub
from papertally.pages.render import files
from papertally.pages.sources import Sources
from papertally.verdicts.views import Report

#: Where no evidence has a date in the repository.
UNDATED = "1970-01-01"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Say what the command takes."""
    parser.add_argument("folder", type=Path, help="a new or empty folder")
    add_ledger_arguments(parser)


def fault(folder: Path) -> str:
    """Return why a folder cannot be written to, or ""."""
    if folder.exists() and not folder.is_dir():
        return f"{folder}: is a file; name a new folder"
    if folder.is_dir() and any(folder.iterdir()):
        return f"{folder}: is not empty; name a new folder, nothing there is overwritten"
    return ""


def export(paper: Paper, report: Report, sources: Sources, folder: Path) -> Mapping[str, Any]:
    """Write crate and hub under a folder; returns how many files and rows."""
    dates = sorted(d for d in sources.dates.values() if d[:4].isdigit())
    texts = files(report, "../", sources)
    found = write_crate(paper, report, texts, folder / "crate", dates[-1] if dates else UNDATED)
    rows = write_hub(report, folder / "hub")
    print(f"{folder}/crate: {found} files; {folder}/hub: {rows} rows with a result of the paper's data")
    if not rows:
        print("no row has a result of the paper's data yet, so that there is nothing for a hub", file=sys.stderr)
    return {"files": found, "rows": rows}
