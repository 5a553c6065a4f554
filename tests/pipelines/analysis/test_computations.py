"""The computations behind statements, against oracles of their own, and that faults are seen."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
import torch
from helpers import MICRONET
from torch import nn

from papertally.ledger.load import load_ledger
from papertally.ledger.schema import RawReading
from pipelines.analysis import recipes
from pipelines.analysis.computations import built, formulas, printed
from pipelines.analysis.computations.operators import _pair, _shift_matrix
from pipelines.common import PipelineError
from registry.micronet import MicroNet


def test_a_shuffles_ranks_are_those_of_the_whole_matrix():
    """numpy's rank of W = P Phi F Q^T, built as one product of matrices, for some shuffles."""
    squeeze, expand = _pair(18, 2, 3)
    q = torch.zeros(9, 18, dtype=torch.float64)
    for h in range(9):
        q[h, 6 * (h // 3) : 6 * (h // 3) + 6] = squeeze.weight[h, :, 0, 0].detach()
    fuse = _shift_matrix("group")
    p = torch.zeros(18, 9, dtype=torch.float64)
    for o in range(18):
        p[o, 3 * (o // 6) : 3 * (o // 6) + 3] = expand.weight[o, :, 0, 0].detach()
    rows = expand.weight.detach().flatten(1).reshape(3, 6, 3).transpose(1, 2).reshape(9, 6)
    for sigma in itertools.islice(formulas.figure_2_shuffles(), 0, 216, 31):
        phi = torch.zeros(9, 9, dtype=torch.float64)
        for source in range(3):
            for o in range(3):
                phi[3 * o + source, 3 * source + sigma[source][o]] = 1
        whole = (p @ phi @ fuse @ q).numpy()
        blocks = whole.reshape(3, 6, 3, 6).transpose(0, 2, 1, 3).reshape(9, 6, 6)
        expected = [int(np.linalg.matrix_rank(b)) for b in blocks]
        assert formulas.shuffle_ranks(sigma, fuse, rows, squeeze.weight.flatten(1).detach()) == expected


def test_a_cell_that_is_built_otherwise_is_seen():
    net = MicroNet("m0")
    assert built.differences("1", "m0", built._rows(net)) == (35, [])
    old = net.blocks[3].squeeze[0]
    net.blocks[3].squeeze[0] = nn.Conv2d(old.in_channels, old.out_channels, 1, groups=8, bias=False)
    count, off = built.differences("1", "m0", built._rows(net))
    assert (count, off) == (35, [[6, "m0", "G", "(4, 8)", "(8, 8)"]])
    assert built.differences("1", "m0", built._rows(net)[:-1])[1][-5:] == [
        [10, "m0", c, t, "–"] for c, t in zip(("Block", "k", "C", "C/R", "G"), ("Micro-C", "3", "576", "96", "(8, 12)"),
                                             strict=True)
    ]  # fmt: skip


def test_group_pairs_are_compared_with_the_closest(monkeypatch):
    assert printed.closest_groups().computed is True
    columns = {m: list(blocks) for m, blocks in printed.printed("1").items()}
    far = columns["m0"][-1]
    columns["m0"][-1] = printed.Printed(far.part, far.height, far.block, far.kernel, far.channels, far.squeeze, (6, 16))
    monkeypatch.setattr(printed, "printed", lambda table: columns)
    found = printed.closest_groups()
    assert found.computed is False
    assert "m0 C/R = 96: (6, 16)" in found.detail


def test_a_recipe_that_differs_or_is_missing_is_told():
    ledger = load_ledger(MICRONET)

    def read(**settings):
        return recipes.configured(RawReading.model_validate(settings), ledger)

    both = read(key="train_cfg.max_epochs", rows=["t2_micronet_m0", "t5_relu"])
    assert both.computed == [600, 300]
    assert both.detail == "train_cfg.max_epochs: 600 in t2_micronet_m0; 300 in t5_relu"
    assert read(key="param_scheduler.type", rows=["t5_relu"], equals="CosineAnnealingLR").computed is True
    assert read(key="param_scheduler.type", rows=["t5_relu"], equals="StepLR").computed is False
    with pytest.raises(PipelineError, match="'train_cfg.max_epoch'"):
        read(key="train_cfg.max_epoch", rows=["t5_relu"])
    with pytest.raises(PipelineError, match="say what it `equals`"):
        read(key="param_scheduler.type", rows=["t5_relu"])
    with pytest.raises(PipelineError, match="names no row"):
        read(key="train_cfg.max_epochs", rows=["t6_relu"])
