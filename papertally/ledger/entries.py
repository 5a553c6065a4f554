"""What a ledger holds, as plain data: tables, rows, cells, statements, and where the paper was read."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from decimal import Decimal
from functools import cached_property
from typing import Any, TypeVar

from papertally.conventions.axes import Conventions, any_paper
from papertally.ledger.schema import RawArchitecture, RawBudget, RawChecks, RawIssue, RawReading, RawUnread
from papertally.quantities.columns import Column, Margin, plain_column, stem
from papertally.quantities.printed import PrintedNumber, is_absent, own_unit, parse_printed, scale_of
from papertally.statements.expressions import Expression

T = TypeVar("T")


class LedgerError(Exception):
    """Say what is wrong with the ledger: file, line, fault, mend. faults: all of them, a line each."""

    def __init__(self, fault: str, faults: tuple[str, ...] = ()) -> None:
        super().__init__(fault)
        self.faults = faults or (fault,)


@dataclass(frozen=True)
class Ground:
    """Say why a cell can be judged: see RawGround. `of` is the cell that it repeats, row.column."""

    kind: str = "printed"
    decided_by: tuple[str, ...] = ()
    source: str = ""
    drawn: str = ""
    of: str = ""

    @property
    def constructed(self) -> bool:
        """Tell whether the network that is built for the cell is this project's, so that it cannot test the paper."""
        return bool(self.drawn)

    @property
    def tests(self) -> str:
        """Return what a result for the cell tests: the paper, a reconstruction of it, or a quotation."""
        if self.kind == "quoted":
            return "quotation"
        return "paper" if self.kind in ("printed", "released") else "reconstruction"


@dataclass(frozen=True)
class Cell:
    """Hold one printed cell; ground: its own, `repeat` where it repeats another; of: its column (default: by name)."""

    column: str
    printed: str
    bold: bool
    ground: Ground = Ground()
    of: Column | None = None

    @property
    def numeric(self) -> bool:
        """Tell whether the paper prints a number here."""
        return not is_absent(self.printed)

    @property
    def about(self) -> Column:
        """Return what the column measures."""
        return self.of or plain_column(self.column)

    @property
    def unit(self) -> str:
        """Return the unit of a cell that prints none of its own."""
        return self.about.unit or ("MB" if stem(self.column) == "size" else "")

    @property
    def interval_unit(self) -> str:
        """Return the unit that the number is in: its own, or its column's."""
        return own_unit(self.printed) or self.unit

    @property
    def scale(self) -> Decimal:
        """Return how many base units one of the column's is."""
        return scale_of(self.about.unit)

    @cached_property
    def interval(self) -> PrintedNumber:
        """Return the values that print as this string, in base units."""
        return parse_printed(self.printed, self.unit)

    @property
    def margin(self) -> Decimal | None:
        """Return how far a result may lie from the number, in base units, or None where the ledger states no margin."""
        found = self.about.margin
        return None if found is None else found.of(self.value, scale_of(self.about.unit))

    @property
    def error(self) -> Decimal | None:
        """Return the printed number's own standard error, from its ±, or None where it prints none.

        A ± that nobody explains is taken for the error itself: a standard deviation would be no smaller.
        """
        spread = self.interval.spread
        if spread is None or self.about.error or self.about.runs is None:
            return spread
        return spread / Decimal(self.about.runs).sqrt()

    @property
    def value(self) -> Decimal:
        """Return the printed number in units."""
        return self.interval.value


@dataclass(frozen=True)
class Row:
    """Hold one printed row. `number` counts printed rows from 1; `same_as` names the row whose experiment this is.

    network: what is counted for it, by name, and input: what that takes (of the table where the row states none).
    """

    id: str
    table: str
    number: int
    labels: tuple[str, ...]
    marks: tuple[str, ...]
    cells: dict[str, Cell]
    same_as: str | None
    blocked: str | None
    network: str | None = None
    input: tuple[int, ...] | None = None


@dataclass(frozen=True)
class Table:
    """Hold one table; `architecture` is the printed body of Tables 1 and 10."""

    id: str
    title: str
    task: str
    label_columns: tuple[str, ...]
    columns: tuple[str, ...]
    rows: tuple[Row, ...]
    architecture: RawArchitecture | None
    about: dict[str, Column] = field(default_factory=dict)
    unread: tuple[RawUnread, ...] = ()

    def column(self, name: str) -> Column:
        """Return what a column measures."""
        return self.about.get(name) or plain_column(name)


@dataclass(frozen=True)
class Claim:
    """Hold one checkable statement with its compiled expression; of: the rows that its computation is about."""

    id: str
    section: str
    statement: str
    kind: str
    expression: Expression
    computation: str | None
    reading: str | None
    issue: str | None
    shows: str | None = None
    read: RawReading | None = None
    of: tuple[str, ...] = ()


@dataclass(frozen=True)
class Alias:
    """Say how a later version names a model; row, later_row: the two ledgers' rows of it, where they have one."""

    this: str
    later: str
    note: str
    row: str | None = None
    later_row: str | None = None


