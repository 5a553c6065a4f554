"""papertally new NAME --from FILE: a ledger from printed tables, valid at once, with what to mend named."""

from __future__ import annotations

import argparse
import shutil
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from papertally.ledger.load import NAME, LedgerError, load_ledger
from papertally.ledger.schema import TASKS, RawPaper
from papertally.quantities.columns import COSTS
from papertally.tables.build import Written, write_tables
from papertally.tables.documents import tables_of
from papertally.tables.infer_columns import Unread
from papertally.tables.normalize import quoted

CLAIMS = """\
# Statements of the paper about its own numbers. An example, to write out:
#   - id: small_is_better
#     section: "abstract"
#     statement: "Ours is better than theirs by 1.2 points."
#     kind: relation
#     expr: "agrees({row}.{column} - {other}.{column}, \\"1.2\\")"
schema: 1
claims: []
"""
ISSUES = "# Doubts about the transcription, and where the paper contradicts itself.\nschema: 1\nissues: []\n"


def _paper(name: str, source: str, title: str, tables: list[Written], lost: list[Unread], file: str) -> str:
    margins = {column: margin for table in tables for column, margin in table.margins.items()}
    lines = [f"# What {file} prints. mend: title, authors, source.", "schema: 1", f"name: {name}"]
    lines += [f"source: {quoted(source)}", f"title: {quoted(title)}", "authors: []"]
    lines += [f"numeric_cells: {sum(t.cells for t in tables)}"]
    if margins:
        lines += [
            "# How far a result may lie from a printed number and still agree: chosen here, printed nowhere.",
            "margins:",
        ]
        for column, (amount, why) in margins.items():
            lines.append(f"  {column}: {quoted(amount) if isinstance(amount, str) else amount}  # {why}")
    if any("±" in table.text for table in tables):
        lines += ["# mend: what ± is, and over how many runs: plus_minus: standard deviation, runs: 3"]
    lines += ["budgets: []"]
    if lost:
        lines += ["# mend: tables that were left out, or write them by hand.", "unread:"]
        lines += [
            f"  - {{text: {quoted(e.text)}, at: {quoted(f'{e.file or file}:{e.line}')}, why: {quoted(e.why)}}}"
            for e in lost
        ]
    return "\n".join(lines) + "\n"


def write_ledger(
    name: str,
    path: Path | Sequence[Path],
    folder: Path,
    task: str = "",
    metric: str = "",
    source: str = "",
    title: str = "",
    told: list[str] | None = None,
) -> tuple[int, int, list[tuple[Unread, str]]]:
    """Write a ledger from the tables of one document or several; returns (tables, numbers, what is left to mend).

    told: takes a line for every table: its rows and columns, and which columns became labels.

    Raises LedgerError naming what is wrong; a folder that has a ledger is left as it is.
    """
    if not NAME.fullmatch(name):
        raise LedgerError(f"{name!r} is no name of a ledger; write small letters, digits and underscores: my_paper")
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise LedgerError(f"{folder}: is there already; name another --path, or remove it")
    paths = [path] if isinstance(path, Path) else list(path)
    whole = tables_of(paths)
    path = paths[0]
    written, lost = write_tables(whole.grids, name, task, metric, path.name)
    lost = [*whole.unread, *lost]
    if not written:
        first = f"; {lost[0].file or path.name}:{lost[0].line}: {lost[0].why}" if lost else ""
        said = "" if metric else "; say --metric"
        raise LedgerError(
            f"{path}: {len(whole.grids)} tables, none with a column that is known to be measured{said}{first}"
        )
    told = [] if told is None else told
    for table in written:
        labels = f"; labels: {', '.join(table.labels)}" if table.labels else ""
        told.append(
            f"table {table.id} ({table.file}:{table.line}): {table.shape[0]} rows x {table.shape[1]} columns, "
            f"{table.cells} numbers{labels}"
        )
    source = source or f"file:{path.name.replace(' ', '_')}"
    folder.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder.parent, prefix=f".{folder.name}-") as made:
        draft = Path(made) / folder.name
        (draft / "tables").mkdir(parents=True)
        for table in written:
            number = table.id if not table.id.isdigit() else f"{int(table.id):02}"
            (draft / "tables" / f"table_{number}.yaml").write_text(table.text, "utf-8", newline="\n")
        paper = _paper(name, source, title or name, written, lost, path.name)
        (draft / "paper.yaml").write_text(paper, "utf-8", newline="\n")
        (draft / "claims.yaml").write_text(_claims(written), "utf-8", newline="\n")
        (draft / "known_issues.yaml").write_text(ISSUES, "utf-8", newline="\n")
        load_ledger(draft)
        if folder.exists():
            folder.rmdir()
        shutil.copytree(draft, folder)
    left = [(e, e.file or path.name) for table in written for e in table.unread]
    left += [(e, e.file or path.name) for e in lost]
    return len(written), sum(t.cells for t in written), left


