"""A ledger as a paper would print it: Markdown or LaTeX, tables and one sentence a statement."""

from __future__ import annotations

from papertally.ledger.load import Cell, Ledger, Table


def _cell(cell: Cell, tex: bool) -> str:
    text = cell.printed.replace("–", "--" if tex else "–")
    if not cell.bold:
        return text
    return rf"\textbf{{{text}}}" if tex else f"**{text}**"


def _table(table: Table, tex: bool) -> str:
    head = [*table.label_columns, *table.columns]
    rows = [
        [
            *(label.replace("✓", r"\checkmark") if tex else label for label in row.labels),
            *(_cell(cell, tex) for cell in row.cells.values()),
        ]
        for row in table.rows
    ]
    if tex:
        lines = [" & ".join(row) + r" \\" for row in (head, *rows)]
        return "\n".join(
            [
                r"\begin{table}",
                rf"\begin{{tabular}}{{{'l' * len(head)}}}",
                r"\toprule",
                lines[0],
                r"\midrule",
                *lines[1:],
                r"\bottomrule",
                r"\end{tabular}",
                rf"\caption{{{table.title}.}}",
                r"\end{table}",
            ]
        )
    lines = ["| " + " | ".join(row) + " |" for row in (head, ["---"] * len(head), *rows)]
    return "\n".join([*lines, "", f"Table {table.id}. **{table.title}.**"])


def as_text(ledger: Ledger, tex: bool) -> str:
    """Return a paper's text, Markdown or LaTeX."""

    def sentence(text: str) -> str:
        return text.replace("%", r"\%").replace("_", r"\_") if tex else text

    head = [r"\documentclass{article}", r"\begin{document}"] if tex else [f"# {ledger.title}"]
    tables = [_table(table, tex) for table in ledger.tables.values()]
    prose = [sentence(claim.statement) for claim in ledger.claims]
    return "\n\n".join([*head, *prose, *tables, *([r"\end{document}"] if tex else [])]) + "\n"
