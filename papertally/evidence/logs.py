"""Read what a run elsewhere logged of its evaluations: mmengine's logs, the released scripts' log.txt, timm's summary.

Values are in percent, by the columns of a table: an accuracy stands for an error rate where the table prints that.
"""

from __future__ import annotations

import csv
import json
import math
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any

from papertally.evidence.io import EvidenceError, distinct

#: What logs call a usual column.
LOGGED = {
    "top1": "top1", "top5": "top5", "accuracy/top1": "top1", "accuracy/top5": "top5", "eval_top1": "top1",
    "eval_top5": "top5", "Valid Acc.": "top1", "Valid Acc5.": "top5", "mIoU": "miou", "coco/AP": "AP",
    "coco/AP .5": "AP50", "coco/AP .75": "AP75", "coco/AP (M)": "APM", "coco/AP (L)": "APL", "coco/AR": "AR",
    "coco/bbox_mAP": "AP", "coco/bbox_mAP_50": "AP50", "coco/bbox_mAP_75": "AP75", "coco/bbox_mAP_s": "APS",
    "coco/bbox_mAP_m": "APM", "coco/bbox_mAP_l": "APL",
}  # fmt: skip
#: What else a table may call it, the nearest first; what stands in ERRORS is a hundred less it.
CALLED = {"top1": ("top1", "acc", "err1", "err"), "top5": ("top5", "err5")}
ERRORS = ("err1", "err5", "err")
#: What a training minimizes, by any name: accuracies and gradients' norms (infinite at times, in half precision) no.
LOSS = re.compile(r"(^|[\W_])loss", re.IGNORECASE)
#: The largest number of an epoch or step.
MOST = 10**12
#: What is logged as a share and not in percent.
SHARES = "coco/"
FORMS = "mmengine's scalars.json or log, the released scripts' log.txt or timm's summary.csv"
_INFO = " - mmengine - INFO - "
_EVALUATED = re.compile(rf"{_INFO}(?P<by>Epoch|Iter)\((?:val|test)\)\s*\[\s*(?P<at>\d+)[\]/]\S*\s+(?P<rest>.*)")
_TRAINED = re.compile(rf"{_INFO}(?P<by>Epoch|Iter)\(train\)\s*\[\s*(?P<at>\d+)[\]/]")
_NAMED = re.compile(r"(?P<name>[A-Za-z_][\w/.]*(?: (?:\.\d+|\([ML]\)))?): (?P<value>\S+)")
_LOST = re.compile(r"(?P<name>[\w/.]*loss[\w/.]*): (?P<value>[-+]?(?:nan|inf)\b)", re.IGNORECASE)


@dataclass(frozen=True)
class Log:
    """Hold what a log says: its form, and (epoch, values in percent by column) of every evaluation, in their order.

    trained: how many epochs it ran, where it says so.
    """

    form: str
    epochs: list[tuple[int, dict[str, float]]]
    trained: int | None = None

    def last(self) -> tuple[int, dict[str, float]]:
        """Return the last evaluation."""
        return self.epochs[-1]

    def best(self, column: str) -> tuple[int, dict[str, float]]:
        """Return the first evaluation that is best in a column."""
        sign = -1 if column in ERRORS else 1
        return max(self.epochs, key=lambda e: (sign * e[1].get(column, -sign * math.inf), -e[0]))

    def taken(self, path: Path, which: str, column: str) -> tuple[int, dict[str, float], dict[str, str]]:
        """Return the last or best evaluation, the best by a column, and what evidence states of a log at `path`."""
        at, values = self.last() if which == "last" else self.best(column)
        content = sha256(path.read_bytes()).hexdigest()
        return at, values, {"log": path.name, "log_sha256": content, "form": self.form, "epoch": f"{which}, {at}"}


def column_of(name: str, columns: Sequence[str], named: Mapping[str, str] | None = None) -> str | None:
    """Return the table's column that a log's metric stands for, or None; named: metrics by column, as the user says."""
    bare = name.strip()
    for column, metric in (named or {}).items():
        if metric == bare:
            return column
    usual = LOGGED.get(bare, bare)
    candidates = [c for c in CALLED.get(usual, (usual,)) if c in columns and c not in (named or {})]
    return candidates[0] if candidates else None


def number(text: object, where: str) -> float:
    """Return a finite number of a log. Raises EvidenceError."""
    said = str(text)
    try:
        if not said.isascii() or "_" in said:  # which Python reads, and no log has
            raise ValueError
        value = float(said)
    except ValueError:
        raise EvidenceError(f"{where}: {said[:40]!r} is no number; mend the log, or cut it before there") from None
    if not math.isfinite(value):
        raise EvidenceError(f"{where}: {text} is not finite: the run diverged, and there is nothing to bring in")
    return value


def epoch_number(text: object, where: str) -> int:
    """Return an epoch's or step's number. Raises EvidenceError."""
    value = number(text, where)
    if value != int(value) or not 0 <= value <= MOST:
        raise EvidenceError(f"{where}: {str(text)[:40]} is the number of no epoch; mend the log")
    return int(value)


def _check_loss(name: str, text: object, where: str) -> None:
    """Raise EvidenceError for a loss that is not finite: what is evaluated after it, or was before, is no result."""
    if LOSS.search(name) and str(text).strip().lower().lstrip("+-") in ("nan", "inf", "infinity"):
        raise EvidenceError(f"{where}: {name.strip()} is {text}: the run diverged, and there is nothing to bring in")


