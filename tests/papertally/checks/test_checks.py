"""Each check on a small right ledger and on the same with one thing wrong."""

from __future__ import annotations

import shutil
from dataclasses import replace
from decimal import Decimal

import pytest
from helpers import MICRONET, ROOT
from hypothesis import given, settings
from hypothesis import strategies as st

from papertally.checks import ALARMS, about, run
from papertally.checks.benchmark.synthetic import right_ledger
from papertally.checks.findings import Registry
from papertally.checks.typos import misprints, with_cell
from papertally.ledger.load import Cell, Claim, Ledger, LedgerError, Row, Table, load_ledger
from papertally.quantities.printed import parse_printed
from papertally.statements.expressions import compile_expr

RIGHT = right_ledger(3)


def alarms(ledger, *names):
    return [f for f in run(ledger, names, explain=False) if f.severity in ALARMS]


def bold(ledger: Ledger, row_id: str, column: str, on: bool) -> Ledger:
    table = ledger.tables[ledger.row(row_id).table]
    rows = tuple(
        replace(r, cells={**r.cells, column: replace(r.cells[column], bold=on)}) if r.id == row_id else r
        for r in table.rows
    )
    return replace(ledger, tables={**ledger.tables, table.id: replace(table, rows=rows)})


def claim(statement: str, expression: str) -> Claim:
    return Claim("c", "1", statement, "relation", compile_expr(expression), None, None, None)


def test_the_ledger_of_these_tests_is_right():
    assert [f for f in alarms(RIGHT) if f.check not in ("resolution", "statements")] == []


@pytest.mark.parametrize(
    ("check", "cells", "severity", "words"),
    [
        ("metric identities", {"tuned_0.top1": "99.0"}, "impossible", "top5"),
        ("metric identities", {"pose_3.AP75": "95.0"}, "impossible", "AP50"),
        ("metric identities", {"pose_3.APM": "80.0"}, "suspicious", "is not between"),
        ("metric identities", {"small_0.top1": "933.3"}, "impossible", "more than 100 %"),
        ("units", {"ours_0.params": "9.9B"}, "suspicious", "another unit"),
        ("units", {"pose_3.madds": "2450.0M"}, "suspicious", "another point"),
        ("places", {"tuned_0.top1": "55"}, "suspicious", "the others print 1 places"),
        ("outliers", {"pose_3.AP50": "60.1"}, "suspicious", "off the line"),
        ("repeats", {"grid_j2_k2.top1": "11.1"}, "impossible", "one experiment, printed 11.1"),
        ("quoted cells", {"base_0_0.top1": "11.1"}, "suspicious", "the baseline's paper prints"),
    ],
)
def test_one_wrong_cell_is_named(check, cells, severity, words):
    ledger = RIGHT
    for name, printed in cells.items():
        ledger = with_cell(ledger, name, printed)
    found = [f for f in alarms(ledger, check) if set(cells) & set(f.cells)]
    assert [f.severity for f in found][:1] == [severity]
    assert words in found[0].arithmetic


def test_the_smallest_network_of_a_real_table_is_no_slip_and_a_moved_point_of_it_is():
    """ShuffleNetV2 0.5x: 41M beside 146M, with the fewest parameters and the most errors."""
    ledger = load_ledger(ROOT / "papers/shufflenet")
    assert alarms(ledger, "units") == []
    small, large = "shufflenet_t2_shufflenetv2_0_5x", "shufflenet_t2_shufflenetv2_2_0x"
    for row, printed in ((small, "4.1M"), (small, "410G"), (large, "5.91M"), (large, "5910M")):
        found = alarms(with_cell(ledger, f"{row}.madds", printed), "units")
        assert any(f"{row}.madds" in f.cells for f in found), printed
    larger = with_cell(with_cell(ledger, f"{small}.params", "9.9M"), f"{small}.err1", "20.0")
    assert [f.cells for f in alarms(larger, "units")] == [(f"{small}.madds",)]  # nothing bears it out


