"""Tell a package from another of the same name that comes first on the path: `registry` and `report` are common words.

A `registry.py` on PYTHONPATH, or a folder `report` in the working folder, is imported in place of the package that was
meant without a word, and what fails then is something else, far away.
"""

from __future__ import annotations

import os
import sys
from importlib.util import find_spec
from pathlib import Path


class ShadowedError(SystemExit, Exception):
    """Say which file stands in a package's place; ends the process with this line where nobody catches it."""


def found_at(name: str) -> Path | None:
    """Return the file, or the folder without one, that `import name` takes; None where there is none."""
    module = sys.modules.get(name)
    spec = getattr(module, "__spec__", None) if module else find_spec(name)
    origin = getattr(module, "__file__", None) or (spec.origin if spec else None)
    folders = list(spec.submodule_search_locations or ()) if spec else []
    return Path(origin or folders[0]) if origin or folders else None


def check_own(root: Path, *names: str) -> None:
    """Raise ShadowedError where a package in `root` is not what its name imports. Imports none of them."""
    for name in names:
        own, found = root / name / "__init__.py", found_at(name)
        if own.is_file() and not (found and found.is_file() and os.path.samefile(own, found)):
            raise ShadowedError(
                f"error: {found or name}: found in place of the package {name!r} in {root}; rename it, or take its "
                "folder off PYTHONPATH"
            )
