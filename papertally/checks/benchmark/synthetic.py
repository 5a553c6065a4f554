"""Right ledgers: small invented papers whose numbers are rounded from numbers that satisfy every rule.

Nothing here uses the checks: true values are drawn, printed by one convention of rounding, and marked as authors do.
"""

from __future__ import annotations

from dataclasses import replace
from decimal import ROUND_DOWN, ROUND_HALF_EVEN, ROUND_HALF_UP, Decimal
from random import Random
from typing import Any

from papertally.ledger.load import Cell, Claim, Ledger, Row, Table
from papertally.ledger.schema import RawChecks
from papertally.statements.expressions import compile_expr

ROUNDING = (ROUND_HALF_UP, ROUND_HALF_EVEN, ROUND_DOWN)
COSTS = ("params", "madds")


class Paper:
    """Draw one paper from a seed."""

    def __init__(self, seed: int) -> None:
        self.random = Random(seed)
        self.how = ROUNDING[seed % len(ROUNDING)]
        self.tables: dict[str, Table] = {}
        self.true: dict[str, dict[str, float]] = {}
        self.claims: list[Claim] = []

    def text(self, value: float, places: int, unit: str = "") -> str:
        """Print a number by the paper's convention."""
        scale = {"": 1, "M": 10**6, "B": 10**9}[unit]
        exact = Decimal(value) / scale
        return f"{exact.quantize(Decimal(1).scaleb(-places), self.how):f}{unit}"

    def row(
        self,
        table: str,
        name: str,
        labels: list[str],
        values: dict[str, float],
        print_as: dict[str, Any],
        same: str | None = None,
    ) -> Row:
        """Return a printed row and remember its true values."""
        self.true[name] = values
        cells = {c: Cell(c, self.text(v, *print_as[c]) if v >= 0 else "–", False) for c, v in values.items()}
        return Row(name, table, 0, tuple(labels), (), cells, same, None)

    def accuracy(self, level: float) -> dict[str, float]:
        """Return top-1 and a top-5 that goes with it."""
        top1 = level + self.random.uniform(-1.2, 1.2)
        return {"top1": top1, "top5": 100 - (100 - top1) * 0.54 + self.random.gauss(0, 0.15)}

    def add(
        self, id_: str, task: str, labels: tuple[str, ...], rows: list[Row], bold: dict[str, list[list[int]]]
    ) -> None:
        """Add a table; bold: blocks of row positions a column, of which the best as printed is bold, with its ties."""
        columns = tuple(rows[0].cells)
        for column, blocks in bold.items():
            for block in blocks:
                best = max(rows[i].cells[column].value for i in block)
                for i in block:
                    if rows[i].cells[column].value == best:
                        cell = replace(rows[i].cells[column], bold=True)
                        rows[i] = replace(rows[i], cells={**rows[i].cells, column: cell})
        numbered = tuple(replace(row, number=n) for n, row in enumerate(rows, start=1))
        self.tables[id_] = Table(id_, f"Table {id_}", task, labels, columns, numbered, None)

    def claim(self, statement: str, expression: str) -> None:
        """Add a relation."""
        number = len(self.claims)
        self.claims.append(
            Claim(f"claim_{number}", "4", statement, "relation", compile_expr(expression), None, None, None)
        )

    def gain(self, better: str, worse: str, column: str) -> None:
        """State a gain: of the printed numbers, or, as some authors do, of those behind them."""
        a, b = self.cell(better, column), self.cell(worse, column)
        text = f"{a.value - b.value:f}"
        if self.random.random() < 0.5:
            text = self.text(self.true[better][column] - self.true[worse][column], 1)
        if text.startswith("-") or a.value <= b.value:
            return
        self.claim(
            f"{better} gains {text} points over {worse}.", f'agrees({better}.{column} - {worse}.{column}, "{text}")'
        )

    def cell(self, row: str, column: str) -> Cell:
        """Return a printed cell."""
        return next(r for t in self.tables.values() for r in t.rows if r.id == row).cells[column]


