"""papertally new: every format gives a valid ledger, and what cannot be read is named, never guessed."""

from __future__ import annotations

import os
from decimal import Decimal
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from papertally.checks import run
from papertally.cli import main
from papertally.ledger.load import load_ledger
from papertally.tables.markdown import read_markdown

SHARED = Path(os.environ.get("MICRONET_SHARED", "")) / "data/tables"
LATEX = r"""
\newcommand{\std}[1]{{\scriptsize$\pm$#1}}
\newcommand{\best}[1]{\textbf{#1}}
\def\ours{OurNet}
\begin{table}[t]\caption{Table of \textbf{ImageNet}~\cite{x}.}\label{t}
\begin{tabular}{@{}l|cc>{\bf}c@{}}
\toprule
\multirow{2}{*}{Model} & \multicolumn{2}{c}{Cost} & Top-1 (\%)$\uparrow$ \\ \cmidrule(lr){2-3}
 & MACs (M) & \#Params [K] & \\
\midrule
\multicolumn{4}{l}{\emph{Small nets}} \\
\rowcolor{gray!10} \ours\ $0.5\times$ & 1{,}582 & 1\,400 & \best{76.5}\std{0.2} \\
ResNet-50$^\dagger$~\cite{he} & -- & $25.6\times10^{3}$ & \cellcolor{red}75.1$_{\pm0.3}$ \\ % a comment & no cell
\multicolumn{4}{l}{Large nets} \\
\begin{tabular}[c]{@{}l@{}}Mobile\\Net\end{tabular} & \makecell{582} & 4,200 & {\bf 70.1} (+1.2) \\
\bottomrule
\end{tabular}\end{table}
"""
HTML = """<h2>Results</h2><table><thead><tr><th rowspan="2">Model</th><th colspan="2">Latency, ms</th></tr>
<tr><th>Pixel 1</th><th>V100</th></tr></thead>
<tr><td>A<sup>a</sup></td><td>138.0 ms</td><td><b>1.5</b></td></tr>
<tr><td rowspan=2>B</td><td>&ndash;</td><td>2.5<sup>1</sup></td></tr><tr><td>12</td><td>OOM</td></tr></table>"""
#: As converters write PDFs: no outer pipes, a separator of another width, the head again on the next page, HTML within.
CONVERTED = r"""
**Table 3.** Comparison with $\alpha$ others

 Model | MAdds | Top-1 err. | Top-5 err.
| :-- | --- |
| A<br>small | 12M | 30.5 $\pm$ 0.2 | 11.0 |
| **B** | **0.582G** | **29.1** | - |

| Model | MAdds | Top-1 err. | Top-5 err. |
| C | ≈ 300M | 28 (1.2) | n/a |

<table><tr><td><b>Model</b></td><td><b>mIoU (%)</b></td></tr><tr><td>D</td><td>75.0 &plusmn; 0.3</td></tr></table>
"""
CSV = "Model;Params (M);Acc. (%)\nA;1,4;75,25\nB;12,5;76,5\n"


def new(tmp_path: Path, text: str, suffix: str, *words: str) -> tuple[int, Path]:
    (tmp_path / f"table{suffix}").write_text(text, "utf-8")
    folder = tmp_path / "ledger"
    code = main(["new", "my_paper", "--from", str(tmp_path / f"table{suffix}"), "--path", str(folder), *words])
    return code, folder


def cells(folder: Path) -> dict[str, list[str]]:
    return {" ".join(row.labels): [c.printed for c in row.cells.values()] for row in load_ledger(folder).rows.values()}


