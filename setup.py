"""What is packaged. A wheel is the plugin, by a name that nobody else has; an editable checkout is everything.

`registry`, `paper` and `report` are common words: installed as such they would collide with others' modules. The
package `registry` imports its own parts by relative names, so it is `micronet_repro` in a wheel. What checks a ledger
and writes its report (`paper`, `evidence`, `report`) lies in a folder of that package which is no package itself:
`micronet paper` and `micronet report` put it first on their path (micronet_own.py), and nobody else's.
"""

import sys

from setuptools import find_packages, setup

NAME = "micronet_repro"
ROOMS = ("paper", "evidence", "registry", "pipelines", "report")
#: What a wheel has beside the plugin, and where.
CHECKING, HARNESS = ("paper", "evidence", "report"), "_harness"

if "editable_wheel" in sys.argv or "develop" in sys.argv:
    layout = {"packages": find_packages(include=[pattern for room in ROOMS for pattern in (room, f"{room}.*")])}
else:
    parts = [NAME, *(f"{NAME}.{name}" for name in find_packages("registry"))]
    folders = {NAME: "registry"}
    for room in CHECKING:
        for name in (room, *(f"{room}.{part}" for part in find_packages(room))):
            parts.append(f"{NAME}.{HARNESS}.{name}")
            folders[parts[-1]] = name.replace(".", "/")
    data = {
        f"{NAME}.{HARNESS}.paper": ["*.yaml", "*/*.yaml", "*/*/*.yaml"],
        f"{NAME}.{HARNESS}.report.page": ["templates/*"],
    }
    layout = {"packages": parts, "package_dir": folders, "package_data": data}

setup(py_modules=["micronet_own", "micronet_plugin"], **layout)
