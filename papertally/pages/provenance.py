"""What the verdicts rest on: dates of the evidence by git, machines, code revisions, numbers of files."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from papertally.evidence.read import Evidence
from papertally.evidence.revision import DIRTY, UNKNOWN, NoRevision, git
from papertally.evidence.schema import PROFILES
from papertally.verdicts.names import count

UNCOMMITTED = "uncommitted"
FOLDER = "results"
#: Code revisions named on the first screen; the rest are counted.
NAMED = 2


def evidence_dates(root: Path) -> dict[str, str]:
    """Return the day (UTC) on which each file under results/ was last committed, by path relative to `root`.

    A file that differs from the last commit is "uncommitted". The repository may be one around `root`: what it tracks
    has its day there. Empty without one and in a shallow clone, whose oldest commit would pass for the origin of all
    files.
    """
    try:
        if git(root, "rev-parse", "--is-shallow-repository", around=True) != "false\n":
            return {}
        log = git(
            root,
            "log",
            "--format=%x00%cd",
            "--date=format-local:%Y-%m-%d",
            "--name-only",
            "--no-renames",
            "--relative",
            "--",
            FOLDER,
            around=True,
        )
        changed = git(root, "diff", "--name-only", "--no-renames", "--relative", "HEAD", "--", FOLDER, around=True)
        others = git(root, "ls-files", "--others", "--exclude-standard", "--", FOLDER, around=True)
    except NoRevision:
        return {}
    dates: dict[str, str] = {}
    for commit in log.split("\0")[1:]:
        day, *paths = commit.split("\n")
        for path in filter(None, paths):
            dates.setdefault(path, day)
    return dates | dict.fromkeys([*changed.splitlines(), *others.splitlines()], UNCOMMITTED)


@dataclass(frozen=True)
class Source:
    """Hold one kind of evidence: how many files, of which days, machines and code revisions."""

    name: str
    files: int
    dates: str
    hardware: str
    revisions: str


@dataclass(frozen=True)
class Provenance:
    """Hold what the first screen says of the evidence, and the same by kind."""

    files: str
    dates: str
    hardware: str
    revisions: str
    sources: list[Source]


def short(revision: str) -> str:
    """Return a revision in seven digits, with a plus where the code differed from it."""
    commit = revision.removesuffix(DIRTY)
    return (commit[:7] if len(commit) in (40, 64) else commit) + ("+" if commit != revision else "")


def days(dates: Iterable[str]) -> str:
    """Return days as a range, with what has none."""
    found = Counter(dates)
    known = sorted(d for d in found if d not in (UNKNOWN, UNCOMMITTED))
    parts = [known[0] if len(known) == 1 else f"{known[0]} to {known[-1]}"] if known else []
    parts += [count(found[key], f"file {key}", f"files {key}") for key in (UNCOMMITTED, UNKNOWN) if found[key]]
    if found and found[UNKNOWN] == found.total():
        return UNKNOWN
    return ", ".join(parts) or "none"


def machines(items: Iterable[Any]) -> str:
    """Return the distinct devices that evidence names, the commonest first."""
    found = Counter(item.environment.get("device", UNKNOWN) for item in items)
    return ", ".join(name for name, _ in found.most_common()) or "none"


def revisions(items: Iterable[Any], named: int | None = None) -> str:
    """Return code revisions, the commonest first; with `named`, the others counted."""
    found = [short(r) for r, _ in Counter(item.code_revision for item in items).most_common()]
    rest = len(found) - named if named is not None and len(found) > named else 0
    shown = ", ".join(found[: len(found) - rest]) or "none"
    return f"{shown} and {count(rest, 'other')}" if rest else shown


def provenance(evidence: Evidence, dates: Mapping[str, str]) -> Provenance:
    """Return what the evidence that counts rests on."""
    kinds: list[tuple[str, str, list[Any], list[str]]] = [
        ("computed costs", "cost", list(evidence.cost.values()), [evidence.paths["cost", r] for r in evidence.cost]),
        (
            "computations",
            "computation",
            list(evidence.claims.values()),
            [evidence.paths["claims", c] for c in evidence.claims],
        ),
    ]
    for profile in PROFILES:
        runs = [run for found in evidence.runs.get(profile, {}).values() for run in found]
        files = [file for (p, _), found in evidence.files.items() if p == profile for file in found]
        kinds.append((f"training runs, profile {profile}", f"{profile} run", runs, files))

    def dated(paths: Iterable[str]) -> list[str]:
        return [dates.get(path, UNKNOWN) for path in paths]

    everything = [item for *_, items, _ in kinds for item in items]
    dirty = sum(item.code_revision.endswith(DIRTY) for item in everything)
    names = revisions(everything, NAMED)
    return Provenance(
        files=", ".join(f"no {unit}" if not items else count(len(items), unit) for _, unit, items, _ in kinds),
        dates=days(dated(path for *_, paths in kinds for path in paths)),
        hardware=machines(everything),
        revisions=f"{names}; + marks uncommitted changes ({count(dirty, 'file')})" if dirty else names,
        sources=[
            Source(name, len(items), days(dated(paths)), machines(items), revisions(items))
            for name, _, items, paths in kinds
        ],
    )
