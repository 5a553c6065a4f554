"""Score the table readers on documents whose true cells are known: right, wrong, refused, lost or gone.

python studies/document_readers.py FOLDER [--constructs] [--details CONVERTER ...]
FOLDER/source has the LaTeX sources and their cells as JSON; every other folder is one converter's output.
"""

from __future__ import annotations

import argparse
import json
import re
import sys
import unicodedata
from collections import Counter
from pathlib import Path

import yaml

from papertally.ledger.load import LedgerError
from papertally.quantities.printed import is_absent, parse_printed
from papertally.tables.build import write_tables
from papertally.tables.documents import tables_of

#: No document, or one that a tool of another folder reads.
SKIPPED = (".json", ".haux", ".docx", ".pdf", ".log", ".aux")
OUTCOMES = ("right", "wrong", "refused", "lost", "gone")


def words(text: str) -> str:
    """Return a text's letters and digits, to compare names."""
    return re.sub(r"[^a-z0-9]+", "", unicodedata.normalize("NFKD", text).lower())


def same(printed: str, unit: str, truth: str) -> bool:
    """Tell whether two printed numbers have one value, last place and spread."""
    if is_absent(truth) or is_absent(printed):
        return is_absent(truth) and is_absent(printed)
    try:
        ours, theirs = parse_printed(printed), parse_printed(truth)
    except ValueError:
        return words(printed) == words(truth)
    return (ours.value, ours.place, ours.spread) == (theirs.value, theirs.place, theirs.spread)


def kept(truth: str, raw: str) -> bool:
    """Tell whether a converter's output still has a cell's digits."""
    digits = re.findall(r"\d[\d.]*", truth.replace(",", ""))
    unit = re.search(r"[a-zA-Z]+$", truth) if not re.search(r"\de", truth) else None
    if digits and unit and not re.search(re.escape(digits[-1]) + r"(?:<[^<>]*>|[^\w]|\\\w+){0,12}" + unit[0], raw):
        return False
    bare = re.sub(r"(?<=\d),(?=\d{3})", "", raw)
    return all(re.search(rf"(?<![\d.]){re.escape(d)}(?!\d)", bare) for d in digits) if digits else True


def score(path: Path, truth: dict) -> list[tuple[str, str, str]]:
    """Return (outcome, which cell, what was read) for every true cell of a document."""
    raw = "" if path.suffix in (".pdf", ".docx", ".xlsx") else path.read_text("utf-8", "replace")
    tables, told, whole = [], [], ""
    try:
        source = tables_of(path)
        written, lost = write_tables(source.grids, "x", "", "", path.name)
        tables = [yaml.safe_load(t.text) for t in written]
        told = [u for t in written for u in t.unread] + lost + list(source.unread)
    except LedgerError as error:
        whole = str(error)
    said = " ".join(u.text for u in told)
    out = []
    for table in truth["tables"]:
        for row in table["rows"]:
            for head, cell in zip(table["columns"], row["cells"], strict=True):
                found = [
                    r["cells"][i]
                    for t in tables
                    for r in t["rows"]
                    if words(row["key"]) in words(" ".join(r["labels"]))
                    for i, c in enumerate(t["columns"])
                    if all(words(w) in words(c["title"]) for w in head)
                ]
                right = [f for f in found if same(f, "", cell)]
                name = f"{row['key']}, {' '.join(head)}: {cell}"
                if right:
                    outcome = "right"
                elif raw and not kept(cell, raw):
                    near = any(words(f) and words(f) in words(cell) for f in found)  # its unit was dropped
                    outcome = "gone" if not found or "?" in found or near else "wrong"
                elif "?" in found or (
                    not found
                    and (whole or words(row["key"]) in words(said) or any(words(w) in words(said) for w in head))
                ):
                    outcome = "refused"
                elif found:
                    outcome = "wrong"
                else:
                    outcome = "lost"
                out.append((outcome, name, ", ".join(found) or whole))
    return out


def main(argv: list[str] | None = None) -> int:
    """Print one line a converter; with --details every cell that is not right."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--details", nargs="*", metavar="CONVERTER", default=[])
    parser.add_argument("--constructs", action="store_true", help="one line a document instead")
    args = parser.parse_args(argv)
    truths = {p.stem: json.loads(p.read_text("utf-8")) for p in sorted((args.folder / "source").glob("*.json"))}
    print(f"| {'document' if args.constructs else 'converter'} | " + " | ".join(OUTCOMES) + " | right of kept |")
    print("|---" * (len(OUTCOMES) + 2) + "|")
    by: dict[str, Counter[str]] = {}
    for folder in sorted(p for p in args.folder.iterdir() if p.is_dir()):
        counts: Counter[str] = Counter()
        if not any(path.stem in truths and path.suffix not in SKIPPED for path in folder.iterdir()):
            continue
        for path in sorted(folder.iterdir()):
            if path.stem not in truths or path.suffix in SKIPPED:
                continue
            for outcome, name, read in score(path, truths[path.stem]):
                counts[outcome] += 1
                by.setdefault(path.stem, Counter())[outcome] += 1
                if folder.name in args.details and outcome != "right":
                    print(f"{path.name}: {outcome}: {name} <- {read}", file=sys.stderr)
        if not args.constructs:
            print(_line(folder.name, counts))
    if args.constructs:
        for stem, counts in sorted(by.items()):
            print(_line(stem, counts))
    return 0


def _line(name: str, counts: Counter[str]) -> str:
    total = sum(counts.values()) - counts["gone"]
    share = f"{100 * counts['right'] / total:.1f} %" if total else "–"
    return f"| {name} | " + " | ".join(str(counts[o]) for o in OUTCOMES) + f" | {share} |"


if __name__ == "__main__":
    sys.exit(main())