def _main(p: Paper) -> list[list[str]]:
    """Add the table of results: three costs, baselines with a source, ours twice. Return its blocks."""
    print_as = {"params": (1, "M"), "madds": (0, "M"), "top1": (1, ""), "top5": (1, "")}
    rows, blocks, level, cost = [], [], p.random.uniform(44, 50), p.random.uniform(8, 14) * 1e6
    for block in range(3):
        names = []
        for j in range(p.random.randint(2, 4)):
            values = {"params": cost / 8 * p.random.uniform(0.9, 1.4), "madds": cost * p.random.uniform(0.95, 1.1)}
            rows.append(
                p.row("1", f"base_{block}_{j}", [f"Base {block}.{j}"], {**values, **p.accuracy(level)}, print_as)
            )
            names.append(rows[-1].id)
        ours = {"params": cost / 6, "madds": cost}
        for name, more in (("ours", 4.0), ("tuned", 6.0)):
            values = {**ours, **p.accuracy(level + more)}
            rows.append(p.row("1", f"{name}_{block}", [f"Ours {block}", name], values, print_as))
            rows[-1] = replace(rows[-1], labels=(f"Ours {block} {name}",))
            names.append(rows[-1].id)
        blocks.append(names)
        level, cost = level + p.random.uniform(5, 8), cost * p.random.uniform(1.7, 2.2)
    places, at = [], 0
    for names in blocks:
        places.append(list(range(at, at + len(names))))
        at += len(names)
    p.add("1", "classification", ("Model",), rows, {"top1": places, "top5": places})
    for block, names in enumerate(blocks):
        rest = [n for n in names if n.startswith("base")]
        p.gain(f"ours_{block}", rest[0], "top1")
        if all(p.cell(f"tuned_{block}", "top1").value > p.cell(n, "top1").value for n in rest):
            p.claim(
                f"At cost {block + 1} the tuned network outperforms every other.",
                f"tuned_{block}.top1 > max({', '.join(f'{n}.top1' for n in (*rest, f'ours_{block}'))})"
                if p.cell(f"tuned_{block}", "top1").value > p.cell(f"ours_{block}", "top1").value
                else f"tuned_{block}.top1 > max({', '.join(f'{n}.top1' for n in rest)})",
            )
        p.claim(
            f"Ours {block} costs {p.cell(f'ours_{block}', 'madds').printed}.",
            f'agrees(ours_{block}.madds, "{p.cell(f"ours_{block}", "madds").printed}")',
        )
    return blocks


def _sites(p: Paper) -> None:
    """Add an ablation of three sites, whose costs add."""
    print_as = {"params": (2, "M"), "madds": (1, "M"), "top1": (1, ""), "top5": (1, "")}
    base = {"params": p.random.uniform(1.5, 2.5) * 1e6, "madds": p.random.uniform(9, 13) * 1e6}
    prices = {c: [base[c] * p.random.uniform(0.03, 0.09) for _ in range(3)] for c in COSTS}
    gains = [p.random.uniform(1.5, 3.5) for _ in range(3)]
    level = p.random.uniform(50, 54)
    rows = []
    for on in ((0, 0, 0), (1, 0, 0), (0, 1, 0), (0, 0, 1), (1, 1, 0), (1, 0, 1), (0, 1, 1), (1, 1, 1)):
        values = {c: base[c] + sum(x * q for x, q in zip(on, prices[c], strict=True)) for c in COSTS}
        values |= p.accuracy(level + sum(x * g for x, g in zip(on, gains, strict=True)))
        name = "sites_" + ("".join(s for s, x in zip("abc", on, strict=True) if x) or "none")
        rows.append(p.row("2", name, ["✓" if x else "-" for x in on], values, print_as))
    p.add("2", "classification", ("A", "B", "C"), rows, {c: [list(range(8))] for c in ("top1", "top5")})
    p.gain("sites_abc", "sites_none", "top1")
    rest = ", ".join(f"{r.id}.top1" for r in rows if r.id != "sites_abc")
    if all(p.cell("sites_abc", "top1").value > p.cell(r.id, "top1").value for r in rows[:-1]):
        p.claim("The highest accuracy comes with all three sites.", f"sites_abc.top1 > max({rest})")


def _grid(p: Paper) -> None:
    """Add a grid of two hyper-parameters: MAdds in proportion to J at each K, params to J K; one row repeats."""
    print_as = {"params": (2, "M"), "madds": (1, "M"), "top1": (1, ""), "top5": (1, "")}
    full = p.true["sites_abc"]
    step = {
        "params": full["params"] * p.random.uniform(0.02, 0.05),
        "madds": full["madds"] * p.random.uniform(0.01, 0.03),
    }
    rows = []
    for j in (1, 2, 3):
        for k in (1, 2):
            values = {c: full[c] + step[c] * (j * k - 4) for c in COSTS}
            values |= p.accuracy(56 + 2 * j + k)
            same = "sites_abc" if (j, k) == (2, 2) else None
            values = dict(full) if same else values
            rows.append(p.row("3", f"grid_j{j}_k{k}", [str(j), str(k)], values, print_as, same))
    p.add("3", "classification", ("J", "K"), rows, {c: [list(range(6))] for c in ("top1", "top5")})
    p.gain("grid_j2_k2", "grid_j1_k1", "top1")
    p.claim(
        "At K = 2 more groups cost more.", "grid_j1_k2.madds < grid_j2_k2.madds and grid_j2_k2.madds < grid_j3_k2.madds"
    )


