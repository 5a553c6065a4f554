"""Every convention is evaluated as it is stated, one for all cells of a family, and a proof of a no is a proof."""

from __future__ import annotations

from decimal import Decimal
from itertools import product
from math import prod
from pathlib import Path

import numpy as np
import pytest
from helpers import MICRONET
from hypothesis import given, settings
from hypothesis import strategies as st

from papertally.conventions.axes import Certificate, CountingAxis, load_conventions, madds, unpriced
from papertally.conventions.vectorized import counted
from papertally.evidence.read import read_evidence
from papertally.evidence.schema import CostReading, CostValues
from papertally.ledger.load import LedgerError, load_ledger
from papertally.quantities.printed import ROUNDINGS, parse_printed
from papertally.verdicts.certificates import certificate
from papertally.verdicts.conventions import family, grid, held_out, judge, units
from papertally.verdicts.costs import CostJudge

ROOT = Path(__file__).resolve().parents[3]
CONVENTIONS = load_conventions(MICRONET, LedgerError)
COUNTINGS = prod(len(axis.values) for axis in CONVENTIONS.counting)


@pytest.fixture(scope="module")
def ledger():
    return load_ledger(MICRONET)


@pytest.fixture(scope="module")
def costs():
    return read_evidence(ROOT).cost


def by_hand(terms: dict[str, int], c: dict[str, str]) -> int:
    """Return MAdds under a convention, written out from the words of conventions.yaml."""
    total = 0
    for name, n in terms.items():
        head, _, jk = name.partition(":")
        kind, _, site = head.partition("@")
        j, k = map(int, jk.split("x")) if jk else (1, 1)
        if kind in ("conv", "fc", "head_fc"):
            total += n
        elif kind == "fc_bias":
            total += n * (c["biases"] in ("dynamic", "all"))
        elif kind in ("head_bias", "conv_bias"):
            total += n * (c["biases"] == "all")
        elif kind == "batch_norm":
            total += n * int(c["batch_norm"])
        elif kind == "pool":
            total += n * int(c["pooling"])
        elif kind == "activation":
            total += n * int(c["activation"])
        elif kind == "relu":
            among = {"none": [], "sites": ["A1", "A3"], "blocks": ["A1", "A2", "A3", "last", "body"]}
            total += n * (c["relu"] == "all" or site in among[c["relu"]])
        elif kind in ("shift_max", "dynamic_relu"):
            price = {
                "0": 0, "1": 1, "J": j, "K": k, "2K": 2 * k, "JK": j * k, "JK-1": j * k - 1,
                "max(1,JK-1)": max(1, j * k - 1), "JK+K-1": j * k + k - 1, "(J-1)K": (j - 1) * k, "2JK": 2 * j * k,
                "J+K-1": j + k - 1,
            }[c[kind]]  # fmt: skip
            if kind == "shift_max" and site in ("A2", "last"):
                price = {"same": price, "at_least_one": max(1, price), "none": 0}[c["shift_max_linear"]]
            total += n * price
    return total


names = st.sampled_from([
    "conv", "fc", "head_fc", "fc_bias", "head_bias", "conv_bias", "batch_norm", "pool", "relu@A1", "relu@A3",
    "relu@last", "relu@stem", "relu@body", "shift_max@A1:2x2", "shift_max@A2:2x1", "shift_max@last", "shift_max@A3:3x3",
    "dynamic_relu@A1:1x2", "dynamic_relu@A2", "activation@body",
])  # fmt: skip


@settings(max_examples=30, deadline=None)
@given(st.dictionaries(names, st.integers(0, 10**9)), st.integers(0, COUNTINGS - 1))
@pytest.mark.slow
def test_every_convention_is_what_it_says(terms, at):
    countings = CONVENTIONS.countings()
    assert len(countings) == COUNTINGS
    flat = counted(terms, CONVENTIONS).reshape(-1)
    for i in (at, 0, 8639):
        assert flat[i] == madds(terms, countings[i]) == by_hand(terms, countings[i])


def test_no_filed_term_counts_nothing_in_silence(costs):
    """Every kind of a filed network has an axis; one without is named beside the verdict."""
    axes = [axis.id for axis in CONVENTIONS.counting]
    assert {row: left for row, found in costs.items() if (left := unpriced(found.values.terms, axes))} == {}
    terms = {"conv": 7, "activation@A1": 5, "activation@A3": 2, "activation@fixed": 9, "head_bias": 1}
    assert unpriced(terms, ["biases"]) == {"activation": 7}
    assert unpriced(terms, ["activation"]) == {"head_bias": 1}


