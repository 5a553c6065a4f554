"""The ledger against the paper's text: every table row by row, and every number of the prose."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from fractions import Fraction
from functools import lru_cache

from papertally.checks.findings import IMPOSSIBLE, NOT_APPLICABLE, PASSED, SUSPICIOUS, Finding, Registry, key
from papertally.checks.relations import quantities
from papertally.checks.text import Document, Sentence, TextRow
from papertally.ledger.load import Ledger, Row, Table
from papertally.quantities.printed import ABSENT, is_absent, parse_printed

#: Checks of a ledger against its paper's text.
TextCheck = Callable[[Ledger, Document], Iterable[Finding]]
TEXT: Registry[TextCheck] = Registry()
DASHES = {"-", "–", "—", "--", "---", "−", "n/a", "N/A"}


def plain_cell(text: str) -> str:
    """Return a printed cell for comparison: any dash is the ledger's, no spaces before a unit."""
    text = text.strip()
    if text in DASHES or is_absent(text):
        return ABSENT
    return re.sub(r"(?<=\d)\s+(?=[KMB%]\b)", "", text).lstrip("*† ").rstrip("*†‡ ")


@lru_cache(4096)
def _letters(text: str) -> str:
    return re.sub(r"[^0-9a-zλ✓]", "", re.sub(r"\[\d+\]", "", text.lower()))


def likeness(row: Row, text: TextRow) -> float:
    """Return how alike a ledger's row and a printed line are, from 0 to 1: equal numbers count most."""
    cells = [plain_cell(c.printed) for c in row.cells.values()]
    if len(text.cells) < len(cells):
        return 0.0
    labels, theirs = _parts(text, len(cells))
    same = sum(a == b for a, b in zip(cells, theirs, strict=True)) / len(cells)
    return 0.7 * same + 0.3 * (_letters(" ".join((*row.labels, *row.marks))) == labels)


@lru_cache(4096)
def _parts(text: TextRow, width: int) -> tuple[str, list[str]]:
    """Return a printed line's labels, as they are compared, and its last `width` cells."""
    at = len(text.cells) - width
    return _letters(" ".join(text.cells[:at])), [plain_cell(c) for c in text.cells[at:]]


def align(rows: tuple[Row, ...], lines: tuple[TextRow, ...]) -> list[tuple[Row | None, TextRow | None]]:
    """Return the best pairing in order; a row or line without a partner stands alone."""
    n, m = len(rows), len(lines)
    for skip in range(max(m - n, 0) + 1 if m - n <= 5 else 0):  # a copy needs no search
        if (
            n
            and all(likeness(r, t) >= 0.65 for r, t in zip(rows, lines[skip : skip + n], strict=False))
            and skip + n <= m
        ):
            head, tail = lines[:skip], lines[skip + n :]
            pairs = list(zip(rows, lines[skip:], strict=False))
            return [*((None, t) for t in head), *pairs, *((None, t) for t in tail)]
    score = [[likeness(r, t) for t in lines] for r in rows]
    best = [[0.0] * (m + 1) for _ in range(n + 1)]
    for i in range(n - 1, -1, -1):
        for j in range(m - 1, -1, -1):
            pair = best[i + 1][j + 1] + score[i][j] if score[i][j] >= 0.25 else -1.0
            best[i][j] = max(pair, best[i + 1][j], best[i][j + 1])
    out: list[tuple[Row | None, TextRow | None]] = []
    i = j = 0
    while i < n or j < m:
        if i < n and j < m and score[i][j] >= 0.25 and best[i][j] == best[i + 1][j + 1] + score[i][j]:
            out.append((rows[i], lines[j]))
            i, j = i + 1, j + 1
        elif i < n and (j >= m or best[i][j] == best[i + 1][j]):
            out.append((rows[i], None))
            i += 1
        else:
            out.append((None, lines[j]))
            j += 1
    return out


def columns_of(table: Table, block: tuple[TextRow, ...]) -> tuple[TextRow, ...] | None:
    """Return a block whose last cells are a table's columns: those, in order, that share most cells with them."""
    width, across = len(table.columns), max((len(line.cells) for line in block), default=0)
    if not width or across < width:
        return None
    ours = [Counter(plain_cell(row.cells[c].printed) for row in table.rows if c in row.cells) for c in table.columns]
    theirs = [Counter(plain_cell(line.cells[j]) for line in block if j < len(line.cells)) for j in range(across)]
    shared = [[sum((a & b).values()) for b in theirs] for a in ours]
    if not any(map(any, shared)):
        return None
    best: list[list[tuple[int, tuple[int, ...]]]] = [[(0, ())] * (across + 1)]
    for i in range(width):
        line: list[tuple[int, tuple[int, ...]]] = [(-1, ())] * (across + 1)
        for j in range(i, across):
            total, chosen = best[i][j]
            new = (total + shared[i][j], (*chosen, j)) if total >= 0 else (-1, ())
            line[j + 1] = max(line[j], new)  # of equals the one further right
        best.append(line)
    chosen = best[width][across][1]
    order = [*(j for j in range(across) if j not in chosen), *chosen]
    return tuple(
        TextRow(tuple(line.cells[j] for j in order), tuple(line.bold[j] for j in order), line.line)
        for line in block
        if len(line.cells) == across
    )


