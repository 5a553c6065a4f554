"""One reader for `new` and for `check --text`: a ledger made from a document agrees with it, whatever its format."""

from __future__ import annotations

import pytest

from papertally.checks import ALARMS, run
from papertally.checks.command import main as check
from papertally.checks.command import read_text
from papertally.checks.typos import with_cell
from papertally.ledger.load import load_ledger
from papertally.tables.command import write_ledger

HEAD = ("Method", "Params (M)", "Top-1 (%)", "AP")
ROWS = (
    ("Alder", "2.4", "59.4 ± 0.1", "40.1"),
    ("Birch", "3.6", "61.2 ± 0.3", "41.7"),
    ("Cedar", "5.9", "63.8 ± 0.2", "42.25"),
)


PM = r"\pm"


def latex():
    rows = [
        rf"{a} & {b} & \cellcolor[HTML]{{FFB3B3}}{c.replace('±', f'${PM}$')} & \best{{{d}}} \\" for a, b, c, d in ROWS
    ]
    return "\n".join([
        r"\documentclass{article}\newcommand{\best}[1]{\textbf{#1}}", r"\begin{document}", "We show results.",
        r"\begin{tabular}{lccc}", r"\toprule", " & ".join(HEAD).replace("%", r"\%") + r" \\ \midrule",
        *(row.replace(" & ", "\n & ") for row in rows), r"\bottomrule", r"\end{tabular}", r"\end{document}",
    ])  # fmt: skip


def pipes():
    lines = [HEAD, ("---",) * 4, *ROWS]
    return "# Results\n\n" + "\n".join("| " + " | ".join(line) + " |" for line in lines) + "\n"


def tabs():
    return "# Results\n\n" + "\n".join("\t".join(line) for line in (HEAD, *ROWS)) + "\n"


def html():
    def row(cells, tag):
        return "<tr>" + "".join(f"<{tag}>{cell}</{tag}>" for cell in cells) + "</tr>"

    body = "\n".join([row(HEAD, "th"), *(row(r, "td") for r in ROWS)])
    return f"<!DOCTYPE html><html><body><div><table>{body}</table></div></body></html>"


def csv():
    return "\n".join(",".join(line) for line in (HEAD, *ROWS)) + "\n"


def notebook():
    import json

    data = {"text/html": html(), "text/plain": "x"}
    cells = [{"cell_type": "code", "source": "t", "outputs": [{"data": data}]}]
    return json.dumps({"cells": cells, "nbformat": 4})


FORMS = {
    "paper.tex": latex, "paper.md": pipes, "tabs.txt": tabs, "paper.html": html, "paper.csv": csv,
    "paper.ipynb": notebook,
}  # fmt: skip


@pytest.mark.parametrize("name", FORMS)
def test_a_ledger_agrees_with_the_document_that_it_was_made_from(tmp_path, name):
    document = tmp_path / name
    document.write_text(FORMS[name](), "utf-8")
    _, numbers, left = write_ledger("x", document, tmp_path / "x")
    assert (numbers, left) == (9, [])
    ledger = load_ledger(tmp_path / "x")
    text = read_text(document)
    found = run(ledger, ("transcription",), document=text)
    assert [(f.severity, f.arithmetic) for f in found] == [("passed", "3 rows as in the text, in order")]

    wrong = with_cell(with_cell(ledger, "x_t1_alder.top1", "95.4 ± 0.1"), "x_t1_cedar.AP", "42.52")
    alarms = [f for f in run(wrong, ("transcription",), document=text) if f.severity in ALARMS]
    assert sorted(c for f in alarms for c in f.cells) == ["x_t1_alder.top1", "x_t1_cedar.AP"]
    assert {f.severity for f in alarms} == {"impossible"}


def test_a_format_that_is_not_read_is_refused_in_one_line(tmp_path, capsys):
    document = tmp_path / "paper.md"
    document.write_text(pipes(), "utf-8")
    write_ledger("x", document, tmp_path / "x")
    (tmp_path / "paper.odt").write_text("x")
    assert check(["--path", str(tmp_path / "x"), "--text", str(tmp_path / "paper.odt")]) == 1
    (line,) = capsys.readouterr().err.splitlines()
    assert "paper.odt: is none of .md" in line
