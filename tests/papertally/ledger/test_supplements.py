"""Quotations, the released code's differences and assumptions: what the files say is checked where it can be."""

from __future__ import annotations

import re
from collections import Counter
from decimal import Decimal

import pytest
import yaml
from helpers import MICRONET

from papertally.ledger.load import LedgerError, load_ledger
from papertally.ledger.supplements import CORRECT, OTHERWISE, UNSEEN, RawQuote, load_supplements, quoted
from pipelines.analysis.overlays import RECIPES
from pipelines.analysis.recipes import configured
from registry.blocks import WIRINGS

LEDGER = load_ledger(MICRONET)


def test_every_quoted_cell_is_judged_by_its_source():
    found = quoted(LEDGER, load_supplements(LEDGER, MICRONET).quotations)
    cells = [q for q in found if "." in q.cell and not q.cell.startswith("section")]
    assert len(cells) == 59
    assert Counter(q.verdict for q in cells) == {UNSEEN: 45, CORRECT: 13, OTHERWISE: 1}
    otherwise = next(q for q in cells if q.verdict == OTHERWISE)
    assert (otherwise.cell, otherwise.printed, otherwise.source) == ("t2_mobilenetv3_0_75.params", "2.0M", "2.4M")
    assert all(q.where and q.source for q in cells if q.verdict != UNSEEN)
    assert all(not q.where and q.reference for q in cells if q.verdict == UNSEEN)


@pytest.mark.parametrize(
    ("text", "how", "value"), [("39.7", "error", "60.3"), ("2.4", "M", "2400000"), ("42M", None, "42000000")]
)
def test_a_sources_number_in_the_papers_units(text, how, value):
    raw = {"cell": "a.top1", "text": text, **({"as": how} if how else {})}
    assert RawQuote.model_validate(raw).value == Decimal(value)


@pytest.mark.parametrize(
    ("change", "fault"),
    [
        (lambda d: d["sources"][0]["prints"][0].update(cell="t2_weightnet_8.top5"), "is printed as –"),
        (lambda d: d["sources"][0]["prints"][0].update(cell="t2_gone.top1"), "no row 't2_gone'"),
        (lambda d: d["sources"][0]["prints"][0].update(cell="t2_weightnet_8.madds"), "has two sources"),
        (lambda d: d["sources"][0].update(link="x"), "unknown key 'sources.0.link'"),
        (
            lambda d: d["sources"][0]["prints"][0].update(cell="t2_weightnet_8.nope"),
            "no column 'nope' of t2_weightnet_8",
        ),
        (lambda d: d["sources"][0]["prints"][0].update(text="1/0"), "'1/0' is no printed number"),
    ],
)
def test_malformed_quotations_are_one_line(tmp_path, change, fault):
    data = yaml.safe_load((MICRONET / "quotations.yaml").read_text("utf-8"))
    change(data)
    (tmp_path / "quotations.yaml").write_text(yaml.safe_dump(data))
    with pytest.raises(LedgerError, match=fault) as error:
        load_supplements(LEDGER, tmp_path)
    assert re.match(r"[^:]*/quotations.yaml:[0-9]+: ", str(error.value))
    assert "\n" not in str(error.value)


def test_a_ledger_without_supplements_has_none(tmp_path):
    found = load_supplements(LEDGER, tmp_path)
    assert (found.quotations.sources, found.differences, found.assumptions) == ([], (), ())


def test_what_a_difference_offers_exists():
    ways = {d.here for d in load_supplements(LEDGER, MICRONET).differences}
    assert {way.split()[1] for way in ways if way.startswith("wiring")} <= set(WIRINGS)
    assert {way.split()[1] for way in ways if way.startswith("recipe")} <= set(RECIPES)


def test_assumptions_are_what_the_configs_run_with():
    read = [a for a in load_supplements(LEDGER, MICRONET).assumptions if a.read]
    assert len(read) >= 8
    for assumption in read:
        found = configured(assumption.read, LEDGER).computed
        wanted = True if assumption.read.equals is not None else assumption.value
        assert found == wanted, assumption.id
