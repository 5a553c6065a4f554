"""Pack report, ledger and evidence as an RO-Crate 1.1: one folder, every file named, hashed and linked to what made it.

https://www.researchobject.org/ro-crate/specification/1.1/
"""

from __future__ import annotations

import hashlib
import json
import mimetypes
import shutil
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from papertally.evidence.io import write_text_atomic
from papertally.ledger.paper import Paper
from papertally.verdicts.names import short_title
from papertally.verdicts.views import Report

METADATA = "ro-crate-metadata.json"
#: RO-Crate 1.1's terms, and the one that came with 1.2.
CONTEXT = ["https://w3id.org/ro/crate/1.1/context", {"sha256": "http://schema.org/sha256"}]
LICENSE = "https://spdx.org/licenses/Apache-2.0"
#: What mimetypes does not know everywhere.
TYPES = {".yaml": "application/yaml", ".yml": "application/yaml", ".md": "text/markdown", ".csv": "text/csv"}


def media_type(path: Path) -> str:
    """Return a file's media type by its ending."""
    return TYPES.get(path.suffix) or mimetypes.guess_type(path.name)[0] or "application/octet-stream"


def evidence_files(report: Report) -> list[str]:
    """Return the evidence that the verdicts rest on and the configs that made it, as paths from the root, each once."""
    found = [c.evidence for c in report.cells] + [c.evidence for c in report.claims]
    found += [path for paths in report.evidence.files.values() for path in paths]
    runs = [run for rows in report.evidence.runs.values() for of in rows.values() for run in of]
    found += [of.config for of in report.evidence.cost.values()] + [run.config for run in runs]
    return sorted({path for path in found if path})


def _file(folder: Path, name: str, **more: Any) -> dict[str, Any]:
    """Return what the crate says of one file: its size in bytes, media type and sha256."""
    content = (folder / name).read_bytes()
    return {
        "@id": name,
        "@type": "File",
        "name": name,
        "contentSize": str(len(content)),
        "encodingFormat": media_type(Path(name)),
        "sha256": hashlib.sha256(content).hexdigest(),
        **more,
    }


def _copied(root: Path, folder: Path, name: str) -> str:
    (folder / name).parent.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(root / name, folder / name)
    return name


def _paper(report: Report) -> dict[str, Any]:
    ledger = report.ledger
    return {
        "@id": ledger.address or f"#{ledger.name or 'paper'}",
        "@type": "ScholarlyArticle",
        "name": ledger.title,
        "author": [{"@id": f"#author-{i}"} for i, _ in enumerate(ledger.authors)],
    }


def metadata(
    report: Report, folder: Path, reports: Iterable[str], ledgers: Iterable[str], evidence: Iterable[str], date: str
) -> dict[str, Any]:
    """Return the crate's JSON-LD; the files lie under `folder` by then. date: ISO 8601, of the newest evidence."""
    paper, title = _paper(report), short_title(report.ledger.title)
    ledgers, evidence = list(ledgers), list(evidence)
    parts = [_file(folder, name, about={"@id": paper["@id"]}) for name in (*ledgers, *evidence)]
    made = [{"@id": name} for name in reports]
    parts += [_file(folder, name, about={"@id": paper["@id"]}) for name in reports]
    action = {
        "@id": "#judging",
        "@type": "CreateAction",
        "name": f"Verdicts on {title}",
        "instrument": {"@id": "#harness"},
        "object": [{"@id": name} for name in (*ledgers, *evidence)],
        "result": made,
    }
    root = {
        "@id": "./",
        "@type": "Dataset",
        "name": f"{title}, checked number by number",
        "description": f"Verdicts on {len(report.cells)} printed numbers and {len(report.claims)} statements of "
        f"{report.ledger.title} ({report.ledger.cited}), with the evidence that they rest on.",
        "datePublished": date,
        "license": {"@id": LICENSE},
        "about": {"@id": paper["@id"]},
        "hasPart": [{"@id": part["@id"]} for part in parts],
        "mentions": {"@id": "#judging"},
    }
    people = [{"@id": f"#author-{i}", "@type": "Person", "name": name} for i, name in enumerate(report.ledger.authors)]
    descriptor = {
        "@id": METADATA,
        "@type": "CreativeWork",
        "about": {"@id": "./"},
        "conformsTo": {"@id": "https://w3id.org/ro/crate/1.1"},
    }
    harness = {"@id": "#harness", "@type": "SoftwareApplication", "name": "papertally", "license": {"@id": LICENSE}}
    licence = {"@id": LICENSE, "@type": "CreativeWork", "name": "Apache License 2.0"}
    return {"@context": CONTEXT, "@graph": [descriptor, root, *parts, action, harness, paper, *people, licence]}


def write_crate(paper: Paper, report: Report, texts: dict[str, str], folder: Path, date: str) -> int:
    """Write a crate into an empty folder; texts: the report's files by name. Returns how many files it holds."""
    reports = []
    for name, text in sorted(texts.items()):
        write_text_atomic(folder / "report" / name, text)
        reports.append(f"report/{name}")
    stated = [path for pattern in ("*.yaml", "tables/*.yaml") for path in sorted(paper.folder.glob(pattern))]
    ledgers = [_copied(paper.root, folder, paper.shown(path)) for path in stated]
    wanted = [path for path in evidence_files(report) if (paper.root / path).is_file()]
    evidence = [_copied(paper.root, folder, path) for path in wanted]
    found = metadata(report, folder, reports, ledgers, evidence, date)
    write_text_atomic(folder / METADATA, json.dumps(found, indent=1, ensure_ascii=False) + "\n")
    return len(reports) + len(ledgers) + len(evidence)
