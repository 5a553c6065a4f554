"""Load and validate the ledger: what the paper prints, and never a computed number."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from decimal import Decimal
from functools import cached_property
from pathlib import Path

from paper.conventions import Conventions, check_rows, load_conventions
from paper.expressions import Expression, compile_expr
from paper.files import YamlFile
from paper.printed import ABSENT, Interval, parse_printed
from paper.schema import (
    RawArchitecture,
    RawBudget,
    RawChecks,
    RawClaims,
    RawIssue,
    RawIssues,
    RawPaper,
    RawReading,
    RawTable,
)

HERE = Path(__file__).resolve().parent


class LedgerError(Exception):
    """Say what is wrong with the ledger: file, line, fault, mend."""


@dataclass(frozen=True)
class Ground:
    """Say why a cell can be judged: see RawGround. `of` is the cell that it repeats, row.column."""

    kind: str = "printed"
    decided_by: tuple[str, ...] = ()
    source: str = ""
    drawn: str = ""
    of: str = ""

    @property
    def constructed(self) -> bool:
        """Tell whether the network that is built for the cell is this project's, so that it cannot test the paper."""
        return bool(self.drawn)

    @property
    def tests(self) -> str:
        """Return what a result for the cell tests: the paper, a reconstruction of it, or a quotation."""
        if self.kind == "quoted":
            return "quotation"
        return "paper" if self.kind in ("printed", "released") else "reconstruction"


@dataclass(frozen=True)
class Cell:
    """Hold one printed cell; ground: its own, `repeat` where it repeats another."""

    column: str
    printed: str
    bold: bool
    ground: Ground = Ground()

    @property
    def numeric(self) -> bool:
        """Tell whether the paper prints a number here."""
        return self.printed != ABSENT

    @cached_property
    def interval(self) -> Interval:
        """Return the values that print as this string, in units."""
        return parse_printed(self.printed)

    @property
    def value(self) -> Decimal:
        """Return the printed number in units."""
        return self.interval.value


@dataclass(frozen=True)
class Row:
    """Hold one printed row. `number` counts printed rows from 1; `same_as` names the row whose experiment this is.

    network: what is counted for it, by name, and input: what that takes (of the table where the row states none).
    """

    id: str
    table: str
    number: int
    labels: tuple[str, ...]
    marks: tuple[str, ...]
    cells: dict[str, Cell]
    same_as: str | None
    blocked: str | None
    network: str | None = None
    input: tuple[int, ...] | None = None


@dataclass(frozen=True)
class Table:
    """Hold one table; `architecture` is the printed body of Tables 1 and 10."""

    id: str
    title: str
    task: str
    label_columns: tuple[str, ...]
    columns: tuple[str, ...]
    rows: tuple[Row, ...]
    architecture: RawArchitecture | None


@dataclass(frozen=True)
class Claim:
    """Hold one checkable statement with its compiled expression."""

    id: str
    section: str
    statement: str
    kind: str
    expression: Expression
    computation: str | None
    reading: str | None
    issue: str | None
    shows: str | None = None
    read: RawReading | None = None


@dataclass(frozen=True)
class Alias:
    """Say how a later version names a model; row, later_row: the two ledgers' rows of it, where they have one."""

    this: str
    later: str
    note: str
    row: str | None = None
    later_row: str | None = None


