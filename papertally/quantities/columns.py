"""What a table's columns measure: exact costs, trained metrics, measured quantities, and which way is better.

A name's part before its first underscore says what is measured (`madds_384`, `top1_v2`); `params`, `madds` and `size`
are costs, which no data decides.
"""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from typing import Literal

Better = Literal["higher", "lower"]
Kind = Literal["cost", "trained", "measured"]
#: What an exact count of the network decides.
COSTS = ("params", "madds", "size")
#: Rates of what is right, so that more is better and none exceeds 100 %.
_RATES = (
    *("top1", "top5", "acc", "AP", "AP50", "AP75", "APM", "APL", "APS", "AR", "miou", "iou", "f1", "precision"),
    *("recall", "pq"),
)
_HIGHER = (
    *_RATES,
    *("auc", "bleu", "rouge", "psnr", "ssim", "is", "pck", "mota", "reward", "score", "kappa", "r2"),
)
_LOWER = (
    "err",
    "err1",
    "err5",
    "loss",
    "fid",
    "kid",
    "wer",
    "cer",
    "ppl",
    "mae",
    "mse",
    "rmse",
    "nme",
    "epe",
    "lpips",
    "ece",
)
_FASTER = ("throughput", "fps", "speedup")
_DEARER = ("latency", "time", "memory", "energy", "power")
#: Metrics that are shares of a whole, so that none exceeds 100 %.
SHARES = (*_RATES, "err", "err1", "err5")


def stem(column: str) -> str:
    """Return what a column's name says that it measures: its part before the first underscore."""
    return column.partition("_")[0]


def is_cost(column: str) -> bool:
    """Tell whether a column holds what an exact count decides: params, madds, size, or one of them with a suffix."""
    return stem(column) in COSTS


def usual_better(column: str) -> Better | None:
    """Return which way a usual metric is better, or None for an unusual one."""
    name = stem(column)
    if name in COSTS or name in _LOWER or name in _DEARER:
        return "lower"
    return "higher" if name in _HIGHER or name in _FASTER else None


def usual_kind(column: str) -> Kind:
    """Return what decides a column by its name: an exact count, training, or a measurement."""
    if is_cost(column):
        return "cost"
    return "measured" if stem(column) in (*_FASTER, *_DEARER) else "trained"


@dataclass(frozen=True)
class Margin:
    """Hold how far a result may lie from a printed number: in the column's unit, or as a share of the number."""

    amount: Decimal
    relative: bool = False

    def of(self, value: Decimal, scale: Decimal = Decimal(1)) -> Decimal:
        """Return the margin about a printed value, both in base units; scale: base units a unit of the column."""
        return abs(value) * self.amount if self.relative else self.amount * scale

    def __str__(self) -> str:
        return f"{self.amount * 100:f} %" if self.relative else f"{self.amount:f}"


@dataclass(frozen=True)
class Column:
    """Describe a column. better None: nobody knows; unit: of its head, for cells that print none.

    device: what a measured quantity was measured on; mean_of: the columns whose mean it prints; weight_bytes: of one
    parameter, for sizes; runs: over how many runs the paper's ± is; error: whether that is a standard error; input:
    what a cost was counted at, (channels, height, width), where that is not the row's.
    """

    name: str
    title: str = ""
    kind: Kind = "trained"
    better: Better | None = "higher"
    unit: str = ""
    dataset: str = ""
    device: str = ""
    margin: Margin | None = None
    mean_of: tuple[str, ...] = ()
    weight_bytes: int = 4
    share: bool = True
    runs: int | None = None
    error: bool = False
    input: tuple[int, ...] | None = None

    @property
    def counted(self) -> bool:
        """Tell whether it is said at which input a cost is: its own, or the row's for a name without a suffix."""
        return is_cost(self.name) and (self.name in COSTS or self.input is not None or stem(self.name) == "size")

    @property
    def sign(self) -> int:
        """Return 1 where more is better, -1 where less is, 0 where nobody knows."""
        return {"higher": 1, "lower": -1}.get(self.better or "", 0)


def plain_column(name: str) -> Column:
    """Return the column that a bare name stands for: of a cost less is better, of anything else more."""
    better = usual_better(name) or "higher"
    return Column(name, kind=usual_kind(name), better=better, share=not is_cost(name))