@dataclass(frozen=True)
class Ledger:
    """Hold all that the paper prints. arxiv: "" of one that has no number there, whose `source` says where it is.

    name: how its row ids begin, where they do alike; margins: of columns by name, where the ledger states them.
    """

    arxiv: str
    title: str
    authors: tuple[str, ...]
    tables: dict[str, Table]
    claims: tuple[Claim, ...]
    issues: dict[str, RawIssue]
    aliases: tuple[Alias, ...]
    later_version: str | None
    budgets: tuple[RawBudget, ...]
    checks: RawChecks = field(default_factory=RawChecks)
    conventions: Conventions = field(default_factory=any_paper)
    source: str = ""
    name: str = ""
    margins: dict[str, Margin] = field(default_factory=dict)
    alpha: float | None = None
    seeds: int | None = None
    unread: tuple[RawUnread, ...] = ()
    version_of: str = ""
    seed_spread: float = 0.15
    printed_spread: dict[str, float] = field(default_factory=dict)
    recipes: dict[str, str] = field(default_factory=dict)

    @cached_property
    def _derived(self) -> dict[Callable[[Ledger], Any], Any]:
        return {}

    def derived(self, compute: Callable[[Ledger], T]) -> T:
        """Return compute(self), computed once: for what follows from the ledger alone."""
        if compute not in self._derived:
            self._derived[compute] = compute(self)
        found: T = self._derived[compute]
        return found

    @property
    def cited(self) -> str:
        """Return where the paper is, for a reader: "arXiv 2101.00001v1", a DOI, an address or a file's name."""
        if self.arxiv:
            return f"arXiv {self.arxiv}"
        kind, _, rest = self.source.partition(":")
        return {"arXiv": f"arXiv {rest}", "doi": f"DOI {rest}", "file": rest}.get(kind, self.source) or "no source"

    @property
    def address(self) -> str:
        """Return the source's address, or "" where it has none."""
        if self.arxiv:
            return f"https://arxiv.org/abs/{self.arxiv}"
        kind, _, rest = self.source.partition(":")
        ways = {"arXiv": f"https://arxiv.org/abs/{rest}", "doi": f"https://doi.org/{rest}", "file": ""}
        return ways.get(kind, self.source)

    @cached_property
    def rows(self) -> dict[str, Row]:
        """Return every row by id, in printed order."""
        return {row.id: row for table in self.tables.values() for row in table.rows}

    def row(self, row_id: str) -> Row:
        """Return a row. Raises LedgerError for an unknown id."""
        try:
            return self.rows[row_id]
        except KeyError:
            where = self.name or "paper"
            raise LedgerError(f"{where}/tables: no row {row_id!r}; `papertally ledger rows` lists them") from None

    def cell(self, row_id: str, column: str) -> Cell:
        """Return a cell. Raises LedgerError for an unknown row or column."""
        cells = self.row(row_id).cells
        if column not in cells:
            fault = f"row {row_id!r} has no column {column!r}; it has {', '.join(cells)}"
            raise LedgerError(f"{self.name or 'paper'}/tables: {fault}")
        return cells[column]

    def cells(self) -> Iterator[tuple[Row, Cell]]:
        """Yield every numeric cell with its row, in printed order."""
        for row in self.rows.values():
            for cell in row.cells.values():
                if cell.numeric:
                    yield row, cell

    def trains(self, row_id: str, column: str) -> bool:
        """Tell whether training decides a cell: neither an exact count nor a measurement does."""
        return self.cell(row_id, column).about.kind == "trained"

    def inputs(self, row_id: str) -> tuple[tuple[int, ...], ...]:
        """Return what else a row's network is counted at: the inputs that columns of it, and of its repeats, state."""
        rows = (row for row in self.rows.values() if self.canonical(row.id) == row_id)
        found = {c.about.input for row in rows for c in row.cells.values() if c.numeric}
        return tuple(sorted(size for size in found if size is not None))

    def canonical(self, row_id: str) -> str:
        """Return the id of the row whose experiment a row repeats, or the row's own."""
        return self.row(row_id).same_as or row_id

    def root(self, row_id: str, column: str) -> tuple[str, str]:
        """Return the row and column of the cell that a cell repeats, or its own."""
        of = self.cell(row_id, column).ground.of
        if not of:
            return row_id, column
        row, _, name = of.partition(".")
        return self.root(row, name)

    def ground(self, row_id: str, column: str) -> Ground:
        """Return what fixes a cell; of a repeat, what fixes the cell that it repeats."""
        return self.cell(*self.root(row_id, column)).ground

    def printed_number(self, row_id: str, column: str) -> PrintedNumber | None:
        """Return a printed number, or None where the paper prints none."""
        cell = self.cell(row_id, column)
        return cell.interval if cell.numeric else None

    def printed_value(self, row_id: str, column: str) -> Decimal | None:
        """Return a printed number in units, or None where the paper prints none: a lookup for expressions."""
        cell = self.cell(row_id, column)
        return cell.value if cell.numeric else None
