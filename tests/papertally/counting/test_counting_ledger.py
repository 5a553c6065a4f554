"""A ledger's rows name networks: their costs are filed, judged by the column's convention, and asked by statements."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch
import yaml
from helpers import ROOT
from torch import nn

from papertally.cli import main as paper
from papertally.command import CommandError
from papertally.counting import claims as counting_claims
from papertally.counting import conventions
from papertally.counting import cost as counting_cost
from papertally.pages import command as report
from pipelines.analysis import claims, cost

NETS = """
from torch import nn

def net(width):
    return nn.Sequential(
        nn.Conv2d(3, width, 3, 2, 1, bias=False), nn.BatchNorm2d(width), nn.ReLU(),
        nn.Conv2d(width, 2 * width, 3, 2, 1, bias=False), nn.BatchNorm2d(2 * width), nn.ReLU(),
        nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(2 * width, 100))

def spectral():
    class Mixer(nn.Module):
        def forward(self, x):
            import torch
            return torch.fft.rfft2(x).real
    return nn.Sequential(nn.Conv2d(3, 8, 1), Mixer())
"""
SIDES = {8: 32, 13: 48, 21: 64, 34: 96, 55: 40, 89: 128}


def by_hand(width: int, side: int) -> tuple[int, int]:
    """Return (parameters without BatchNorm, multiply-adds of convolutions and the linear layer)."""
    first, second, last = 27 * width, 18 * width * width, 200 * width
    return first + second + last + 100, first * (side // 2) ** 2 + second * (side // 4) ** 2 + last


def cut(count: int, unit: int, letter: str) -> str:
    return f"{count // unit}.{count % unit * 100 // unit:02d}{letter}"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Return a ledger outside any checkout whose costs were counted in one way and cut."""
    rows = []
    for width, side in SIDES.items():
        params, madds = by_hand(width, side)
        rows.append({
            "id": f"mine_w{width}", "labels": [str(width)], "cells": [cut(params, 1000, "K"), cut(madds, 10**6, "M")],
            "network": f"module:own_ledger_nets.net(width={width})", "input": [3, side, side],
        })  # fmt: skip
    table = {"schema": 1, "id": "1", "title": "Nets", "task": "classification", "labels": ["Width"],
             "columns": ["params", "madds"], "rows": rows}  # fmt: skip
    paper = {"schema": 1, "name": "mine", "source": "file:table.md", "title": "Mine", "authors": ["A"],
             "numeric_cells": 12, "budgets": []}  # fmt: skip
    asked = [
        {"id": "layers", "section": "1", "statement": "Three layers.", "kind": "structure", "computation": "layers",
         "of": ["mine_w8", "mine_w13"], "expect": "computed == [3, 3]"},
        {"id": "own", "section": "1", "statement": "Half.", "kind": "cost", "computation": "half",
         "expect": "computed < 1"},
        {"id": "wrong", "section": "1", "statement": "Groups.", "kind": "structure", "computation": "groups",
         "of": ["mine_w8"], "expect": "computed == [2]"},
    ]  # fmt: skip
    (tmp_path / "tables").mkdir()
    (tmp_path / "tables/table_01.yaml").write_text(yaml.safe_dump(table))
    (tmp_path / "paper.yaml").write_text(yaml.safe_dump(paper))
    (tmp_path / "claims.yaml").write_text(yaml.safe_dump({"schema": 1, "claims": asked}))
    (tmp_path / "known_issues.yaml").write_text("schema: 1\nissues: []\n")
    (tmp_path / "own_ledger_nets.py").write_text(NETS)
    (tmp_path / "computations.py").write_text("def half():\n    return 0.5, 'a half'\n")
    return tmp_path


def verdicts(folder: Path) -> dict[str, str]:
    assert report.main(["--path", str(folder)]) == 0
    found = json.loads((folder / "report/report.json").read_text())
    return {c["cell"] if "cell" in c else f"{c['row']}.{c['column']}": c["verdict"] for c in found["cells"]}