def find_table(table: Table, document: Document) -> tuple[TextRow, ...] | None:
    """Return the block of lines that is most likely a table, or None: half its rows must be there in order."""
    best, found = 0.5 * len(table.rows), None
    for whole in document.tables:
        block = columns_of(table, whole)
        if block is None:
            continue
        total = sum(likeness(r, t) for r, t in align(table.rows, block) if r is not None and t is not None)
        if total > best:
            best, found = total, block
    return found


@TEXT.register("transcription", "every table of the ledger against the text, row by row, with its bold")
def transcription(ledger: Ledger, document: Document) -> Iterator[Finding]:
    """Compare each table with the block of the text that is most like it."""
    for table in ledger.tables.values():
        subject = f"Table {table.id}"
        block = find_table(table, document)
        if block is not None:
            found = list(_compare(table, block))
        else:
            lines = [_in_words(row, document) for row in table.rows]
            if all(line is None for line in lines):
                text = "no block of the text is like it"
                found = [Finding("transcription", NOT_APPLICABLE, subject, (), text)]
            else:
                found = [
                    Finding("transcription", SUSPICIOUS, subject, (), f"{row.id} stands nowhere in the text")
                    for row, line in zip(table.rows, lines, strict=True)
                    if line is None
                ]
        yield from found or [
            Finding("transcription", PASSED, subject, (), f"{len(table.rows)} rows as in the text, in order")
        ]
        if table.architecture is not None:
            yield _architecture(table, document)


def _compare(table: Table, block: tuple[TextRow, ...]) -> Iterator[Finding]:
    subject = f"Table {table.id}"
    width = len(table.columns)
    pairs = align(table.rows, block)
    lost: list[Row] = []
    extra: list[TextRow] = []
    for row, line in pairs:
        if row is not None and line is not None:
            yield from _cells(subject, row, line, width)
        elif row is not None:
            lost.append(row)
        elif line is not None and any(re.fullmatch(r"[\d.]+[KMB%]?", plain_cell(c)) for c in line.cells[-width:]):
            extra.append(line)
    for row in lost:
        moved = next((line for line in extra if likeness(row, line) >= 0.7), None)
        if moved is not None:
            extra.remove(moved)
            text = f"{row.id} stands at another place in the text (line {moved.line})"
        else:
            text = f"{row.id} stands nowhere in this table of the text"
        yield Finding("transcription", SUSPICIOUS, subject, tuple(key(row, c) for c in row.cells), text)
    for line in extra:
        text = f"line {line.line} ({', '.join(line.cells[-width:])}) is no row of the ledger"
        yield Finding("transcription", SUSPICIOUS, subject, (), text)


def _cells(subject: str, row: Row, line: TextRow, width: int) -> Iterator[Finding]:
    theirs, bold = line.cells[-width:], line.bold[-width:]
    values = list(row.cells.values())
    same = sum(plain_cell(c.printed) == plain_cell(t) for c, t in zip(values, theirs, strict=True))
    for cell, text, is_bold in zip(values, theirs, bold, strict=True):
        name = (key(row, cell.column),)
        if cell.printed.strip() == "?":
            continue  # it is told as unread
        if plain_cell(cell.printed) != plain_cell(text):
            # Where most of the row differs, the pairing may be at fault.
            severity = IMPOSSIBLE if 2 * same >= width else SUSPICIOUS
            said = f"line {line.line} prints {text or 'nothing'}, the ledger {cell.printed}"
            yield Finding("transcription", severity, subject, name, said)
        elif cell.bold != is_bold and plain_cell(text) != ABSENT:
            said = f"line {line.line} prints {text} {'bold' if is_bold else 'plain'}, the ledger has it otherwise"
            yield Finding("transcription", SUSPICIOUS, subject, name, said)


def _in_words(row: Row, document: Document) -> int | None:
    """Return the line where a row's numbers stand one after the other within a cell ("6M MAdds, 1.8M Param")."""
    cells = [c.printed for c in row.cells.values() if c.numeric]
    pattern = re.compile(r"(?<![\w.])" + r"\D{1,12}".join(re.escape(c) for c in cells) + r"(?![\w.])")
    for line in document.rows:
        if any(pattern.search(cell) for cell in line.cells):
            return line.line
    return None


