"""Write OpenMMLab's model index from ledger and evidence, and README's result: model-index.yml, metafile.yml files.

python -m report metadata [--check]     --check writes nothing and exits with 3 where a file is not today's

FLOPs and Parameters are this project's computed values (MAdds under the deciding rule). Metrics hold what was
achieved with the paper's data and recipe, and nothing else; printed numbers and verdicts stand beside them.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import Any

import yaml

from papertally.evidence.io import EvidenceError, write_text_atomic
from papertally.evidence.settings import SettingsError
from papertally.ledger.files import committed_bytes
from papertally.ledger.load import LedgerError
from papertally.pages.command import judged
from papertally.pages.sentences import apart_lines, sentences
from papertally.pages.small_scale import protocol_rows, small_scale_lines
from papertally.pages.sources import read_sources
from papertally.quantities.columns import is_cost
from papertally.verdicts.answers import ANSWERS
from papertally.verdicts.names import column_name, row_name, short_title
from papertally.verdicts.views import Report
from report.project import projects_of

OK, BROKEN, OLD = 0, 1, 3
HEAD = "# Written by `python -m report metadata` from papers/ and results/; change those, not this.\n"
#: OpenMMLab's names of metrics and tasks where it has one; others keep the ledger's.
METRICS = {"top1": "Top 1 Accuracy", "top5": "Top 5 Accuracy"}
TASKS = {"classification": "Image Classification", "pose": "Body 2D Keypoint", "segmentation": "Semantic Segmentation"}


def model(report: Report, row_id: str) -> dict[str, Any]:
    """Return a row's entry: computed costs, achieved metrics, printed numbers and verdicts."""
    ledger, cost = report.ledger, report.evidence.cost[row_id]
    row = ledger.row(row_id)
    table = ledger.tables[row.table]
    budget = next((b for b in ledger.budgets if table.id in b.tables), None)
    cells = [c for c in report.cells if c.row_id == row_id]
    trained = [c for c in cells if not is_cost(c.column)]
    entry: dict[str, Any] = {
        "Name": row_id,
        "In Collection": short_title(ledger.title),
        "Config": cost.config,
        "Metadata": {"FLOPs": cost.values.madds[report.evidence.rule], "Parameters": cost.values.params},
        "Alias": [f"Table {table.id}: {row_name(table, row)}"],
    }
    if budget:
        entry["Metadata"] |= {"Training Data": budget.dataset, "Epochs": budget.epochs}
    entry["Results"] = [
        {
            "Task": TASKS.get(table.task, table.task),
            "Dataset": budget.dataset if budget else "not stated",
            "Metrics": {
                METRICS.get(c.column, c.column): round(c.achieved, 3) for c in trained if c.achieved is not None
            },
            "Printed": {column_name(c.column): c.printed for c in cells},
            "Verdicts": {column_name(c.column): c.verdict for c in cells},
        }
    ]
    return entry


def metafiles(report: Report) -> dict[str, str]:
    """Return model-index.yml and every metafile.yml by path relative to the root."""
    ledger = report.ledger
    folders: dict[str, list[dict[str, Any]]] = {}
    for row_id in (row for row in ledger.rows if row in report.evidence.cost):
        entry = model(report, row_id)
        folders.setdefault(str(Path(entry["Config"]).parent.as_posix()), []).append(entry)
    collection = {
        "Name": short_title(ledger.title),
        "Paper": {"Title": ledger.title, "URL": f"https://arxiv.org/abs/{ledger.arxiv}"},
        "README": "README.md",
    }
    out = {}
    for folder, models in folders.items():
        out[f"{folder}/metafile.yml"] = _dump({"Collections": [collection], "Models": models})
    return {"model-index.yml": _dump({"Import": sorted(out)}), **out}


def _dump(value: Any) -> str:
    text: str = yaml.safe_dump(value, sort_keys=False, allow_unicode=True, width=120)
    return HEAD + text


#: What README counts the answers of.
WHAT = {"cells": "distinct printed numbers", "claims": "statements"}
BEGIN, END = "<!-- result -->\n", "<!-- /result -->\n"


def result_lines(report: Report, claims: str = "") -> str:
    """Return README's result: the five sentences, the four answers counted, and small data by every protocol.

    Args:
        report: The judged report.
        claims: What the paper claims, as page.yaml has it.
    """
    lines = []
    for head, text in sentences(report, claims):
        lines += [f"- **{head}:** {text}"]
    columns = ["about the paper", *ANSWERS]
    rows = [
        [f"{sum(found[name] for name in ANSWERS)} {WHAT[kind]}", *(str(found[name]) for name in ANSWERS)]
        for kind, found in report.answers().items()
    ]
    lines += ["", *_markdown_table(columns, rows), "", "Not about the paper: " + "; ".join(apart_lines(report)) + "."]
    if (small := report.small_scale) is not None:
        lines += ["", " ".join(small_scale_lines(small)), "", *_markdown_table(*protocol_rows(small))]
    return "\n".join(lines) + "\n"


def _markdown_table(columns: list[str], rows: list[list[str]]) -> list[str]:
    return [f"| {' | '.join(row)} |" for row in (columns, ["---"] * len(columns), *rows)]


def readme(root: Path, report: Report, claims: str = "") -> dict[str, str]:
    """Return README.md with today's result between its marks; {} where it has none."""
    path = root / "README.md"
    if not path.is_file():
        return {}
    text = path.read_text("utf-8")
    before, begin, rest = text.partition(BEGIN)
    _, end, after = rest.partition(END)
    return {"README.md": before + BEGIN + result_lines(report, claims) + END + after} if begin and end else {}


def main(argv: list[str], root: Path) -> int:
    """Write or check the files; returns 0, 1 (malformed input) or 3 (--check: not today's)."""
    parser = argparse.ArgumentParser(prog="python -m report metadata", description="Write OpenMMLab's model index.")
    parser.add_argument("--check", action="store_true", help="write nothing; exit 3 where a file is not today's")
    args = parser.parse_args(argv)
    try:
        project = projects_of(root)(None)
        report = judged(project)
        index = metafiles(report)
        files = {**index, **readme(root, report, read_sources(project.paper, report.ledger).config.claims)}
        if args.check:
            same = {n for n in files if (root / n).is_file() and committed_bytes(root / n) == files[n].encode()}
            old = [n for n in files if n not in same]
            for name in old:
                print(f"error: {name}: not today's; run `python -m report metadata`", file=sys.stderr)
            return OLD if old else OK
        for name, text in files.items():
            write_text_atomic(root / name, text)
    except (LedgerError, EvidenceError, SettingsError, ValueError) as error:
        print(f"error: {error}", file=sys.stderr)
        return BROKEN
    print(f"model-index.yml: {len(index) - 1} metafiles")
    return OK