def test_from_names_to_verdicts(folder, capsys):
    assert cost.main(["--path", str(folder)]) == 0
    filed = json.loads((folder / "results/cost/mine_w13.json").read_text())
    assert filed["input_size"] == [3, 48, 48]
    assert filed["values"]["terms"]["conv"] == by_hand(13, 48)[1] - 2600
    assert set(verdicts(folder).values()) == {"reproduced"}
    page = (folder / "report/index.html").read_text()
    assert "one convention satisfies at most 6 of 6 cells" in page
    capsys.readouterr()
    assert conventions.main(["--path", str(folder)]) == 0
    text = capsys.readouterr().out
    assert "params: one convention gives 6 of 6 counted numbers" in text
    assert "the simplest: every learned parameter, without BatchNorm, cut" in text
    assert "the simplest: the weights of all layers, one operation a multiply-add, cut" in text


def test_a_number_that_no_convention_gives_differs(folder):
    path = folder / "tables/table_01.yaml"
    table = yaml.safe_load(path.read_text())
    table["rows"][0]["cells"][1] = "9.99M"
    path.write_text(yaml.safe_dump(table))
    cost.main(["--path", str(folder)])
    found = list(verdicts(folder).values())
    assert found.count("differs") == 1
    assert found.count("reproduced") == 6  # the parameters' column alone is explained whole
    assert found.count("depends") == 5


