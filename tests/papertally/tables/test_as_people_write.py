"""Cells and heads as people write them become the number that is meant, or a line to mend, and no other number."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from papertally.checks import run
from papertally.checks.typos import misprints
from papertally.cli import main as paper
from papertally.ledger.load import Ledger, load_ledger
from papertally.quantities.printed import parse_printed
from papertally.tables.heads import read_head
from papertally.tables.normalize import is_link, marks_of


def made(folder: Path, text: str, name: str = "t.md") -> Ledger:
    """Return the ledger of a text's tables."""
    (folder / name).write_text(text, "utf-8")
    assert paper(["new", "mine", "--from", str(folder / name), "--path", str(folder / "mine")]) == 0
    return load_ledger(folder / "mine")


MEANT = [
    ("1.5 GFLOPs", "1500000000"), ("1.5·10^9", "1500000000"), ("12.5 ± 0.3 ms", "0.0125"), ("71.2 (±0.4%)", "71.2"),
    ("12.3 (±0.4)", "12.3"), ("~1e9", "1000000000"), ("−1.2", "-1.2"), ("1.2M (+0.1M)", "1200000"), ("78.1†", "78.1"),
    ("1\u2009234", "1234"), ("78.1 (↑1.2)", "78.1"), ("0.5 ± 0.1 M", "500000"), ("7500 us", "0.0075"),
]  # fmt: skip
REFUSED = [
    ("3,5", "decimal point"), ("<5", "a bound"), ("≥ 10", "a bound"), ("10⁶", "a power"), ("2¹⁰", "a power"),
    ("1:30", "expected digits"), ("1e3e4", "expected digits"), ("1.234.567", "expected digits"), ("1 234", "expected"),
    ("78.1 (0.2)", "as ±"), ("12.5 ms ± 300 us", "in another unit"), ("1.2m", "a magnitude"),
    ("3 billion", "a magnitude"),
    ("0x12", "expected digits"), ("1.2M/2.4M", "expected digits"), ("７８．１", "expected digits"),
    ("∞", "expected"),
]  # fmt: skip


@pytest.mark.parametrize(("text", "value"), MEANT)
def test_a_number_is_what_is_meant(text, value):
    assert parse_printed(text).value == Decimal(value)


@pytest.mark.parametrize(("text", "why"), REFUSED)
def test_what_could_be_another_number_is_refused(text, why):
    with pytest.raises(ValueError, match=why):
        parse_printed(text)


@given(st.sampled_from([*(t for t, _ in MEANT), "1,234.5", "3–5", "2.40M", "0.582G", "33%", "76.5 ± 0.2"]))
def test_a_misprint_is_a_number_again(text):
    assert all(parse_printed(edited) for _, edited in misprints(text))


def test_a_column_is_in_units_of_one_kind(tmp_path, capsys):
    rows = "|a|12.5 ms|71.0|\n|b|33 FPS|72%|\n|c|12|3pp|\n|d|9 ms|70.0|\n"
    ledger = made(tmp_path, f"|M|Latency|Top-1|\n|-|-|-|\n{rows}")
    told = capsys.readouterr().out
    assert [row.cells["latency"].printed for row in ledger.rows.values()] == ["12.5 ms", "?", "?", "9 ms"]
    assert [row.cells["top1"].printed for row in ledger.rows.values()] == ["71.0", "72%", "?", "70.0"]
    assert told.count("most of the column is in a unit of time") == 2
    path = tmp_path / "mine/tables/table_01.yaml"
    path.write_text(path.read_text("utf-8").replace('"12.5 ms"', '"12.5"'), "utf-8")
    assert paper(["ledger", "--path", str(tmp_path / "mine")]) == 1
    assert "table_01.yaml:22: column latency" in (err := capsys.readouterr().err)
    assert '"9 ms" and "12.5" are of different units; state the column\'s `unit`' in err