class _Reader:
    """Hold what the forms share: where the file lies, and which columns are wanted of it."""

    def __init__(self, path: Path, columns: Sequence[str], named: Mapping[str, str]) -> None:
        self.path, self.columns, self.named = path, columns, named

    def column(self, name: str) -> str | None:
        return column_of(name, self.columns, self.named)

    def values(self, pairs: Iterable[tuple[str, Any]], where: str) -> dict[str, float]:
        out: dict[str, float] = {}
        for name, text in pairs:
            _check_loss(name, text, where)
            column = self.column(name)
            if column is None or text in (None, ""):
                continue
            value = number(text, where) * (100 if name.startswith(SHARES) else 1)
            turned = column in ERRORS and CALLED.get(LOGGED.get(name.strip(), ""))
            value = round(100 - value if turned else value, 6)
            if out.setdefault(column, value) != value:
                raise EvidenceError(f"{where}: two values of {column}, {out[column]:g} and {value:g}; take one out")
        return out

    def json_lines(self, lines: Sequence[str]) -> Log:
        found: list[tuple[int, dict[str, float]]] = []
        trained = 0
        for i, line in enumerate(lines, 1):
            if not line.strip():
                continue
            where = f"{self.path}:{i}"
            try:
                entry = json.loads(line, object_pairs_hook=distinct)
            except (ValueError, RecursionError) as error:
                if i == len(lines) and not line.rstrip().endswith("}"):  # a killed run's last line is cut off
                    continue
                twice = f" ({error})" if "stands twice" in str(error) else ""
                raise EvidenceError(f"{where}: is no JSON{twice}; mmengine writes one object a line") from None
            if not isinstance(entry, dict):
                raise EvidenceError(f"{where}: is no object; mmengine writes one object a line")
            if entry.get("epoch") is not None:
                trained = max(trained, epoch_number(entry["epoch"], where))
            if values := self.values(((str(k), v) for k, v in entry.items()), where):
                found.append((epoch_number(entry.get("epoch", entry.get("step", len(found) + 1)), where), values))
        return Log("mmengine's JSON log", found, trained or None)

    def text(self, lines: Sequence[str]) -> Log:
        found: list[tuple[int, dict[str, float]]] = []
        step, trained = 0, 0  # what was trained last, and the epochs of it
        for i, line in enumerate(lines, 1):
            if match := _TRAINED.search(line):
                step = int(match["at"])
                trained = step if match["by"] == "Epoch" else trained
                for m in _LOST.finditer(line, match.end()):
                    _check_loss(m["name"], m["value"], f"{self.path}:{i}")
            elif match := _EVALUATED.search(line):
                pairs = [(m["name"], m["value"]) for m in _NAMED.finditer(match["rest"])]
                if values := self.values(pairs, f"{self.path}:{i}"):
                    at = int(match["at"]) if match["by"] == "Epoch" else step or len(found) + 1
                    found.append((at, values))
        return Log("mmengine's text log", found, trained or None)

    def table(self, lines: Sequence[str], separator: str) -> Log:
        rows = [row for row in csv.reader(lines, delimiter=separator) if any(cell.strip() for cell in row)]
        head = [cell.strip() for cell in rows[0]] if rows else []
        epoch = next((i for i, name in enumerate(head) if name.lower() == "epoch"), None)
        if not any(self.column(name) for name in head):
            raise EvidenceError(f"{self.path}:1: no column of {', '.join(self.columns)}; give {FORMS}")
        found: list[tuple[int, dict[str, float]]] = []
        for i, row in enumerate(rows[1:], 2):
            where = f"{self.path}:{i}"
            cells = [cell.strip() for cell in row]
            if len(cells) < len(head):
                if i == len(rows):  # a killed run's last line is cut off
                    continue
                raise EvidenceError(f"{where}: {len(cells)} values under {len(head)} names; mend the log")
            if any(cells[len(head) :]):
                raise EvidenceError(f"{where}: {len(cells)} values under {len(head)} names; mend the log")
            values = self.values(zip(head, cells, strict=False), where)
            if values:
                found.append((epoch_number(cells[epoch], where) if epoch is not None else i - 1, values))
        if found and found[0][0] == 0:  # timm counts from 0
            found = [(at + 1, values) for at, values in found]
        form = "timm's summary.csv" if separator == "," else "the released scripts' log.txt"
        return Log(form, found, found[-1][0] if found else None)


def read_log(path: Path, columns: Sequence[str], named: Mapping[str, str] | None = None) -> Log:
    """Return a log's evaluations: mmengine's JSON lines or text, the released scripts' log.txt, or timm's summary.csv.

    columns: those of the row's table; named: what the log calls a column, where that is no usual name. Raises
    EvidenceError naming file, line and fault.
    """
    try:
        text = path.read_bytes().decode("utf-8-sig")
    except OSError as error:
        raise EvidenceError(f"{path}: {error.strerror}; give the path of a log") from None
    except UnicodeDecodeError:
        raise EvidenceError(f"{path}: is no text; give {FORMS}") from None
    lines = text.splitlines()
    first = next((line for line in lines if line.strip()), "")
    reader = _Reader(path, columns, named or {})
    if first.lstrip().startswith("{"):
        log = reader.json_lines(lines)
    elif _INFO in text:
        log = reader.text(lines)
    else:
        try:
            log = reader.table(lines, "\t" if "\t" in first else ",")
        except csv.Error as error:
            raise EvidenceError(f"{path}: is no table ({error}); give {FORMS}") from None
    if not log.epochs:
        raise EvidenceError(
            f"{path}: has no evaluation of {', '.join(columns)}; give a log that has one, or name its metric"
        )
    return log
