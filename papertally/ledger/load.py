"""Load and validate a ledger: what a paper prints, and never a computed number. All faults of it are told at once."""

from __future__ import annotations

import argparse
import re
from functools import lru_cache
from pathlib import Path
from typing import Any

from papertally.conventions.axes import check_rows, load_conventions
from papertally.ledger.entries import Alias, Cell, Claim, Ground, Ledger, LedgerError, Row, Table
from papertally.ledger.files import Model, YamlFile
from papertally.ledger.load_tables import Contents, contents, load_tables, misnamed, open_yaml, raise_all, read_tables
from papertally.ledger.schema import RawChecks, RawClaims, RawIssue, RawIssues, RawPaper
from papertally.quantities.printed import PrintedNumber
from papertally.statements.expressions import Expression, ExpressionError, MissingValue, compile_expr
from papertally.statements.printed_truth import on_printed_numbers

__all__ = [
    "Alias",
    "Cell",
    "Claim",
    "Ground",
    "Ledger",
    "LedgerError",
    "Row",
    "Table",
    "check_declared",
    "add_ledger_arguments",
    "load_ledger",
    "load_tables",
]
NAME = re.compile(r"[a-z][a-z0-9_]*")


def add_ledger_arguments(parser: argparse.ArgumentParser) -> None:
    """Let a command take the folder of a ledger."""
    parser.add_argument("--path", type=Path, metavar="FOLDER", help="the paper's folder, that of its paper.yaml")
    parser.add_argument("--ledger", type=_moved, help=argparse.SUPPRESS)


def _moved(name: str) -> str:
    raise argparse.ArgumentTypeError(f"ledgers are named by their folders now: --path papers/{name}")


def check_declared(source: YamlFile, checks: RawChecks, tables: dict[str, Table], faults: list[str]) -> None:
    """Tell where what paper.yaml says for the checks is about rows, columns or labels that there are not."""
    rows = {row.id: row for table in tables.values() for row in table.rows}

    def fault(place: tuple[Any, ...], text: str) -> None:
        faults.append(str(source.error(place, text)))

    quoted = [part.row for part in checks.quoted]
    seen: set[str] = set()
    for i, row in enumerate(quoted):
        if row in seen:
            fault(("checks", "quoted", i), f"row {row!r} is quoted twice; keep one")
        seen.add(row)
    for kind in ("bold", "linear", "monotone", "examples", "quoted"):
        for i, part in enumerate(getattr(checks, kind)):
            where = ("checks", kind, i)
            if kind == "quoted":
                if part.row not in rows:
                    fault((*where, "row"), f"no row {part.row!r}; `papertally ledger rows` lists them")
                elif unknown := sorted(set(part.cells) - set(rows[part.row].cells)):
                    fault((*where, "cells"), f"row {part.row!r} has no column {unknown[0]!r}")
                continue
            for table_id in part.tables if kind == "examples" else [part.table]:
                if table_id not in tables:
                    fault(where, f"no table {table_id!r}; the tables are {', '.join(tables)}")
                    continue
                table = tables[table_id]
                columns = [] if kind == "examples" else part.columns
                if unknown := sorted(set(columns) - set(table.columns)):
                    text = f"table {table_id} has no column {unknown[0]!r}; it has {', '.join(table.columns)}"
                    fault((*where, "columns"), text)
                labels = {
                    "linear": lambda p: [*p.where, *(f for term in p.terms for f in term.split("*"))],
                    "monotone": lambda p: [p.along, *p.fixed],
                }.get(kind, lambda _: [])(part)
                if unknown := [label for label in labels if label not in table.label_columns]:
                    text = f"table {table_id} has no label column {unknown[0]!r}; it has {list(table.label_columns)}"
                    fault(where, text)
                blocks = [row for block in getattr(part, "blocks", []) for row in block]
                if unknown := [row for row in blocks if row not in rows or rows[row].table != table_id]:
                    fault((*where, "blocks"), f"table {table_id} has no row {unknown[0]!r}")


