"""Load and validate a ledger: what a paper prints, and never a computed number. All faults of it are told at once."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path

from paper.conventions import check_rows, load_conventions
from paper.entries import HERE, Alias, Cell, Claim, Ground, Ledger, LedgerError, Row, Table
from paper.expressions import compile_expr
from paper.files import Model, YamlFile
from paper.printed import is_absent
from paper.schema import RawChecks, RawClaims, RawIssue, RawIssues, RawPaper, RawTable

__all__ = [
    "HERE", "Alias", "Cell", "Claim", "Ground", "Ledger", "LedgerError", "Row", "Table", "check_declared",
    "folder_of", "load_ledger", "load_tables",
]  # fmt: skip
NAME = re.compile(r"[a-z][a-z0-9_]*")
MORE = "and {} more; `python -m paper` lists all"


def folder_of(name: str = "", path: Path | None = None) -> Path:
    """Return a ledger's folder: anywhere (`path`), or by its name; "" is the first paper's. Raises LedgerError."""
    if path is not None:
        if not path.is_dir():
            raise LedgerError(f"{path}: no folder; name the one that holds paper.yaml")
        return path.resolve()
    if name and not (NAME.fullmatch(name) and (HERE / name / "paper.yaml").is_file()):
        known = sorted(p.parent.name for p in HERE.glob("*/paper.yaml"))
        raise LedgerError(f"paper/{name}/paper.yaml: not there; ledgers: {', '.join(known)}; elsewhere: --path FOLDER")
    return HERE / name


def shown_in(root: Path, path: Path) -> str:
    """Return how a ledger's file is called in errors: from the ledger's folder on."""
    return f"{root.name}/{path.relative_to(root).as_posix()}"


def _source(path: Path) -> YamlFile:
    """Read one of the ledger's files. Raises LedgerError with file and line."""
    return YamlFile(path, f"{path.parent.name}/{path.name}", LedgerError)


def raise_all(faults: Iterable[str]) -> None:
    """Raise LedgerError with all faults, the first in its message; nothing where there is none."""
    found = tuple(dict.fromkeys(faults))
    if len(found) == 1:
        raise LedgerError(found[0])
    if found:
        raise LedgerError(f"{found[0]} ({MORE.format(len(found) - 1)})", found)


def _grounds(source: YamlFile, raw: RawTable, faults: list[str]) -> dict[tuple[str, str], Ground]:
    """Return every cell's ground; a cell with none or two is a fault."""
    numeric = {
        row.id: [c for c, text in zip(raw.names, row.cells, strict=False) if not is_absent(text)] for row in raw.rows
    }
    if len(numeric) < len(raw.rows):
        return {}  # an id stands twice, which is told with its line where ids of all tables are compared

    def fault(path: tuple, text: str) -> None:
        faults.append(str(source.error(path, text)))

    repeats = {row.id: row.same_as for row in raw.rows if row.same_as}
    found = {(row, c): Ground("repeat", of=f"{repeats[row]}.{c}") for row in repeats for c in numeric[row]}
    own = [row.id for row in raw.rows if not row.same_as]
    if not raw.grounds:
        return found | {(row, c): Ground() for row in own for c in numeric[row]}
    for i, entry in enumerate(raw.grounds):
        if unknown := [c for c in entry.columns if c not in raw.names]:
            fault(("grounds", i, "columns"), f"ground: the table has no column {unknown[0]!r}; mend it")
        for row in own if entry.rows is None else entry.rows:
            if row not in own:
                why = "repeats another row by same_as" if row in repeats else "is no row of this table"
                fault(("grounds", i, "rows"), f"ground: {row!r} {why}; remove it")
                continue
            for column in entry.columns:
                if column not in numeric[row]:
                    continue
                if (row, column) in found:
                    fault(("grounds", i), f"cell {row}.{column} has a ground already; keep one")
                    continue
                found[row, column] = Ground(
                    entry.kind, tuple(entry.decided_by), entry.source or "", entry.drawn or "",
                    f"{entry.of}.{column}" if entry.of else "",
                )  # fmt: skip
    for i, row in enumerate(raw.rows):
        for column in numeric[row.id]:
            if (row.id, column) not in found:
                fault(("rows", i), f"cell {row.id}.{column} has no ground; add it under `grounds`")
    return found


