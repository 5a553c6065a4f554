"""MicroNet's plugin under a name of its own: `custom_imports = dict(imports=['micronet_plugin'])`.

In a checkout it is the package `registry`, and this module says so where another one of that name comes first on the
path; installed from a wheel it is `micronet_repro`, which may be named itself as well.
"""

from importlib import import_module
from pathlib import Path

from micronet_own import check_own

HERE = Path(__file__).resolve().parent
NAME = "micronet_repro" if (HERE / "micronet_repro").is_dir() else "registry"
check_own(HERE, NAME)
import_module(NAME)
