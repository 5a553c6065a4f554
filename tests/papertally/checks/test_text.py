"""The paper's text against the ledger: Markdown and LaTeX, tables row by row, and the numbers of the prose."""

from __future__ import annotations

from dataclasses import replace

import pytest
from helpers import MICRONET

from papertally.checks import ALARMS, read_document, run
from papertally.checks.benchmark.render import as_text
from papertally.checks.benchmark.synthetic import right_ledger
from papertally.checks.text import Sentence, clean
from papertally.checks.transcription import numbers_of
from papertally.checks.typos import with_cell
from papertally.ledger.load import load_ledger

RIGHT = right_ledger(3)


def alarms(ledger, text, *names):
    found = run(ledger, names or ("transcription", "prose"), explain=False, document=read_document(text))
    return [f for f in found if f.severity in ALARMS]


@pytest.mark.parametrize("tex", [False, True])
def test_a_ledger_agrees_with_its_own_text(tex):
    text = as_text(RIGHT, tex)
    document = read_document(text)
    assert [len(block) for block in document.tables] == [len(t.rows) + 1 for t in RIGHT.tables.values()]
    found = run(RIGHT, ("transcription", "prose"), document=document)
    assert [f for f in found if f.severity in ALARMS] == []
    assert sum(f.check == "transcription" and f.severity == "passed" for f in found) == len(RIGHT.tables)


@pytest.mark.parametrize("tex", [False, True])
def test_a_cell_typed_otherwise_is_named_with_its_line(tex):
    text = as_text(RIGHT, tex)
    was = RIGHT.cell("pose_3", "AP75").printed
    line = next(n for n, words in enumerate(text.splitlines(), start=1) if "Pose 3" in words)
    (found,) = alarms(with_cell(RIGHT, "pose_3.AP75", "11.1"), text, "transcription")
    assert (found.severity, found.cells) == ("impossible", ("pose_3.AP75",))
    assert found.arithmetic == f"line {line} prints {was}, the ledger 11.1"


def test_rows_out_of_order_missing_and_too_many_are_told_apart():
    text = as_text(RIGHT, False)
    table = RIGHT.tables["4"]

    def with_rows(rows):
        return replace(RIGHT, tables={**RIGHT.tables, "4": replace(table, rows=tuple(rows))})

    rows = list(table.rows)
    (moved,) = alarms(with_rows([rows[1], rows[0], *rows[2:]]), text, "transcription")
    assert "at another place" in moved.arithmetic
    (extra,) = alarms(with_rows(rows[1:]), text, "transcription")
    assert "is no row of the ledger" in extra.arithmetic
    more = replace(rows[0], id="pose_x", labels=("Another",), cells={
        c: replace(x, printed="1.1") for c, x in rows[0].cells.items()
    })  # fmt: skip
    (lost,) = alarms(with_rows([*rows, more]), text, "transcription")
    assert "pose_x stands nowhere" in lost.arithmetic


def test_bold_is_compared():
    text = as_text(RIGHT, True)
    best = next(r for r in RIGHT.tables["4"].rows if r.cells["AP"].bold)
    plain = text.replace(rf"\textbf{{{best.cells['AP'].printed}}} &", f"{best.cells['AP'].printed} &")
    assert plain != text
    (found,) = alarms(RIGHT, plain, "transcription")
    assert "plain, the ledger has it otherwise" in found.arithmetic


def test_tabs_sup_marks_and_dashes_are_read():
    document = read_document("Intro.\n\nA\t<b>x</b><sup>†</sup>\t$K$\n–\t**5.0**\t1.8M\n\nEnd.\n")
    assert [row.cells for row in document.rows] == [("A", "x†", "K"), ("–", "5.0", "1.8M")]
    assert document.rows[1].bold == (False, True, False)
    assert [s.text for s in document.prose] == ["Intro.", "End."]


def test_latex_comments_rules_and_commands_are_not_content():
    tex = (
        "\\begin{document}\nWe gain 9.6\\% over \\textbf{Net}. % not 7.7\\%\n\\begin{tabular}{lc}\n\\toprule\n"
        "Net & \\multicolumn{1}{c}{\\textbf{58.5}} \\\\ \\midrule\nOther~\\cite{x} & 51.7 \\\\[2pt]\n\\bottomrule\n"
        "\\end{tabular}\n\\bibliography{x}\nAfter 1.5\\%.\n"
    )
    document = read_document(tex)
    assert [row.cells[1] for row in document.rows] == ["58.5", "51.7"]
    assert [row.bold[1] for row in document.rows] == [True, False]
    assert [s.text for s in document.prose] == ["We gain 9.6% over Net."]
    assert clean(r"\textbf{12.4M} $\times$ 2") == "12.4M × 2"


def test_the_numbers_of_a_sentence():
    text = "In Table 2 and [42, 11] of section 5.1 it has 1,281,167 images, 12 MFLOPs, 9.6%, 3e-5, v2 and 2.5 points."
    assert list(numbers_of(Sentence(text, 1))) == [
        ("1281167", False), ("12M", True), ("9.6", True), ("3e-5", False), ("2.5", True),
    ]  # fmt: skip


def test_a_result_that_no_statement_covers_is_named_and_a_setting_is_listed():
    text = as_text(RIGHT, False) + "\nIt costs 987M MAdds at a batch of 513.\n"
    found = run(RIGHT, ("prose",), document=read_document(text))
    (named,) = (f for f in found if f.severity == "suspicious")
    assert "987M" in named.arithmetic
    assert any("513" in f.arithmetic for f in found if f.severity == "not applicable")


def test_a_statement_whose_number_the_text_lacks_is_named():
    gain = next(c for c in RIGHT.claims if "gains" in c.statement)
    text = as_text(replace(RIGHT, claims=tuple(c for c in RIGHT.claims if c.id != gain.id)), False)
    found = [f.subject for f in alarms(RIGHT, text, "prose")]
    assert found in ([f"statement {gain.id}"], [])  # another number of the text may equal it
    odd = replace(gain, statement="It gains 77.77 points.")
    found = alarms(replace(RIGHT, claims=(odd,)), text, "prose")
    assert any(f.subject == f"statement {odd.id}" for f in found)


def test_a_text_of_another_paper_is_not_compared():
    found = run(RIGHT, ("transcription",), document=read_document("Nothing here.\n"))
    assert {f.severity for f in found} == {"not applicable"}


def test_the_papers_ledger_is_its_text(shared):
    text = (shared / "paper/micronet-2011.12289v1.md").read_text("utf-8")
    found = run(load_ledger(MICRONET), ("transcription", "prose"), document=read_document(text))
    compared = [f for f in found if f.check == "transcription"]
    assert {f.severity for f in compared} == {"passed"}
    assert [f.arithmetic for f in compared if "architecture" in f.subject] == [
        "190 cells as in the text", "310 cells as in the text",
    ]  # fmt: skip
    assert not [f for f in found if f.check == "prose" and f.subject.startswith("statement")]
    wrong = with_cell(load_ledger(MICRONET), "t7_j3_k2.madds", "14.1M")
    assert [f.cells for f in alarms(wrong, text, "transcription")] == [("t7_j3_k2.madds",)]
