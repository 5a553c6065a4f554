"""MicroNet's plugin under a name of its own: `custom_imports = dict(imports=['micronet_plugin'])`.

In a checkout it is the package `registry`; installed from a wheel it is `micronet_repro`, which may be named itself as
well. Another `registry` that comes first on the path is named, not imported.
"""

import os
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path

HERE = Path(__file__).resolve().parent
#: The plugin's folder in a checkout, and its name there and in a wheel.
OWN = HERE / "registry" / "__init__.py"
NAME = "registry" if OWN.is_file() else "micronet_repro"


class ShadowedError(SystemExit, Exception):
    """Say which file stands in the plugin's place; ends the process with this line where nobody catches it."""


spec = find_spec(NAME)
origin = (spec.origin or next(iter(spec.submodule_search_locations or ()), None)) if spec else None
if OWN.is_file() and not (origin and Path(origin).is_file() and os.path.samefile(origin, OWN)):
    raise ShadowedError(
        f"error: {origin or NAME}: found in place of the package {NAME!r} in {HERE}; rename it, or take its folder off "
        "PYTHONPATH"
    )
import_module(NAME)
