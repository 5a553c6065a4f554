"""What must be the same on every CPU, as JSON: for a process of its own, which a test starts under other CPU features.

python tests/portable.py small FOLDER     # hashes of small drawn sets and of their files
python tests/portable.py pinned FOLDER    # the pins of the sets as params.yaml has them drawn
python tests/portable.py values           # what statements, figures and costs are found to be
"""

from __future__ import annotations

import hashlib
import json
import sys
from pathlib import Path
from typing import Any

from helpers import MICRONET

from pipelines.common import configured_rows, load_params
from pipelines.data import digits as data
from pipelines.data import people, photos, streets
from pipelines.data.drawn import draw_tiny

DRAWN = {"people": people.generate, "streets": streets.generate}


def files(folder: Path) -> str:
    """Return the sha256 over the names and bytes of a folder's files: what training reads, encoders included."""
    digest = hashlib.sha256()
    for path in sorted(p for p in folder.rglob("*") if p.is_file()):
        content = path.read_bytes()
        digest.update(f"{path.relative_to(folder).as_posix()} {len(content)}\n".encode() + content)
    return digest.hexdigest()


def pinned(folder: Path) -> dict[str, str]:
    """Return the pins of the sets as params.yaml has them drawn."""
    known = load_params()["data"]
    asked = {name: {key: known[name][key] for key in ("train", "val", "seed")} for name in DRAWN}
    drawn = {name: generate(folder / name, **asked[name]) for name, generate in DRAWN.items()}
    return {"digits": data.pixels_pin(data.digits()), **drawn}


def small(folder: Path) -> dict[str, str]:
    """Return the pins of small sets, and the hash of every small folder's files."""
    pins = {name: generate(folder / name, train=12, val=4, seed=3) for name, generate in DRAWN.items()}
    draw_tiny(folder / "tiny", classes=3)
    photos.draw_folder(folder / "photos", photos.photographs(), train=2, val=1, classes=2)
    pins["digits"] = data.pixels_pin(data.digits())
    return pins | {f"{path.name} as files": files(path) for path in sorted(folder.iterdir())}


def found(evidence: dict[str, Any]) -> dict[str, Any]:
    """Return what an evidence file found, without what it says about its run."""
    return {k: v for k, v in evidence.items() if k not in ("code_revision", "environment", "digest")}


def values() -> dict[str, dict[str, Any]]:
    """Return what statements, figures and costs are found to be, by their files' names under results/.

    Of costs, those of Tables 3 and 4, whose widths are solved for: the others are sums of integers.
    """
    from papertally.conventions.axes import load_conventions
    from papertally.ledger.load import LedgerError
    from pipelines.analysis import claims, cost, figures

    families = load_conventions(MICRONET, LedgerError)
    out = {f"claims/{name}": found(e) for name, e in claims.results().items()}
    out |= {f"figures/figure_{number}": found(e) for number, e in figures.results().items()}
    rows = [row for row in configured_rows() if row.startswith(("t3", "t4"))]
    return out | {f"cost/{row}": found(cost.row_cost(row, conventions=families)) for row in rows}


if __name__ == "__main__":
    command = {"small": small, "pinned": pinned, "values": values}[sys.argv[1]]
    print(json.dumps(command(*map(Path, sys.argv[2:])), sort_keys=True))