@dataclass(frozen=True)
class Ledger:
    """Hold all that the paper prints."""

    arxiv: str
    title: str
    authors: tuple[str, ...]
    tables: dict[str, Table]
    claims: tuple[Claim, ...]
    issues: dict[str, RawIssue]
    aliases: tuple[Alias, ...]
    later_version: str | None
    budgets: tuple[RawBudget, ...]
    checks: RawChecks = field(default_factory=RawChecks)
    conventions: Conventions = field(default_factory=lambda: load_conventions(HERE, LedgerError))

    @cached_property
    def rows(self) -> dict[str, Row]:
        """Return every row by id, in printed order."""
        return {row.id: row for table in self.tables.values() for row in table.rows}

    def row(self, row_id: str) -> Row:
        """Return a row. Raises LedgerError for an unknown id."""
        try:
            return self.rows[row_id]
        except KeyError:
            raise LedgerError(f"paper/tables: no row {row_id!r}; `python -m paper rows` lists them") from None

    def cell(self, row_id: str, column: str) -> Cell:
        """Return a cell. Raises LedgerError for an unknown row or column."""
        cells = self.row(row_id).cells
        if column not in cells:
            raise LedgerError(f"paper/tables: row {row_id!r} has no column {column!r}; it has {', '.join(cells)}")
        return cells[column]

    def cells(self) -> Iterator[tuple[Row, Cell]]:
        """Yield every numeric cell with its row, in printed order."""
        for row in self.rows.values():
            for cell in row.cells.values():
                if cell.numeric:
                    yield row, cell

    def canonical(self, row_id: str) -> str:
        """Return the id of the row whose experiment a row repeats, or the row's own."""
        return self.row(row_id).same_as or row_id

    def root(self, row_id: str, column: str) -> tuple[str, str]:
        """Return the row and column of the cell that a cell repeats, or its own."""
        of = self.cell(row_id, column).ground.of
        if not of:
            return row_id, column
        row, _, name = of.partition(".")
        return self.root(row, name)

    def ground(self, row_id: str, column: str) -> Ground:
        """Return what fixes a cell; of a repeat, what fixes the cell that it repeats."""
        return self.cell(*self.root(row_id, column)).ground

    def printed_value(self, row_id: str, column: str) -> Decimal | None:
        """Return a printed number in units, or None where the paper prints none: a lookup for expressions."""
        cell = self.cell(row_id, column)
        return cell.value if cell.numeric else None


def _source(path: Path) -> YamlFile:
    """Read one of the ledger's files. Raises LedgerError with file and line."""
    return YamlFile(path, f"{path.parent.name}/{path.name}", LedgerError)


def _grounds(source: YamlFile, raw: RawTable) -> dict[tuple[str, str], Ground]:
    """Return every cell's ground. Raises LedgerError for a cell with none or two."""
    numeric = {
        row.id: [c for c, text in zip(raw.columns, row.cells, strict=True) if text != ABSENT] for row in raw.rows
    }
    if len(numeric) < len(raw.rows):
        return {}  # an id stands twice, which is told with its line where ids of all tables are compared
    repeats = {row.id: row.same_as for row in raw.rows if row.same_as}
    found = {(row, c): Ground("repeat", of=f"{repeats[row]}.{c}") for row in repeats for c in numeric[row]}
    own = [row.id for row in raw.rows if not row.same_as]
    if not raw.grounds:
        return found | {(row, c): Ground() for row in own for c in numeric[row]}
    for i, entry in enumerate(raw.grounds):
        if unknown := [c for c in entry.columns if c not in raw.columns]:
            raise source.error(("grounds", i, "columns"), f"ground: the table has no column {unknown[0]!r}; mend it")
        for row in own if entry.rows is None else entry.rows:
            if row not in own:
                why = "repeats another row by same_as" if row in repeats else "is no row of this table"
                raise source.error(("grounds", i, "rows"), f"ground: {row!r} {why}; remove it")
            for column in entry.columns:
                if column not in numeric[row]:
                    continue
                if (row, column) in found:
                    raise source.error(("grounds", i), f"cell {row}.{column} has a ground already; keep one")
                found[row, column] = Ground(
                    entry.kind, tuple(entry.decided_by), entry.source or "", entry.drawn or "",
                    f"{entry.of}.{column}" if entry.of else "",
                )  # fmt: skip
    for i, row in enumerate(raw.rows):
        for column in numeric[row.id]:
            if (row.id, column) not in found:
                raise source.error(("rows", i), f"cell {row.id}.{column} has no ground; add it under `grounds`")
    return found


def _table(source: YamlFile) -> Table:
    raw = source.validate(RawTable)
    grounds = _grounds(source, raw)
    rows = tuple(
        Row(
            id=row.id,
            table=raw.id,
            number=number,
            labels=tuple(row.labels),
            marks=tuple(row.marks),
            cells={
                c: Cell(c, text, c in row.bold, grounds.get((row.id, c), Ground()))
                for c, text in zip(raw.columns, row.cells, strict=True)
            },
            same_as=row.same_as,
            blocked=row.blocked,
            network=row.network,
            input=tuple(row.input or raw.input or ()) or None,
        )
        for number, row in enumerate(raw.rows, start=1)
    )
    return Table(raw.id, raw.title, raw.task, tuple(raw.labels), tuple(raw.columns), rows, raw.architecture)


