"""Read JSON logs: mmengine, mmcv 1.x and detectron2 (an object a line), Hugging Face, skorch, DVCLive."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from papertally.evidence.import_logs.records import Importer, Record, Records, epoch_number, number
from papertally.evidence.io import EvidenceError, distinct


def _lines(path: Path, text: str) -> list[tuple[str, dict[str, Any]]]:
    lines = text.splitlines()
    out = []
    for i, line in enumerate(lines, 1):
        if not line.strip():
            continue
        where = f"{path}:{i}"
        try:
            entry = json.loads(line, object_pairs_hook=distinct)
        except (ValueError, RecursionError) as error:
            if i == len(lines) and not line.rstrip().endswith("}"):  # a killed run's last line is cut off
                continue
            twice = f" ({error})" if "stands twice" in str(error) else ""
            raise EvidenceError(f"{where}: is no JSON{twice}; this trainer writes one object a line") from None
        if not isinstance(entry, dict):
            raise EvidenceError(f"{where}: is no object; this trainer writes one object a line")
        out.append((where, entry))
    return out


def _mmengine(path: Path, text: str) -> Records:
    out: list[Record] = []
    entries = _lines(path, text)
    by_epoch = any("epoch" in entry for _, entry in entries) or not any("iter" in entry for _, entry in entries)
    iteration = trained = 0
    for where, entry in entries:
        if "iter" in entry or "lr" in entry:
            iteration = epoch_number(entry.get("iter", entry.get("step", iteration)), where)
            trained = max(trained, epoch_number(entry.get("epoch", 0), where))
            out.append(Record(where=where, metrics=entry, split="train"))
            continue
        said = entry.get("epoch", entry.get("step"))
        at = None if said is None else epoch_number(said, where)
        if "epoch" in entry:
            trained = max(trained, at or 0)
        if not by_epoch and not at:  # log_metric_by_epoch in a run by iterations: the step is written as 0
            out.append(Record(where=where, metrics=entry, at=iteration or None, by="after iteration", split="val"))
        else:
            by = "epoch" if by_epoch else "iteration"
            split = "test" if said is None and len(entries) == 1 else "val"
            out.append(Record(where=where, metrics=entry, at=at, by=by, split=split))  # type: ignore[arg-type]
    return Records(form="mmengine's JSON log", records=out, trained=trained or None, share=_coco)


def _coco(name: str) -> bool:
    return "coco/" in name


def _mmcv(path: Path, text: str) -> Records:
    entries = [(where, entry) for where, entry in _lines(path, text) if "mode" in entry]
    epochs = [entry.get("epoch") for _, entry in entries if entry["mode"] == "val"]
    by_epoch = len(set(map(str, epochs))) == len(epochs)  # a run by iterations evaluates many times in an epoch
    out: list[Record] = []
    iteration = trained = 0
    for where, entry in entries:
        epoch = None if entry.get("epoch") is None else epoch_number(entry["epoch"], where)
        if entry["mode"] != "val":
            iteration, trained = epoch_number(entry.get("iter", iteration), where), max(trained, epoch or 0)
            out.append(Record(where=where, metrics=entry, split="train"))
        elif by_epoch:
            out.append(Record(where=where, metrics=entry, at=epoch, split="val"))
        else:
            out.append(Record(where=where, metrics=entry, at=iteration or None, by="after iteration", split="val"))
    return Records(form="mmcv's JSON log", records=out, trained=trained or None if by_epoch else None)


def _detectron2(path: Path, text: str) -> Records:
    out = []
    for where, entry in _lines(path, text):
        at = epoch_number(entry["iteration"], where) + 1 if "iteration" in entry else None
        out.append(Record(where=where, metrics=entry, at=at, by="iteration", split="val"))

    def percent(name: str) -> bool:
        return name.startswith(("bbox/", "segm/", "keypoints/", "sem_seg/", "panoptic_seg/"))

    return Records(form="detectron2's metrics.json", records=out, percent=percent)


def _document(path: Path, text: str) -> Any:
    try:
        return json.loads(text, object_pairs_hook=distinct)
    except (ValueError, RecursionError):
        raise EvidenceError(f"{path}: is one JSON document that breaks off or is not valid; mend the file") from None


def _hf_record(where: str, entry: dict[str, Any]) -> Record:
    epoch = entry.get("epoch")
    if epoch is not None and (value := number(epoch, where)) == int(value):
        return Record(where=where, metrics=entry, at=epoch_number(epoch, where))
    step = entry.get("step")
    return Record(where=where, metrics=entry, at=None if step is None else epoch_number(step, where), by="step")


def _trainer_state(path: Path, text: str) -> Records:
    state = _document(path, text)
    history = state.get("log_history")
    if not isinstance(history, list) or not all(isinstance(entry, dict) for entry in history):
        raise EvidenceError(
            f"{path}: log_history is no list of objects; give trainer_state.json as transformers wrote it"
        )
    out = [_hf_record(f"{path}: log_history[{i}]", entry) for i, entry in enumerate(history)]
    epochs = state.get("epoch")
    whole = isinstance(epochs, (int, float)) and epochs == int(epochs)
    return Records(form="Hugging Face's trainer_state.json", records=out, trained=int(epochs) if whole else None)


def _results(path: Path, text: str) -> Records:
    record = _hf_record(str(path), _document(path, text))
    return Records(form="Hugging Face's results JSON", records=[record], trained=record.at)


def _skorch(path: Path, text: str) -> Records:
    out = []
    for i, entry in enumerate(_document(path, text)):
        where = f"{path}: entry {i + 1}"
        if not isinstance(entry, dict) or "epoch" not in entry:
            raise EvidenceError(f"{where}: has no epoch; give skorch's history.json")
        metrics = {k: v for k, v in entry.items() if not isinstance(v, (list, bool))}
        out.append(Record(where=where, metrics=metrics, at=epoch_number(entry["epoch"], where)))
    return Records(form="skorch's history.json", records=out, trained=out[-1].at if out else None)


def _flat(entry: dict[str, Any], before: str = "") -> dict[str, Any]:
    out: dict[str, Any] = {}
    for key, value in entry.items():
        out.update(_flat(value, f"{before}{key}/") if isinstance(value, dict) else {f"{before}{key}": value})
    return out


def _dvclive(path: Path, text: str) -> Records:
    entry = _flat(_document(path, text))
    at = epoch_number(entry["step"], str(path)) if "step" in entry else None
    return Records(form="DVCLive's metrics.json", records=[Record(where=str(path), metrics=entry, at=at, by="step")])


def _first(text: str) -> dict[str, Any]:
    line = next((line for line in text.splitlines() if line.strip()), "")
    try:
        entry = json.loads(line)
    except (ValueError, RecursionError):
        return {}
    return entry if isinstance(entry, dict) else {}


def _one_a_line(text: str) -> bool:
    nested = any(isinstance(value, dict) for value in _first(text).values())
    return text.lstrip().startswith("{") and text.lstrip().splitlines()[0].strip() != "{" and not nested


JSON_IMPORTERS = [
    Importer("trainer_state", lambda p, t: t.lstrip().startswith("{") and '"log_history"' in t, _trainer_state),
    Importer("results", lambda p, t: t.lstrip().startswith("{") and not _one_a_line(t) and '"eval_' in t, _results),
    Importer("skorch", lambda p, t: t.lstrip().startswith("["), _skorch),
    Importer("dvclive", lambda p, t: t.lstrip().startswith("{") and not _one_a_line(t), _dvclive),
    Importer("mmcv", lambda p, t: _one_a_line(t) and '"mode"' in t, _mmcv),
    Importer("detectron2", lambda p, t: _one_a_line(t) and "iteration" in _first(t), _detectron2),
    Importer("mmengine", lambda p, t: _one_a_line(t), _mmengine),
]
