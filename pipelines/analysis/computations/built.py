"""The cells of Tables 1 and 10 read back from the built networks' own modules, against what the tables print."""

from __future__ import annotations

import difflib
from collections.abc import Sequence

from torch import nn

from papertally.ledger.load import load_ledger
from pipelines.analysis.computations.base import Result, computation
from pipelines.analysis.computations.printed import MODELS
from pipelines.common import MICRONET, ROOT
from registry.blocks import MicroBlock
from registry.micronet import MicroNet
from registry.pose.archs import POSE_ARCHS
from registry.pose.head import HeadPlan

Cells = tuple[str, ...]


def _convs(module: nn.Module) -> list[nn.Conv2d]:
    return [m for m in module.modules() if isinstance(m, nn.Conv2d)]


def _stem(stem: nn.Module) -> Cells:
    """Return a stem's cells (Block, k, C, C/R, G) from its convolutions."""
    tall, wide = _convs(stem)
    k, groups = tall.kernel_size[0], (tall.groups, wide.groups)
    return "stem", str(k), str(wide.out_channels), str(tall.out_channels), f"({groups[0]}, {groups[1]})"


def _block(block: MicroBlock) -> Cells:
    """Return a Micro-Block's cells from its convolutions: A has one group convolution, B an expanding depthwise."""
    depthwise, squeeze = _convs(block.depthwise), _convs(block.squeeze)[0]
    k, mid = max(depthwise[0].kernel_size), depthwise[-1].out_channels
    if block.expand is None:
        return "Micro-A", str(k), str(mid), str(squeeze.out_channels), f"({squeeze.groups}, -)"
    expand = _convs(block.expand)[0]
    kind = "Micro-B" if mid > depthwise[0].in_channels else "Micro-C"
    groups = f"({squeeze.groups}, {expand.groups})"
    return kind, str(k), str(expand.out_channels), str(squeeze.out_channels), groups


def _rows(net: MicroNet, head: nn.Module | None = None) -> list[Cells]:
    blocks = [*net.blocks, *(m for m in head.modules() if isinstance(m, MicroBlock))] if head else [*net.blocks]
    return [_stem(net.stem), *(_block(b) for b in blocks)]


def differences(table: str, model: str, built: Sequence[Cells]) -> tuple[int, list[list[str | int]]]:
    """Return (printed cells, [line, model, column, printed, built] of each that differs; built "–" where none is).

    Lines count the table's printed lines from 1. Rows are aligned in order, so that a missing block is one.
    """
    architecture = load_ledger(ROOT / MICRONET).tables[table].architecture
    assert architecture is not None
    printed = [(n, tuple(row.cells(model) or ())) for n, row in enumerate(architecture.rows, 1) if row.cells(model)]
    bare = [tuple(cell.removesuffix("†").strip() for cell in cells) for _, cells in printed]
    pairs: list[tuple[int, Cells | None]] = []
    matcher = difflib.SequenceMatcher(None, bare, list(built), autojunk=False)
    for tag, i1, i2, j1, j2 in matcher.get_opcodes():
        theirs: list[Cells | None] = [*built[j1:j2]]
        theirs += [None] * (i2 - i1 - len(theirs))
        pairs += list(zip(range(i1, i2), theirs, strict=False)) if tag != "insert" else []
    out: list[list[str | int]] = []
    for i, cells in pairs:
        line, texts = printed[i]
        for column, text, want, got in zip(architecture.columns, texts, bare[i], cells or ["–"] * 5, strict=True):
            if want != got:
                out.append([line, model, column, text, got])
    extra = len(built) - len(printed)
    if extra > 0:
        out.append([0, model, "rows", str(len(printed)), str(len(built))])
    return sum(len(texts) for _, texts in printed), out


def _told(table: str, counts: Sequence[int], off: Sequence[Sequence[str | int]]) -> Result:
    absent = sum(row[4] == "–" for row in off)
    text = f"{sum(counts) - len(off)} of {sum(counts)} printed cells of Table {table} are read back from the modules"
    if off:
        text += f"; {len(off) - absent} otherwise, {absent} in rows that are not built"
    return Result([list(row) for row in off], text)


@computation
def table1_cells() -> Result:
    """Read Table 1's cells back from M0 to M3 as built; returns those that differ."""
    found = [differences("1", model, _rows(MicroNet(model))) for model in MODELS]
    return _told("1", [n for n, _ in found], [row for _, off in found for row in off])


@computation
def table10_cells() -> Result:
    """Read Table 10's cells back from the pose networks as built, heads included; returns those that differ."""
    found = []
    for model in MODELS:
        name = f"pose_{model}"
        head = HeadPlan(POSE_ARCHS[name], name).build()
        found.append(differences("10", model, _rows(MicroNet(name), head)))
    return _told("10", [n for n, _ in found], [row for _, off in found for row in off])
