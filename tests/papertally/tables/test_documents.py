"""Documents as people have them: many files, archives, what is not printed, and what converters make of tables."""

from __future__ import annotations

import io
import tarfile

import pytest

from papertally.ledger.load import LedgerError
from papertally.tables.build import write_tables
from papertally.tables.command import main as new
from papertally.tables.documents import read_source, tables_of
from papertally.tables.html import read_html
from papertally.tables.latex import read_latex
from papertally.tables.markdown import read_markdown

HEAD = r"Method & Top-1 & AP \\ \midrule" + "\n"


def tabular(*rows, head=HEAD):
    return "\\begin{tabular}{lcc}\n" + head + "\n".join(rows) + "\n\\end{tabular}\n"


def cells(grids):
    """Return {row's name: its cells} of all tables, and what was told."""
    import yaml

    written, lost = write_tables(grids, "x", "", "", "paper")
    rows = {row["labels"][-1]: row["cells"] for table in written for row in yaml.safe_load(table.text)["rows"]}
    return rows, [u for table in written for u in table.unread] + lost


def test_files_are_put_together_and_lines_are_those_of_their_own_file(tmp_path):
    (tmp_path / "tables").mkdir()
    (tmp_path / "main.tex").write_text(
        "\\documentclass{article}\\usepackage{own}\n\\begin{document}\n\\input{tables/a}\n\\include{tables/b}\n"
        "\\input{tables/gone}\n\\end{document}\n" + tabular(r"Never & 1.0 & 2.0 \\", r"Printed & 1.0 & 2.0 \\")
    )
    (tmp_path / "own.sty").write_text("\\newcommand{\\mh}[1]{Net-#1}\n")
    (tmp_path / "tables" / "a.tex").write_text("\n" + tabular(r"\mh{A} & 71.9 & 40.1 \\", r"\mh{B} & x.x & 41.5 \\"))
    (tmp_path / "tables" / "b.tex").write_text(tabular(r"\mh{C} & 73.5 & 42.1 \\", r"\mh{D} & 74.2 & 43.5 \\"))
    source = tables_of(tmp_path / "main.tex")
    assert [(g.file, g.line) for g in source.grids] == [("tables/a.tex", 2), ("tables/b.tex", 1)]
    rows, told = cells(source.grids)
    assert rows == {
        "Net-A": ["71.9", "40.1"], "Net-B": ["?", "41.5"], "Net-C": ["73.5", "42.1"], "Net-D": ["74.2", "43.5"],
    }  # fmt: skip
    assert [(u.file, u.line, u.text) for u in told] == [("tables/a.tex", 5, "x.x")]
    assert [(u.text, u.line) for u in source.unread] == [("tables/gone", 5)]
    assert [g.file for g in tables_of(tmp_path).grids] == ["tables/a.tex", "tables/b.tex"]
    held = io.BytesIO()
    with tarfile.open(fileobj=held, mode="w:gz") as archive:
        archive.add(tmp_path / "main.tex", "main.tex")
        archive.add(tmp_path / "tables" / "a.tex", "tables/a.tex")
    (tmp_path / "2011.12289.tar.gz").write_bytes(held.getvalue())
    assert [g.file for g in tables_of(tmp_path / "2011.12289.tar.gz").grids] == ["tables/a.tex"]


def test_a_file_outside_the_paper_and_a_circle_are_not_followed(tmp_path):
    (tmp_path / "secret.tex").write_text(tabular(r"A & 1.0 & 2.0 \\", r"B & 1.0 & 2.0 \\"))
    (tmp_path / "paper").mkdir()
    (tmp_path / "paper" / "main.tex").write_text("\\input{../secret}\n\\input{main}\n")
    source = read_source(tmp_path / "paper" / "main.tex")
    assert source.grids == []
    assert source.unread[0].text == "../secret"
    (tmp_path / "paper" / "bad.tar.gz").write_bytes(b"no archive")
    with pytest.raises(LedgerError, match="bad.tar.gz: no readable archive"):
        read_source(tmp_path / "paper" / "bad.tar.gz")