def test_bold_must_be_the_best_with_its_ties():
    assert RIGHT.cell("tuned_0", "top1").bold
    moved = bold(bold(RIGHT, "tuned_0", "top1", False), "base_0_0", "top1", True)
    assert "is not the best" in alarms(moved, "bold")[0].arithmetic
    both = bold(RIGHT, "base_0_0", "top1", True)
    assert "is not the best" in alarms(both, "bold")[0].arithmetic
    none = bold(RIGHT, "tuned_0", "top1", False)
    assert "none of" in alarms(none, "bold")[0].arithmetic
    tie = with_cell(RIGHT, "base_0_0.top1", RIGHT.cell("tuned_0", "top1").printed)
    assert "too and is not bold" in alarms(tie, "bold")[0].arithmetic
    assert {f.severity for f in alarms(moved, "bold")} == {"impossible"}  # this ledger says what bold means


def test_a_group_in_bold_beats_every_other_row():
    ledger = load_ledger(MICRONET)
    assert alarms(ledger, "bold") == []
    worse = with_cell(ledger, "t8_micronet_m3.madds", "900.0M")
    assert "t8_mobilenetv2_dyconv" in alarms(worse, "bold")[0].arithmetic


def test_a_repeat_may_print_fewer_places_and_no_other_number():
    first = RIGHT.cell("ours_0", "params").printed
    finer = with_cell(RIGHT, "total_0.params", first.replace("M", "1M"))
    assert alarms(finer, "repeats") == []
    cut = with_cell(with_cell(RIGHT, "total_0.madds", "77M"), "ours_0.madds", "77.7M")
    (found,) = alarms(cut, "repeats")
    assert (found.severity, "by" in found.arithmetic) == ("undecided by rounding", True)


def test_two_experiments_that_print_one_thing_are_named_unless_a_statement_says_so():
    ledger = RIGHT
    for column in ("params", "madds", "top1", "top5"):
        ledger = with_cell(ledger, f"base_0_1.{column}", ledger.cell("base_0_0", column).printed)
    (found,) = alarms(ledger, "distinct rows")
    assert {"base_0_0.top1", "base_0_1.top1"} <= set(found.cells)
    stated = replace(ledger, claims=(claim("both agree", "base_0_0.top1 == base_0_1.top1"),))
    assert alarms(stated, "distinct rows") == []


@pytest.mark.parametrize(
    ("printed", "images", "severity"),
    [("66.7", 3, "passed"), ("66.6", 3, "undecided by rounding"), ("66.5", 3, "impossible"), ("12.5", 8, "passed"),
     ("62.5", 50_000, "not applicable")],
)  # fmt: skip
def test_a_share_of_few_images_must_be_one(printed, images, severity):
    ledger = with_cell(RIGHT, "small_0.top1", printed)
    for n in range(1, 6):
        ledger = with_cell(ledger, f"small_{n}.top1", "100.0")
    checks = ledger.checks.model_copy(
        update={"examples": [ledger.checks.examples[0].model_copy(update={"images": images})]}
    )
    found = run(replace(ledger, checks=checks), ("test set",), explain=False)
    assert found[0].severity == severity


def test_what_fifty_thousand_images_resolve():
    found = {f.subject: f for f in run(load_ledger(MICRONET), ("resolution",))}
    text = found["statement lambda_best_at_1"].arithmetic
    # 1.96 sqrt(2 * 0.517 * 0.483 / 50000) = 0.62 points; 0.001² * 50000 / 1.96² = 1.3 %
    assert "differ by 0.1; 50,000 images resolve 0.62" in text
    assert "1.3 %" in text