def _pose(p: Paper) -> None:
    """Add keypoint results, with COCO's averages in their order."""
    print_as = dict.fromkeys(("AP", "AP50", "AP75", "APM", "APL"), (1, ""))
    print_as |= {"params": (1, "M"), "madds": (1, "M")}
    rows = []
    for i in range(9):
        ap = 48 + 2.2 * i + p.random.uniform(-0.8, 0.8)
        values = {
            "params": (1.2 + 0.5 * i) * 1e6 * p.random.uniform(0.9, 1.1),
            "madds": (80 + 55 * i) * 1e6,
            "AP": ap,
            "AP50": 79 + 0.55 * (ap - 48) + p.random.gauss(0, 0.15),
            "AP75": 52 + 1.3 * (ap - 48) + p.random.gauss(0, 0.25),
            "APM": ap - 2.4 + p.random.gauss(0, 0.15),
            "APL": ap + 5 + p.random.gauss(0, 0.2),
        }
        rows.append(p.row("4", f"pose_{i}", [f"Pose {i}"], values, print_as))
    p.add("4", "pose", ("Model",), rows, {"AP": [list(range(9))]})
    p.gain("pose_8", "pose_0", "AP")
    p.claim("The largest pose network costs more than the smallest.", "pose_8.madds > pose_0.madds")


def _small(p: Paper) -> int:
    """Add results on a small test set; return its number of images."""
    images = p.random.choice((60, 75, 90, 120, 150, 180))
    places = p.random.choice((1, 2))
    print_as = {"params": (1, "M"), "top1": (places, "")}
    rows = []
    for i in range(6):
        right = p.random.randint(images // 2, images - 2)
        values = {"params": (1.0 + 0.6 * i) * 1e6, "top1": 100 * right / images}
        rows.append(p.row("5", f"small_{i}", [f"Small {i}"], values, print_as))
    p.add("5", "small", ("Model",), rows, {"top1": [list(range(6))]})
    return images


def _totals(p: Paper) -> None:
    """Add a table of architectures that repeats the costs of the main results."""
    print_as = {"madds": (0, "M"), "params": (1, "M")}
    rows = [
        p.row(
            "6",
            f"total_{i}",
            [f"Ours {i}"],
            {c: p.true[f"ours_{i}"][c] for c in ("madds", "params")},
            print_as,
            f"ours_{i}",
        )
        for i in range(3)
    ]
    p.add("6", "classification", ("Model",), rows, {})


def right_ledger(seed: int) -> Ledger:
    """Return one invented paper without a fault; equal seeds give equal papers."""
    p = Paper(seed)
    blocks = _main(p)
    _sites(p)
    _grid(p)
    _pose(p)
    images = _small(p)
    _totals(p)
    rows = {row.id: row for table in p.tables.values() for row in table.rows}
    because = "the cost of each part adds"
    checks = RawChecks.model_validate(
        {
            "bold": [{"table": "1", "columns": ["top1", "top5"], "blocks": blocks, "stated": bool(seed % 2)}],
            "linear": [
                {"table": "2", "columns": ["params", "madds"], "terms": ["A", "B", "C"], "because": because},
                {"table": "3", "columns": ["params", "madds"], "terms": ["J*K"], "because": because},
                {"table": "3", "columns": ["madds"], "terms": ["J"], "where": {"K": "2"}, "because": because},
            ],
            "monotone": [
                {
                    "table": "2",
                    "columns": ["params", "madds"],
                    "along": a,
                    "fixed": [b for b in "ABC" if b != a],
                    "because": because,
                }
                for a in "ABC"
            ]
            + [
                {"table": "3", "columns": ["params", "madds"], "along": a, "fixed": [b], "because": because}
                for a, b in (("J", "K"), ("K", "J"))
            ],
            "examples": [
                {"tables": ["5"], "columns": ["top1"], "images": images},
                {"tables": ["1", "2", "3"], "columns": ["top1", "top5"], "images": 50000},
            ],
            "quoted": [
                {
                    "row": row,
                    "source": "the baseline's paper",
                    "cells": {c: x.printed for c, x in rows[row].cells.items()},
                }
                for row in rows
                if row.startswith("base")
            ],
        }
    )
    return Ledger(
        f"0000.{seed:05d}v1", f"Invented paper {seed}", ("Nobody",), p.tables, tuple(p.claims), {}, (), None, (), checks
    )
