"""Columns are data: units, directions, kinds and margins reach checks and verdicts; ± and sizes are judged so."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path

import pytest
from helpers import ROOT

from papertally.checks import run
from papertally.evidence.read import Evidence
from papertally.evidence.schema import CostEvidence, TrainingEvidence
from papertally.evidence.settings import SettingsError, settings_for
from papertally.ledger.load import LedgerError, load_ledger
from papertally.listing import main
from papertally.verdicts.model import build

PAPER = 'schema: 1\nname: mine\nsource: "doi:10.1000/xyz"\ntitle: "T"\nauthors: []\nnumeric_cells: {n}\n'
TABLE = """schema: 1
id: "1"
title: "T"
task: classification
labels: ["Model"]
columns:
  - {name: params, title: "Params (M)", unit: M}
  - {name: size, title: "Size, MB"}
  - {name: err1, title: "Error", margin: 0.5}
  - {name: latency, title: "Latency, ms", unit: ms, device: "Pixel 1", margin: "5%"}
rows:
  - {id: mine_a, labels: ["A"], cells: ["3.5", "14", "25.0 ± 0.2", "138.0"]}
  - {id: mine_b, labels: ["B"], cells: ["1.4", "5.3 MB", "39.7", "0.050 s"], bold: [err1]}
"""


def ledger_of(tmp_path: Path, table: str = TABLE, n: int = 8, claims: str = "[]", extra: str = "") -> Path:
    """Write a ledger's folder."""
    (tmp_path / "tables").mkdir(parents=True)
    (tmp_path / "tables/t.yaml").write_text(table, "utf-8")
    (tmp_path / "paper.yaml").write_text(PAPER.format(n=n) + extra, "utf-8")
    (tmp_path / "claims.yaml").write_text(f"schema: 1\nclaims: {claims}\n", "utf-8")
    (tmp_path / "known_issues.yaml").write_text("schema: 1\nissues: []\n", "utf-8")
    return tmp_path


def cost(row: str, params: int) -> CostEvidence:
    values = {"params": params, "terms": {"conv": 10}}
    return CostEvidence(
        schema=2, kind="cost", row=row, config="", fingerprint={}, construction="library", values=values, variants={},
        notes=[], input_size=[3, 8, 8], code_revision="x", environment={}, digest="x",
    )  # fmt: skip


def trained(row: str, seed: int, device: str = "Pixel 1", units: dict | None = None, **values: float):
    return TrainingEvidence(
        schema=2, kind="training", profile="paper", row=row, seed=seed, values=values, config="", fingerprint={},
        params={}, data={"name": "d", "pin": "0"}, code_revision="x", environment={"device": device}, epochs=1,
        duration_s=1.0, command="", units=units or {}, digest="x",
    )  # fmt: skip


def verdicts(folder: Path, costs=(), runs=()) -> dict[str, object]:
    ledger = load_ledger(folder)
    settings = settings_for(ledger)
    by_row: dict[str, list[TrainingEvidence]] = {}
    for found in runs:
        by_row.setdefault(found.row, []).append(found)
    files = {("paper", row): [f"{row}.{i}" for i in range(len(mine))] for row, mine in by_row.items()}
    evidence = Evidence(
        cost={c.row: c for c in costs}, runs={"paper": by_row}, files=files,
        paths={("cost", c.row): f"{c.row}.json" for c in costs},
    )  # fmt: skip
    report = build(ledger, evidence, settings)
    assert report.plan is None or not any("latency" in item.name for item in report.plan.items)
    return {cell.key: cell for cell in report.cells}


def test_units_of_heads_and_cells_become_intervals(tmp_path):
    ledger = load_ledger(ledger_of(tmp_path))
    a, b = ledger.row("mine_a").cells, ledger.row("mine_b").cells
    assert a["params"].value == 3_500_000
    assert a["size"].value == 14_000_000
    assert a["latency"].value == Decimal("0.138")
    assert b["latency"].value == Decimal("0.05")
    assert a["latency"].margin == Decimal("0.0069")
    assert (a["err1"].error, b["err1"].error) == (Decimal("0.2"), None)


def test_an_error_rates_best_is_the_lowest(tmp_path):
    assert run(load_ledger(ledger_of(tmp_path)), ["bold"])[0].severity == "suspicious"
    better = TABLE.replace(", bold: [err1]", "").replace('"138.0"]', '"138.0"], bold: [err1]')
    assert run(load_ledger(ledger_of(tmp_path / "b", better)), ["bold"])[0].severity == "passed"


def test_sizes_are_bytes_by_either_megabyte(tmp_path):
    cells = verdicts(ledger_of(tmp_path), [cost("mine_a", 3_504_872), cost("mine_b", 1_400_000)])
    assert cells["mine_a.params"].verdict == "reproduced"
    assert cells["mine_a.size"].verdict == "depends"  # 14.02 million bytes, 13.4 × 1024²
    assert cells["mine_a.size"].conventions == (1, 2)
    assert cells["mine_b.size"].verdict == "depends"  # 5.6 million bytes, 5.34 × 1024²
    assert "megabyte" in cells["mine_b.size"].note