class _Loader:
    """Read one folder, and gather the faults of all its files."""

    def __init__(self, root: Path) -> None:
        self.root, self.faults = root, misnamed(root)

    def read(self, name: str, form: type[Model]) -> tuple[YamlFile | None, Model | None]:
        """Return (file, content) of one of the ledger's files; (None, None) where it cannot be read."""
        try:
            source = open_yaml(self.root / name)
        except LedgerError as error:
            self.faults += error.faults
            return None, None
        raw, told = source.check(form)
        self.faults += told
        return source, raw

    def fault(self, source: YamlFile, place: tuple[Any, ...], text: str) -> None:
        self.faults.append(str(source.error(place, text)))


def load_ledger(root: Path) -> Ledger:
    """Return the validated ledger of the folder `root`; read once while its files stay.

    Raises LedgerError "file:line: fault; mend", with all faults.
    """
    files = {*root.glob("*.y*ml"), *root.glob("tables/*"), *root.parent.glob("*/conventions.yaml")}
    return _load(contents(root, files))


@lru_cache(maxsize=8)
def _load(said: Contents) -> Ledger:
    """Read a ledger; said: its files, which decide whether it was read already, here or in another folder."""
    root = said.root
    load = _Loader(root)
    paper_source, paper = load.read("paper.yaml", RawPaper)
    prefix = f"{paper.name}_" if paper is not None and paper.name else ""
    tables = read_tables(root / "tables", paper, prefix, load.faults)
    whole = not load.faults  # else a row that is missed may stand in what could not be read
    rows = {row.id: row for table in tables.values() for row in table.rows}
    conventions = None
    try:
        of = root.parent / paper.version_of if paper is not None and paper.version_of else None
        conventions = load_conventions(root, LedgerError, of)
    except LedgerError as error:
        load.faults += error.faults
    issues_source, raw_issues = load.read("known_issues.yaml", RawIssues)
    claims_source, raw_claims = load.read("claims.yaml", RawClaims)
    issues: dict[str, RawIssue] = {issue.id: issue for issue in raw_issues.issues} if raw_issues else {}
    claims: dict[str, Claim] = {}
    if whole and paper is not None and paper_source is not None:
        check_declared(paper_source, paper.checks, tables, load.faults)
        for i, budget in enumerate(paper.budgets):
            if unknown := [t for t in budget.tables if t not in tables]:
                text = f"no table {unknown[0]!r}; the tables are {', '.join(tables)}"
                load.fault(paper_source, ("budgets", i, "tables"), text)
        if conventions is not None and (fault := check_rows(conventions, {row: rows[row].cells for row in rows})):
            load.fault(open_yaml(root / "conventions.yaml"), fault[0], f"{fault[1]}; mend it")
    if whole and raw_issues is not None and issues_source is not None:
        _check_issues(load, issues_source, raw_issues, rows)
    if raw_claims is not None:
        claims = _claims(
            load, claims_source, raw_claims, rows if whole else None, tables, issues if raw_issues else None
        )
    if paper is not None and whole and not load.faults:
        found = sum(cell.numeric for row in rows.values() for cell in row.cells.values())
        if found != paper.numeric_cells:
            text = f"{found} printed numbers, paper.yaml counts {paper.numeric_cells}"
            load.faults.append(f"{root.name}/tables: {text}; mend the tables, or numeric_cells")
    raise_all(load.faults)
    assert paper is not None
    assert raw_issues is not None
    assert conventions is not None
    margins = {c: about.margin for table in tables.values() for c, about in table.about.items() if about.margin}
    return Ledger(
        paper.arxiv or "",
        paper.title,
        tuple(paper.authors),
        tables,
        tuple(claims.values()),
        issues,
        tuple(Alias(a.this, a.later, a.note, a.row, a.later_row) for a in raw_issues.aliases),
        raw_issues.later_version,
        tuple(paper.budgets),
        paper.checks,
        conventions,
        paper.source or f"arXiv:{paper.arxiv}",
        prefix.removesuffix("_"),
        margins,
        paper.alpha,
        paper.seeds,
        tuple(paper.unread),
        paper.version_of or "",
        paper.seed_spread,
        dict(paper.printed_spread),
        dict(paper.recipes),
    )


