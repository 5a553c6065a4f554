"""What is packaged. A wheel is the plugin, by a name that nobody else has; an editable checkout is everything.

`registry`, `paper` and `report` are common words: installed as such they would collide with others' modules. The
package `registry` imports its own parts by relative names, so it is `micronet_repro` in a wheel.
"""

import sys

from setuptools import find_packages, setup

NAME = "micronet_repro"
ROOMS = ("paper", "evidence", "registry", "pipelines", "report")

if "editable_wheel" in sys.argv or "develop" in sys.argv:
    layout = {"packages": find_packages(include=[pattern for room in ROOMS for pattern in (room, f"{room}.*")])}
else:
    parts = [NAME, *(f"{NAME}.{name}" for name in find_packages("registry"))]
    layout = {"packages": parts, "package_dir": {NAME: "registry"}}

setup(py_modules=["micronet_own", "micronet_plugin"], **layout)
