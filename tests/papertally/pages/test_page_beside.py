"""Runs that decide nothing, variants and reported ones, stand in a dossier with their files and change no verdict."""

from __future__ import annotations

import json

import pytest
import synthetic

from papertally.evidence.checksum import seal
from papertally.pages.page import build_page

VARIANT = {"origin": "mim", "differs": ["optim_wrapper.optimizer.lr: 0.1 here, 0.2 in the row's config"]}
DATA = {"name": "x", "pin": "not seen"}
REPORTED = {"origin": "reported", "fingerprint": {}, "seed": None, "params": {}, "data": DATA}


@pytest.mark.parametrize(
    ("profile", "changes", "told"),
    [
        ("paper", VARIANT, "a variant (optim_wrapper.optimizer.lr: 0.1 here, 0.2 in the row's config): 99.00"),
        ("paper", REPORTED, "reported elsewhere: 99.00"),
        ("mini", VARIANT, "a variant (optim_wrapper.optimizer.lr: 0.1 here, 0.2 in the row's config): 99.00"),
    ],
)
def test_a_run_that_decides_nothing_is_shown(tmp_path, profile, changes, told):
    root = synthetic.write(tmp_path)
    before = synthetic.report_of(root)[0].verdict_map()
    path = next((root / "results" / profile).glob("one_wide.*json" if profile == "paper" else "one_plain.json"))
    data = {**json.loads(path.read_text()), **changes, "values": {"top1": 99.0}}
    row = data["row"]
    other = path.with_name(f"{row}.beside.json")
    other.write_text(json.dumps(seal({k: v for k, v in data.items() if k != "digest"})))
    report, sources = synthetic.report_of(root)
    assert report.verdict_map() == before
    assert len(report.problems) == 1  # the toy's own
    page = build_page(report, sources, "")
    dossier = next(d for t in page.tables for d in t.dossiers if d.id == f"{row}.top1")
    (fact,) = (f for f in dossier.facts if f.term == "Beside them, never judged")
    (value,) = fact.values
    assert value.text.startswith(told)
    assert value.href.endswith(f"results/{profile}/{row}.beside.json")
