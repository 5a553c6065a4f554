"""Tables of DOCX and XLSX, read by kept libraries: python-docx and openpyxl (the extra `documents`)."""

from __future__ import annotations

import re
from decimal import ROUND_HALF_UP, Decimal
from pathlib import Path
from typing import Any

from papertally.ledger.load import LedgerError
from papertally.tables.grid import Builder, Grid, Spanned
from papertally.tables.tex import SUPER, tidy

_WORD = "{http://schemas.openxmlformats.org/wordprocessingml/2006/main}"
_MATH = "{http://schemas.openxmlformats.org/officeDocument/2006/math}"
_CAPTION = re.compile(r"^\W{0,4}tab(?:le|\.)\s*[A-Z]?\d+", re.I)


def _needed(path: Path, package: str) -> LedgerError:
    return LedgerError(f"{path}: reading it needs a library; run: pip install {package}")


def _text(node: Any) -> str:
    """Return what a paragraph or a cell prints: its words, and its formulas with raised digits raised."""
    out: list[str] = []
    if node.tag == f"{_MATH}sup":
        inner = "".join(map(_text, node)).strip()
        return " " + inner if "±" in inner else inner.translate(SUPER)
    if node.tag == f"{_WORD}r":
        raised = node.find(f"{_WORD}rPr/{_WORD}vertAlign")
        inner = "".join(_text(part) for part in node if part.tag != f"{_WORD}rPr")
        if node.find(f"{_WORD}rPr/{_WORD}vanish") is not None:
            return ""
        if raised is not None and raised.get(f"{_WORD}val") == "superscript" and "±" not in inner:
            return inner.translate(SUPER)
        return inner
    if node.tag in (f"{_WORD}t", f"{_MATH}t"):
        return node.text or ""
    if node.tag in (f"{_WORD}br", f"{_WORD}tab"):
        return " "
    if node.tag in (f"{_WORD}del", f"{_WORD}pPr", f"{_WORD}tcPr"):
        return ""
    for part in node:
        out.append(_text(part))
    return "".join(out) + (" " if node.tag == f"{_WORD}p" else "")


def _bold(cell: Any) -> bool:
    for run in cell.iter(f"{_WORD}r"):
        if any(c.isalnum() for c in _text(run)):
            found = run.find(f"{_WORD}rPr/{_WORD}b")
            return found is not None and found.get(f"{_WORD}val") not in ("0", "false")
    return False


def read_docx(path: Path) -> list[Grid]:
    """Return the tables of a DOCX file; a line is the place of the table's block in the document."""
    try:
        import docx
    except ImportError:
        raise _needed(path, "python-docx") from None
    try:
        body = docx.Document(str(path)).element.body
    except (ValueError, KeyError, OSError) as error:
        raise LedgerError(f"{path}: no readable DOCX ({error}); save it anew") from None
    grids: list[Grid] = []
    caption = ""
    for number, block in enumerate(body, 1):
        if block.tag == f"{_WORD}p":
            said = tidy(_text(block))
            style = block.find(f"{_WORD}pPr/{_WORD}pStyle")
            name = style.get(f"{_WORD}val", "") if style is not None else ""
            if _CAPTION.match(said) or "aption" in name or name.startswith("Heading"):
                caption = said
        if block.tag != f"{_WORD}tbl":
            continue
        builder = Builder()
        open_: dict[int, Spanned] = {}
        for row in block.findall(f"{_WORD}tr"):
            laid, at = [], 0
            for cell in row.iter(f"{_WORD}tc"):
                span = cell.find(f"{_WORD}tcPr/{_WORD}gridSpan")
                columns = int(span.get(f"{_WORD}val", "1")) if span is not None else 1
                merged = cell.find(f"{_WORD}tcPr/{_WORD}vMerge")
                goes_on = merged is not None and merged.get(f"{_WORD}val") != "restart"
                if goes_on and at in open_:
                    above = open_[at]
                    laid.append(Spanned(above.text, number, above.bold, columns))
                else:
                    laid.append(Spanned(tidy(_text(cell)), number, _bold(cell), columns))
                    open_[at] = laid[-1]
                at += columns
            builder.add(laid)
        grid = builder.grid(number, caption)
        if grid is not None:
            grids.append(grid)
            caption = ""
    return grids


def read_xlsx(path: Path) -> list[Grid]:
    """Return the tables of an XLSX file, one a block of rows; values are as their number formats show them."""
    try:
        import openpyxl
    except ImportError:
        raise _needed(path, "openpyxl") from None
    try:
        book = openpyxl.load_workbook(path, data_only=True)
    except (ValueError, KeyError, OSError, openpyxl.utils.exceptions.InvalidFileException) as error:
        raise LedgerError(f"{path}: no readable XLSX ({error}); save it anew") from None
    grids: list[Grid] = []
    for sheet in book.worksheets:
        if sheet.sheet_state != "visible":
            continue
        builder, start = Builder(), 1
        blocks = [*sheet.iter_rows(), ()]
        for number, row in enumerate(blocks, 1):
            hidden = bool(row) and sheet.row_dimensions[number].hidden
            laid = [Spanned(_shown(c.value, c.number_format), number, bool(c.font.bold)) for c in row]
            if any(cell.text for cell in laid) and not hidden:
                start = number if not builder.rows else start
                builder.add(laid)
            elif not hidden:
                grid = builder.grid(start, sheet.title, None, True)
                grids += [grid] if grid is not None else []
                builder = Builder()
    return grids


def _shown(value: object, form: str) -> str:
    """Return a cell as its number format prints it."""
    if value is None:
        return ""
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return tidy(str(value))
    found = re.fullmatch(r"#?,?#*(0)(?:\.(0+))?(%?)", form.split(";")[0].replace("_)", "").strip())
    if found is None:
        return repr(value)
    exact = Decimal(repr(value)) * (100 if found[3] else 1)  # a half is rounded up, as spreadsheets show it
    shown = exact.quantize(Decimal(1).scaleb(-len(found[2] or "")), ROUND_HALF_UP)
    return f"{shown:{',' if ',' in form else ''}f}{found[3]}"
