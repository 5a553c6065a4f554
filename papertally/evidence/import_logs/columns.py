"""Tell which column of a table a log's metric stands for, and in which unit: known or asked, not guessed.

A metric bounded by one is a share or in percent. Where the trainer does not say, a value above 1 anywhere in the log is
percent; values all up to 1 stay in a table of fractions and are refused in a table of percentages.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from papertally.evidence.import_logs.records import BLANK, Record, Records, Split, bare, check_loss, number, split_of
from papertally.evidence.io import EvidenceError
from papertally.quantities.columns import SHARES, stem, usual_better

#: What logs call a usual column.
LOGGED = {
    "top1": "top1",
    "top5": "top5",
    "accuracy/top1": "top1",
    "accuracy/top5": "top5",
    "eval_top1": "top1",
    "eval_top5": "top5",
    "Valid Acc.": "top1",
    "Valid Acc5.": "top5",
    "mIoU": "miou",
    "coco/AP": "AP",
    "coco/AP .5": "AP50",
    "coco/AP .75": "AP75",
    "coco/AP (M)": "APM",
    "coco/AP (L)": "APL",
    "coco/AR": "AR",
    "coco/bbox_mAP": "AP",
    "coco/bbox_mAP_50": "AP50",
    "coco/bbox_mAP_75": "AP75",
    "coco/bbox_mAP_s": "APS",
    "coco/bbox_mAP_m": "APM",
    "coco/bbox_mAP_l": "APL",
    "accuracy": "acc",
    "accuracy_top-1": "top1",
    "accuracy_top-5": "top5",
    "Acc@1": "top1",
    "Acc@5": "top5",
    "metrics/accuracy_top1": "top1",
    "metrics/accuracy_top5": "top5",
    "coco/segm_mAP": "AP",
    "bbox/AP": "AP",
    "segm/AP": "AP",
}
#: What else a table may call it, the nearest first; what stands in ERRORS is the whole less it.
CALLED = {"top1": ("top1", "acc", "err1", "err"), "top5": ("top5", "err5")}
ERRORS = ("err1", "err5", "err")
_FACTOR = re.compile(r"(?P<name>.+?)\s*(?P<sign>[*/])\s*(?P<by>100|1)")


@dataclass(frozen=True)
class Target:
    """Hold a column that is wanted: its unit, and 1 where more is better, -1 where less is, 0 where nobody knows."""

    name: str
    unit: Literal["percent", "fraction", "plain"]
    sign: int

    @classmethod
    def usual(cls, name: str) -> Target:
        """Return the target of a column known by its name alone: shares of a whole are in percent."""
        sign = {"higher": 1, "lower": -1, None: 0}[usual_better(name)]
        return cls(name, "percent" if stem(name) in SHARES else "plain", sign)


def column_of(name: str, columns: Sequence[str], named: Mapping[str, str] | None = None) -> str | None:
    """Return the table's column that a log's metric stands for, or None; named: metrics by column, as the user says."""
    said = name.strip()
    for column, metric in (named or {}).items():
        if metric == said:
            return column
    usual = LOGGED.get(said) or LOGGED.get(bare(said), bare(said))
    candidates = [c for c in CALLED.get(usual, (usual,)) if c in columns and c not in (named or {})]
    return candidates[0] if candidates else None


def named_factors(named: Mapping[str, str], names: Iterable[str]) -> tuple[dict[str, str], dict[str, float]]:
    """Return (metric by column, factor by column) of what a user wrote: NAME, NAME*100, NAME/100 or NAME*1."""
    known = set(names)
    metrics, factors = {}, {}
    for column, said in named.items():
        match = None if said in known else _FACTOR.fullmatch(said)
        metrics[column] = match["name"] if match else said
        if match:
            factors[column] = float(match["by"]) if match["sign"] == "*" else 1 / float(match["by"])
    return metrics, factors


def _one_split(column: str, found: Mapping[tuple[Split, str], str], asked: bool) -> Split:
    """Return the split whose values count. Raises EvidenceError where the log does not tell."""
    names = {split: sorted(name for s, name in found if s == split) for split, _ in found}
    if asked:
        return next(s for s in ("val", "test", "unsaid", "train") if s in names)
    if "val" in names and "test" in names and names["val"] != names["test"]:
        both = f"{names['val'][0]!r} and {names['test'][0]!r}"
        raise EvidenceError(
            f"{found['val', names['val'][0]]}: {both} could be {column}; say which: --column {column}=NAME"
        )
    if "val" in names or "test" in names:
        return "val" if "val" in names else "test"
    name = names["unsaid"][0]
    fault = f"nothing says whether {name!r} is of training or of an evaluation"
    raise EvidenceError(f"{found['unsaid', name]}: {fault}; if it is of one, give --column {column}={name}")


def _in_unit(target: Target, name: str, values: Sequence[float], log: Records, where: str) -> float:
    """Return what a log's values of a column are to be multiplied by. Raises EvidenceError where nothing tells."""
    if target.unit == "plain":
        return 1
    most = max(values)
    if log.percent(name) or (most > 1 and not log.share(name)):
        return 1 if target.unit == "percent" else 0.01
    if log.share(name) or target.unit == "fraction" or most == 0:
        return 100 if target.unit == "percent" and log.share(name) else 1
    raise EvidenceError(
        f"{where}: {name} is {values[-1]:g}: looks like a share of 1, and {target.name} is in percent; "
        f"give --column {target.name}='{name}*100', or '{name}*1' where it is in percent already"
    )


