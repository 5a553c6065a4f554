"""Load a ledger's tables: rows with what fixes their cells, columns with what they measure; faults are gathered."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from functools import lru_cache
from pathlib import Path
from typing import Any

from papertally.ledger.entries import Cell, Ground, LedgerError, Row, Table
from papertally.ledger.files import YamlFile
from papertally.ledger.schema import RawPaper, RawTable
from papertally.quantities.printed import is_absent

MORE = "and {} more; `papertally ledger` lists all"


def shown_in(root: Path, path: Path) -> str:
    """Return how a ledger's file is called in errors: from the ledger's folder on."""
    return f"{root.name}/{path.relative_to(root).as_posix()}"


def open_yaml(path: Path) -> YamlFile:
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

    def fault(path: tuple[Any, ...], text: str) -> None:
        faults.append(str(source.error(path, text)))

    repeats = {row.id: row.same_as for row in raw.rows if row.same_as}
    found = {(row, c): Ground("repeat", of=f"{repeats[row]}.{c}") for row in repeats for c in numeric[row]}
    own = {row.id: None for row in raw.rows if not row.same_as}
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
                    entry.kind,
                    tuple(entry.decided_by),
                    entry.source or "",
                    entry.drawn or "",
                    f"{entry.of}.{column}" if entry.of else "",
                )
    for i, printed in enumerate(raw.rows):
        for column in numeric[printed.id]:
            if (printed.id, column) not in found:
                fault(("rows", i), f"cell {printed.id}.{column} has no ground; add it under `grounds`")
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
        raw.id,
        raw.title,
        raw.task,
        tuple(raw.labels),
        tuple(raw.names),
        rows,
        raw.architecture,
        about,
        tuple(raw.unread),
    )


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


@dataclass(frozen=True)
class Contents:
    """Hold what files say, byte for byte: equal to those of another folder that say the same; files: name, content."""

    root: Path = field(compare=False)
    files: tuple[tuple[str, bytes], ...]


def contents(root: Path, paths: Iterable[Path]) -> Contents:
    """Return what files say, which decides whether they were read already.

    One that cannot be read counts as empty: its reader says why.
    """

    def content(path: Path) -> bytes:
        try:
            return path.read_bytes()
        except OSError:
            return b""

    def name(path: Path) -> str:
        return str(path.relative_to(root) if path.is_relative_to(root) else path)

    return Contents(root, tuple((name(path), content(path)) for path in sorted(paths)))


def row_prefix(folder: Path) -> str:
    """Return how a ledger's row ids begin by its paper.yaml, "" where it says nothing of it. Raises LedgerError."""
    said = open_yaml(folder / "paper.yaml").data
    return str(said.get("name") or "") if isinstance(said, dict) else ""


def load_tables(folder: Path, prefix: str = "") -> dict[str, Table]:
    """Return the tables in the paper's order. prefix: how row ids must begin.

    Raises LedgerError with all faults for repeated ids and broken references. Read once while the files say the same.
    """
    raise_all(misnamed(folder.parent))
    return dict(_load_tables(contents(folder, folder.glob("*")), prefix))


@lru_cache(maxsize=16)
def _load_tables(said: Contents, prefix: str) -> dict[str, Table]:
    faults: list[str] = []
    tables = read_tables(said.root, None, prefix, faults)
    raise_all(faults)
    return tables


def read_tables(folder: Path, paper: RawPaper | None, prefix: str, faults: list[str]) -> dict[str, Table]:
    sources: dict[Path, YamlFile] = {}
    try:
        names = (path for path in folder.iterdir() if path.suffix == ".yaml")
        paths = sorted(path for path in names if not path.name.startswith("."))  # "._x" is what macOS leaves
    except OSError as error:  # a glob of what cannot be listed is empty
        paths = []
        if not isinstance(error, FileNotFoundError):
            faults.append(f"{folder.parent.name}/{folder.name}: {error.strerror}; mend its permissions, or restore it")
    for path in paths:
        try:
            sources[path] = open_yaml(path)
        except LedgerError as error:
            faults += error.faults
    if not sources:
        if not faults:
            faults.append(f"{folder.parent.name}/{folder.name}: no tables; `papertally new` reads printed ones")
        return {}
    tables: dict[str, Table] = {}
    home: dict[str, tuple[YamlFile, int]] = {}
    owner: dict[str, str] = {}
    margins: dict[str, tuple[str, str]] = {}
    for path, source in sources.items():
        table = _table(source, paper, faults)
        if table is None:
            continue

        def fault(place: tuple[Any, ...], text: str, source: YamlFile = source) -> None:
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