def test_plain_and_s_are_members_by_name():
    assert set(CONVENTIONS.members) == {"plain", "S"}
    terms = {"conv": 7, "relu@stem": 100, "shift_max@A2:1x1": 10, "shift_max@A1:2x2": 10, "fc_bias": 3}
    values = CostValues(params=1, terms=terms)
    values.add({name: member.counting for name, member in CONVENTIONS.members.items()})
    assert values.madds == {"weights": 7, "plain": 7 + 100 + 10 + 40, "S": 7 + 10 + 30 + 3}


def test_a_cell_is_judged_by_all_conventions():
    values = np.array([[[10_449_999, 10_450_000], [10_549_999, 10_550_000]]])
    found = judge(values, ("same", "one", "two"), parse_printed("10.5M"))
    assert (found.holds, found.of, found.deciding, found.verdict) == (2, 4, ("one", "two"), "depends")
    assert (found.nearest, found.units, found.low, found.high) == (10_549_999, 0.0, 10_449_999, 10_550_000)
    every = judge(np.array([10_450_000, 10_549_999]), ("one",), parse_printed("10.5M"))
    assert (every.holds, every.of, every.deciding, every.verdict) == (2, 2, (), "reproduced")
    none = judge(np.array([10_560_000, 10_700_000]), ("one",), parse_printed("10.5M"))
    assert (none.holds, none.of, none.verdict, none.cut) == (0, 2, "differs", True)
    assert (none.nearest, none.units) == (10_560_000, pytest.approx(0.1))
    masked = judge(values, ("same", "one", "two"), parse_printed("10.5M"), np.array([[[True, False], [False, True]]]))
    assert (masked.holds, masked.of, masked.verdict) == (0, 2, "differs")


@given(st.integers(1, 10**10), st.sampled_from(["6M", "2.4M", "77.7M", "0.28M", "2.90B"]))
def test_units_count_last_places_beyond_the_interval(value, printed):
    interval = parse_printed(printed)
    off = units(value, interval)
    assert (off == 0) == (interval.low <= value <= interval.high)
    edge = interval.low if value < interval.low else interval.high
    if off:
        assert Decimal(str(off)) * interval.place == pytest.approx(abs(value - edge))


def test_a_released_networks_params_stand_alone_and_its_madds_depend(ledger, costs):
    judge_of = CostJudge(ledger, read_evidence(ROOT))
    params, madds_of = judge_of.finding("t2_micronet_m1", "params"), judge_of.finding("t2_micronet_m1", "madds")
    assert (params.of, params.verdict) == (1, "reproduced")
    assert (madds_of.verdict, madds_of.holds, madds_of.of) == ("depends", 261, 2160)
    assert judge_of.finding("t1_m1", "madds") == madds_of == judge_of.finding("t2_micronet_m1_ml", "madds")
    m3 = judge_of.finding("t2_micronet_m3", "madds")  # under the conventions that give M0 and M1 as printed
    assert (m3.verdict, m3.of) == ("differs", 8352)
    assert m3.high < 31e6
    cell = ledger.cell("t4a_g1", "params")
    assert judge_of.judge(ledger.row("t4a_g1"), cell).verdict.name == "not-predicted"
    assert judge_of.judge(ledger.row("t4a_g1"), ledger.cell("t4a_g1", "madds")).verdict.name == "blocked"
    assert judge_of.span("t4a_g1", "params") is None


@pytest.mark.slow
def test_one_convention_satisfies_at_most_7_of_16_cells_of_m1(ledger, costs):
    """Counted anew, convention by convention, from the filed terms."""
    entry = next(f for f in ledger.conventions.families if f.id == "m1_ablations")
    found = family(ledger, costs, entry)
    assert (found.conventions, len(found.cells), found.best, found.ties) == (34560, 16, 7, 6)
    assert (found.members, found.never) == ({"plain": 1, "S": 6}, ())
    assert sum(found.histogram) == 34560
    best = 0
    rows = [name.partition(".")[0] for name in found.cells]
    readings = {tuple(sorted(r.structure.items())): r for r in costs["t5_dynamic_shift_max"].readings}
    assert len(readings) == 4
    countings = [c for i, c in enumerate(ledger.conventions.countings()) if i % 7 == 0]
    for k, hidden in product((1, 2), (1024, 960)):
        per_row = {row: _terms(costs[row], {"k_linear": k, "hidden": hidden}) for row in rows}
        for c in countings:
            met = sum(by_hand(terms, c) in ledger.cell(row, "madds").interval for row, terms in per_row.items())
            best = max(best, met)
    assert 5 <= best <= 7


def _terms(found, structure: dict) -> dict[str, int]:
    """Return a row's terms in a structure, of which axes that change nothing are left out in the file."""
    for reading in found.readings:
        assert isinstance(reading, CostReading)
        if all(structure[a] == v for a, v in reading.structure.items()):
            return {**found.values.terms, **reading.terms}
    return found.values.terms


