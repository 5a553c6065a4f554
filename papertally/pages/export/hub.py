"""Write achieved results as a model hub reads them: `.eval_results/*.yaml` and a card with a model-index, a row each.

Results of the paper's own data and recipe, and what is reported of such runs elsewhere, which is said beside it;
what is printed, mini or proxy is nobody's result. No licence is stated: the weights are not ours to license.
https://huggingface.co/docs/hub/eval-results
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml

from papertally.evidence.io import write_text_atomic
from papertally.quantities.columns import is_cost
from papertally.verdicts.names import column_name, row_name, short_title
from papertally.verdicts.views import CellView, Report

#: The hub's names of tasks, and of datasets by the ledger's; another dataset has no entry in `.eval_results/`.
TASKS = {"classification": "image-classification", "pose": "keypoint-detection", "segmentation": "image-segmentation"}
DATASETS = {"ImageNet": "ILSVRC/imagenet-1k"}


def achieved(report: Report) -> dict[str, list[CellView]]:
    """Return by row the trained cells that evidence of the paper's profile backs."""
    out: dict[str, list[CellView]] = {}
    for cell in report.cells:
        if not is_cost(cell.column) and cell.achieved is not None and cell.evidence:
            out.setdefault(cell.row_id, []).append(cell)
    return out


def dataset_of(report: Report, row_id: str) -> tuple[str, str]:
    """Return a row's dataset as the ledger calls it, and as the hub does, "" where it has no name there."""
    table = report.ledger.row(row_id).table
    name = next((b.dataset for b in report.ledger.budgets if table in b.tables), "")
    return name, next((hub for ours, hub in DATASETS.items() if name.startswith(ours)), "")


def eval_results(report: Report, row_id: str, cells: list[CellView]) -> list[dict[str, Any]]:
    """Return a row's entries of `.eval_results/`: dataset, value in percent, where the paper is, the verdict."""
    _, dataset = dataset_of(report, row_id)
    if not dataset:
        return []
    source = {"source": {"url": report.ledger.address, "name": report.ledger.cited}} if report.ledger.address else {}
    return [
        {
            "dataset": {"id": dataset, "task_id": cell.column},
            "value": round(float(cell.achieved), 3),
            **source,
            "notes": f"printed {cell.printed}; verdict: {cell.verdict}",
        }
        for cell in cells
        if cell.achieved is not None
    ]


def card(report: Report, row_id: str, cells: list[CellView]) -> str:
    """Return a row's model card: the model-index as YAML, and a sentence."""
    ledger = report.ledger
    row = ledger.row(row_id)
    table = ledger.tables[row.table]
    dataset, hub = dataset_of(report, row_id)
    task = TASKS.get(table.task, table.task)
    head = {
        "tags": [task, short_title(ledger.title).lower()],
        "model-index": [
            {
                "name": row_id,
                "results": [
                    {
                        "task": {"type": task},
                        "dataset": {"type": hub or dataset or "not stated", "name": dataset or "not stated"},
                        "metrics": [
                            {
                                "type": cell.column,
                                "name": column_name(cell.column),
                                "value": round(float(cell.achieved), 3),
                            }
                            for cell in cells
                            if cell.achieved is not None
                        ],
                    }
                ],
            }
        ],
    }
    reported = [cell.column for cell in cells if cell.verdict.startswith("reported")]
    told = f"\nReported from elsewhere, not reproduced: {', '.join(reported)}.\n" if reported else ""
    front = yaml.safe_dump(head, sort_keys=False, allow_unicode=True)
    return f"---\n{front}---\n\n# {row_id}\n\n{row_name(table, row)}, Table {table.id} of {ledger.title}.\n{told}"


def write_hub(report: Report, folder: Path) -> int:
    """Write a folder for each row with an achieved result; returns how many."""
    found = achieved(report)
    for row_id, cells in found.items():
        if entries := eval_results(report, row_id, cells):
            text = yaml.safe_dump(entries, sort_keys=False, allow_unicode=True)
            write_text_atomic(folder / row_id / ".eval_results" / "harness.yaml", text)
        write_text_atomic(folder / row_id / "README.md", card(report, row_id, cells))
    return len(found)
