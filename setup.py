"""What is packaged. A wheel is the plugin, by a name that nobody else has; an editable checkout is everything.

`registry`, `paper` and `report` are common words: installed as such they would collide with others' modules. The
package `registry` imports its own parts by relative names, so it is `micronet_repro` in a wheel. What checks a ledger,
counts its networks and writes its report lies in a folder of that package which is no package itself: `micronet paper`,
`micronet cost` and the like put it first on their path (micronet_own.py), and nobody else's.
"""

import sys

from setuptools import find_packages, setup
from setuptools.command.build_py import build_py

NAME = "micronet_repro"
ROOMS = ("paper", "evidence", "registry", "pipelines", "report")
#: What a wheel has beside the plugin, and where; of `pipelines` what counts networks, and the modules that it needs.
CHECKING, HARNESS = ("paper", "evidence", "report", "pipelines"), "_harness"
COUNTING, ITS = ("pipelines", "pipelines.counting"), ("__init__", "common")


class Build(build_py):
    """Leave out of a wheel what runs from a checkout alone."""

    def find_package_modules(self, package, package_dir):
        """Return a package's (package, module, file); of `pipelines` itself those that counting needs."""
        found = super().find_package_modules(package, package_dir)
        return [m for m in found if m[1] in ITS] if package == f"{NAME}.{HARNESS}.pipelines" else found


if "editable_wheel" in sys.argv or "develop" in sys.argv:
    layout = {"packages": find_packages(include=[pattern for room in ROOMS for pattern in (room, f"{room}.*")])}
else:
    parts = [NAME, *(f"{NAME}.{name}" for name in find_packages("registry"))]
    folders = {NAME: "registry"}
    for room in CHECKING:
        within = (room, *(f"{room}.{part}" for part in find_packages(room)))
        for name in COUNTING if room == "pipelines" else within:
            parts.append(f"{NAME}.{HARNESS}.{name}")
            folders[parts[-1]] = name.replace(".", "/")
    data = {
        f"{NAME}.{HARNESS}.paper": ["*.yaml", "*/*.yaml", "*/*/*.yaml"],
        f"{NAME}.{HARNESS}.report.page": ["templates/*"],
    }
    layout = {"packages": parts, "package_dir": folders, "package_data": data, "cmdclass": {"build_py": Build}}

setup(py_modules=["micronet_own", "micronet_plugin"], **layout)
