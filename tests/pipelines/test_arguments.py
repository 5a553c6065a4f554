"""Every command's --help imports nothing heavy, and what is parsed early is what the heavy modules know."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from papertally.cli import COMMANDS
from pipelines import arguments
from pipelines.__main__ import VERBS

ROOT = Path(__file__).resolve().parents[2]
HEAVY = ("torch", "mmengine", "scipy", "pandas")
#: These read a log or a list of values; they are to be one command, which will parse early, too.
ENTERING = ("file", "evidence")
SHOW_HELP = """
import importlib, sys
module, *words = sys.argv[1:]
sys.argv = [module, *words]
main = importlib.import_module(module).main
try:
    main(words)
except SystemExit as end:
    assert not end.code, end.code
loaded = [name for name in {heavy!r} if name in sys.modules]
assert not loaded, loaded
"""
CASES = [("pipelines.__main__", verb) for verb in VERBS if verb not in ENTERING]
CASES += [("papertally.cli", command) for command in COMMANDS]


@pytest.mark.parametrize(("module", "verb"), [*CASES, ("papertally.pages.command", "")])
def test_help_imports_nothing_heavy(module, verb):
    words = [word for word in (verb, "--help") if word]
    script = [sys.executable, "-c", SHOW_HELP.format(heavy=HEAVY), module, *words]
    done = subprocess.run(script, cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert "usage" in done.stdout


@pytest.mark.slow
def test_what_is_parsed_early_is_what_there_is():
    from pipelines.analysis.overlays import RECIPES
    from pipelines.data.verify import PINS
    from pipelines.packed.pack import DEFAULTS
    from pipelines.training.released import ROWS
    from registry import export
    from registry.official import SIZES

    assert set(RECIPES) == set(arguments.RECIPES)
    assert {name for name, recipe in RECIPES.items() if recipe.task} == set(arguments.OTHER_RECIPES)
    assert tuple(sorted(PINS)) == arguments.DATASETS
    assert tuple(export.FORMS) == arguments.FORMS
    assert tuple(SIZES) == arguments.RELEASED_SIZES
    chosen = next(a for a in arguments.released()._actions if a.dest == "ledger")
    assert sorted(chosen.choices or ()) == sorted(ROWS)
    assert DEFAULTS.short_side == arguments.SHORT_SIDE
    assert set(arguments.PARSERS) <= set(VERBS)
