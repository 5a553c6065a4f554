"""Render the view model: one self-contained page, Markdown for CI, JSON, CSV and JUnit. No arithmetic here."""

from __future__ import annotations

import base64
import csv
import hashlib
import io
import json
import re
import xml.etree.ElementTree as ET
from dataclasses import asdict
from functools import lru_cache
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from papertally.ledger.supplements import quoted
from papertally.pages.page import Page, build_page
from papertally.pages.sentences import sentences
from papertally.pages.small_scale import small_scale_json
from papertally.pages.sources import Sources
from papertally.pages.summary import summary_page
from papertally.verdicts import verdicts
from papertally.verdicts.answers import HEADS, SIGNS
from papertally.verdicts.architecture import architecture_cells
from papertally.verdicts.conventions import FamilyView
from papertally.verdicts.issues import check_issues
from papertally.verdicts.names import short_title, slug
from papertally.verdicts.registered import Registered
from papertally.verdicts.views import CellView, Report

TEMPLATES = Path(__file__).resolve().parent / "templates"
#: What Markdown reads as markup, within a line.
_MARKUP = re.compile(r"([\\`*_|\[\]~])")


def markdown_escape(text: str) -> str:
    """Return text that neither breaks a Markdown table nor starts markup, on one line."""
    text = " ".join(str(text).split()).replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    return _MARKUP.sub(r"\\\1", text)


def code_span(text: str) -> str:
    """Return text for between backticks, which nothing inside may end."""
    return " ".join(str(text).split()).replace("`", "'").replace("|", "\\|")


@lru_cache(maxsize=2)
def _environment(escape: bool) -> Environment:
    env = Environment(
        loader=FileSystemLoader(TEMPLATES, "utf-8-sig"),
        autoescape=escape,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    env.filters.update(slug=slug, md=markdown_escape, code=code_span)
    return env


def _asset(name: str) -> str:
    return (TEMPLATES / name).read_text("utf-8-sig")


def _source(text: str) -> str:
    """Return an inline text's hash as a content security policy names it."""
    return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode('utf-8')).digest()).decode('ascii')}'"


def policy(style: str, *scripts: str) -> str:
    """Return the content security policy: this style, these scripts, embedded pictures, and no network."""
    allowed = " ".join(map(_source, scripts))
    return (
        f"default-src 'none'; style-src {_source(style)}; script-src {allowed}; img-src data:; base-uri 'none'; "
        "form-action 'none'"
    )


def _page(name: str, page: Any) -> str:
    """Return one page's text, whole in itself."""
    style, early, script = _asset("style.css"), _asset("early.js"), _asset("page.js")
    return (
        _environment(True)
        .get_template(f"{name}.j2")
        .render(
            p=page, style=Markup(style), early=Markup(early), script=Markup(script), policy=policy(style, early, script)
        )
    )


def html(page: Page) -> dict[str, str]:
    """Return the pages' text by name: index.html and claims.html."""
    return {name: _page(name, page) for name in ("index.html", "claims.html")}


def versions_page(page: object) -> str:
    """Return the page that sets two versions (papertally.pages.versions.Versions) side by side."""
    return _page("versions.html", page)


def markdown(report: Report, claims: str = "") -> str:
    """Return the Markdown summary: what changed and failed first, the rest folded."""
    names = {"sentences": sentences(report, claims), "heads": HEADS, "signs": SIGNS}
    title = short_title(report.ledger.title)
    return _environment(False).get_template("report.md.j2").render(r=report, title=title, **names)


def _cell(c: CellView) -> dict[str, Any]:
    """Return a cell as report.json has it."""
    return {
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
        "ground": c.ground,
        "conventions": None if c.conventions is None else dict(zip(("holds", "of"), c.conventions, strict=True)),
        "distinct": c.distinct,
        "answer": c.answer.name,
        "basis": c.answer.basis,
    }