def test_a_grid_reads_the_filed_structures(costs):
    over = grid(costs["t2_micronet_m2"], ["reduction", "k_linear", "hidden"], CONVENTIONS, counting=False)
    assert over.params.shape == (8, 2, 2)
    values = costs["t2_micronet_m2"].values
    assert (over.params[0, 0, 0], over.madds.reshape(-1)[0]) == (values.params, values.madds["plain"])
    assert len(set(over.params.reshape(-1).tolist())) > 20


def test_what_is_chosen_on_some_tables_fails_on_another(ledger, costs):
    found = held_out(ledger, costs, ledger.conventions.held_out[0])
    assert (found.chosen, found.of, found.tried_of) == (9, 12, 5)
    assert found.tried[2] <= found.best


class TestCertificates:
    """Table 6 is not additive, Table 7 not affine in J; their parameters are."""

    def test_the_papers_tables(self, ledger):
        found = {c.id: certificate(ledger, c) for c in ledger.conventions.certificates}
        assert {name for name, c in found.items() if c.impossible} == {
            "table_6_additive", "table_7_affine_j", "table_7_bilinear",
        }  # fmt: skip
        assert found["table_7_affine_j"].gap == 1.0
        assert "(2 × t7_j2_k2) < 24.9M, but (t7_j1_k2 + t7_j3_k2) ≥ 25.3M" in found["table_7_affine_j"].proof

    @settings(max_examples=60, deadline=None)
    @given(
        st.lists(st.lists(st.integers(0, 3), min_size=2, max_size=2), min_size=2, max_size=6),
        st.lists(st.integers(0, 50), min_size=2, max_size=2),
    )
    @pytest.mark.slow
    def test_numbers_that_a_rule_made_are_never_refuted(self, counts, prices):
        """Soundness: printed from true prices, under whichever rounding."""
        for rounding, mode in zip(ROUNDINGS, ("ROUND_HALF_UP", "ROUND_HALF_EVEN", "ROUND_DOWN"), strict=True):
            rows = {f"r{i}": c for i, c in enumerate(counts)}
            totals = [sum(Decimal(p) / 7 * n for p, n in zip(prices, c, strict=True)) for c in counts]
            printed = {f"r{i}": str(t.quantize(Decimal("0.1"), mode)) for i, t in enumerate(totals)}
            entry = Certificate(id="x", table="1", column="c", title="t", prices=["a", "b"], rows=rows)
            assert rounding in certificate(_Stub(printed), entry).feasible


class _Stub:
    """Stand for a ledger of one column."""

    def __init__(self, printed: dict[str, str]) -> None:
        self.printed = printed

    def cell(self, row: str, column: str):
        from papertally.ledger.load import Cell

        return Cell(column, self.printed[row], False)


@pytest.mark.parametrize(
    ("old", "new", "fault"),
    [
        ("values: [none, dynamic, all]", "values: [none, some]", "no value 'some'"),
        ("shift_max: JK, dynamic_relu", "shift_max: JJ, dynamic_relu", "'JJ' is no axis and value"),
        ("default: plain", "default: mine", "'mine' is none of the members"),
        ("structure: [k_linear, hidden]", "structure: [depth]", "no axis of structure 'depth'"),
        ("rows: [t3_static,", "rows: [t3_statics,", "'t3_statics' has none of its columns"),
        ("t7_j1_k2: [1, 1]", "t7_j1_k2: [1, 1, 1]", "3 counts for 2 prices"),
        ("released: [t2_micronet_m0,", "released: [t5_relu,", "'t5_relu' is none of its rows"),
    ],
)
def test_a_fault_in_the_file_is_one_line(tmp_path, old, new, fault):
    import shutil

    shutil.copytree(MICRONET, tmp_path / "papers/micronet", ignore=shutil.ignore_patterns("*.py", "__pycache__"))
    path = tmp_path / "papers/micronet/conventions.yaml"
    text = path.read_text("utf-8")
    assert old in text
    path.write_text(text.replace(old, new, 1), "utf-8")
    with pytest.raises(LedgerError, match=r"conventions.yaml:\d+: ") as caught:
        load_ledger(tmp_path / "papers/micronet")
    assert fault in str(caught.value)
    line = int(str(caught.value).split(":")[1])
    assert line > 1
    assert abs(line - 1 - text[: text.index(old)].count("\n")) <= 12  # the entry's line, or the key's


def test_an_axis_takes_known_values_only():
    with pytest.raises(ValueError, match="no value '3'"):
        CountingAxis(id="batch_norm", title="x", source="y", values=["3"])