def by_column(
    log: Records, targets: Sequence[Target], named: Mapping[str, str]
) -> list[tuple[Record, dict[str, float]]]:
    """Return every record that evaluates a wanted column, with its values in the columns' units."""
    every = {str(name).strip() for record in log.records for name in record.metrics}
    metrics, factors = named_factors(named, every)
    columns = [target.name for target in targets]
    found: dict[str, dict[tuple[Split, str], str]] = {}
    cells: list[tuple[Record, str, str, Split, float]] = []
    for record in log.records:
        for key, text in record.metrics.items():
            name = str(key).strip()
            check_loss(name, text, record.where)
            column = column_of(name, columns, metrics)
            said = split_of(name)
            split = said if said != "unsaid" else record.split
            asked = column is not None and metrics.get(column) == name
            if column is None or (split == "train" and not asked) or text is None or str(text).strip() in BLANK:
                continue
            found.setdefault(column, {})[split, name] = record.where
            cells.append((record, column, name, split, number(text, record.where)))
    out: dict[int, tuple[Record, dict[str, float]]] = {}
    for target in targets:
        if target.name not in found:
            continue
        split = _one_split(target.name, found[target.name], target.name in metrics)
        mine = [cell for cell in cells if cell[1] == target.name and cell[3] == split]
        for name in sorted({cell[2] for cell in mine}):
            series = [cell for cell in mine if cell[2] == name]
            factor = factors.get(target.name)
            if factor is None:
                factor = _in_unit(target, name, [cell[4] for cell in series], log, series[-1][0].where)
            turned = target.name in ERRORS and column_of(name, ["top1", "top5"]) is not None
            for record, _, _, _, raw in series:
                value = round(raw * factor, 8)
                value = round((1 if target.unit == "fraction" else 100) - value, 6) if turned else value
                value = round(value, 6) if target.unit != "fraction" else value
                values = out.setdefault(id(record), (record, {}))[1]
                if values.setdefault(target.name, value) != value:
                    two = f"{values[target.name]:g} and {value:g}"
                    fault = f"two values of {target.name}, {two}; say which: --column {target.name}=NAME"
                    raise EvidenceError(f"{record.where}: {fault}")
    return [out[id(record)] for record in log.records if id(record) in out]


def names_of(log: Records) -> list[str]:
    """Return the names of a log's numbers that could be meant, none of a training."""
    out = []
    for record in log.records:
        for key, text in record.metrics.items():
            name = str(key).strip()
            training = record.split == "train" or split_of(name) == "train"
            usual = name.lower() in ("epoch", "step", "iter", "iteration", "lr", "time", "data_time", "mode")
            if name in out or training or usual or isinstance(text, (bool, list, dict)):
                continue
            try:
                number(text, "")
            except EvidenceError:
                continue
            out.append(name)
    return out