def test_terminal_digits_are_tested_where_there_are_enough():
    def numbers(digits: str) -> Ledger:
        rows = tuple(
            Row(f"r{i}", "1", i + 1, (f"R{i}",), (), {"top1": Cell("top1", f"{40 + i % 30}.{d}", False)}, None, None)
            for i, d in enumerate(digits)
        )
        table = Table("1", "T", "task", ("Name",), ("top1",), rows, None)
        return Ledger("2001.00001v1", "A", (), {"1": table}, (), {}, (), None, ())

    def severity(digits: str) -> str:
        return run(numbers(digits), ("terminal digits",))[0].severity

    assert severity("0123456789" * 3) == "not applicable"
    assert severity("0123456789" * 6) == "passed"
    assert severity("05" * 30) == "suspicious"


def test_statements_are_judged_part_by_part():
    a, b = RIGHT.cell("ours_0", "top1"), RIGHT.cell("base_0_0", "top1")
    gain = a.value - b.value
    right = claim(f"It gains {gain} points.", f'agrees(ours_0.top1 - base_0_0.top1, "{gain}")')
    assert alarms(replace(RIGHT, claims=(right,)), "statements", "statement numbers") == []
    off = claim(f"It gains {gain} points.", f'agrees(ours_0.top1 - base_0_0.top1, "{gain + 1}") and ours_0.top1 > 0')
    (found,) = alarms(replace(RIGHT, claims=(off,)), "statements")
    assert (found.severity, found.cells) == ("impossible", ("ours_0.top1", "base_0_0.top1"))
    near = claim("Near.", f'agrees(ours_0.top1 - base_0_0.top1, "{gain + Decimal("0.1")}")')
    assert alarms(replace(RIGHT, claims=(near,)), "statements")[0].severity == "undecided by rounding"
    about_ = claim("About.", "approx(ours_0.top1, base_0_0.top1, 0.01)")
    assert alarms(replace(RIGHT, claims=(about_,)), "statements")[0].severity == "suspicious"
    read = replace(off, reading="the gain of the first block")
    assert {f.severity for f in alarms(replace(RIGHT, claims=(read,)), "statements")} == {"suspicious"}
    words = claim("It gains 99.9 points.", right.expression.text)
    (found,) = alarms(replace(RIGHT, claims=(words,)), "statement numbers")
    assert "99.9" in found.arithmetic


@pytest.mark.parametrize(
    "text", ["small_0.top1 / (ours_0.top1 - ours_0.top1) > 1", "ours_0.top1 == True", "(ours_0.top1 > 1) == True"]
)
def test_what_cannot_be_judged_is_said(text):
    (found,) = run(replace(RIGHT, claims=(claim("Odd.", text),)), ("statements",))
    assert found.severity in ("not applicable", "undecided by rounding")


def test_a_superlative_must_not_leave_out_a_better_row():
    rows = [f"base_0_{i}.top1" for i in range(2)]
    best = claim("Ours is the best.", f"ours_0.top1 > max({', '.join(rows)})")
    (found,) = alarms(replace(RIGHT, claims=(best,)), "superlatives")
    assert "tuned_0.top1" in found.cells


@pytest.mark.parametrize("printed", ["12.4M", "58.5", "6M", "0.81B", "100.0", "7"])
def test_misprints_are_single_slips_of_printed_numbers(printed):
    found = list(misprints(printed))
    assert len({text for _, text in found}) == len(found)
    for kind, text in found:
        parse_printed(text)
        assert text != printed
        if kind == "one digit":
            assert sum(a != b for a, b in zip(text, printed, strict=True)) == 1
        if kind == "two digits swapped":
            assert sorted(text) == sorted(printed)
        if kind == "unit":
            assert text[:-1] == printed[:-1]
        if kind == "point":
            ratio = parse_printed(text).value / parse_printed(printed).value
            assert ratio in (10, Decimal("0.1"))
    if printed == "12.4M":
        assert {k for k, _ in found} == {"one digit", "two digits swapped", "unit", "point"}


def test_checks_are_registered_once_and_say_what_they_look_at():
    registry = Registry()
    registry.register("a", "looks")(lambda _: ())
    with pytest.raises(ValueError, match="'a' is registered twice"):
        registry.register("a", "again")(lambda _: ())
    assert all(about().values())
    with pytest.raises(KeyError):
        run(RIGHT, ("no such check",))