def test_latency_is_judged_in_its_own_unit_on_its_own_device_only(tmp_path):
    folder = ledger_of(tmp_path)
    ms = [trained("mine_a", s, units={"latency": "ms"}, latency=138.0 + s) for s in (0, 1, 2)]
    cell = verdicts(folder, runs=ms)["mine_a.latency"]
    assert (cell.verdict, cell.shown) == ("reproduced", "139.00 ms")
    seconds = [trained("mine_a", s, units={"latency": "s"}, latency=0.138 + s / 1000) for s in (0, 1, 2)]
    assert verdicts(folder, runs=seconds)["mine_a.latency"].verdict == "reproduced"
    bare = verdicts(folder, runs=[trained("mine_a", 0, latency=138.0)])["mine_a.latency"]
    assert (bare.verdict, "states no unit" in bare.note) == ("not-run", True)
    other = [trained("mine_a", 0, "V100", {"latency": "ms"}, latency=3.0)]
    assert "measured on V100, the paper's on Pixel 1" in verdicts(folder, runs=other)["mine_a.latency"].note


def test_the_papers_own_uncertainty_enters_the_verdict(tmp_path):
    values = [24.9, 25.0, 25.1]
    runs = [trained("mine_a", s, err1=v) for s, v in enumerate(values)]
    assert verdicts(ledger_of(tmp_path), runs=runs)["mine_a.err1"].verdict == "reproduced"
    wide = TABLE.replace("25.0 ± 0.2", "25.0 ± 2.0")
    cell = verdicts(ledger_of(tmp_path / "b", wide), runs=runs)["mine_a.err1"]
    assert (cell.verdict, "the paper's own error 2" in cell.note) == ("underpowered", True)
    deviation = ledger_of(tmp_path / "c", wide, extra="plus_minus: standard deviation\nruns: 100\n")
    assert verdicts(deviation, runs=runs)["mine_a.err1"].verdict == "reproduced"


def test_every_fault_at_once_with_file_and_line(tmp_path, capsys):
    table = TABLE.replace('"3.5"', "3.5").replace('"39.7"', '"39,7"').replace("id: mine_b", "id: theirs_b")
    folder = ledger_of(tmp_path, table, claims="[{id: x, section: s, statement: t, kind: guess}]", extra="titel: x\n")
    assert main(["--path", str(folder)]) == 1
    lines = capsys.readouterr().err.splitlines()
    assert all(line.startswith("error: ") for line in lines)
    said = "\n".join(lines)
    wanted = ("t.yaml:12: ", 'quote it: "3.5"', "t.yaml:13: ", "is its comma a decimal point?", "unknown key 'titel'")
    for part in (*wanted, "claims.yaml:2: "):
        assert part in said
    with pytest.raises(LedgerError) as caught:
        load_ledger(folder)
    assert len(caught.value.faults) == len(lines) >= 4
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("old", "new", "fault"),
    [
        ("id: mine_b", "id: t2_micronet_m0", "does not begin with 'mine_'"),
        ("task: classification", "task: clasification", "is no task"),
        ("unit: ms,", "unit: lightyears,", "is no unit"),
        ("unit: M}", "unit: MB}", "is no unit of it"),
        ("margin: 0.5", "margin: -1", "is no margin"),
        ("margin: 0.5", "kind: cost", "rename the column"),
        ('"138.0"', '"138.0 MB"', "is in MB, its column in ms"),
        ("name: err1,", "name: err 1,", "pattern"),
    ],
)
def test_faults_of_columns_and_rows(tmp_path, old, new, fault):
    with pytest.raises(LedgerError, match=r"t\.yaml:\d+: ") as caught:
        load_ledger(ledger_of(tmp_path, TABLE.replace(old, new)))
    assert fault in "\n".join(caught.value.faults)


@pytest.mark.parametrize(
    ("source", "fault"),
    [
        ("arXiv:2011.12289v1", ""),
        ("doi:10.1109/5.771073", ""),
        ("file:README.md", ""),
        ("https://github.com/a/b/blob/0a1b2c3/README.md", ""),
        ("https://github.com/a/b/blob/main/README.md", "may say something else tomorrow"),
        ("a paper", "is no source"),
    ],
)
def test_sources(tmp_path, source, fault):
    folder = ledger_of(tmp_path)
    path = folder / "paper.yaml"
    path.write_text(path.read_text("utf-8").replace("doi:10.1000/xyz", source), "utf-8")
    if fault:
        with pytest.raises(LedgerError, match=fault):
            load_ledger(folder)
    else:
        assert load_ledger(folder).cited.split(" ")[-1].rstrip("v1") in source


def test_yml_is_refused_and_margins_are_asked_for(tmp_path):
    folder = ledger_of(tmp_path, TABLE.replace(", margin: 0.5", ""))
    with pytest.raises(SettingsError, match="mine/paper.yaml: margins lacks err1"):
        settings_for(load_ledger(folder))
    (folder / "tables/u.yml").write_text(TABLE, "utf-8")
    with pytest.raises(LedgerError, match="u.yml: is not read by this suffix; rename it to u.yaml"):
        load_ledger(folder)


@pytest.mark.parametrize("name", ["shufflenet", "domainbed", "micronet_iccv2021", "micronet"])
def test_committed_ledgers_hold_no_impossibility(name):
    ledger = load_ledger(ROOT / "papers" / name)
    found = run(ledger)
    if name != "micronet":
        assert not [f for f in found if f.severity == "impossible"]
        assert all(row.startswith(f"{ledger.name}_") for row in ledger.rows)
    if name == "domainbed":
        within = {f.subject for f in found if f.check == "own uncertainty"}
        assert within == {"statement coral_above_erm_on_vlcs", "statement mixup_above_erm_on_terra_incognita"}
        assert sum(f.check == "averages" and f.severity == "passed" for f in found) == 8
