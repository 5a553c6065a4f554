"""Read logs of plain text: mmengine's, torchvision's references, PaddleClas."""

from __future__ import annotations

import re
from pathlib import Path

from papertally.evidence.import_logs.records import Importer, Record, Records, check_loss

_INFO = " - mmengine - INFO - "
_EVALUATED = re.compile(
    rf"{_INFO}(?P<by>Epoch|Iter)\((?P<split>val|test)\)\s*\[\s*(?P<at>\d+)[\]/](?P<more>\S*)\s+(?P<rest>.*)"
)
_TRAINED = re.compile(rf"{_INFO}(?P<by>Epoch|Iter)\(train\)\s*\[\s*(?P<at>\d+)[\]/]")
_NAMED = re.compile(r"(?P<name>[A-Za-z_][\w/.-]*(?: (?:\.\d+|\([ML]\)))?): (?P<value>[^\s,]+)")
_LOST = re.compile(r"(?P<name>[\w/.]*loss[\w/.]*): (?P<value>[-+]?(?:nan|inf)\b)", re.IGNORECASE)
_ACC = re.compile(r"(?:^\s*\*|^Test:)\s+(?P<ema>EMA )?\s*Acc@1 (?P<top1>\S+) Acc@5 (?P<top5>\S+)")
_EPOCH = re.compile(r"^Epoch: \[(?P<at>\d+)\]")
_PADDLE = re.compile(r"\[Eval\]\[Epoch (?P<at>\d+)\]\[Avg\](?P<rest>.*)")


def whole_lines(path: Path, text: str) -> tuple[list[str], list[str]]:
    """Return (lines, what to say): a last line without its end may be cut within a number, and is not read."""
    lines = text.splitlines(keepends=True)
    if lines and not lines[-1].endswith(("\n", "\r")):
        return [x.rstrip("\r\n") for x in lines[:-1]], [f"{path}:{len(lines)}: has no line end: cut off, not read"]
    return [x.rstrip("\r\n") for x in lines], []


def _mmengine(path: Path, text: str) -> Records:
    lines, notes = whole_lines(path, text)
    out: list[Record] = []
    step, trained = 0, 0  # what was trained last, and the epochs of it
    for i, line in enumerate(lines, 1):
        where = f"{path}:{i}"
        if match := _TRAINED.search(line):
            step = int(match["at"])
            trained = step if match["by"] == "Epoch" else trained
            for m in _LOST.finditer(line, match.end()):
                check_loss(m["name"], m["value"], where)
        elif match := _EVALUATED.search(line):
            metrics = {m["name"]: m["value"] for m in _NAMED.finditer(match["rest"])}
            if not metrics:
                continue
            if match["split"] == "test":  # what stands in its brackets is batches
                out.append(Record(where=where, metrics=metrics, split="test"))
            elif match["by"] == "Epoch" and "[" in match["more"]:
                out.append(Record(where=where, metrics=metrics, at=int(match["at"]), split="val"))
            else:
                out.append(Record(where=where, metrics=metrics, at=step or None, by="after iteration", split="val"))

    def share(name: str) -> bool:
        return "coco/" in name

    return Records(form="mmengine's text log", records=out, trained=trained or None, share=share, notes=notes)


def _torchvision(path: Path, text: str) -> Records:
    lines, notes = whole_lines(path, text)
    out: list[Record] = []
    at: int | None = None
    for i, line in enumerate(lines, 1):
        if match := _EPOCH.search(line):
            at = int(match["at"]) + 1
        elif match := _ACC.search(line):
            before = match["ema"] or ""
            metrics = {f"{before}Acc@1": match["top1"], f"{before}Acc@5": match["top5"]}
            out.append(Record(where=f"{path}:{i}", metrics=metrics, at=at, split="val"))
    form = "a text log of torchvision's references"
    return Records(form=form, records=out, trained=at, base=0, percent=lambda name: True, notes=notes)


def _paddle(path: Path, text: str) -> Records:
    lines, notes = whole_lines(path, text)
    out: list[Record] = []
    for i, line in enumerate(lines, 1):
        if match := _PADDLE.search(line):
            metrics = {m["name"]: m["value"] for m in _NAMED.finditer(match["rest"])}
            out.append(Record(where=f"{path}:{i}", metrics=metrics, at=int(match["at"]), split="val"))
    return Records(form="PaddleClas' text log", records=out, share=lambda name: name in ("top1", "top5"), notes=notes)


TEXT_IMPORTERS = [
    Importer("mmengine text", lambda p, t: _INFO in t, _mmengine),
    Importer("torchvision", lambda p, t: any(_ACC.search(line) for line in t.splitlines()), _torchvision),
    Importer("paddleclas", lambda p, t: "[Eval][Epoch " in t, _paddle),
]