def as_json(report: Report) -> dict[str, Any]:
    """Return report.json: its keys are an interface and fixed."""
    return {
        "schema": 2,
        "paper": {"arxiv": report.ledger.arxiv} if report.ledger.arxiv else {"source": report.ledger.source},
        "profile": report.settings.profile,
        "cells": [_cell(c) for c in report.cells],
        "claims": [
            {
                "id": c.id,
                "section": c.section,
                "statement": c.statement,
                "paper_holds": c.paper_holds,
                "achieved": c.achieved,
                "verdict": c.verdict,
                "note": c.note,
                "own": c.own_truth,
                "shown": c.shown_as,
                "answer": c.answer.name,
                "basis": c.answer.basis,
            }
            for c in report.claims
        ],
        "checks": [finding.as_json() for finding in report.checks],
        "summary": {
            **report.summary(),
            "own": report.own_summary(),
            "grounds": report.grounds(),
            "answers": report.answers(),
        },
        "architecture": [asdict(c) for c in architecture_cells(report.ledger, report.evidence)],
        "quotations": [asdict(q) for q in quoted(report.ledger, report.supplements.quotations)]
        if report.supplements
        else [],
        "issues": [
            {"id": c.issue, "says": c.says, "is": c.expression, "holds": c.holds}
            for c in check_issues(report.ledger, report.evidence)
        ],
        "conventions": {
            "families": [_family(f) for f in report.families],
            "held_out": [asdict(h) for h in report.held_out],
            "certificates": [
                asdict(c) | {"impossible": c.impossible} for of in report.certificates.values() for c in of
            ],
            "forensics": [f.search().model_dump() for f in report.forensics],
        },
        "registered": None if report.registered is None else registered_orderings(report.registered),
        "small_scale": small_scale_json(report.small_scale),
    }


def registered_orderings(found: Registered) -> dict[str, Any]:
    """Return what the registered orderings decide, and of which runs; tables that lack a run have no orders."""
    return {
        "pilot": {"have": found.pilot[0], "of": found.pilot[1]},
        "schedule": found.choice.schedule if found.choice else None,
        "seeds": found.choice.seeds if found.choice else [],
        "spread": found.spread.sd if found.spread else None,
        "tables": [
            {
                "table": family.table,
                "have": family.have,
                "of": family.of,
                "tau": family.ordering.tau if family.ordering else None,
                "orders": [
                    {
                        "higher": pair.higher,
                        "lower": pair.lower,
                        "gap": pair.gap,
                        "half_width": pair.half_width,
                        "p": pair.adjusted,
                        "verdict": "undecided" if pair.verdict == "underpowered" else pair.verdict,
                    }
                    for pair in (family.ordering.pairs if family.ordering else ())
                ],
            }
            for family in found.families
        ],
        "statements": [
            {"id": s.id, "verdict": s.verdict, "p_holds": s.p_holds, "p_fails": s.p_fails} for s in found.statements
        ],
    }


def _family(found: FamilyView) -> dict[str, Any]:
    """Return what one convention can do for a family, with the left-out cells of best ones as objects."""
    left = [{"cells": list(cells), "conventions": n} for cells, n in found.left_out]
    return asdict(found) | {"left_out": left}


def cells_csv(report: Report) -> str:
    """Return the cells as CSV."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    rows = [{k: v for k, v in _cell(c).items() if k != "conventions"} for c in report.cells]
    for row, cell in zip(rows, report.cells, strict=True):
        row["holds"], row["of"] = cell.conventions or ("", "")
    writer.writerow(rows[0])
    # A lone carriage return would end a line for some readers, and the writer does not quote it.
    writer.writerows([v.replace("\r", " ") if isinstance(v, str) else v for v in row.values()] for row in rows)
    return out.getvalue()


def junit(report: Report) -> str:
    """Return JUnit XML, one case a cell and a claim: failures fail, unchecked ones are skipped, bad evidence errs."""
    root = ET.Element("testsuites", name=short_title(report.ledger.title).lower())
    groups = {
        f"table {t.id}": [(c.key, c.verdict, c.note) for r in t.rows for c in r.cells if not isinstance(c, str)]
        for t in report.tables
    }
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
            elif verdict in (*verdicts.UNCHECKED, "not-predicted", "reported-otherwise"):
                kind, counter = "skipped", "skipped"
            if kind:
                counts[counter] += 1
                ET.SubElement(case, kind, message=f"{verdict}: {note}" if note else verdict)
        for key, value in counts.items():
            suite.set(key, str(value))
    ET.indent(root)
    return '<?xml version="1.0" encoding="utf-8"?>\n' + ET.tostring(root, encoding="unicode") + "\n"


def files(report: Report, up: str, sources: Sources | None = None) -> dict[str, str]:
    """Return every output file's text by name; `up` leads from them to the repository's root."""
    data = as_json(report)
    metrics = {f"{k}_{slug(v)}": n for k, counts in report.summary().items() for v, n in counts.items()}
    sources = sources or Sources()
    return {
        **html(build_page(report, sources, up)),
        "summary.html": _page("summary.html", summary_page(report, sources.config.claims)),
        "report.md": markdown(report, sources.config.claims),
        "report.json": json.dumps(data, indent=1, ensure_ascii=False, allow_nan=False) + "\n",
        "cells.csv": cells_csv(report),
        "junit.xml": junit(report),
        "metrics.json": json.dumps(metrics, indent=1, sort_keys=True) + "\n",
    }
