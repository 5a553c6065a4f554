"""papertally check: what a ledger's own numbers say about each other.

Exit code 0: nothing is impossible. 3: something is. 1: malformed input.
"""

from __future__ import annotations

import argparse
import importlib.util
import json
import os
import sys
import tempfile
from collections import Counter
from pathlib import Path
from typing import TextIO

from papertally.checks import ALARMS, SEVERITIES, Document, Finding, about, run
from papertally.checks.prose_claims import printed_sentences
from papertally.checks.read_prose import proposal, read_prose
from papertally.checks.transcription import TEXT
from papertally.ledger.load import Ledger, LedgerError, add_ledger_arguments, load_ledger
from papertally.ledger.paper import ledger_folder
from papertally.ledger.validation_messages import one_line

OK, BROKEN, IMPOSSIBLE = 0, 1, 3


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="papertally check",
        description="Check a ledger's numbers against each other, and against the paper's text where it is given.",
        epilog="exit code: 0 where nothing is impossible, 3 where something is, 1 for malformed input",
    )
    add_ledger_arguments(parser)
    parser.add_argument(
        "document",
        nargs="*",
        type=Path,
        help="a document: its tables and its text are checked",
    )
    parser.add_argument("--text", type=Path, metavar="FILE", help="the paper's text: what `new --from` takes")
    parser.add_argument(
        "--with",
        dest="own",
        action="append",
        default=[],
        type=Path,
        metavar="FILE.py",
        help="a file with checks of your own (docs/add_a_check.md); it is run as a program, so give it none but yours",
    )
    parser.add_argument("--only", nargs="+", default=[], metavar="CHECK", choices=about(), help="some checks only")
    parser.add_argument("--json", action="store_true", help="print findings as JSON")
    parser.add_argument("--all", action="store_true", help="print what passed and what is not applicable, too")
    parser.add_argument(
        "--propose", type=Path, metavar="FILE", help="write what the text says and its cells explain as a claims.yaml"
    )
    parser.add_argument("--list", action="store_true", help="list the checks and leave")
    return parser


def read_text(path: Path) -> Document:
    """Return a paper's text, read as `new` reads it. Raises LedgerError naming the file."""
    from papertally.checks.text import document_of
    from papertally.tables.documents import read_source

    return document_of(read_source(path))


def load_checks(path: Path) -> None:
    """Run a file that registers checks. Raises LedgerError naming it where it cannot be run."""
    spec = importlib.util.spec_from_file_location(f"checks_of_{path.stem}", path)
    if spec is None or spec.loader is None or not path.is_file():
        raise LedgerError(f"--with {path}: no file of Python; name one that ends in .py")
    try:
        spec.loader.exec_module(importlib.util.module_from_spec(spec))
    except Exception as error:  # whatever a user's file raises is its fault, and told in one line
        raise LedgerError(f"--with {path}: {one_line(repr(error))}; mend it") from None


def ledger_of(documents: list[Path], out: TextIO) -> Ledger:
    """Return the ledger of documents' tables, made for this check alone; says what was read of them, and what was not.

    Raises LedgerError.
    """
    from papertally.tables.command import write_ledger

    told: list[str] = []
    with tempfile.TemporaryDirectory(prefix="papertally-") as made:
        tables, numbers, left = write_ledger("paper", documents, Path(made) / "paper", told=told)
        ledger = load_ledger(Path(made).resolve() / "paper")
    print(f"{documents[0]}: {tables} tables, {numbers} printed numbers", *told, sep="\n", file=out)
    for entry, file in left:
        print(f"not read: {file}:{entry.line}: {entry.text!r}: {entry.why}", file=out)
    return ledger


def show(found: list[Finding], everything: bool) -> None:
    """Print findings, the worst first, and how many of each severity there are."""
    for finding in found:
        if everything or finding.severity in ALARMS:
            print(f"{finding.severity}: {finding.check}: {finding.subject}: {finding.arithmetic}")
    counts = Counter(f.severity for f in found)
    print(", ".join(f"{counts[s]} {s}" for s in SEVERITIES))


def propose(ledger: Ledger, document: Document, path: Path) -> None:
    """Write the claims that the text's cells explain as a claims.yaml. Raises LedgerError for a file that is there."""
    if path.exists():
        raise LedgerError(f"{path}: is there already; name another file for --propose, or remove it")
    try:
        text = proposal(read_prose(ledger, printed_sentences(document)))
        draft = path.with_name(f".{path.name}.{os.getpid()}")
        draft.write_text(text, "utf-8", newline="\n")
        draft.replace(path)
    except OSError as error:
        raise LedgerError(f"{path}: {error.strerror}; name a file that can be written for --propose") from None


def main(argv: list[str] | None = None) -> int:
    """Run the checks; returns 0, 3 (something is impossible) or 1 with one line on stderr (malformed input)."""
    args = _parser().parse_args(argv)
    if args.list:
        for name, what in about().items():
            print(f"{name:18} {what}")
        return OK
    try:
        for path in args.own:
            load_checks(path)
        if not (args.text or args.document) and (needing := [name for name in args.only if name in TEXT.about]):
            raise LedgerError(f"{needing[0]} needs the paper's text; give --text FILE")
        if args.propose and not (args.text or args.document):
            raise LedgerError("--propose needs the paper's text; give --text FILE")
        if args.document and args.path:
            raise LedgerError(f"{args.document[0]}: a document beside --path; name one of them")
        if args.document:
            args.text = args.text or args.document[0]
            ledger = ledger_of(args.document, sys.stderr if args.json else sys.stdout)
        else:
            ledger = load_ledger(ledger_folder(args.path))
        document = read_text(args.text) if args.text else None
        found = run(ledger, args.only, document=document)
        if args.propose and document is not None:
            propose(ledger, document, args.propose)
    except LedgerError as error:
        for fault in error.faults:
            print(f"error: {fault}", file=sys.stderr)
        return BROKEN
    if args.json:
        where = {"arxiv": ledger.arxiv} if ledger.arxiv else {"source": ledger.source}
        told = {"schema": 1, **where, "checks": [f.as_json() for f in found]}
        print(json.dumps(told, indent=1, ensure_ascii=False))
    else:
        show(found, args.all)
    return IMPOSSIBLE if any(f.severity == "impossible" for f in found) else OK
