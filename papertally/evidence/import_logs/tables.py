"""Read logs that are tables: timm, Keras, Lightning, fastai, Poutyne, Ultralytics, DVCLive, any with named columns."""

from __future__ import annotations

import csv
from pathlib import Path

from papertally.evidence.import_logs.records import (
    BLANK,
    LOSS,
    Importer,
    Record,
    Records,
    Split,
    epoch_number,
    split_of,
)
from papertally.evidence.import_logs.text_logs import whole_lines
from papertally.evidence.io import EvidenceError


def _form(path: Path, head: list[str]) -> tuple[str, int | None]:
    """Return (the trainer that writes such a header, the number of its first epoch; None: not known)."""
    names = set(head)
    if "Valid Acc." in names:
        return "the released scripts' log.txt", None
    if head[:1] == ["epoch"] and "train_loss" in names and any(name.startswith("eval_") for name in names):
        return "timm's summary.csv", 0
    if {"epoch", "train_loss", "valid_loss", "time"} <= names:
        return "fastai's history.csv", 0
    if any(name.startswith("metrics/") for name in names):
        return "Ultralytics' results.csv", None
    if {"epoch", "step"} <= names:
        return "Lightning's metrics.csv", 0
    if head[:2] == ["epoch", "time"]:
        return "Poutyne's log", 1
    if head[:1] == ["epoch"] and head[1:] == sorted(head[1:]) and "loss" in names:
        return "Keras' CSV log", 0
    if head[:1] == ["step"] and len(head) == 2:
        return "a table of DVCLive", 0
    return "a table", None


def _table(path: Path, text: str) -> Records:
    lines, notes = whole_lines(path, text)
    first = next((line for line in lines if line.strip()), "")
    reader = csv.reader(lines, delimiter="\t" if "\t" in first else ",")
    try:
        rows = [(reader.line_num, [c.strip() for c in row]) for row in reader if any(c.strip() for c in row)]
    except csv.Error as error:
        raise EvidenceError(f"{path}:{reader.line_num}: is no table ({error}); give a trainer's log") from None
    head = rows[0][1] if rows else []
    if len(head) < 2:
        raise EvidenceError(f"{path}: is no log that is known here; give a trainer's log, or a CSV with named columns")
    if twice := next((name for name in head if name and head.count(name) > 1), None):
        raise EvidenceError(f"{path}:1: {twice!r} stands twice in the header; take one out")
    form, base = _form(path, head)
    epoch = next((i for i, name in enumerate(head) if name.lower() == "epoch"), None)
    step = next((i for i, name in enumerate(head) if name.lower() in ("step", "iter", "iteration")), None)
    split: Split = "unsaid"
    if form == "a table of DVCLive":
        split = split_of(path.parent.name)
    elif form.startswith(("Ultralytics", "fastai")):  # whose metrics are the validation's
        split = "val"
    elif form == "a table" and not any(split_of(name) != "unsaid" or LOSS.search(name) for name in head):
        split = "val"  # nothing of a training stands in it
    out: list[Record] = []
    body = [(line, cells) for line, cells in rows[1:] if cells != head]  # a resumed run writes its header again
    if epoch is None and step is None and len(body) > 1:
        fault = f"has {len(body)} lines and no column epoch or step: nothing says which line is meant"
        raise EvidenceError(f"{path}: {fault}; leave one, or enter many runs by --from-table")
    if base is None and epoch is not None and body and body[0][1][epoch : epoch + 1] == ["0"]:
        base = 0
    for line, cells in body:
        where = f"{path}:{line}"
        if len(cells) < len(head) or any(cells[len(head) :]):
            raise EvidenceError(f"{where}: {len(cells)} values under {len(head)} names; mend the log")
        metrics = dict(zip(head, cells, strict=False))
        if epoch is not None and cells[epoch] not in BLANK:
            at, by = epoch_number(cells[epoch], where) + (1 if base == 0 else 0), "epoch"
        elif step is not None and cells[step] not in BLANK:
            at, by = epoch_number(cells[step], where), "step"
        else:
            at, by = line, "row"
        out.append(Record(where=where, metrics=metrics, at=at, by=by, split=split))  # type: ignore[arg-type]
    numbers = [record.at for record in out if record.by == "epoch" and record.at is not None]
    percent = form in ("timm's summary.csv", "the released scripts' log.txt")
    ultralytics = form.startswith("Ultralytics")
    return Records(
        form=form,
        records=out,
        trained=max(numbers, default=None),
        base=base,
        percent=lambda name: percent,
        share=lambda name: ultralytics,
        notes=notes,
    )


TABLE_IMPORTERS = [Importer("table", lambda p, t: True, _table)]
