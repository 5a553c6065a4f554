"""Tell a package of this project from another of the same name: `registry`, `paper` and `report` are common words.

A `registry.py` on PYTHONPATH, or a folder `paper` in the working folder, is imported in place of the installed package
without a word, and what fails then is something else, far away.
"""

from __future__ import annotations

import os
import sys
from importlib import import_module
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


#: What a wheel runs beside being the plugin: by verb the module, the extra that has what it needs, what it does.
WHEEL = {
    "paper": ("paper.__main__", "check", "make a ledger of printed tables (paper new), check it (paper check)"),
    "report": ("report.__main__", "check", "write the report of a ledger; enter: file what a run reached"),
    "plan": ("report.plan", "check", "say what is open: to train, to measure, to count"),
    "cost": ("pipelines.counting.cost", "count", "count the networks that a ledger's rows name"),
    "claims": ("pipelines.counting.claims", "count", "compute what a ledger states of its networks"),
    "conventions": ("pipelines.counting.conventions", "count", "say how printed costs were counted"),
}


def _in_wheel() -> Path | None:
    """Return the folder of a wheel that holds what checks and counts; None in a checkout."""
    where = Path(__file__).resolve().parent / "micronet_repro/_harness"
    return where if (where / "paper").is_dir() else None


#: What names a ledger, or asks for none.
NAMING = ("--path", "--ledger", "--module", "--network", "--list", "-h", "--help")
WITHOUT = ("new", "diff")


def _here(argv: list[str]) -> list[str] | None:
    """Return a command that names its ledger: the working folder's where none is named; None where there is none."""
    words = [word.partition("=")[0] for word in argv[1:]]
    if any(word in NAMING for word in words) or any(word in WITHOUT for word in words[:1]):
        return argv
    return [*argv, "--path", "."] if Path("paper.yaml").is_file() else None


def _checking(argv: list[str], where: Path) -> int:
    """Run a verb of a wheel; say what is missing where it cannot run."""
    verb = argv[0] if argv else ""
    if verb in ("-h", "--help"):
        width = max(map(len, WHEEL))
        lines = [f"  {name:<{width}}  {text}" for name, (_, _, text) in WHEEL.items()]
        print("\n".join(["usage: micronet VERB [...]; micronet VERB --help says more", "", *lines]))
        return 0
    if verb not in WHEEL:
        print(
            f"error: this is the plugin (import micronet_repro) and `micronet {'`, `'.join(WHEEL)}`; the rest of the "
            "harness runs from a checkout of its repository, after `make setup`",
            file=sys.stderr,
        )
        return 2
    if sys.version_info < (3, 11):
        print(f"error: `micronet {verb}` needs Python 3.11 or later; this is {sys.version.split()[0]}", file=sys.stderr)
        return 2
    found = _here(argv)
    if found is None:
        print(
            "error: no ledger is named, and here lies none; give --path FOLDER, that of its paper.yaml", file=sys.stderr
        )
        return 2
    argv = found
    sys.path.insert(0, str(where))
    name, extra, _ = WHEEL[verb]
    try:
        run = import_module(name).main
        guard = import_module("pipelines.common").guard
    except ModuleNotFoundError as error:
        print(f"error: needs {error.name}; pip install 'micronet-repro[{extra}]'", file=sys.stderr)
        return 2
    return guard(lambda: run(argv[1:]))


def main() -> int:
    """Run the harness's verbs (`micronet VERB ...`); from a wheel, those that check a ledger, count and report."""
    if (where := _in_wheel()) is not None:
        return _checking(sys.argv[1:], where)
    from pipelines.__main__ import main as run

    return run()
