"""Render the view model: one self-contained page, Markdown for CI, JSON, CSV and JUnit. No arithmetic here."""

from __future__ import annotations

import csv
import io
import json
import xml.etree.ElementTree as ET
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from report import verdicts
from report.model import Report

TEMPLATES = Path(__file__).resolve().parent / "templates"
NAMES = {
    "params": "Params", "madds": "MAdds", "top1": "Top-1", "top5": "Top-5", "AP": "AP", "AP50": "AP 0.5",
    "AP75": "AP 0.75", "APM": "AP M", "APL": "AP L", "miou": "mIoU",
}  # fmt: skip
SYMBOLS = {
    "reproduced": "✅", "close": "🟢", "consistent (n = 1)": "🟢", "differs": "❌", "not-reproduced": "❌",
    "inconsistent (n = 1)": "❌", "paper-inconsistent": "🟣", "invalid-evidence": "⚠️", "underpowered": "🟡",
    "blocked": "⛔", "not-run": "▫️",
}  # fmt: skip
#: How the bar and the legends run, from settled to open.
ORDER = (
    "reproduced", "close", "consistent (n = 1)", "paper-inconsistent", "differs", "not-reproduced",
    "inconsistent (n = 1)", "underpowered", "invalid-evidence", "blocked", "not-run",
)  # fmt: skip


def slug(verdict: str) -> str:
    """Return a verdict's CSS class."""
    return verdict.split(" ")[0]


def badge(verdict: str) -> Markup:
    """Return a verdict as a coloured label."""
    return Markup('<span class="badge {}">{}</span>').format(slug(verdict), verdict)


def markdown_escape(text: str) -> str:
    """Return text that neither breaks a Markdown table nor starts markup."""
    for char in "\\`*_|[]<>":
        text = text.replace(char, {"<": "&lt;", ">": "&gt;"}.get(char, "\\" + char))
    return text.replace("\n", " ")


def _environment(escape: bool) -> Environment:
    env = Environment(
        loader=FileSystemLoader(TEMPLATES), autoescape=escape, undefined=StrictUndefined, trim_blocks=True,
        lstrip_blocks=True, keep_trailing_newline=True,
    )  # fmt: skip
    env.filters.update(slug=slug, md=markdown_escape)
    return env


def _context(report: Report) -> dict[str, Any]:
    return {"r": report, "failed": verdicts.FAILED, "order": ORDER, "names": NAMES, "symbols": SYMBOLS, "badge": badge}


def html(report: Report, up: str) -> str:
    """Return the page; `up` leads from it to the repository's root, for links to evidence."""
    style = Markup((TEMPLATES / "style.css").read_text("utf-8"))
    return _environment(True).get_template("index.html.j2").render(**_context(report), style=style, up=up)


def markdown(report: Report) -> str:
    """Return the Markdown summary: what changed and failed first, the rest folded."""
    return _environment(False).get_template("report.md.j2").render(**_context(report))


def as_json(report: Report) -> dict[str, Any]:
    """Return report.json: its keys are an interface and fixed."""
    return {
        "schema": 1,
        "paper": {"arxiv": report.ledger.arxiv},
        "profile": report.settings.profile,
        "cells": [
            {
                "table": c.table,
                "row": c.row,
                "row_id": c.row_id,
                "column": c.column,
                "printed": c.printed,
                "achieved": c.achieved,
                "verdict": c.verdict,
                "rule": c.rule,
                "evidence": c.evidence,
                "note": c.note,
            }
            for c in report.cells
        ],
        "claims": [
            {
                "id": c.id,
                "section": c.section,
                "statement": c.statement,
                "paper_holds": c.paper_holds,
                "achieved": c.achieved,
                "verdict": c.verdict,
                "note": c.note,
            }
            for c in report.claims
        ],
        "summary": report.summary(),
    }


def cells_csv(report: Report) -> str:
    """Return the cells as CSV."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    rows = as_json(report)["cells"]
    writer.writerow(rows[0])
    writer.writerows(row.values() for row in rows)
    return out.getvalue()


def junit(report: Report) -> str:
    """Return JUnit XML, one case a cell and a claim: failures fail, unchecked ones are skipped, bad evidence errs."""
    root = ET.Element("testsuites", name="micronet")
    groups = {f"table {t.id}": [(c.key, c.verdict, c.note) for r in t.rows for c in r.cells if not isinstance(c, str)]
              for t in report.tables}  # fmt: skip
    groups["claims"] = [(c.id, c.verdict, c.note) for c in report.claims]
    for group, cases in groups.items():
        suite = ET.SubElement(root, "testsuite", name=group, tests=str(len(cases)))
        counts = {"failures": 0, "errors": 0, "skipped": 0}
        for name, verdict, note in cases:
            case = ET.SubElement(suite, "testcase", classname=group.replace(" ", "_"), name=name)
            kind = None
            if verdict in verdicts.FAILED:
                kind, counter = "failure", "failures"
            elif verdict == "invalid-evidence":
                kind, counter = "error", "errors"
            elif verdict in verdicts.UNCHECKED:
                kind, counter = "skipped", "skipped"
            if kind:
                counts[counter] += 1
                ET.SubElement(case, kind, message=f"{verdict}: {note}" if note else verdict)
        for key, value in counts.items():
            suite.set(key, str(value))
    ET.indent(root)
    return '<?xml version="1.0" encoding="utf-8"?>\n' + ET.tostring(root, encoding="unicode") + "\n"


def files(report: Report, up: str) -> dict[str, str]:
    """Return every output file's text by name."""
    data = as_json(report)
    metrics = {f"{k}_{slug(v)}": n for k, counts in data["summary"].items() for v, n in counts.items()}
    return {
        "index.html": html(report, up),
        "report.md": markdown(report),
        "report.json": json.dumps(data, indent=1, ensure_ascii=False, allow_nan=False) + "\n",
        "cells.csv": cells_csv(report),
        "junit.xml": junit(report),
        "metrics.json": json.dumps(metrics, indent=1, sort_keys=True) + "\n",
    }
