"""Set two versions of a paper side by side: what each prints and what the same code computes for each.

It is written as versions_NAME.html beside the first one's report.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from papertally.evidence.io import EvidenceError, write_text_atomic
from papertally.evidence.settings import SettingsError
from papertally.ledger.load import Alias, LedgerError
from papertally.ledger.paper import up
from papertally.verdicts.costs import agreement
from papertally.verdicts.names import column_name, column_place, row_name, short_title, show
from papertally.verdicts.views import CellView, Report

OK, BROKEN = 0, 1


@dataclass(frozen=True)
class Side:
    """Hold one version's number: printed, achieved, verdict; others: the same under other counting rules."""

    printed: str
    shown: str
    verdict: str
    slug: str
    glyph: str
    href: str
    others: list[str]


@dataclass(frozen=True)
class Pair:
    """Hold a model of both versions, or of one: its names, columns as (head, this side, that side), what is known."""

    this: str
    later: str
    columns: list[tuple[str, Side | None, Side | None]]
    finding: str
    note: str


@dataclass(frozen=True)
class Version:
    """Hold one version: its title, its arXiv number, the page of its report, how its costs came out by rule."""

    title: str
    arxiv: str
    href: str
    costs: list[str]


@dataclass(frozen=True)
class Versions:
    """Hold the page: two versions, models of both, models of one alone."""

    versions: tuple[Version, Version]
    pairs: list[Pair]
    alone: list[Pair]
    rules: list[tuple[str, str]]

    @property
    def short(self) -> str:
        """Return the paper's short title."""
        return short_title(self.versions[0].title)

    @property
    def lead(self) -> str:
        """Return the page in a sentence."""
        return " ".join(f"arXiv {v.arxiv}: {'; '.join(v.costs)}." for v in self.versions)


def _rule_lines(report: Report, rows: Sequence[str]) -> list[str]:
    """Return how many params and MAdds of some rows print as they should, MAdds under every rule."""
    cells = [report.ledger.cell(row, "madds") for row in rows]
    found = [report.evidence.cost.get(report.ledger.canonical(row)) for row in rows]
    out = []
    params = [c for c in report.cells if c.row_id in rows and c.column == "params" and c.achieved is not None]
    good = sum(c.achieved in report.ledger.cell(c.row_id, "params").interval for c in params)
    out.append(f"params: {good} of {len(params)} print as they should")
    for rule in report.rules:
        judged = [
            cost.values.madds[rule] in cell.interval
            for cell, cost in zip(cells, found, strict=True)
            if cost is not None and cell.numeric
        ]
        out.append(f"MAdds, rule {rule}: {sum(judged)} of {len(judged)} print as they should")
    return out


def _side(report: Report, row: str, column: str, way: str) -> Side | None:
    """Return a row's number of a column, or None where the version does not print it."""
    found: CellView | None = next((c for c in report.cells if c.row_id == row and c.column == column), None)
    if found is None:
        return None
    cost = report.evidence.cost.get(report.ledger.canonical(row))
    others = []
    if column == "madds" and cost is not None:
        for rule, value in cost.values.madds.items():
            if rule != report.evidence.rule and rule in report.rules:
                said = agreement(value, found.printed, report.ledger.cell(row, column).interval)
                others.append(f"rule {rule}: {show(value, found.printed)}, {said}")
    return Side(
        found.printed,
        found.shown,
        found.answer.words,
        found.answer.name,
        found.answer.sign,
        f"{way}{found.evidence}" if found.evidence else "",
        others,
    )


def _name(report: Report, row: str) -> str:
    ledger = report.ledger
    return row_name(ledger.tables[ledger.row(row).table], ledger.row(row))


def _finding(this: Report, later: Report, row: str, later_row: str) -> str:
    """Return whether the two rows' networks cost the same, by this project's count."""
    ours, theirs = (r.evidence.cost.get(r.ledger.canonical(n)) for r, n in ((this, row), (later, later_row)))
    if ours is None or theirs is None:
        return ""
    same = ours.values.params == theirs.values.params
    parts = [f"{'the same' if same else 'other'} parameters: {ours.values.params:,} and {theirs.values.params:,}"]
    for rule, value in ours.values.madds.items():
        other = theirs.values.madds.get(rule)
        if other is not None:
            parts.append(f"MAdds under {rule}: {value:,} and {other:,}")
    return "; ".join(parts)