def test_what_is_not_printed_is_not_read():
    hidden = tabular(r"Never & 1.0 & 2.0 \\", r"Printed & 3.0 & 4.0 \\")
    source = (
        "\\begin{document}\n\\iffalse\n" + hidden + "\\ifdraft x\\fi\\else\n"
        + tabular(r"A & 71.9 & 40.1 \\", "% B & 1.0 & 2.0 \\\\", r"\iffalse C & 1 & 2 \\", r"\fi D & 72.5 & 41.0 \\")
        + "\\fi\n\\begin{comment}\n" + hidden + "\\end{comment}\n\\begin{verbatim}\n" + hidden
        + "\\end{verbatim}\n\\end{document}\n" + hidden
    )  # fmt: skip
    assert cells(read_latex(source))[0] == {"A": ["71.9", "40.1"], "D": ["72.5", "41.0"]}
    pipes = "| Method | Top-1 |\n|---|---|\n| A | 71.9 |\n| B | 72.5 |\n"
    assert len(read_markdown(f"<!--\n{pipes}\n-->\n\n{pipes}")) == 1


@pytest.mark.parametrize(
    ("cell", "printed"),
    [
        (r"58.1\(^1\)", "58.1¹"), (r"\(\mathbf{61.2 \pm 0.3}\)", "61.2 ± 0.3"),
        (r"\multirowcell{2}{\textbf{80.73}±2.64}", "80.73±2.64"), (r"\SI{71.2}{\percent}", "71.2 %"),
        (r"71.2\parencite{3}", "71.2"), (r"\tikzmark{1}71.2", "71.2"), (r"\best{71.2}", "71.2"),
        (r"57.1 (--1.7)", "57.1 (–1.7)"), (r"\num[round-mode=places,round-precision=1]{71.2345}", "71.2"),
        (r"\phantom{1}8.75", "8.75"), (r"80.2 {\tiny$\downarrow$0.8}", "80.2 ↓0.8"), (r"\pair{71}{3}", "71 ± 3"),
        (r"\num{49.82(12)}", "49.82 ± 0.12"),
    ],
)  # fmt: skip
def test_a_number_is_read_as_it_is_printed(cell, printed):
    own = "\\NewDocumentCommand{\\pair}{m m}{#1 $\\pm$ #2}\n"
    rows, told = cells(read_latex(own + tabular(rf"A & {cell} & 40.1 \\", r"B & 70.5 & 41.0 \\")))
    assert (rows["A"][0], told) == (printed, [])


@pytest.mark.parametrize(
    "cell", [r"\heat{45}{71.2}", r"\gone{7}71.2", r"$71_{3}$", r"71{\tiny 3}", r"71.2\textsubscript{3}"]
)
def test_a_number_that_is_not_sure_is_refused_with_its_line(cell):
    rows, told = cells(read_latex(tabular(rf"A & {cell} & 40.1 \\", r"B & 70.5 & 41.0 \\")))
    assert rows["A"][0] == "?"
    assert [u.line for u in told] == [3]


def test_macros_that_hold_cells_and_rows_are_opened_first():
    own = "\\newcommand{\\headrow}{Method & Top-1 & AP \\\\ \\midrule}\n\\newcommand{\\res}[3]{#1 & #2 & $#3$ \\\\}\n"
    source = own + tabular(r"\res{A}{71.9}{40.1}", r"\res{B}{72.5}{41.0}", head="\\headrow\n")
    assert cells(read_latex(source))[0] == {"A": ["71.9", "40.1"], "B": ["72.5", "41.0"]}


@pytest.mark.parametrize("rule", ["\\toprule", "\\cmidrule(lr){2-3}", "\\shline", ""])
def test_rows_with_numbers_are_no_head(rule):
    source = tabular(r"A & 71.9 & 40.1 \\", r"B & 72.5 & 41.0 \\ \midrule", r"Ours & 73.0 & 42.0 \\",
                     head=r"Method & Top-1 & AP \\ " + rule + "\n")  # fmt: skip
    assert set(cells(read_latex(source))[0]) == {"A", "B", "Ours"}