def _architecture(table: Table, document: Document) -> Finding:
    """Compare the printed body of an architecture table: line by line, model by model."""
    assert table.architecture is not None
    raw = table.architecture
    subject, width = f"Table {table.id}, architecture", len(raw.columns)
    ours = [
        [_letters(c) for m in raw.models for c in (row.cells(m) or [""] * width)]
        for row in raw.rows
        if any(row.cells(m) for m in raw.models)
    ]
    best: tuple[int, list[str]] | None = None
    for block in document.tables:
        theirs = [
            (line, [_letters(c) for c in line.cells[1:]])
            for line in block
            if len(line.cells) == 1 + width * len(raw.models) and sum(c != "" for c in line.cells[1:]) >= width
        ]
        theirs = [(line, cells) for line, cells in theirs if any(re.search(r"\d", c) for c in cells)]
        if len(theirs) != len(ours):
            continue
        faults = [
            f"line {line.line}: {line.cells[1 + i]} against {b or 'nothing'}"
            for (line, cells), mine in zip(theirs, ours, strict=True)
            for i, (a, b) in enumerate(zip(cells, mine, strict=True))
            if a != b
        ]
        if best is None or len(faults) < best[0]:
            best = len(faults), faults
    total = sum(bool(c) for row in ours for c in row)
    if best is None or best[0] * 2 > total:
        text = f"no block of {len(ours)} lines for {len(raw.models)} models"
        return Finding("transcription", NOT_APPLICABLE, subject, (), text)
    if best[0]:
        text = f"{best[0]} of {total} cells differ; {'; '.join(best[1][:4])}"
        return Finding("transcription", IMPOSSIBLE, subject, (), text)
    return Finding("transcription", PASSED, subject, (), f"{total} cells as in the text")


_NUMBER = re.compile(
    r"(?<![\w.^_\[/×-])(\d{1,3}(?:,\d{3})+|\d+)(\.\d+)?(e[-−]?\d+)?\s?(%|[KMB](?![a-z])|G(?=FLOP|MAdd)|(?=points?\b))?"
)
#: What a number of the text is named after: no result and no setting.
_NAMED = re.compile(
    r"\b(?:sections?|sec\.?|tables?|tab\.?|figures?|fig\.?|eqs?\.?|equations?|rows?|appendix|resnet|v|cvpr|eccv|iccv|iclr)"
    r"\s*~?[\d.a-z–-]*$",
    re.IGNORECASE,
)


def numbers_of(sentence: Sentence) -> Iterator[tuple[str, bool]]:
    """Yield (number as printed, has it a unit) of a sentence; numbers of sections and citations are left out."""
    text = re.sub(r"\[[\d,\s–-]+\]", " ", sentence.text)
    text = re.sub(r"(\d),(?=\d{3}\b)", r"\1", text)
    text = re.sub(r"(?<=\d)\s?(?=M(?:FLOP|Add|add))", "", text)
    text = re.sub(r"(?<=\d)M(?=FLOP|Add)", "M ", text)
    for match in _NUMBER.finditer(text):
        if _NAMED.search(text[: match.start()].rstrip(" ")[-24:] if match.start() else ""):
            continue
        printed = match.group(1).replace(",", "") + (match.group(2) or "")
        if match.group(3):
            yield printed + match.group(3).replace("−", "-"), False
            continue
        mark = match.group(4) or ("%" if match.group(4) == "" else "")
        yield printed + ("" if mark in ("%", "") else "B" if mark == "G" else mark), bool(mark)


def _value(printed: str) -> Fraction:
    return Fraction(printed) if "e" in printed else Fraction(parse_printed(printed).value)


@TEXT.register(
    "prose", "every number of the prose against the statements and the tables, and the statements' against it"
)
def prose(ledger: Ledger, document: Document) -> Iterator[Finding]:
    """List the numbers that no statement covers, and the statements whose numbers the text does not have."""
    stated: dict[Fraction, str] = {}
    for claim in ledger.claims:
        words = f"{claim.statement} {claim.expression.text}".replace("_", " ")
        for printed, _ in numbers_of(Sentence(words, 0)):
            stated.setdefault(_value(printed), claim.id)
    cells = {_value(cell.printed): key(row, cell.column) for row, cell in ledger.cells()}
    seen: set[Fraction] = set()
    open_: dict[str, list[int]] = {}
    count = 0
    for sentence in document.prose:
        for printed, marked in numbers_of(sentence):
            value = _value(printed)
            seen.add(value)
            count += 1
            if value in stated or (value in cells and marked):
                continue
            if marked:
                text = f"line {sentence.line}: {printed} in “{_around(sentence.text, printed)}”"
                yield Finding("prose", SUSPICIOUS, "number without a statement", (), text)
            else:
                open_.setdefault(printed, []).append(sentence.line)
    for printed, lines in open_.items():
        text = f"{printed} (line {', '.join(map(str, dict.fromkeys(lines)))}): a setting, or counted by no statement"
        yield Finding("prose", NOT_APPLICABLE, "number without a statement", (), text)
    for row in document.rows:
        for cell in row.cells:
            seen |= {_value(p) for p, _ in numbers_of(Sentence(cell, row.line))}
    lost = 0
    for claim in ledger.claims:
        missing = [q for q in quantities(claim.statement) if _value(q) not in seen]
        if missing:
            lost += 1
            text = f"says {', '.join(missing)}; the text does not"
            yield Finding("prose", SUSPICIOUS, f"statement {claim.id}", (), text)
    text = f"{count} numbers of the prose read; {len(ledger.claims) - lost} statements' numbers stand in the text"
    yield Finding("prose", PASSED, "the text", (), text)


def _around(text: str, printed: str) -> str:
    """Return the words around a number."""
    at = max(text.find(re.split(r"[KMB]", printed)[0]), 0)
    part = text[max(at - 30, 0) : at + 40]
    return " ".join(part.split())