def _pair(this: Report, later: Report, alias: Alias | None, row: str | None, later_row: str | None, way: str) -> Pair:
    columns = {c.column for r, n in ((this, row), (later, later_row)) for c in r.cells if c.row_id == n}
    finding = _finding(this, later, row, later_row) if row and later_row else ""
    return Pair(
        alias.this if alias else "none",
        alias.later if alias and alias.row else f"{_name(later, later_row)}" if later_row else "none",
        [
            (
                column_name(c),
                _side(this, row, c, way) if row else None,
                _side(later, later_row, c, way) if later_row else None,
            )
            for c in sorted(columns, key=column_place)
        ],
        finding,
        alias.note if alias else "",
    )


def compare(this: Report, later: Report, way: str, hrefs: tuple[str, str]) -> Versions:
    """Return two reports side by side, matched by the first ledger's aliases.

    way: leads from the page to the repository's root; hrefs: to the two reports. Raises LedgerError where an alias
    names a row that the later ledger does not have.
    """
    aliases = [a for a in this.ledger.aliases if a.row]
    for alias in aliases:
        if alias.later_row and alias.later_row not in later.ledger.rows:
            raise LedgerError(
                f"known_issues.yaml: alias {alias.this!r} names {alias.later_row!r}, which arXiv "
                f"{later.ledger.arxiv}'s ledger does not have; mend later_row"
            )
    both = [_pair(this, later, a, a.row, a.later_row, way) for a in aliases if a.later_row]
    alone = [_pair(this, later, a, a.row, None, way) for a in aliases if not a.later_row]
    matched = {a.later_row for a in aliases}
    left = [row for row in later.ledger.rows if row not in matched]
    alone += [_pair(this, later, None, None, row, way) for row in left]
    rows = [a.row for a in aliases if a.row], list(later.ledger.rows)
    first, second = (
        Version(r.ledger.title, r.ledger.arxiv, href, _rule_lines(r, names))
        for r, href, names in zip((this, later), hrefs, rows, strict=True)
    )
    return Versions((first, second), both, alone, list(this.rules.items()))


def write(this: Report, later: Report, root: Path, out: Path, name: str) -> Path:
    """Write the page beside the first paper's report; returns its path."""
    from papertally.pages.render import versions_page

    path = out / f"versions_{name}.html"
    write_text_atomic(path, versions_page(compare(this, later, up(root, out), ("index.html", f"{name}/index.html"))))
    return path


def main(argv: list[str], this: Callable[[], Report], later: Callable[[str], Report], root: Path, out: Path) -> int:
    """Write the page; returns 0, or 1 for malformed input.

    Args:
        argv: The other version's folder, beside this one's, and where to write.
        this: Returns this version's report.
        later: Returns the report of the other version's folder.
        root: The folder that links lead to.
        out: Where the page is written by default.
    """
    parser = argparse.ArgumentParser(prog="python -m report versions", description="Set two versions side by side.")
    parser.add_argument("name", help="the other version's folder under papers/")
    parser.add_argument("--out", type=Path, default=None, help="folder to write (default report/out)")
    args = parser.parse_args(argv)
    out = out if args.out is None else args.out.resolve()
    try:
        reports = this(), later(args.name)
        if not reports[1].ledger.version_of:
            fault = "is no version of another work; if it is one, add version_of: the other's folder"
            raise LedgerError(f"papers/{args.name}/paper.yaml: {fault}")
        path = write(*reports, root, out, args.name)
        found = compare(*reports, "", ("", ""))
    except (LedgerError, EvidenceError, SettingsError, ValueError) as error:
        print(f"error: {error}", file=sys.stderr)
        return BROKEN
    for version in found.versions:
        print(f"arXiv {version.arxiv}: {'; '.join(version.costs)}")
    print(f"versions: {path}")
    return OK
