"""A small paper of our own with evidence of every kind, for the page's tests; every text can be made hostile."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import yaml
from helpers import MICRONET

from papertally.evidence.checksum import digest, seal
from papertally.evidence.fingerprints import parts, read_fingerprint
from papertally.evidence.io import write_json_atomic, write_text_atomic
from papertally.evidence.read import read_evidence
from papertally.ledger.load import load_ledger
from papertally.ledger.paper import Paper
from papertally.pages.sources import Sources, read_sources
from papertally.verdicts.model import build
from papertally.verdicts.plan import read_benches
from papertally.verdicts.views import Report
from report.settings import load_settings

PIN = "0123456789abcdef" * 4
MINI = {
    "data": "dots", "folder": "data/dots", "classes": 10, "image_size": 32, "batch_size": 8, "epochs": 2, "lr": 0.1,
    "weight_decay": 0.0, "seed": 0, "threads": 1,
}  # fmt: skip
PROXY = {key: value for key, value in MINI.items() if key not in ("folder", "classes", "seed")}
ROWS = {"one_plain": "1", "one_wide": "1", "one_lone": "1", "one_bad": "1", "two_half": "2"}
ENVIRONMENT = {"device": "a machine", "python": "3.11"}


def _paper(text: Callable[[str], str]) -> dict[str, Any]:
    row = lambda id, labels, cells, **more: {"id": id, "labels": list(map(text, labels)), "cells": cells, **more}  # noqa: E731
    return {
        "paper.yaml": {
            "schema": 1, "arxiv": "2001.00001v1", "title": text("Toy: a small paper"), "authors": [text("A. Author")],
            "numeric_cells": 17, "alpha": 0.05, "seeds": 3, "results": "../../results",
            "fingerprints": "../../fingerprints",
            "margins": dict.fromkeys(("top1", "top5", "AP", "AP50", "AP75", "APM", "APL", "miou"), 0.5),
            "budgets": [{"task": "classification", "tables": ["1", "2"], "dataset": text("Thousand"), "images": 1000,
                         "epochs": 10, "source": text("section 4")}],
        },
        "tables/table_1.yaml": {
            "schema": 1, "id": "1", "title": text("Main results"), "task": "classification", "labels": [text("Model")],
            "columns": ["params", "madds", "top1"],
            "rows": [
                row("one_plain", ["Plain"], ["1.0M", "10M", "60.0"], marks=[text("[1]")]),
                row("one_wide", ["Wide"], ["2.0M", "20M", "64.0"], bold=["top1"]),
                row("one_lone", ["Lone"], ["–", "30M", "66.0"]),
                row("one_bad", ["Bad"], ["4.0M", "40M", "67.0"]),
                row("one_gone", ["Gone"], ["5.0M", "–", "68.0"], blocked=text("The paper does not say how.")),
            ],
        },
        "tables/table_2.yaml": {
            "schema": 1, "id": "2", "title": text("Ablation"), "task": "classification", "labels": ["", text("Half")],
            "columns": ["madds", "top1"],
            "rows": [row("two_half", ["Plain", "✓"], ["5M", "50.0"], marks=["*"]),
                     row("two_full", ["Plain", ""], ["10M", "60.0"], same_as="one_plain")],
        },
        "claims.yaml": {
            "schema": 1, "claims": [
                {"id": "gain", "section": text("1"), "statement": text("Wide gains 4 points."), "kind": "relation",
                 "expr": 'agrees(one_wide.top1 - one_plain.top1, "4.0")'},
                {"id": "order", "section": text("4"), "statement": text("Half costs accuracy."), "kind": "relation",
                 "expr": "two_half.top1 < two_full.top1 and two_half.madds < two_full.madds"},
                {"id": "contradiction", "section": text("4"), "statement": text("Wide is cheap."), "kind": "relation",
                 "expr": "one_wide.madds < one_plain.madds", "issue": "cheap"},
                {"id": "count", "section": text("3"), "statement": text("It has 3 parts."), "kind": "structure",
                 "computation": "parts", "expect": "computed == 3", "reading": text("parts as counted")},
                {"id": "waits", "section": text("3"), "statement": text("It has 4 corners."), "kind": "structure",
                 "computation": "corners", "expect": "computed == 4"},
            ],
        },
        "known_issues.yaml": {
            "schema": 1, "later_version": text("the later version"),
            "issues": [{"id": "cheap", "title": text("Wide is not cheap"), "kind": "inconsistency",
                        "detail": text("It costs twice as much."), "arithmetic": text("20 > 10"),
                        "cells": ["one_wide.madds"]}],
            "aliases": [{"this": text("Plain"), "later": text("Plain 2"), "note": text("the same")}],
        },
        "page.yaml": {
            "schema": 1,
            "commands": {"cost": text("run cost"), "claims": text("run claims"),
                         "classification": text("train {row} with {config} --seed {seed}")},
            "pictures": {"classification": text("What {model} sees in {data}.")},
            "scatter": [{"figure": "1", "title": text("Cost"), "table": "1", "x": "madds", "y": "top1", "log": True,
                         "time": text("MAdds are not time."),
                         "series": [{"name": text("Ours"), "ours": True, "rows": ["one_plain", "one_wide"]}]}],
            "forest": [{"title": text("Ablations"), "tables": ["2"], "column": "top1"}],
        },
    }  # fmt: skip


def _file(path: Path, evidence: dict[str, Any]) -> None:
    """Write evidence as a stage does."""
    write_json_atomic(path, seal(evidence))


def _training(
    root: Path, text: Callable[[str], str], profile: str, row: str, seed: int, top1: float, recipe: str = "paper"
) -> None:
    params = {"train": {"mini": MINI, "proxy": PROXY, "paper": {"recipe": recipe}}[profile]}
    name = f"{row}.json" if profile == "mini" else f"{row}.{recipe}.s{seed}.json"
    _file(root / "results" / profile / name, {
        "schema": 2, "kind": "training", "profile": profile, "row": row, "seed": seed,
        "values": {"top1": top1}, "config": f"configs/classification/{row}.py",
        "fingerprint": parts(read_fingerprint(root, row), profile), "params": params,
        "data": {"name": text("dots"), "pin": text(PIN)},
        "code_revision": text("abc"), "environment": {k: text(v) for k, v in ENVIRONMENT.items()}, "epochs": 2,
        "duration_s": 1.0, "command": text(f"train {row} {seed}"),
    })  # fmt: skip


def write(root: Path, text: Callable[[str], str] = str) -> Path:
    """Write the checkout under `root` and return it; text: what becomes of every free text."""
    for name, content in _paper(text).items():
        write_text_atomic(root / "papers/micronet" / name, yaml.safe_dump(content, allow_unicode=True, sort_keys=False))
    params = {
        "profile": "mini", "data": {"dots": {"pin": PIN}}, "mini": {"classification": MINI},
        "proxy": {"train": PROXY, "pin": PIN, "seeds": [0, 1, 2], "rows": ["two_half", "one_plain"]},
    }  # fmt: skip
    write_text_atomic(root / "pyproject.toml", "")
    write_text_atomic(root / "params.yaml", yaml.safe_dump(params))
    for row in ROWS:
        write_text_atomic(root / f"configs/classification/{row}.py", f"model = {row!r}\n")
        write_json_atomic(root / f"fingerprints/{row}.json", {
            "schema": 1, "kind": "fingerprint", "row": row, "model": digest(["model", row]), "protocol": 1,
            "recipe": digest(["recipe", row]), "stated": digest(["stated", row]), "probe": ["1.00000e+00"],
        })  # fmt: skip
    for row, count, madds in (
        ("one_plain", 1_010_000, 10_100_000), ("one_wide", 2_100_000, 23_000_000), ("one_lone", 3_000_000, 30_400_000),
        ("two_half", 500_000, 5_000_000),
    ):  # fmt: skip
        made = text("ours, by hand") if row == "one_wide" else "printed"
        _file(root / f"results/cost/{row}.json", {
            "schema": 2, "kind": "cost", "row": row, "config": f"configs/classification/{row}.py",
            "fingerprint": parts(read_fingerprint(root, row), "cost"), "construction": made,
            "values": {"params": count, "terms": {"conv": madds - 1000, "relu@stem": 1000}},
            "variants": {"other": {"params": count, "terms": {"conv": madds, "relu@stem": 5000}}},
            "notes": [text("a note")], "input_size": [3, 8, 8], "code_revision": text("abc"),
            "environment": {k: text(v) for k, v in ENVIRONMENT.items()},
        })  # fmt: skip
    conventions = yaml.safe_load((MICRONET / "conventions.yaml").read_text("utf-8"))
    for key in ("families", "held_out", "certificates"):
        conventions.pop(key, None)
    write_text_atomic(root / "papers/micronet/conventions.yaml", yaml.safe_dump(conventions))
    counting = {name: member["counting"] for name, member in conventions["members"].items()}
    rules = {"plain": text("one rule"), "S": text("another")}
    write_json_atomic(
        root / "results/cost/rules.json",
        {"schema": 1, "kind": "rules", "default": "plain", "rules": rules, "counting": counting},
    )
    _file(root / "results/claims/count.json", {
        "schema": 1, "kind": "claim", "claim": "count", "computation": "parts", "computed": 3,
        "detail": text("1 + 2"), "code_revision": text("abc"),
        "environment": {k: text(v) for k, v in ENVIRONMENT.items()},
    })  # fmt: skip
    for seed, (plain, wide) in enumerate(((60.1, 61.0), (60.0, 61.2), (59.9, 61.1))):
        _training(root, text, "paper", "one_plain", seed, plain)
        _training(root, text, "paper", "one_wide", seed, wide)
    _training(root, text, "paper", "one_lone", 0, 66.2)
    _training(root, text, "paper", "one_plain", 0, 62.0, "official")
    for row in ("one_plain", "two_half"):
        _training(root, text, "mini", row, 0, 90.0)
        for seed in range(3):
            _training(root, text, "proxy", row, seed, (40.0 if row == "one_plain" else 38.0) + seed / 10)
        write_text_atomic(root / f"results/curves/mini/{row}.csv", "epoch,loss,top1\n1,2.0,50.0\n2,1.0,90.0\n")
    write_text_atomic(root / "results/paper/one_bad.s0.json", "{")
    (root / "results/pictures/mini").mkdir(parents=True)
    (root / "results/pictures/mini/one_plain.jpg").write_bytes(b"\xff\xd8\xff\xd9")
    common = {"schema": 1, "kind": "figure", "code_revision": text("abc"), "environment": {}}
    _file(root / "results/figures/figure_2.json", {
        **common, "figure": "2", "form": "matrices", "title": text("Blocks"), "caption": text("Ranks."),
        "rows": [{"name": text("Case"), "panels": [
            {"name": text("W"), "groups": 2, "values": [[1, -1], [0, 0.5]], "ranks": [[1, 1], [0, 1]]},
            {"name": text("F"), "groups": 1, "values": [[1, 0], [0, 1]], "ranks": None}]}],
    })  # fmt: skip
    _file(root / "results/figures/figure_3.json", {
        **common, "figure": "3", "form": "curves", "title": text("Balance"), "caption": text("Lines."),
        "x": text("groups"), "y": text("channels"), "mark": {"x": 2, "y": 4, "name": text("meets")},
        "series": [{"name": text("up"), "line": [[1, 2], [2, 4], [4, 8]], "points": [[2, 4]]},
                   {"name": text("down"), "line": [[1, 8], [2, 4], [4, 2]], "points": [[2, 4]]}],
    })  # fmt: skip
    rates = {"train": 100.0, "inference": 300.0, "peak_mib": None, "madds": 10_100_000}
    write_json_atomic(root / "results/bench/cpu.json", {
        "schema": 1, "kind": "bench", "hardware": text("a machine"), "gpu": False, "batch_size": 8,
        "precision": text("float32"), "models": {"one_plain": rates}, "ratios": {text("auto / eager"): 1.5},
        "code_revision": text("abc"), "environment": {},
    })  # fmt: skip
    both = {"of": "one_wide", "to": "one_plain", "runtime": "torch", "ratio": 3.0, "low": 2.5, "high": 3.25}
    write_json_atomic(root / "results/bench/latency.json", {
        "schema": 1, "kind": "latency", "hardware": text("a machine"), "threads": 1, "batch_size": 1, "rounds": 9,
        "load": None, "runtimes": ["torch"], "reference": "one_plain", "ours": ["one_wide"],
        "ms": {"one_plain": {"torch": 1.0}, "one_wide": {"torch": 3.0}, "one_lone": {"torch": 0.5}},
        "ratios": [both, {**both, "of": "one_lone", "ratio": 0.5, "low": 0.5, "high": 0.5}],
        "code_revision": text("abc"), "environment": {},
    })  # fmt: skip
    return root


def report_of(root: Path) -> tuple[Report, Sources]:
    """Return the report and the page's sources of a checkout."""
    ledger = load_ledger(root / "papers/micronet")
    settings, runs = load_settings(root)
    return build(ledger, read_evidence(root, runs), settings, read_benches(root)), read_sources(
        Paper.at(root / "papers/micronet"), ledger
    )


def dump(value: Any) -> str:
    """Return JSON as the golden files have it."""
    return json.dumps(value, indent=1, ensure_ascii=False, allow_nan=False) + "\n"