def _unknown(ref: tuple[str, str], rows: dict[str, Row]) -> str | None:
    if ref[0] not in rows:
        return f"no row {ref[0]!r}; `papertally ledger rows` lists them"
    if ref[1] not in rows[ref[0]].cells:
        return f"row {ref[0]!r} has no column {ref[1]!r}"
    return None


def _judgeable(expression: Expression, rows: dict[str, Row]) -> str | None:
    """Return why an expression cannot be judged on the printed numbers, or None; its cells are all there."""

    def number(row: str, column: str) -> PrintedNumber | None:
        cell = rows[row].cells[column]
        return cell.interval if cell.numeric else None

    try:
        on_printed_numbers(expression, number)
    except ExpressionError as error:
        return str(error)
    except MissingValue:
        pass  # of what the paper prints no number for
    return None


def _check_issues(load: _Loader, source: YamlFile, raw: RawIssues, rows: dict[str, Row]) -> None:
    seen: set[str] = set()
    for i, issue in enumerate(raw.issues):
        if issue.id in seen:
            load.fault(source, ("issues", i, "id"), f"issue id {issue.id!r} stands twice; rename one")
        seen.add(issue.id)
        refs = [(cell.partition(".")[0], cell.partition(".")[2]) for cell in issue.cells]
        if issue.contradiction:
            refs += compile_expr(issue.contradiction).refs
        unknown = [fault for ref in refs if (fault := _unknown(ref, rows))]
        for fault in unknown:
            load.fault(source, ("issues", i, "cells"), f"issue {issue.id}: {fault}")
        if issue.contradiction and not unknown and (unfit := _judgeable(compile_expr(issue.contradiction), rows)):
            load.fault(source, ("issues", i, "contradiction"), f"issue {issue.id}: {unfit}")
        for j, check in enumerate(issue.checks):
            for row, _ in compile_expr(f"{check.is_} == 0").refs:
                if row not in rows:
                    load.fault(source, ("issues", i, "checks", j), f"issue {issue.id}: no row {row!r}")
    for i, alias in enumerate(raw.aliases):
        if alias.row and alias.row not in rows:
            load.fault(source, ("aliases", i, "row"), f"alias {alias.this!r}: no row {alias.row!r}")


def _claims(
    load: _Loader,
    source: YamlFile | None,
    raw_claims: RawClaims,
    rows: dict[str, Row] | None,
    tables: dict[str, Table],
    issues: dict[str, RawIssue] | None,
) -> dict[str, Claim]:
    """Return the statements by id. rows, issues None: they could not be read, so that nothing is held to them."""
    claims: dict[str, Claim] = {}
    for i, raw in enumerate(raw_claims.claims):
        assert source is not None

        def fault(key: str, text: str, i: int = i, of: str = raw.id, source: YamlFile = source) -> None:
            load.fault(source, ("claims", i, key), f"claim {of}: {text}" if key != "id" else text)

        if raw.id in claims:
            fault("id", f"claim id {raw.id!r} stands twice; rename one")
            continue
        key = "expr" if raw.expr else "expect"
        expression = compile_expr(raw.expr or raw.expect or "")
        if rows is not None:
            unknown = [text for ref in expression.refs if (text := _unknown(ref, rows))]
            for text in unknown:
                fault(key, text)
            if raw.expr and not unknown and (unfit := _judgeable(expression, rows)):
                fault(key, unfit)
            for row in (*raw.read.rows, *raw.read.but) if raw.read else ():
                if row not in rows:
                    fault("read", f"no row {row!r}")
            for row in raw.of:
                if row not in rows:
                    fault("of", f"no row {row!r}")
            for table in raw.read.tables if raw.read else ():
                if table not in tables:
                    fault("read", f"no table {table!r}")
        if raw.issue and issues is not None and raw.issue not in issues:
            fault("issue", f"no issue {raw.issue!r}")
        claims[raw.id] = Claim(
            raw.id,
            raw.section,
            raw.statement,
            raw.kind,
            expression,
            raw.computation,
            raw.reading,
            raw.issue,
            raw.shows,
            raw.read,
            tuple(raw.of),
            compile_expr(raw.always) if raw.always else None,
        )
    return claims