def test_latex_with_spans_macros_groups_and_uncertainties(tmp_path, capsys):
    code, folder = new(tmp_path, LATEX, ".tex")
    assert code == 0
    ledger = load_ledger(folder)
    table = ledger.tables["1"]
    assert table.title == "Table of ImageNet ."
    assert table.label_columns == ("Group", "Model")
    assert table.columns == ("madds", "params", "top1")
    ours, theirs, last = table.rows
    assert ours.labels == ("Small nets", "OurNet 0.5×")
    assert ours.cells["madds"].value == 1_582_000_000
    assert ours.cells["params"].value == 1_400_000
    assert ours.cells["top1"].bold
    assert (ours.cells["top1"].value, ours.cells["top1"].error) == (Decimal("76.5"), Decimal("0.2"))
    assert theirs.marks == ("†",)
    assert not theirs.cells["madds"].numeric
    assert theirs.cells["params"].value == 25_600_000
    assert last.labels == ("Large nets", "Mobile Net")
    assert last.cells["top1"].value == Decimal("70.1")
    assert "to mend" not in capsys.readouterr().out


def test_html_with_spans_and_measured_columns(tmp_path):
    code, folder = new(tmp_path, HTML, ".html")
    assert code == 0
    table = load_ledger(folder).tables["1"]
    assert table.title == "Results"
    assert [(c.kind, c.unit, c.device, c.better) for c in table.about.values()] == [
        ("measured", "ms", "Pixel 1", "lower"), ("measured", "ms", "V100", "lower"),
    ]  # fmt: skip
    first, second, third = table.rows
    assert first.cells[table.columns[0]].value == Decimal("0.138")
    assert first.cells[table.columns[1]].bold
    assert second.labels == third.labels == ("B",)
    assert second.id != third.id
    assert second.cells[table.columns[1]].value == Decimal("0.0025")
    assert not third.cells[table.columns[1]].numeric


def test_markdown_as_converters_write_it(tmp_path, capsys):
    code, folder = new(tmp_path, CONVERTED, ".md")
    assert code == 0
    ledger = load_ledger(folder)
    assert list(ledger.tables) == ["1", "3"]
    assert ledger.tables["3"].title.startswith("Table 3. Comparison with α")
    assert cells(folder) == {
        "A small": ["12M", "30.5 ± 0.2", "11.0"], "B": ["0.582G", "29.1", "-"], "C": ["≈ 300M", "?", "n/a"],
        "D": ["75.0 ± 0.3"],
    }  # fmt: skip
    assert [c.better for c in ledger.tables["3"].about.values()] == ["lower"] * 3
    out = capsys.readouterr().out
    assert 'to mend: table.md:10: "28 (1.2)" (my_paper_t3_c.err1)' in out
    assert [f.arithmetic[:11] for f in run(ledger, ["unread"])] == ["table.md:10"]
    assert main(["check", "--path", str(folder)]) == 0
    assert main(["ledger", "claims", "--path", str(folder)]) == 0


def test_csv_with_decimal_commas(tmp_path):
    code, folder = new(tmp_path, CSV, ".csv")
    assert code == 0
    assert cells(folder) == {"A": ["1.4", "75.25"], "B": ["12.5", "76.5"]}
    assert load_ledger(folder).cell("my_paper_t1_b", "params").value == 12_500_000


def test_columns_that_nobody_names_are_not_guessed(tmp_path, capsys):
    text = "| Method | Foo | Depth | Params |\n|---|---|---|---|\n| A | 1.5 | 50 | 25.6 |\n| B | 2.5 | 101 | 44.5 |\n"
    code, folder = new(tmp_path, text, ".md")
    assert code == 0
    table = load_ledger(folder).tables["1"]
    assert table.label_columns == ("Method", "Depth")
    assert table.about["value_foo"].better is None
    assert "no unit is printed: 25.6 of what?" in capsys.readouterr().out


def test_error_rates_are_told_by_top5_below_top1(tmp_path):
    text = "| Model | Top-1 | Top-5 |\n|---|---|---|\n| A | **25.0** | 7.6 |\n| B | 30.6 | 11.1 |\n"
    _, folder = new(tmp_path, text, ".md")
    ledger = load_ledger(folder)
    assert ledger.tables["1"].columns == ("err1", "err5")
    assert [f.severity for f in run(ledger, ["bold", "metric identities"])] == ["passed", "passed"]
    path = folder / "tables/table_01.yaml"
    path.write_text(path.read_text("utf-8").replace('"30.6"', '"20.6"'), "utf-8")
    assert run(load_ledger(folder), ["bold"])[0].severity == "suspicious"