def _order(table_id: str) -> tuple[str, int, str]:
    """Return how tables are ordered: 2 before 10, 4a before 4b, an appendix's A1 last."""
    letter = table_id[0] if table_id[0].isalpha() else ""
    number = re.match(r"\d+", table_id[len(letter) :])
    assert number is not None
    return letter, int(number.group()), table_id[len(letter) + number.end() :]


def load_tables(folder: Path) -> dict[str, Table]:
    """Return the tables in the paper's order. Raises LedgerError for repeated ids and broken references."""
    sources = {path: _source(path) for path in sorted(folder.glob("*.yaml"))}
    if not sources:
        raise LedgerError(f"{folder.parent.name}/{folder.name}: no tables; restore them from the repository")
    tables: dict[str, Table] = {}
    home: dict[str, tuple[YamlFile, int]] = {}
    owner: dict[str, str] = {}
    for path, source in sources.items():
        table = _table(source)
        if table.id in tables:
            raise source.error(("id",), f"table {table.id!r} stands in {owner[table.id]} too; give one another id")
        tables[table.id], owner[table.id] = table, path.name
        for i, row in enumerate(table.rows):
            if row.id in home:
                raise source.error(("rows", i, "id"), f"row id {row.id!r} is taken; ids are unique over all tables")
            home[row.id] = source, i
    rows = {row.id: row for table in tables.values() for row in table.rows}
    for row in rows.values():
        source, i = home[row.id]
        if row.same_as is None:
            continue
        where = ("rows", i, "same_as")
        if row.same_as not in rows:
            raise source.error(where, f"same_as names {row.same_as!r}, which is no row; mend it")
        if rows[row.same_as].same_as:
            raise source.error(where, f"same_as names {row.same_as!r}, itself a repeat; name the first row")
    _check_repeats(rows, home)
    return {key: tables[key] for key in sorted(tables, key=_order)}


def check_declared(source: YamlFile, checks: RawChecks, tables: dict[str, Table]) -> None:
    """Check that what paper.yaml says for the checks is about rows, columns and labels that there are.

    Raises the file's error with file and line.
    """
    rows = {row.id: row for table in tables.values() for row in table.rows}
    for kind in ("bold", "linear", "monotone", "examples", "quoted"):
        for i, part in enumerate(getattr(checks, kind)):
            where = ("checks", kind, i)
            if kind == "quoted":
                if part.row not in rows:
                    raise source.error((*where, "row"), f"no row {part.row!r}; `python -m paper rows` lists them")
                if unknown := sorted(set(part.cells) - set(rows[part.row].cells)):
                    raise source.error((*where, "cells"), f"row {part.row!r} has no column {unknown[0]!r}")
                continue
            for table_id in part.tables if kind == "examples" else [part.table]:
                if table_id not in tables:
                    raise source.error(where, f"no table {table_id!r}; the tables are {', '.join(tables)}")
                table = tables[table_id]
                columns = [] if kind == "examples" else part.columns
                if unknown := sorted(set(columns) - set(table.columns)):
                    raise source.error(
                        (*where, "columns"),
                        f"table {table_id} has no column {unknown[0]!r}; it has {', '.join(table.columns)}",
                    )
                labels = {
                    "linear": lambda p: [*p.where, *(f for term in p.terms for f in term.split("*"))],
                    "monotone": lambda p: [p.along, *p.fixed],
                }.get(kind, lambda _: [])(part)
                if unknown := [label for label in labels if label not in table.label_columns]:
                    fault = f"table {table_id} has no label column {unknown[0]!r}; it has {list(table.label_columns)}"
                    raise source.error(where, fault)
                blocks = [row for block in getattr(part, "blocks", []) for row in block]
                if unknown := [row for row in blocks if row not in rows or rows[row].table != table_id]:
                    raise source.error((*where, "blocks"), f"table {table_id} has no row {unknown[0]!r}")