def formula(tex, printed):
    annotations = f'<annotation-xml><cn>{printed}</cn></annotation-xml><annotation encoding="application/x-tex">{tex}'
    return f"<math><semantics>{printed}{annotations}</annotation></semantics></math>"


@pytest.mark.parametrize(
    ("cell", "printed"),
    [
        ('<math alttext="582"><mn>582</mn><annotation encoding="application/x-tex">582</annotation></math>', "582"),
        (formula("45.5^{1}", "<mn>45.5</mn>"), "45.5¹"),
        ("<math><msup><mn>45.5</mn><mn>1</mn></msup></math>", "45.5¹"),
        ("45.5<math><msup><mrow></mrow><mn>1</mn></msup></math>", "45.5¹"),
        ("<math><mn>70.1</mn><msub><mi></mi><mrow><mo>±</mo><mn>0.4</mn></mrow></msub></math>", "70.1 ±0.4"),
        ("<table><tr><td>580</td></tr></table>", "580"),
        ('<span style="visibility:hidden">1</span>8.75', "8.75"),
        ('<span class="ltx_phantom">1</span>8.75', "8.75"),
        ('<span class="katex"><math><mn>71</mn></math><span class="katex-html"><span>71</span></span></span>', "71"),
        ("− 0.35", "−0.35"), ("1,\u2005024", "1,024"),
    ],
)  # fmt: skip
def test_html_cells_are_read_as_they_are_printed(cell, printed):
    source = (
        f"<div><table><tr><th>Method</th><th>AP</th><th>Top-1</th></tr><tr><td>A</td><td>{cell}</td><td>70.1</td></tr>"
        "<tr><td>B</td><td>40.5</td><td>71.0</td></tr></table></div>"
    )
    rows, told = cells(read_html(source))
    assert (rows["A"][0], told) == (printed, [])


def test_captions_below_spans_as_tables_and_bold_of_latexml():
    def row(*said):
        return '<span class="ltx_tr">' + "".join(f'<span class="ltx_td">{t}</span>' for t in said) + "</span>"

    bold = '<span class="ltx_text ltx_font_bold">71.9</span>'
    table = f'<span class="ltx_tabular">{row("Method", "Top-1")}{row("A", bold)}{row("B", "70.1")}</span>'
    source = f"<figure><p>{table}</p><figcaption>Table 3: ImageNet.</figcaption></figure>"
    (grid,) = read_html(source)
    assert grid.caption == "Table 3: ImageNet."
    assert [p.bold for row in grid.rows for p in row] == [False, False, False, True, False, False]


FORMS = {
    "simple": """
  Method     Top-1     AP
  -------- ------- ------
  A           71.9   40.1
  B           72.5   41.0
""",
    "multiline": """
-------------------------
 Method     Top-1     AP
-------- ------- ------
 A          71.9   40.1

 B          72.5   41.0
-------------------------
""",
    "grid": """
+--------+-------+------+
| Method | Top-1 | AP   |
+========+=======+======+
| A      | 71.9  | 40.1 |
+--------+-------+------+
| B      | 72.5  | 41.0 |
+--------+-------+------+
""",
    "ascii": """
+--------+-------+------+
| Method | Top-1 | AP   |
+--------+-------+------+
| A      | 71.9  | 40.1 |
| B      | 72.5  | 41.0 |
+--------+-------+------+
""",
    "rich": """
┏━━━━━━━━┳━━━━━━━┳━━━━━━┓
┃ Method ┃ Top-1 ┃ AP   ┃
┡━━━━━━━━╇━━━━━━━╇━━━━━━┩
│ A      │ 71.9  │ 40.1 │
│ B      │ 72.5  │ 41.0 │
└────────┴───────┴──────┘
""",
    "ampersands": """
::: tabularx
0.9lYY Method & Top-1 & AP\\
A & 71.9 & 40.1\\
B & 72.5 & 41.0\\
:::
""",
    "tabs": "Method\tTop-1\tAP\nA\t71.9\t40.1\nB\t72.5\t41.0\n",
    "stacked": """
| 0 | 1 | 2 |
|---|---|---|
| | Table 1: Results. | |
| Method | Top-1 | AP |
| A | 71.9 | 40.1 |
| B | 72.5 | 41.0 |
""",
}