def _table(source: YamlFile, paper: RawPaper | None, faults: list[str]) -> Table | None:
    """Return a table, or None where its file cannot be one; what does not fit is a fault."""
    raw, told = source.check(RawTable)
    faults += told
    if raw is None:
        return None
    unfit = [str(source.error(path, text)) for path, text in raw.faults()]
    faults += unfit
    if unfit:
        return None
    grounds = _grounds(source, raw, faults)
    margins, runs, plus_minus = (paper.margins, paper.runs, paper.plus_minus) if paper else ({}, None, None)
    about = {column.name: column.about(margins.get(column.name), runs, plus_minus) for column in raw.columns}
    rows = tuple(
        Row(
            id=row.id,
            table=raw.id,
            number=number,
            labels=tuple(row.labels),
            marks=tuple(row.marks),
            cells={
                c: Cell(c, text, c in row.bold, grounds.get((row.id, c), Ground()), about[c])
                for c, text in zip(raw.names, row.cells, strict=True)
            },
            same_as=row.same_as,
            blocked=row.blocked,
            network=row.network,
            input=tuple(row.input or raw.input or ()) or None,
        )
        for number, row in enumerate(raw.rows, start=1)
    )
    return Table(
        raw.id, raw.title, raw.task, tuple(raw.labels), tuple(raw.names), rows, raw.architecture, about,
        tuple(raw.unread),
    )  # fmt: skip


def _order(table_id: str) -> tuple[str, int, str]:
    """Return how tables are ordered: 2 before 10, 4a before 4b, an appendix's A1 last."""
    letter = table_id[0] if table_id[0].isalpha() else ""
    number = re.match(r"\d+", table_id[len(letter) :])
    assert number is not None
    return letter, int(number.group()), table_id[len(letter) + number.end() :]


def misnamed(root: Path) -> list[str]:
    """Return a fault for every file that a ledger's reader would pass over: YAML by another suffix."""
    found = [p for folder in (root, root / "tables") for p in sorted(folder.glob("*")) if folder.is_dir()]
    strange = [p for p in found if p.suffix.lower() in (".yml", ".yaml") and p.suffix != ".yaml"]
    return [f"{shown_in(root, p)}: is not read by this suffix; rename it to {p.stem}.yaml" for p in strange]


def load_tables(folder: Path, paper: RawPaper | None = None, prefix: str = "") -> dict[str, Table]:
    """Return the tables in the paper's order. prefix: how row ids must begin.

    Raises LedgerError with all faults for repeated ids and broken references.
    """
    faults: list[str] = misnamed(folder.parent)
    tables = _read_tables(folder, paper, prefix, faults)
    raise_all(faults)
    return tables


def _read_tables(folder: Path, paper: RawPaper | None, prefix: str, faults: list[str]) -> dict[str, Table]:
    sources: dict[Path, YamlFile] = {}
    paths = sorted(folder.glob("*.yaml"))
    for path in paths:
        try:
            sources[path] = _source(path)
        except LedgerError as error:
            faults += error.faults
    if not sources:
        if not faults:
            faults.append(f"{folder.parent.name}/{folder.name}: no tables; `python -m paper new` reads printed ones")
        return {}
    tables: dict[str, Table] = {}
    home: dict[str, tuple[YamlFile, int]] = {}
    owner: dict[str, str] = {}
    margins: dict[str, tuple[str, str]] = {}
    for path, source in sources.items():
        table = _table(source, paper, faults)
        if table is None:
            continue

        def fault(place: tuple, text: str, source: YamlFile = source) -> None:
            faults.append(str(source.error(place, text)))

        if table.id in tables:
            fault(("id",), f"table {table.id!r} stands in {owner[table.id]} too; give one another id")
            continue
        tables[table.id], owner[table.id] = table, path.name
        for i, row in enumerate(table.rows):
            if row.id in home:
                fault(("rows", i, "id"), f"row id {row.id!r} is taken; ids are unique over all tables")
                continue
            if not row.id.startswith(prefix):
                fault(("rows", i, "id"), f"row id {row.id!r} does not begin with {prefix!r}; write {prefix}{row.id}")
            home[row.id] = source, i
        for i, (name, about) in enumerate(table.about.items()):
            if about.margin:
                margin, other = margins.setdefault(name, (str(about.margin), table.id))
                if margin != str(about.margin):
                    text = f"column {name} has a margin of {about.margin} here, of {margin} in table {other}"
                    fault(("columns", i), f"{text}; give one of them another name")
    rows = {row.id: row for table in tables.values() for row in table.rows}
    whole = len(tables) == len(paths)
    for row in rows.values():
        source, i = home[row.id]
        if row.same_as is None:
            continue
        where = ("rows", i, "same_as")
        if row.same_as not in rows:
            if whole:
                faults.append(str(source.error(where, f"same_as names {row.same_as!r}, which is no row; mend it")))
        elif rows[row.same_as].same_as:
            text = f"same_as names {row.same_as!r}, itself a repeat; name the first row"
            faults.append(str(source.error(where, text)))
    if whole and not faults:
        _check_repeats(rows, home, faults)
    return {key: tables[key] for key in sorted(tables, key=_order)}