def _check_repeats(rows: dict[str, Row], home: dict[str, tuple[YamlFile, int]]) -> None:
    """Refuse a cell that repeats what is no number, or that leads back to itself."""
    for row in rows.values():
        for column, cell in row.cells.items():
            seen, of = {f"{row.id}.{column}"}, cell.ground.of
            while of:
                source, i = home[row.id]
                name, _, _ = of.partition(".")
                if row.same_as and of == f"{row.same_as}.{column}" and column not in rows[name].cells:
                    row.cells[column] = replace(cell, ground=Ground())  # a number that the first row does not have
                    break
                if name not in rows or column not in rows[name].cells or not rows[name].cells[column].numeric:
                    raise source.error(("rows", i), f"cell {row.id}.{column} repeats {of}, which is no number; mend it")
                if of in seen:
                    raise source.error(("rows", i), f"cell {row.id}.{column} repeats itself by {of}; mend it")
                seen.add(of)
                of = rows[name].cells[column].ground.of


def load_ledger(root: Path | None = None) -> Ledger:
    """Return the validated ledger of the folder `root` (default: this package's).

    Raises LedgerError "file:line: fault; mend".
    """
    root = root or HERE
    paper_source = _source(root / "paper.yaml")
    paper = paper_source.validate(RawPaper)
    tables = load_tables(root / "tables")
    check_declared(paper_source, paper.checks, tables)
    conventions = load_conventions(root, LedgerError, first=paper.version_of is not None)
    columns = {row.id: row.cells for table in tables.values() for row in table.rows}
    if fault := check_rows(conventions, columns):
        raise _source(root / "conventions.yaml").error(fault[0], f"{fault[1]}; mend it")
    issues_source = _source(root / "known_issues.yaml")
    raw_issues = issues_source.validate(RawIssues)
    claims_source = _source(root / "claims.yaml")
    raw_claims = claims_source.validate(RawClaims)
    rows = {row.id: row for table in tables.values() for row in table.rows}

    def known(ref: tuple[str, str]) -> str | None:
        if ref[0] not in rows:
            return f"no row {ref[0]!r}; `python -m paper rows` lists them"
        if ref[1] not in rows[ref[0]].cells:
            return f"row {ref[0]!r} has no column {ref[1]!r}"
        return None

    issues: dict[str, RawIssue] = {}
    for i, issue in enumerate(raw_issues.issues):
        if issue.id in issues:
            raise issues_source.error(("issues", i, "id"), f"issue id {issue.id!r} stands twice; rename one")
        issues[issue.id] = issue
        refs = [tuple(cell.split(".")) for cell in issue.cells]
        if issue.contradiction:
            refs += compile_expr(issue.contradiction).refs
        for ref in refs:
            if fault := known(ref):
                raise issues_source.error(("issues", i, "cells"), f"issue {issue.id}: {fault}")
    claims: dict[str, Claim] = {}
    for i, raw in enumerate(raw_claims.claims):
        if raw.id in claims:
            raise claims_source.error(("claims", i, "id"), f"claim id {raw.id!r} stands twice; rename one")
        key = "expr" if raw.expr else "expect"
        expression = compile_expr(raw.expr or raw.expect or "")
        for ref in expression.refs:
            if fault := known(ref):
                raise claims_source.error(("claims", i, key), f"claim {raw.id}: {fault}")
        if raw.read:
            for table in raw.read.tables:
                if table not in tables:
                    raise claims_source.error(("claims", i, "read"), f"claim {raw.id}: no table {table!r}")
            for row in (*raw.read.rows, *raw.read.but):
                if row not in rows:
                    raise claims_source.error(("claims", i, "read"), f"claim {raw.id}: no row {row!r}")
        if raw.issue and raw.issue not in issues:
            raise claims_source.error(("claims", i, "issue"), f"claim {raw.id}: no issue {raw.issue!r}")
        claims[raw.id] = Claim(
            raw.id, raw.section, raw.statement, raw.kind, expression, raw.computation, raw.reading, raw.issue,
            raw.shows, raw.read,
        )  # fmt: skip
    for i, alias in enumerate(raw_issues.aliases):
        if alias.row and alias.row not in rows:
            raise issues_source.error(("aliases", i, "row"), f"alias {alias.this!r}: no row {alias.row!r}")
    ledger = Ledger(
        paper.arxiv,
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
    )
    found = sum(1 for _ in ledger.cells())
    if found != paper.numeric_cells:
        raise LedgerError(
            f"{root.name}/tables: {found} printed numbers, paper.yaml counts {paper.numeric_cells}; restore the rest"
        )
    return ledger
