"""Imports go down the list of rooms in docs/architecture.md, and in no circle of files."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from functools import cache

from helpers import ROOT

#: The list, from the ground up; a room may import what stands before it, and itself.
ROOMS = (
    ("papertally.output",),
    ("papertally.quantities",),
    ("papertally.statements",),
    ("papertally.ledger", "papertally.conventions"),
    ("papertally.tables",),
    ("papertally.checks",),
    ("papertally.evidence",),
    ("papertally.command", "papertally.shadowing"),
    ("papertally.counting",),
    ("papertally.verdicts",),
    ("papertally.enter",),
    ("papertally.pages",),
    ("papertally.plan", "papertally.listing", "papertally.cli", "papertally.__main__", "papertally"),
    ("registry",),
    ("report",),
    ("pipelines.common", "pipelines.tasks", "pipelines.__main__"),
    ("pipelines.data",),
    ("pipelines.packed",),
    ("pipelines.analysis",),
    ("pipelines.training",),
    ("pipelines.repro.stages", "pipelines.repro.checkout"),
    ("pipelines.bench", "pipelines.cluster", "pipelines.deploy"),
    ("pipelines.repro",),
)


@cache
def modules() -> dict[str, ast.Module]:
    """Return every module of the packages, parsed."""
    out = {}
    for package in ("papertally", "registry", "pipelines", "report"):
        for path in (ROOT / package).rglob("*.py"):
            name = path.relative_to(ROOT).with_suffix("").as_posix().replace("/", ".").removesuffix(".__init__")
            out[name] = ast.parse(path.read_bytes())
    return out


def imported(name: str) -> Iterator[str]:
    """Yield the modules of ours that a module imports, in functions too."""
    package = name if (ROOT / name.replace(".", "/") / "__init__.py").is_file() else name.rpartition(".")[0]
    for node in ast.walk(modules()[name]):
        if isinstance(node, ast.Import):
            found = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            parts = package.split(".")
            base = ".".join(parts[: len(parts) - node.level + 1]) if node.level else ""
            base = ".".join(filter(None, (base, node.module)))
            found = [f"{base}.{alias.name}" for alias in node.names]
        else:
            continue
        for target in found:
            while target and target not in modules():
                target = target.rpartition(".")[0]
            if target and target != name:
                yield target


def room(name: str) -> int | None:
    """Return a module's place in the list, or None for a package's own docstring."""
    found = [(len(n), i) for i, names in enumerate(ROOMS) for n in names if name == n or name.startswith(n + ".")]
    return max(found)[1] if found else None  # the longest name fits best


def test_every_module_has_a_room():
    assert [name for name in modules() if room(name) is None and name != "pipelines"] == []


def test_imports_go_down_the_list():
    up = [
        f"{name} -> {target}" for name in modules() for target in imported(name)
        if room(name) is not None and (room(target) or 0) > room(name)
    ]  # fmt: skip
    assert up == []


def test_no_circle_of_files():
    graph = {name: set(imported(name)) for name in modules()}

    def reached(start: str) -> set[str]:
        seen: set[str] = set()
        todo = list(graph[start])
        while todo:
            if (name := todo.pop()) not in seen:
                seen.add(name)
                todo += graph[name]
        return seen

    packages = {name for name in modules() if (ROOT / name.replace(".", "/") / "__init__.py").is_file()}
    assert [name for name in graph if name not in packages and name in reached(name)] == []


def test_every_file_of_tests_has_a_name_of_its_own():
    """Their folders are no packages: pytest cannot collect two files of one name."""
    names = [p.name for p in (ROOT / "tests").rglob("test_*.py")]
    assert {n for n in names if names.count(n) > 1} == set()


#: Words of the first paper, which the checker must not know.
FIRST_PAPER = re.compile(r"micro-?net|shift.?max|dynamic.?relu|2011\.12289|liyunsheng", re.I)


def test_the_checker_holds_no_word_of_the_first_paper():
    files = [p for p in (ROOT / "papertally").rglob("*") if p.is_file() and p.suffix not in (".pyc", ".pth")]
    files = [p for p in files if not {"build", "__pycache__", "papertally.egg-info"} & set(p.parts)]
    assert len(files) > len(list((ROOT / "papertally").glob("*.py")))
    found = [
        f"{p.relative_to(ROOT)}:{n}"
        for p in files
        for n, line in enumerate(p.read_text("utf-8").splitlines(), 1)
        if FIRST_PAPER.search(line)
    ]
    assert found == []
