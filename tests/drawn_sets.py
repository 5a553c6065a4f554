"""Draw every set that the product makes, and print a hash of each as JSON: run in a process of its own, which a test
starts under other CPU features.

python tests/drawn_sets.py FOLDER [--pinned]
"""

from __future__ import annotations

import hashlib
import json
import sys
from pathlib import Path

from pipelines import data, people, photos, streets
from pipelines.common import load_params
from pipelines.drawn import draw_tiny


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
    arguments = {name: {key: known[name][key] for key in ("train", "val", "seed")} for name in ("people", "streets")}
    return {
        "digits": data.pixels_pin(data.digits()),
        "people": people.generate(folder / "people", **arguments["people"]),
        "streets": streets.generate(folder / "streets", **arguments["streets"]),
    }


def small(folder: Path) -> dict[str, str]:
    """Return the pins of small sets, and the hash of every small folder's files."""
    found = {
        "digits": data.pixels_pin(data.digits()),
        "people": people.generate(folder / "people", train=12, val=4, seed=3),
        "streets": streets.generate(folder / "streets", train=12, val=4, seed=3),
    }
    draw_tiny(folder / "tiny", classes=3)
    photos.draw_folder(folder / "photos", photos.photographs(), train=2, val=1, classes=2)
    return found | {f"{path.name} as files": files(path) for path in sorted(folder.iterdir())}


if __name__ == "__main__":
    print(json.dumps((pinned if "--pinned" in sys.argv else small)(Path(sys.argv[1]))))
