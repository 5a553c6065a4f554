"""Misprints of one cell that would explain an impossibility: a unit, the point, one digit, two digits swapped."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace

from papertally.checks.findings import ALARMS, IMPOSSIBLE, NOT_APPLICABLE, REGISTRY, SUSPICIOUS, Finding
from papertally.checks.linear import still_refuted
from papertally.ledger.load import Ledger
from papertally.quantities.printed import UNITS, parse_printed

CHECK = "misprints"
#: So many explanations are named; where there are more, none says much.
NAMED = 6
#: Checks that must not object to a misprint that another check suggests.
GUARDS = ("repeats", "monotone costs", "metric identities", "units")


def with_cell(ledger: Ledger, name: str, printed: str) -> Ledger:
    """Return the ledger with another printed string in one cell (row.column)."""
    row_id, column = name.split(".")
    table = ledger.tables[ledger.row(row_id).table]
    rows = tuple(
        replace(row, cells={**row.cells, column: replace(row.cells[column], printed=printed)})
        if row.id == row_id
        else row
        for row in table.rows
    )
    return replace(ledger, tables={**ledger.tables, table.id: replace(table, rows=rows)})


def misprints(printed: str) -> Iterator[tuple[str, str]]:
    """Yield (kind, string) for every number that one usual slip turns into this string."""
    for kind, text in _edits(printed):
        try:
            parse_printed(text)
        except ValueError:  # a thousand's comma, a range or ± that was torn apart
            continue
        yield kind, text


def _edits(printed: str) -> Iterator[tuple[str, str]]:
    """Yield (kind, string) for every edit of one unit, point, digit or two neighbours."""
    digits = printed.rstrip("".join(u for u in UNITS if u))
    unit = printed[len(digits) :]
    seen = {printed}

    def new(text: str) -> bool:
        whole = text.rstrip("".join(u for u in UNITS if u)).partition(".")[0]
        fine = text not in seen and (len(whole) == 1 or not whole.startswith("0"))
        seen.add(text)
        return fine

    if unit in ("K", "M", "B"):
        for other in ("K", "M", "B"):
            if new(digits + other):
                yield "unit", digits + other
    for i, (a, b) in enumerate(zip(digits, digits[1:], strict=False)):
        if a.isdigit() and b.isdigit() and new(text := digits[:i] + b + a + digits[i + 2 :] + unit):
            yield "two digits swapped", text
    for i, a in enumerate(digits):
        for b in "0123456789":
            if a.isdigit() and new(text := digits[:i] + b + digits[i + 1 :] + unit):
                yield "one digit", text
    whole, _, rest = digits.partition(".")
    for text in (f"{whole[:-1] or '0'}.{whole[-1]}{rest}", f"{whole}{rest[:1]}.{rest[1:]}".rstrip(".") if rest else ""):
        if text and new((text.lstrip("0") if not text.startswith("0.") else text) + unit):
            yield "point", text + unit


def _narrowed(ledger: Ledger, finding: Finding) -> Ledger:
    """Return the ledger with only those statements and models that a finding is about: the same answer, sooner."""
    claims = tuple(c for c in ledger.claims if finding.subject == f"statement {c.id}")
    tables = {ledger.row(name.split(".")[0]).table for name in finding.cells}
    linear = [m for m in ledger.checks.linear if m.table in tables]
    monotone = [m for m in ledger.checks.monotone if m.table in tables]
    firsts = {ledger.canonical(row.id) for t in tables for row in ledger.tables[t].rows}
    near = {row.table for row in ledger.rows.values() if ledger.canonical(row.id) in firsts}
    near |= {ledger.row(ledger.canonical(row.id)).table for t in near for row in ledger.tables[t].rows}
    near |= {ledger.row(row).table for claim in claims for row, _ in claim.expression.refs}
    return replace(
        ledger,
        tables={t: table for t, table in ledger.tables.items() if t in near},
        claims=claims,
        checks=ledger.checks.model_copy(update={"linear": linear, "monotone": monotone}),
    )


def _objects(ledger: Ledger, finding: Finding) -> Callable[[Ledger], bool]:
    """Return a test of edited ledgers: does a finding's check find its subject impossible still."""
    if finding.check == "linear costs":
        return still_refuted(ledger, finding.subject)
    check = REGISTRY.checks[finding.check]
    return lambda edited: any(f.subject == finding.subject and f.severity == IMPOSSIBLE for f in check(edited))


def _alarms(ledger: Ledger) -> set[tuple[str, str]]:
    return {(c, f.subject) for c in GUARDS for f in REGISTRY.checks[c](ledger) if f.severity in ALARMS}


def explained(ledger: Ledger, found: Iterable[Finding]) -> Iterator[Finding]:
    """Yield, for every impossibility, the misprints of one of its cells under which its check no longer objects.

    A misprint counts only if neither that check nor a repeat, an axis or an identity of metrics objects to it.
    """
    for finding in list(found):
        if finding.severity != IMPOSSIBLE or finding.check not in REGISTRY.checks:
            continue
        narrow = _narrowed(ledger, finding)
        objects, around = _objects(narrow, finding), _alarms(narrow)
        own = {(finding.check, finding.subject)}
        saves = []
        for name in finding.cells:
            was = ledger.cell(*name.split(".")).printed
            for kind, text in misprints(was):
                edited = with_cell(narrow, name, text)
                if not objects(edited) and _alarms(edited) <= around - own:
                    saves.append((name, f"{name} {text} for {was} ({kind})"))
        subject = f"{finding.check}: {finding.subject}"
        if not saves:
            yield Finding(
                CHECK, NOT_APPLICABLE, subject, finding.cells, "no misprint of one of these cells explains it"
            )
            continue
        many = f"; {len(saves)} in all, so none is likely" if len(saves) > NAMED else ""
        text = f"would explain it: {'; '.join(said for _, said in saves[:NAMED])}{many}"
        cells = tuple(dict.fromkeys(name for name, _ in saves))
        yield Finding(CHECK, SUSPICIOUS, subject, cells, text)