def test_tables_side_by_side_transposed_and_of_two_numbers_a_cell(tmp_path):
    beside = "| Model | Top-1 | Model | Top-1 |\n|---|---|---|---|\n| A | 75.0 | B | 76.0 |\n| C | 70.0 | | |\n"
    _, folder = new(tmp_path, beside, ".md")
    assert cells(folder) == {"A": ["75.0"], "C": ["70.0"], "B": ["76.0"]}
    turned = "| | NetA | NetB |\n|---|---|---|\n| Params | 1M | 2M |\n| Top-1 | 70.5 | 71.5 |\n"
    (tmp_path / "b").mkdir()
    _, folder = new(tmp_path / "b", turned, ".md")
    assert cells(folder) == {"NetA": ["1M", "70.5"], "NetB": ["2M", "71.5"]}
    pairs = "| Model | Top-1 / Top-5 (%) |\n|---|---|\n| A | 75.0 / 92.1 |\n| B | 76.0 / - |\n"
    (tmp_path / "c").mkdir()
    _, folder = new(tmp_path / "c", pairs, ".md")
    assert cells(folder) == {"A": ["75.0", "92.1"], "B": ["76.0", "-"]}


@pytest.mark.parametrize(
    ("name", "file", "fault"),
    [
        ("My-Paper", "t.md", "is no name of a ledger"),
        ("my_paper", "t.pdf", "is none of .md"),
        ("my_paper", "none.md", "No such file"),
        ("my_paper", "empty.md", "no table in it"),
        ("my_paper", "words.md", "no table in it"),
        ("my_paper", "latin.md", "not UTF-8"),
    ],
)
def test_what_cannot_be_read_is_one_line_and_leaves_nothing(tmp_path, capsys, name, file, fault):
    (tmp_path / "t.md").write_text("| Model | Top-1 |\n|---|---|\n| A | 75.0 |\n", "utf-8")
    (tmp_path / "t.pdf").write_bytes(b"%PDF")
    (tmp_path / "empty.md").write_text("", "utf-8")
    (tmp_path / "words.md").write_text("| Model | Text |\n|---|---|\n| A | words |\n", "utf-8")
    (tmp_path / "latin.md").write_bytes("| Modèle | Top-1 |".encode("latin-1"))
    before = sorted(p.name for p in tmp_path.iterdir())
    assert main(["new", name, "--from", str(tmp_path / file), "--path", str(tmp_path / "out")]) == 1
    error = capsys.readouterr().err
    assert (error.count("\n"), error.startswith("error: ")) == (1, True)
    assert fault in error
    assert sorted(p.name for p in tmp_path.iterdir()) == before


def test_a_ledger_that_is_there_is_not_overwritten(tmp_path, capsys):
    assert new(tmp_path, CSV, ".csv")[0] == 0
    assert new(tmp_path, CSV, ".csv")[0] == 1
    assert "is there already" in capsys.readouterr().err


@given(st.text("|-: \n\t*`<>/tablerd&;\\{}$%1.5M±–()[]#A", max_size=200))
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_no_text_breaks_the_reader(text):
    read_markdown(text)


@pytest.mark.skipif(not SHARED.is_dir(), reason="MICRONET_SHARED names no folder with data/tables")
@pytest.mark.parametrize(
    ("file", "tables", "numbers"),
    [
        ("domainbed_results.tex", 24, 1932), ("shufflenet_series.md", 7, 159), ("weightnet.md", 2, 48),
        ("coreml_mobilenet_v2_html.md", 1, 186),
    ],
)  # fmt: skip
def test_real_tables(tmp_path, file, tables, numbers):
    path = tmp_path / "ledger"
    assert main(["new", "real", "--from", str(SHARED / file), "--metric", "acc", "--path", str(path)]) == 0
    ledger = load_ledger(path)
    assert (len(ledger.tables), sum(1 for _ in ledger.cells())) == (tables, numbers)
    assert not any(f.severity == "impossible" for f in run(ledger))
    assert not run(ledger, ["unread"])
    assert all(f.severity == "passed" for f in run(ledger, ["averages"]))
