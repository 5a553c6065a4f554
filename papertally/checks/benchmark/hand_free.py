"""The benchmark's hand-free mode: papers with prose, faults planted in what is printed, nothing written by hand.

python -m papertally.checks.benchmark.hand_free          print the grades
"""

from __future__ import annotations

import contextlib
import copy
import io
import tempfile
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from random import Random

from papertally.checks import ALARMS, Finding, read_document, run
from papertally.checks.benchmark.error_injection import digits_at, other_digit
from papertally.checks.benchmark.papers import Manuscript, manuscript
from papertally.ledger.load import load_ledger
from papertally.tables.command import write_ledger

EACH, CLEAN, FIRST_SEED = 15, 20, 5000
Fault = Callable[[Manuscript, Random], set[str]]
#: Sentences whose number at a place gets another digit, and those whose two names change places.
NUMBERS = {
    "accuracy": 1,
    "parameters": 1,
    "cost": 1,
    "difference": 2,
    "ratio": 2,
    "percent fewer": 2,
    "pronoun": 1,
    "change": 2,
    "t": 2,
    "F": 2,
    "chi2": 2,
    "r": 2,
    "share": 2,
}
SWAPPED = ("order", "fewer")
RENAMED = ("accuracy", "best", "fewest")
#: Cells that get another digit: (table, column).
CELLS = {"error rate": ("main", 4), "AP": ("boxes", 1), "difference column": ("gains", 3), "average": ("tasks", 5)}


def _digit(kind: str, at: int) -> Fault:
    def plant(paper: Manuscript, random: Random) -> set[str]:
        sentence = next(s for s in paper.prose if s.kind == kind)
        was = sentence.parts[at]
        places = digits_at(was)
        sentence.parts[at] = other_digit(random, was, places)
        return {sentence.text}

    return plant


def _swap(kind: str) -> Fault:
    def plant(paper: Manuscript, random: Random) -> set[str]:
        sentence = next(s for s in paper.prose if s.kind == kind)
        sentence.parts[0], sentence.parts[1] = sentence.parts[1], sentence.parts[0]
        return {sentence.text}

    return plant


def _rename(kind: str) -> Fault:
    def plant(paper: Manuscript, random: Random) -> set[str]:
        sentence = next(s for s in paper.prose if s.kind == kind)
        names = [r[0] for r in paper.tables["main"].rows if r[0] != sentence.parts[0]]
        sentence.parts[0] = random.choice(names)
        return {sentence.text}

    return plant


def _cell(table: str, column: int) -> Fault:
    def plant(paper: Manuscript, random: Random) -> set[str]:
        row = random.choice(paper.tables[table].rows)
        row[column] = other_digit(random, row[column], digits_at(row[column]))
        return {row[0]}

    return plant


def _copied(paper: Manuscript, random: Random) -> set[str]:
    for row in paper.tables["tasks"].rows:
        row[2] = row[1]
    return {"Table 4"}


def _spread(paper: Manuscript, random: Random) -> set[str]:
    row = random.choice(paper.tables["folds"].rows)
    value, _, width = row[1].partition(" ± ")
    row[1] = f"{value} ± {float(width) * 100:.0f}"
    return {row[0]}


def _twice(paper: Manuscript, random: Random) -> set[str]:
    rows = paper.tables["boxes"].rows
    rows[0] = list(rows[0])
    rows[1][0] = rows[0][0]
    return {rows[0][0]}


KINDS: dict[str, Fault] = {
    **{f"{kind}: another digit": _digit(kind, at) for kind, at in NUMBERS.items()},
    **{f"{kind}: names swapped": _swap(kind) for kind in SWAPPED},
    **{f"{kind}: another row named": _rename(kind) for kind in RENAMED},
    **{f"table, {kind}: another digit": _cell(*where) for kind, where in CELLS.items()},
    "table: column copied": _copied,
    "table: ± a hundredfold": _spread,
}


def findings(text: str, tex: bool) -> list[Finding]:
    """Return the alarms of a paper that is read and checked as a user does it: `new`, then `check --text`.

    Args:
        text: The paper.
        tex: It is LaTeX instead of Markdown.
    """
    with tempfile.TemporaryDirectory() as made, contextlib.redirect_stdout(io.StringIO()):
        source = Path(made) / ("paper.tex" if tex else "paper.md")
        source.write_text(text, "utf-8")
        write_ledger("it", source, Path(made) / "it")
        found = run(load_ledger(Path(made) / "it"), explain=False, document=read_document(text))
    return [f for f in found if f.severity in ALARMS]


def grade(each: int = EACH, clean: int = CLEAN) -> tuple[dict[str, int], list[list[Finding]], dict[str, Counter[str]]]:
    """Return (found by kind, the alarms of every right paper, the checks that found each kind).

    Args:
        each: Faults of a kind, in Markdown and LaTeX in turn.
        clean: Right papers.
    """
    seeds = range(FIRST_SEED, FIRST_SEED + max(each, clean))
    right = {seed: findings(manuscript(seed).text(seed % 2 == 1), seed % 2 == 1) for seed in seeds}
    caught: dict[str, int] = {}
    checks: dict[str, Counter[str]] = {}
    for name, plant in KINDS.items():
        caught[name], checks[name] = 0, Counter()
        for seed in seeds[:each]:
            paper = copy.deepcopy(manuscript(seed))
            marks = plant(paper, Random(f"{name} {seed}"))
            before = {(f.check, f.cells, f.arithmetic) for f in right[seed]}
            new = [
                f
                for f in findings(paper.text(seed % 2 == 1), seed % 2 == 1)
                if (f.check, f.cells, f.arithmetic) not in before
                and any(m[:40] in f"{f.subject} {f.arithmetic}" for m in marks)
            ]
            caught[name] += bool(new)
            checks[name].update({f.check for f in new})
    return caught, [right[seed] for seed in seeds[:clean]], checks


def table(each: int = EACH, clean: int = CLEAN) -> str:
    """Return the grades as Markdown."""
    caught, right, checks = grade(each, clean)
    lines = ["| Planted fault | Planted | Found | Found by |", "|---|--:|--:|---|"]
    lines += [f"| {name} | {each} | {n} | {', '.join(sorted(checks[name]))} |" for name, n in caught.items()]
    total = each * len(caught)
    lines.append(
        f"| **all** | **{total}** | **{sum(caught.values())}** ({100 * sum(caught.values()) / total:.1f} %) | |"
    )
    severities = Counter(f.severity for alarms in right for f in alarms)
    most = max(len(alarms) for alarms in right)
    counts = ", ".join(f"{severities[s]} {s}" for s in ALARMS)
    lines += ["", f"On {len(right)} right papers: {counts}; at most {most} a paper."]
    return "\n".join(lines)


if __name__ == "__main__":
    print(table())