def _claims(written: list[Written]) -> str:
    rows = [(row, kinds) for table in written for row, (_, kinds, _) in table.rows.items()]
    row, kinds = rows[0]
    other = rows[1][0] if len(rows) > 1 and rows[1][1] == kinds else row
    column = next((c for c in kinds if c not in COSTS), kinds[0])
    return CLAIMS.replace("{row}", row).replace("{other}", other).replace("{column}", column)


def default_folder(name: str) -> Path:
    """Return where a new ledger lies: among a checkout's papers, or in the working folder."""
    return Path("papers", name) if any(Path("papers").glob("*/paper.yaml")) else Path(name)


def main(argv: list[str]) -> int:
    """Write a ledger from printed tables; returns 0, or 1 with one line a fault."""
    parser = argparse.ArgumentParser(
        prog="papertally new",
        description="Write a ledger from a paper's printed tables: LaTeX, HTML, Markdown, CSV, notebooks, DOCX, XLSX.",
    )
    parser.add_argument("name", help="the ledger's name: small letters, digits, underscores")
    parser.add_argument(
        "--from",
        dest="files",
        type=Path,
        required=True,
        action="extend",
        nargs="+",
        metavar="FILE",
        help="the paper: a file of any known form, a folder, an archive of LaTeX sources; several are one paper",
    )
    parser.add_argument("--task", choices=TASKS, default="", help="what the models do (default: told by the columns)")
    parser.add_argument(
        "--metric", default="", metavar="NAME", help="what columns measure whose heads do not say it: acc, err, ..."
    )
    parser.add_argument(
        "--source", default="", help="arXiv:NUMBER, doi:NUMBER, an address with a commit, or file:NAME (default)"
    )
    parser.add_argument("--title", default="", help="the paper's title")
    parser.add_argument("--path", type=Path, metavar="FOLDER", help="where to write it (default: papers/NAME, or NAME)")
    args = parser.parse_args(argv)
    folder = args.path or default_folder(args.name)
    try:
        if args.metric and not args.metric.isalnum():
            raise LedgerError(f"--metric {args.metric!r}: write letters and digits, as acc, err or miou")
        if args.source:
            _check_source(args.source)
        told: list[str] = []
        tables, numbers, left = write_ledger(
            args.name, args.files, folder, args.task, args.metric, args.source, args.title, told
        )
    except LedgerError as error:
        for fault in error.faults:
            print(f"error: {fault}", file=sys.stderr)
        return 1
    print(f"{folder}: {tables} tables, {numbers} printed numbers")
    print(*told, sep="\n")
    for entry, file in left:
        where = ".".join(filter(None, (entry.row, entry.column)))
        print(f"to mend: {file}:{entry.line}: {quoted(entry.text)}{' (' + where + ')' if where else ''}: {entry.why}")
    tool = "papertally"
    print(f"next: {tool} check --path {folder}")
    return 0


def _check_source(source: str) -> None:
    from pydantic import ValidationError

    try:
        RawPaper.model_validate({"schema": 1, "source": source, "title": "x", "authors": [], "numeric_cells": 1})
    except ValidationError as error:
        raise LedgerError(f"--source: {error.errors()[0]['msg'].removeprefix('Value error, ')}") from None