def check_declared(source: YamlFile, checks: RawChecks, tables: dict[str, Table], faults: list[str]) -> None:
    """Tell where what paper.yaml says for the checks is about rows, columns or labels that there are not."""
    rows = {row.id: row for table in tables.values() for row in table.rows}

    def fault(place: tuple, text: str) -> None:
        faults.append(str(source.error(place, text)))

    for kind in ("bold", "linear", "monotone", "examples", "quoted"):
        for i, part in enumerate(getattr(checks, kind)):
            where = ("checks", kind, i)
            if kind == "quoted":
                if part.row not in rows:
                    fault((*where, "row"), f"no row {part.row!r}; `python -m paper rows` lists them")
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


def _check_repeats(rows: dict[str, Row], home: dict[str, tuple[YamlFile, int]], faults: list[str]) -> None:
    """Tell where a cell repeats what is no number, or leads back to itself."""
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
                    text = f"cell {row.id}.{column} repeats {of}, which is no number; mend it"
                    faults.append(str(source.error(("rows", i), text)))
                    break
                if of in seen:
                    text = f"cell {row.id}.{column} repeats itself by {of}; mend it"
                    faults.append(str(source.error(("rows", i), text)))
                    break
                seen.add(of)
                of = rows[name].cells[column].ground.of


class _Loader:
    """Read one folder, and gather the faults of all its files."""

    def __init__(self, root: Path) -> None:
        self.root, self.faults = root, misnamed(root)

    def read(self, name: str, form: type[Model]) -> tuple[YamlFile | None, Model | None]:
        """Return (file, content) of one of the ledger's files; (None, None) where it cannot be read."""
        try:
            source = _source(self.root / name)
        except LedgerError as error:
            self.faults += error.faults
            return None, None
        raw, told = source.check(form)
        self.faults += told
        return source, raw

    def fault(self, source: YamlFile, place: tuple, text: str) -> None:
        self.faults.append(str(source.error(place, text)))


def _of_a_checkout(root: Path) -> bool:
    """Tell whether a ledger is the first of a checkout, whose settings lie beside it."""
    return root.name == "paper" and (root.parent / "params.yaml").is_file()


def prefix_of(root: Path, paper: RawPaper | None) -> str:
    """Return how row ids of a ledger begin: its name and an underscore; "" for the first paper's."""
    root = root.resolve()
    if paper is not None and paper.name:
        return f"{paper.name}_"
    ours = root.parent.name == "paper" and (root.parent / "paper.yaml").is_file()
    return f"{root.name}_" if ours else ""


def load_ledger(root: Path | None = None) -> Ledger:
    """Return the validated ledger of the folder `root` (default: this package's).

    Raises LedgerError "file:line: fault; mend", with all faults.
    """
    root = root or HERE
    load = _Loader(root)
    paper_source, paper = load.read("paper.yaml", RawPaper)
    prefix = prefix_of(root, paper)
    tables = _read_tables(root / "tables", paper, prefix, load.faults)
    whole = not load.faults  # else a row that is missed may stand in what could not be read
    rows = {row.id: row for table in tables.values() for row in table.rows}
    conventions = None
    try:
        first = (paper is not None and paper.version_of is not None) or (not prefix and _of_a_checkout(root))
        conventions = load_conventions(root, LedgerError, first)
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
            load.fault(_source(root / "conventions.yaml"), fault[0], f"{fault[1]}; mend it")
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
    )


def _unknown(ref: tuple[str, str], rows: dict[str, Row]) -> str | None:
    if ref[0] not in rows:
        return f"no row {ref[0]!r}; `python -m paper rows` lists them"
    if ref[1] not in rows[ref[0]].cells:
        return f"row {ref[0]!r} has no column {ref[1]!r}"
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
        for ref in refs:
            if fault := _unknown(ref, rows):
                load.fault(source, ("issues", i, "cells"), f"issue {issue.id}: {fault}")
    for i, alias in enumerate(raw.aliases):
        if alias.row and alias.row not in rows:
            load.fault(source, ("aliases", i, "row"), f"alias {alias.this!r}: no row {alias.row!r}")


def _claims(
    load: _Loader, source: YamlFile | None, raw_claims: RawClaims, rows: dict[str, Row] | None,
    tables: dict[str, Table], issues: dict[str, RawIssue] | None,
) -> dict[str, Claim]:  # fmt: skip
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
            for ref in expression.refs:
                if unknown := _unknown(ref, rows):
                    fault(key, unknown)
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
            raw.id, raw.section, raw.statement, raw.kind, expression, raw.computation, raw.reading, raw.issue,
            raw.shows, raw.read, tuple(raw.of),
        )  # fmt: skip
    return claims