def test_checks_are_pure_and_deterministic():
    assert run(RIGHT) == run(right_ledger(3))


PRINTED = ["–", "0", "0.0", "7", "100.0", "5M", "0.5K", "99999999999999999999B", "3.14%"]


@settings(max_examples=40)
@given(
    st.lists(
        st.tuples(*[st.sampled_from(PRINTED)] * 3),
        min_size=1, max_size=9,
    ),
    st.lists(st.sampled_from(["", "✓", "1", "0.5", "J*K", "Inf", "NaN", "１"]), min_size=9, max_size=9),
)  # fmt: skip
@pytest.mark.long
def test_no_ledger_breaks_a_check(cells, labels):
    columns = ("params", "top1", "top5")
    rows = tuple(
        Row(
            f"r{i}", "1", i + 1, (labels[i],), (),
            {c: Cell(c, t, i == 0) for c, t in zip(columns, text, strict=True)}, "r0" if i == 3 else None, None,
        )
        for i, text in enumerate(cells)
    )  # fmt: skip
    table = Table("1", "T", "task", ("L",), ("params", "top1", "top5"), rows, None)
    checks = RIGHT.checks.model_validate({
        "linear": [{"table": "1", "columns": ["params", "top1"], "terms": ["L"], "because": "x"}],
        "monotone": [{"table": "1", "columns": ["params"], "along": "L", "because": "x"}],
        "examples": [{"tables": ["1"], "columns": ["top1"], "images": 7}],
        "quoted": [{"row": "r0", "source": "x", "cells": {"top1": "1.0"}}],
    })  # fmt: skip
    claims = (claim("The best gains 9.9M.", "r0.top1 > max(r0.top5, r0.params) and r0.top1 / r0.top5 < 2"),)
    for finding in run(Ledger("2001.00001v1", "A", (), {"1": table}, claims, {}, (), None, (), checks)):
        assert "\n" not in finding.arithmetic


@pytest.mark.parametrize(
    ("old", "new", "fault"),
    [
        ('- {table: "8", columns: [madds]', '- {table: "88", columns: [madds]', "no table '88'"),
        ('- {table: "8", columns: [madds]', '- {table: "8", columns: [top1]', "table 8 has no column 'top1'"),
        ("marks: group", "marks: groups", "marks"),
        ("terms: [A1, A2, A3]", "terms: [A1, A4]", "table 6 has no label column 'A4'"),
        ('terms: ["J*K"]', 'terms: ["J*L"]', "table 7 has no label column 'L'"),
        ('where: {K: "2"}', 'where: {L: "2"}', "table 7 has no label column 'L'"),
        ('along: "J"', 'along: "Q"', "table 7 has no label column 'Q'"),
        ("images: 50000", "images: 0", "out of range"),
        ("- row: t2_weightnet_8", "- row: t2_weightnet_9", "no row 't2_weightnet_9'"),
        ('top1: "66.0"}', 'AP: "66.0"}', "row 't2_weightnet_8' has no column 'AP'"),
        ('top1: "66.0"}', 'top1: "66,0"}', "'66,0' is no printed number"),
        ("[t2_mobilenetv3_0_2, ", "[t3_mobile, ", "table 2 has no row 't3_mobile'"),
        ("  quoted:", "  quotes:", "unknown key 'checks.quotes'"),
    ],
)
def test_a_fault_of_what_the_checks_are_given_is_one_error_with_file_and_line(tmp_path, old, new, fault):
    folder = tmp_path / "paper"
    shutil.copytree(MICRONET, folder, ignore=shutil.ignore_patterns("*.py", "__pycache__"))
    path = folder / "paper.yaml"
    text = path.read_text("utf-8")
    assert old in text
    path.write_text(text.replace(old, new, 1), "utf-8")
    with pytest.raises(LedgerError, match=r"paper.yaml:\d+: ") as caught:
        load_ledger(folder)
    assert fault in str(caught.value)