def test_links_name_no_row_and_a_printed_input_is_the_rows(tmp_path):
    ledger = made(
        tmp_path,
        "|name|resolution|acc@1|#params|FLOPs|model|log|\n|-|-|-|-|-|-|-|\n"
        "|A|224x224|82.1|28M|4.5G|[model](https://x.y/a)|[github](a)/[baidu](b)|\n"
        "|A|384×384|85.1|28M|13.1G|[model](https://x.y/b)|-|\n",
    )
    table = ledger.tables["1"]
    assert table.label_columns == ("name", "resolution")
    assert list(ledger.rows) == ["mine_t1_a_224x224", "mine_t1_a_384x384"]
    assert [row.input for row in table.rows] == [(3, 224, 224), (3, 384, 384)]
    assert all(map(is_link, ("model", "github/baidu", "config | log", "[ckpt]")))
    assert not any(map(is_link, ("ResNet", "model A", "82.1", "code-davinci", "")))


def test_a_bold_line_names_the_next_table(tmp_path):
    ledger = made(
        tmp_path,
        "## Results\n\n**COCO detection:**\n\n|M|mAP<sup>val<br>0.5:0.95|\n|-|-|\n|a|40.5|\n|b|46.9|\n\n"
        "<details>\n<summary>Older</summary>\n\n"
        "|M|mIoU|mIoU (ms+flip)|\n|-|-|-|\n|a*|40.5|41.0|\n|c++*|46.9|47|\n",
    )
    assert [t.title for t in ledger.tables.values()] == ["Results: COCO detection", "Results: Older"]
    assert ledger.tables["1"].columns == ("AP",)
    assert ledger.tables["2"].columns == ("miou", "miou_ms_plus_flip")
    assert marks_of("HTC++*") == ("HTC++", ["*"])


def test_a_measured_head_over_what_cannot_be_read_is_told(tmp_path, capsys):
    ledger = made(tmp_path, "|M|Top-1|mIoU|AP|\n|-|-|-|-|\n|a|71.0|1/2/3|row 5|\n|b|72.0|4/5/6|row 6|\n")
    told = capsys.readouterr().out
    assert '"AP": most cells are no numbers' in told
    assert told.count(".miou): ") == 2
    assert [row.cells["miou"].printed for row in ledger.rows.values()] == ["?", "?"]


def test_decimal_commas_are_points_where_nothing_else_is_a_point(tmp_path):
    text = "M;Params;Top-1;Latency (ms)\nA;5,3 M;77,1 ± 0,1;12,5\nB;7,8 M;79,1;1.234,5\n"
    (tmp_path / "t.csv").write_text(text, "utf-8")
    assert paper(["new", "mine", "--from", str(tmp_path / "t.csv"), "--path", str(tmp_path / "mine")]) == 0
    ledger = load_ledger(tmp_path / "mine")
    found = [[c.printed for c in row.cells.values()] for row in ledger.rows.values()]
    assert found == [["5.3 M", "77.1 ± 0.1", "12.5"], ["7.8 M", "79.1", "1234.5"]]
    assert "written as points" in (tmp_path / "mine/tables/table_01.yaml").read_text("utf-8")


def test_hyphens_that_do_not_break_are_hyphens():
    assert read_head(["Top\u20111 acc. (%)"]).measures == "top1"


@pytest.mark.parametrize(
    ("cells", "severity", "words"),
    [
        (("71.0", "-5.0", "72.0"), "impossible", "-5.0 is a share below 0"),
        (("71.0", "0.725", "72.0"), "suspicious", "0.725 of 3 numbers: a fraction among percents"),
        (("71.0", "171.0", "72.0"), "impossible", "more than 100"),
    ],
)
def test_a_share_that_cannot_be_is_found(tmp_path, cells, severity, words):
    rows = "".join(f"|m{i}|{cell}|\n" for i, cell in enumerate(cells))
    found = run(made(tmp_path, f"|M|Top-1 (%)|\n|-|-|\n{rows}"))
    assert any(f.severity == severity and words in f.arithmetic for f in found)


def test_no_cost_and_no_measurement_is_below_nothing(tmp_path):
    found = run(made(tmp_path, "|M|FLOPs (M)|Latency (ms)|\n|-|-|-|\n|a|-3|5|\n|b|40|-6|\n|c|41|7|\n"))
    said = [f.arithmetic for f in found if f.severity == "suspicious"]
    assert "-3: a cost below nothing" in said
    assert "-6 is a measurement below 0" in said