def test_a_stated_convention_decides_alone(folder):
    stated = yaml.safe_load((ROOT / "papertally/conventions/any_paper.yaml").read_text())
    del stated["open"]
    stated["members"] = {
        "ours": {"statement": "As the paper says.", "counting": {"linear": "1"}, "printing": {"rounding": "nearest"},
                 "parameters": {"batch_norm": "left out"}},
    }  # fmt: skip
    stated["default"] = "ours"
    (folder / "conventions.yaml").write_text(yaml.safe_dump(stated))
    cost.main(["--path", str(folder)])
    numbers = [(n, unit) for w, s in SIDES.items() for n, unit in zip(by_hand(w, s), (1000, 10**6), strict=True)]
    rounded = [(200 * n + unit) // (2 * unit) == n * 100 // unit for n, unit in numbers]  # a half up, as if cut
    found = list(verdicts(folder).values())
    assert found.count("reproduced") == sum(rounded) < 12
    assert found.count("differs") == 12 - sum(rounded)
    stated["members"]["ours"]["printing"] = {"rounding": "cut"}
    (folder / "conventions.yaml").write_text(yaml.safe_dump(stated))
    cost.main(["--path", str(folder)])
    assert set(verdicts(folder).values()) == {"reproduced"}


def test_costs_at_two_inputs_are_counted_at_each(folder, capsys):
    """A head that says an input gives the column that input; every column has its own count and its own search."""
    (folder / "two.csv").write_text("Width,Params,MACs @32 (M),MACs @64 (M),\"MACs (backbone, M)\"\n" + "".join(
        f"{w},{by_hand(w, 32)[0]},{cut(by_hand(w, 32)[1], 10**6, '')},{cut(by_hand(w, 64)[1], 10**6, '')},1.00\n"
        for w in (8, 13, 21, 34)
    ))  # fmt: skip
    mine = folder / "two"
    assert paper(["new", "two", "--from", str(folder / "two.csv"), "--path", str(mine)]) == 0
    path = mine / "tables/table_01.yaml"
    text = path.read_text("utf-8")
    assert "name: madds_32" in text
    assert "input_size: [3, 64, 64]" in text
    table = yaml.safe_load(text)
    table |= {"input": [3, 48, 48], "task": "classification"}
    for row in table["rows"]:
        row["network"] = f"module:own_ledger_nets.net(width={row['labels'][0]})"
    path.write_text(yaml.safe_dump(table))
    (mine / "own_ledger_nets.py").write_text(NETS)
    assert cost.main(["--path", str(mine)]) == 0
    filed = json.loads((mine / "results/cost/two_t1_13.json").read_text())
    assert filed["input_size"] == [3, 48, 48]
    assert {k: v["terms"]["conv"] for k, v in filed["at"].items()} == {
        f"3x{side}x{side}": by_hand(13, side)[1] - 2600 for side in (32, 64)
    }
    verdicts(mine)
    found = json.loads((mine / "report/report.json").read_text())["cells"]
    assert {c["column"]: c["verdict"] for c in found if c["row_id"] == "two_t1_8"} == {
        "params": "reproduced", "madds_32": "reproduced", "madds_64": "reproduced", "madds_backbone": "not-run",
    }  # fmt: skip
    assert "add `input_size` to the column madds_backbone" in (mine / "report/index.html").read_text()
    assert "3 × 64 × 64" in (mine / "report/index.html").read_text()
    capsys.readouterr()
    conventions.main(["--path", str(mine)])
    text = capsys.readouterr().out
    assert all(f"madds_{side}: one convention gives 4 of 4 counted numbers" in text for side in (32, 64))
    assert "madds_backbone: nothing of it is counted" in text
    next(c for c in table["columns"] if c["name"] == "madds_64")["input_size"] = [3, 96, 96]
    path.write_text(yaml.safe_dump(table))
    assert set(verdicts(mine).values()) == {"invalid-evidence"}


def test_an_input_is_of_costs_alone(folder, capsys):
    path = folder / "tables/table_01.yaml"
    table = yaml.safe_load(path.read_text())
    table["columns"] = ["params", {"name": "top1", "input_size": [3, 32, 32]}]
    path.write_text(yaml.safe_dump(table))
    assert paper(["ledger", "--path", str(folder)]) == 1
    assert "column top1: `input_size` is of costs (params, madds); remove it" in capsys.readouterr().err


def test_another_input_makes_evidence_stale(folder):
    cost.main(["--path", str(folder)])
    path = folder / "tables/table_01.yaml"
    table = yaml.safe_load(path.read_text())
    table["rows"][2]["input"] = [3, 224, 224]
    path.write_text(yaml.safe_dump(table))
    assert list(verdicts(folder).values()).count("invalid-evidence") == 2


def test_unknown_operators_are_named_and_block(folder, capsys):
    path = folder / "tables/table_01.yaml"
    table = yaml.safe_load(path.read_text())
    table["rows"][0] |= {"network": "module:own_ledger_nets.spectral", "input": [3, 8, 8]}
    path.write_text(yaml.safe_dump(table))
    assert cost.main(["--path", str(folder)]) == 0
    assert "mine_w8: operators that no rule counts: _fft_r2c" in capsys.readouterr().err
    assert list(verdicts(folder).values()).count("blocked") == 1
    assert "_fft_r2c" in (folder / "report/index.html").read_text()


def test_a_network_that_fails_leaves_the_others(folder, capsys):
    path = folder / "tables/table_01.yaml"
    table = yaml.safe_load(path.read_text())
    table["rows"][0]["network"] = "timm:no_such_model_at_all"
    table["rows"][1]["input"] = [4, 8, 8]
    path.write_text(yaml.safe_dump(table))
    assert cost.main(["--path", str(folder)]) == 1
    faults = capsys.readouterr().err.strip().splitlines()
    assert [line.split(": ")[1] for line in faults] == ["mine_w8", "mine_w13"]
    assert len(list((folder / "results/cost").glob("mine_*.json"))) == 4


def test_statements_of_cost_and_structure(folder, capsys):
    cost.main(["--path", str(folder)])
    assert claims.main(["--path", str(folder)]) == 0
    assert report.main(["--path", str(folder)]) == 0
    found = {c["id"]: c["verdict"] for c in json.loads((folder / "report/report.json").read_text())["claims"]}
    assert found["own"] == found["layers"] == "reproduced"
    assert found["wrong"] == "differs"
    (folder / "computations.py").write_text("def half():\n    return 1 / 0\n")
    assert claims.main(["--path", str(folder)]) == 1
    assert "claim own: computations.py: half() fails (ZeroDivisionError" in capsys.readouterr().err


def test_the_counts_are_those_of_the_modules_themselves():
    net = nn.Sequential(nn.Conv2d(3, 8, 3, 2, 1, bias=False), nn.Conv2d(8, 16, 3, 2, 1, bias=False))
    out = torch.zeros(1, 3, 32, 32)
    total = 0
    for layer in net:
        out = layer(out)
        total += layer.weight.numel() * out.shape[2] * out.shape[3]
    assert total == by_hand(8, 32)[1] - 1600


@pytest.mark.parametrize("command", [cost, claims, counting_cost, counting_claims])
def test_evidence_that_a_project_makes_is_left_to_it(checkout, command):
    """What is computed from the ledger alone would take the place of all that the project computed."""
    before = {p: p.read_bytes() for kind in ("cost", "claims") for p in (checkout / "results" / kind).iterdir()}
    with pytest.raises(CommandError, match="made by the project that it belongs to"):
        command.main(["--path", str(checkout / "papers/micronet")])
    assert {p: p.read_bytes() for kind in ("cost", "claims") for p in (checkout / "results" / kind).iterdir()} == before