@pytest.mark.parametrize("form", FORMS)
def test_tables_that_text_draws_are_read(form):
    rows, told = cells(read_markdown("# Results\n\n" + FORMS[form] + "\nText.\n"))
    assert (rows, told) == ({"A": ["71.9", "40.1"], "B": ["72.5", "41.0"]}, [])


def test_what_has_no_head_or_no_borders_is_told():
    unread = []
    grids = read_markdown("| A | 71.9 | 40.1 |\n|---|---|---|\n| B | 72.5 | 41.0 |\n\nC 71.9 40.1 3.3\n", unread)
    rows, told = cells(grids)
    assert rows == {}
    assert ["without a head" in u.why for u in told] == [True]
    assert [u.line for u in unread] == [5]


def test_the_command_says_what_it_read(tmp_path, capsys):
    for name in ("a", "b"):
        text = "| Method | Epochs | Top-1 |\n|---|---|---|\n| A | 300 | 71.9 |\n| B | 90 | 72.5 |\n"
        (tmp_path / f"{name}.md").write_text(text)
    files = [str(tmp_path / "a.md"), str(tmp_path / "b.md")]
    assert new(["x", "--from", *files, "--path", str(tmp_path / "x")]) == 0
    out = capsys.readouterr().out.splitlines()
    assert out[1] == (
        "table 1 (a.md:1): 2 rows x 1 columns, 2 numbers; labels: Method (it names the rows), "
        "Epochs (its head names a setting)"
    )
    assert out[2].startswith("table 2 (b.md:1)")


def test_docx_is_read_with_its_formulas_and_merged_cells(tmp_path):
    docx = pytest.importorskip("docx")
    from docx.oxml import parse_xml

    space = "http://schemas.openxmlformats.org/officeDocument/2006/math"
    document = docx.Document()
    document.add_paragraph("Table 2: Results.")
    table = document.add_table(4, 3)
    texts = (("Budget", "Method", "AP"), ("12M", "A", ""), ("", "B", "41.0"), ("9M", "C", "2"))
    for row, said in zip(table.rows, texts, strict=True):
        for cell, text in zip(row.cells, said, strict=True):
            cell.text = text
    raised = "<m:sSup><m:e><m:r><m:t>40.1</m:t></m:r></m:e><m:sup><m:r><m:t>1</m:t></m:r></m:sup></m:sSup>"
    formula = parse_xml(f'<m:oMath xmlns:m="{space}">{raised}</m:oMath>')
    table.rows[1].cells[2].paragraphs[0]._p.append(formula)
    table.cell(1, 0).merge(table.cell(2, 0))
    document.save(str(tmp_path / "paper.docx"))
    (grid,) = tables_of(tmp_path / "paper.docx").grids
    assert grid.caption == "Table 2: Results."
    assert [[p.text for p in row] for row in grid.rows[1:]] == [
        ["12M", "A", "40.1¹"], ["12M", "B", "41.0"], ["9M", "C", "2"],
    ]  # fmt: skip


def test_xlsx_is_read_as_its_number_formats_print_it(tmp_path):
    openpyxl = pytest.importorskip("openpyxl")
    book = openpyxl.Workbook()
    sheet = book.active
    for row in (["Method", "Top-1", "AP"], ["A", 0.7125, 40.1], ["B", 0.72, 41]):
        sheet.append(row)
    for cell in ("B2", "B3"):
        sheet[cell].number_format = "0.0%"
    sheet["C3"].number_format = "0.00"
    book.save(tmp_path / "paper.xlsx")
    (grid,) = tables_of(tmp_path / "paper.xlsx").grids
    assert [[p.text for p in row] for row in grid.rows[1:]] == [["A", "71.3%", "40.1"], ["B", "72.0%", "41.00"]]


def test_a_library_that_is_not_there_is_named(tmp_path, monkeypatch):
    import sys

    monkeypatch.setitem(sys.modules, "docx", None)
    (tmp_path / "paper.docx").write_bytes(b"PK")
    with pytest.raises(LedgerError, match="pip install python-docx"):
        read_source(tmp_path / "paper.docx")
