"""Claims of running text about a paper's tables, found and tied to cells by name, and worked out over rounding.

A sentence's rows are found by their labels (where it names one only, those of the sentence before serve as the other
side), its columns by what they measure. A printed number may be one unit of its last place off to either side, which
holds under every usual convention of rounding, so that a contradiction is none of rounding.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction
from functools import lru_cache

from papertally.ledger.entries import Cell, Ledger, Row
from papertally.quantities.columns import is_cost, stem

EXPLAINED, CONTRADICTED, OPEN = "explained", "contradicted", "open"
#: A longer "sentence" is a list whose entries run together: what belongs to which name is not sure.
LONGEST = 300
#: Words by which prose names what a column measures, by the column's stem.
COLUMN_WORDS = {
    "top1": r"top-?\s?1",
    "top5": r"top-?\s?5",
    "params": r"param(?:eter)?s?",
    "acc": r"accurac(?:y|ies)|acc\.?",
    "madds": r"m-?adds|flops|gflops|mflops|g?macs|multiply-adds|multiply-accumulates",
    "size": r"model size",
    "latency": r"latency|ms",
    "fps": r"fps|frames per second",
    "throughput": r"throughput",
    "memory": r"memory",
    "miou": r"m?iou",
    "AP": r"m?ap",
    "AP50": r"m?ap_?50",
    "AP75": r"m?ap_?75",
    "f1": r"f1(?:-score)?",
    "bleu": r"bleu",
    "fid": r"fid",
    "ppl": r"perplexity|ppl",
    "err": r"error(?: rate)?",
    "err1": r"top-?1 error",
    "auc": r"auc",
    "psnr": r"psnr",
    "ssim": r"ssim",
    "wer": r"wer",
    "loss": r"loss",
    "time": r"time",
}
_NUMBER = re.compile(
    r"(?<![\w.,^_/–-])(?P<sign>[-−+]?)(?P<digits>\d{1,3}(?:,\d{3})+(?:\.\d+)?|\d+(?:\.\d+)?)(?![\d]|\.\d)"
    r"\s?(?P<unit>%|percent(?:age points?)?\b|pp\b|points?\b|×|x\b|times\b|-fold\b|fold\b|(?:million|billion)\b"
    r"|ms\b|[KMGBT](?=(?:FLOPs?|MACs?|M?-?Adds?)?\b)|(?=\s))?",
)
_HEDGE = re.compile(
    r"(?:about|around|roughly|approximately|nearly|almost|over|than|least|most|to|below|above|under|within|only|~|≈|<|>"
    r"|≤|≥|±)\s*$",
    re.I,
)
_NOT = re.compile(
    r"\b(?:not|no|n't|never|without|neither|nor|except|unlike|if|would|could|might|may|fails?)\b|n't", re.I
)
_BETTER = re.compile(
    r"\b(?:outperform(?:s|ed|ing)?|surpass(?:es|ed|ing)?|exceed(?:s|ed)?|beats?|improv(?:es|ed|ing) (?:over|up)?on|"
    r"(?:is|are|was|performs?) better than|gains? (?=.*\bover\b)|is ahead of)",
    re.I,
)
_WORSE = re.compile(
    r"\b(?:underperforms?|(?:is|are|was|performs?) worse than|trails|lags behind|falls? (?:short of|behind))\b", re.I
)
_MORE = re.compile(r"\b(?:more|higher|larger|greater|bigger|slower|heavier)\b", re.I)
_BEST = re.compile(r"\bthe (?P<word>best|highest|lowest|fewest|largest|smallest|greatest|least|most|worst)\b", re.I)
_NARROW = re.compile(
    r"\b(?:among|under|similar|comparable|same|second|third|one of|previous|prior|other|its|single|given|budget|block"
    r"|group|except|at most|at least)\b",
    re.I,
)
#: What stands before a name when a part of it, or something that uses it, is meant.
_PART = re.compile(
    r"\b(?:layers?|blocks?|heads?|stages?|stem|branch|modules?|part|convolutions?|backbone|encoder|decoder)\b[^.;]*$"
    r"|\b(?:in|with|using|for|on|within|inside|plus|adding|add|replacing|to)\s+(?:the\s+|a\s+|our\s+)?$",
    re.I,
)
_FROM_TO = re.compile(
    r"\bfrom (?P<a>\d+(?:\.\d+)?)\s?(?P<ua>%|[KMGB])? to (?P<b>\d+(?:\.\d+)?)\s?(?P<ub>%|[KMGB])?(?![\d.])"
    r"[^.;]{0,40}?(?:by|of|\()\s?(?P<d>\d+(?:\.\d+)?)\s?(?P<ud>%|percent\b|points?\b|pp\b|percentage points?\b)?(?!\w)",
    re.I,
)


@dataclass(frozen=True, kw_only=True)
class ProseClaim:
    """Hold one claim of a sentence: what became of it, the cells it rests on and one line of arithmetic.

    expression: the statement that claims.yaml would take, or "" where there is none.
    """

    kind: str
    outcome: str
    line: int
    text: str
    cells: tuple[str, ...]
    arithmetic: str
    expression: str = ""
    alone: bool = False


@dataclass(frozen=True, kw_only=True)
class _Quantity:
    """Hold a number of a sentence: its values under rounding, its unit, and where it stands."""

    printed: str
    digits: str
    low: Fraction
    high: Fraction
    unit: str
    start: int
    end: int
    hedged: bool

    def meets(self, low: Fraction, high: Fraction) -> bool:
        """Tell whether some number of an interval prints so, rounded or cut."""
        return self.low < high and low < self.high

    def repeats(self, cell: Cell) -> bool:
        """Tell whether this is a cell's number: the same to as many places, rounded or cut to fewer."""
        place, value = (self.high - self.low) / 2, (self.high + self.low) / 2
        gap = abs(value - Fraction(cell.value))
        return gap == 0 or (place > Fraction(cell.interval.place) and gap < place)


@dataclass(frozen=True, kw_only=True)
class _Named:
    """Hold rows that a name in a sentence stands for, and where it stands."""

    rows: tuple[Row, ...]
    start: int
    end: int


def _span(cell: Cell) -> tuple[Fraction, Fraction]:
    """Return the values that a printed cell may stand for under any convention of rounding."""
    place = Fraction(cell.interval.place)
    return Fraction(cell.interval.value) - place, Fraction(cell.interval.value) + place


def quantities_of(text: str) -> Iterator[_Quantity]:
    """Yield the numbers of a sentence with their units.

    Args:
        text: One sentence without markup.
    """
    for match in _NUMBER.finditer(text):
        digits, unit = match["digits"].replace(",", ""), match["unit"] or ""
        before = text[: match.start()]
        if re.search(
            r"(?:table|tab\.|fig(?:ure|\.)|section|sec\.|eq\.|step|stage|block|row|seed|epoch)s?~?\s*$", before, re.I
        ):
            continue
        scale = {"million": 10**6, "billion": 10**9, "K": 10**3, "M": 10**6, "G": 10**9, "B": 10**9, "T": 10**12}
        factor = Fraction(scale.get(unit, 1)) * (Fraction(1, 1000) if unit == "ms" else 1)
        value = Fraction(digits) * factor
        place = Fraction(1, 10 ** len(digits.partition(".")[2])) * factor
        yield _Quantity(
            printed=match.group(0).strip(),
            digits=digits,
            low=value - place,
            high=value + place,
            unit={"percent": "%", "x": "×", "times": "×", "-fold": "×", "fold": "×"}.get(unit, unit),
            start=match.start(),
            end=match.end(),
            hedged=bool(_HEDGE.search(before)),
        )


@lru_cache(4096)
def _pattern(name: str) -> re.Pattern[str] | None:
    parts = re.findall(r"[A-Za-z]+|\d+(?:\.\d+)?|[^\W\d_]+", name)
    if not parts or sum(map(len, parts)) < 3 or not re.search(r"[A-Za-z]{2}", name):
        return None
    return re.compile(r"(?<![\w.-])" + r"[\s\-_./()+,]{0,3}".join(map(re.escape, parts)) + r"(?![\w]|-\w|\.\d)", re.I)


class Names:
    """Find the rows and the columns of a ledger by the names that sentences give them."""

    def __init__(self, ledger: Ledger) -> None:
        self.ledger = ledger
        found: dict[str, dict[str, Row]] = {}
        for row in ledger.rows.values():
            for name in {" ".join(row.labels), *row.labels[:1]}:
                found.setdefault(name.strip(), {})[row.id] = row
        self.patterns = [
            (p, tuple(rows.values()), name)
            for name, rows in sorted(found.items(), key=lambda item: -len(item[0]))
            if (p := _pattern(name)) is not None
        ]

    def rows(self, text: str) -> list[_Named]:
        """Return the rows that a sentence names, the longest names first taken, in the order of the sentence."""
        taken: list[_Named] = []
        for pattern, rows, _ in self.patterns:
            for match in pattern.finditer(text):
                if all(match.end() <= t.start or match.start() >= t.end for t in taken):
                    taken.append(_Named(rows=rows, start=match.start(), end=match.end()))
        return sorted(taken, key=lambda t: t.start)

    def columns(self, row: Row, text: str) -> list[str]:
        """Return the columns of a row that some words name."""
        table = self.ledger.tables[row.table]
        found = []
        for column in row.cells:
            title = table.column(column).title or column
            patterns = [COLUMN_WORDS[stem(column)]] if stem(column) in COLUMN_WORDS else []
            if stem(column) in ("top1",):
                patterns.append(r"accuracy")
            bare = re.sub(r"[(\[].*?[)\]]|[↑↓%#]", "", title).strip()
            if re.search(r"[A-Za-z]{2}", bare):
                patterns.append(re.escape(bare))
            if any(re.search(rf"(?<![\w-])(?:{p})(?![\w]|-\d)", text, re.I) for p in patterns):
                found.append(column)
        return found


def _number(x: Fraction) -> str:
    return f"{Decimal(x.numerator) / Decimal(x.denominator):.6g}"


def _pairs(a: _Named, b: _Named, columns: Iterable[str] | None) -> Iterator[tuple[Row, Row, str]]:
    """Yield (row, row, column) of one table where both print a number."""
    for one in a.rows:
        for two in b.rows:
            if one.table != two.table or one.id == two.id:
                continue
            for column in one.cells:
                if (columns is None or column in columns) and one.cells[column].numeric and two.cells[column].numeric:
                    yield one, two, column


def _relations(one: Row, two: Row, column: str) -> Iterator[tuple[str, Fraction, Fraction, str, str]]:
    """Yield what a number may say of two cells: (form, low, high, arithmetic, expression)."""
    a, b = one.cells[column], two.cells[column]
    (al, ah), (bl, bh) = _span(a), _span(b)
    x, y = Fraction(a.value), Fraction(b.value)
    # Both cells were shortened in one way: their difference is less than a unit of a last place off.
    slack = Fraction(max(a.interval.place, b.interval.place))
    low, high = x - y - slack, x - y + slack
    if low < 0 < high:
        low, high = Fraction(0), max(-low, high)
    elif high <= 0:
        low, high = -high, -low
    first, second = f"{one.id}.{column}", f"{two.id}.{column}"
    if x < y:
        first, second = second, first
    yield "difference", low, high, f"|{a.printed} − {b.printed}| = {_number(abs(x - y))}", f"{first} - {second}"
    for (nl, nh, n, nid), (dl, dh, d, did) in (
        ((al, ah, a, f"{one.id}.{column}"), (bl, bh, b, f"{two.id}.{column}")),
        ((bl, bh, b, f"{two.id}.{column}"), (al, ah, a, f"{one.id}.{column}")),
    ):
        if dl <= 0 or nl < 0:
            continue
        ratio = Fraction(n.value) / Fraction(d.value)
        yield "ratio", nl / dh, nh / dl, f"{n.printed} / {d.printed} = {_number(ratio)}", f"{nid} / {did}"
        rl, rh = sorted((100 * (nl / dh - 1), 100 * (nh / dl - 1)))
        if ratio < 1:
            rl, rh = -rh, -rl
        text = f"|{n.printed} / {d.printed} − 1| = {_number(100 * abs(ratio - 1))} %"
        yield "relative", rl, rh, text, ""


class _Reader:
    """Read one sentence after the other, remembering what the last one named."""

    def __init__(self, ledger: Ledger) -> None:
        self.names = Names(ledger)
        self.ledger = ledger
        self.last: list[_Named] = []

    def sentence(self, text: str, line: int) -> Iterator[ProseClaim]:
        named = self.names.rows(text)
        yield from self._from_to(text, line)
        if not _NOT.search(text) and "?" not in text:
            used: set[int] = set()
            sides = self._sides(text, named)
            if sides is not None:
                yield from self._compared(text, line, *sides, used)
            if len(named) == 1:
                yield from self._superlative(text, line, named[0])
            yield from self._values(text, line, named, used)
        if named:
            self.last = named

    def _sides(self, text: str, named: list[_Named]) -> tuple[_Named, _Named] | None:
        """Return the two things that a sentence compares, or None where that is not sure."""
        if len(named) == 2:
            between = text[named[0].end : named[1].start]
            if re.search(r"[;]|\b(?:while|whereas|but)\b", between):
                return None
            return named[0], named[1]
        if len(named) == 1 and len(self.last) == 1 and re.search(r"^(?:it|this|that)\b", text, re.I):
            return self.last[0], named[0]
        return None

    def _columns_of(self, sides: tuple[_Named, _Named], words: str) -> set[str]:
        return {c for row in sides[0].rows for c in self.names.columns(row, words)}

    def _compared(self, text: str, line: int, a: _Named, b: _Named, used: set[int]) -> Iterator[ProseClaim]:
        named_columns = self._columns_of((a, b), text)
        for q in quantities_of(text):
            if any(n.start <= q.start < n.end for n in (a, b)):
                continue
            before, after = text[max(0, q.start - 24) : q.start], text[q.end : q.end + 32]
            times = q.unit == "×" and re.match(
                r"\s?(?:fewer|less|more|faster|smaller|larger|lower|higher|as|the)\b", after, re.I
            )
            gain = re.search(r"\b(?:by|gains?(?: of)?|improvement of|margin of|is)\s+$", before) and (
                q.unit in ("%", "points", "point", "pp", "percentage points", "percentage point", "")
            )
            relative = q.unit == "%" and re.match(
                r"\s?(?:fewer|less|more|faster|smaller|larger|lower|higher)\b", after, re.I
            )
            points = q.unit.startswith(("point", "pp", "percentage"))
            if not (times or gain or relative or points):
                continue
            used.add(q.start)
            local = self._columns_of((a, b), text[q.start : q.end + 40]) or named_columns
            pairs = list(_pairs(a, b, local or None))
            forms = ("ratio",) if times else ("difference",) if points else ("difference", "relative")
            kind = "ratio" if times else "difference"
            told: list[tuple[Fraction, str, tuple[str, ...]]] = []
            done = False
            for one, two, column in pairs:
                if q.unit == "" and is_cost(column) and not relative:
                    continue
                for form, low, high, arithmetic, expression in _relations(one, two, column):
                    if form not in forms:
                        continue
                    cells = (f"{one.id}.{column}", f"{two.id}.{column}")
                    if q.meets(low, high):
                        stated = f'agrees({expression}, "{q.digits}")' if expression else ""
                        yield self._claim(kind, EXPLAINED, text, line, cells, arithmetic, stated)
                        done = True
                        break
                    told.append((abs(low - q.low), arithmetic, cells))
                if done:
                    break
            if done or q.hedged or not told:
                if not done:
                    yield self._claim(kind, OPEN, text, line, (), f"{q.printed} is tied to no cells")
                continue
            if len({t[2] for t in told}) > 8 or not (local or len({c for _, _, c in pairs}) == 1 or times or points):
                yield self._claim(kind, OPEN, text, line, (), f"{q.printed} is tied to no cells")
                continue
            _, arithmetic, closest = min(told)
            yield self._claim(kind, CONTRADICTED, text, line, closest, f"the text says {q.printed}; {arithmetic}")
        yield from self._order(text, line, a, b, named_columns)

    def _order(self, text: str, line: int, a: _Named, b: _Named, columns: set[str]) -> Iterator[ProseClaim]:
        between = text[a.end : b.start]
        up = bool(_BETTER.search(between)) - bool(_WORSE.search(between))
        if up:
            trained = {c for c in columns if not is_cost(c)}
            pairs = [(p, self._sign(p)) for p in _pairs(a, b, trained or None) if trained or not is_cost(p[2])]
            pairs = [(p, up * s) for p, s in pairs if s]
        else:
            match = re.search(
                r"\b(?:more|higher|larger|greater|fewer|less|lower|smaller)\b(?P<what>.{0,30})\bthan\s+(?:the\s+)?$",
                between,
                re.I,
            )
            if match is None:
                return
            up = 1 if _MORE.match(match.group(0)) else -1
            named = self._columns_of((a, b), match["what"])
            pairs = [(p, up) for p in _pairs(a, b, named)] if named else []
        judged = []
        for (one, two, column), sign in pairs:
            x, y = one.cells[column], two.cells[column]
            judged.append((sign * (x.value - y.value), one, two, column))
        if not judged:
            return
        right = [j for j in judged if j[0] > 0]
        _, one, two, column = (right or judged)[0]
        x, y = one.cells[column], two.cells[column]
        cells = (f"{one.id}.{column}", f"{two.id}.{column}")
        op = ">" if x.value > y.value else "<" if x.value < y.value else "="
        arithmetic = f"{column}: {x.printed} {op} {y.printed}"
        if right:
            yield self._claim("order", EXPLAINED, text, line, cells, arithmetic, f"{cells[0]} {op} {cells[1]}")
        elif all(j[0] < 0 for j in judged):
            yield self._claim("order", CONTRADICTED, text, line, cells, f"the text says the opposite; {arithmetic}")

    def _sign(self, pair: tuple[Row, Row, str]) -> int:
        return self.ledger.tables[pair[0].table].column(pair[2]).sign

    def _superlative(self, text: str, line: int, named: _Named) -> Iterator[ProseClaim]:
        match = _BEST.search(text)
        if match is None or _NARROW.search(text) or match.start() < named.end:
            return
        words = re.split(r"[,;.]|\b(?:and|with|while|at|in|of)\b", text[match.end() :])[0]
        table = re.search(r"\bTable~?\s*(\w+)", text)
        outcomes = []
        for row in named.rows:
            if table and row.table != table[1]:
                continue
            for column in self.names.columns(row, words):
                sign = self.ledger.tables[row.table].column(column).sign
                word = match["word"].lower()
                if word in ("best", "worst") and not sign:
                    continue
                up = {"best": sign, "worst": -sign}.get(
                    word, -1 if word in ("lowest", "fewest", "smallest", "least") else 1
                )
                rows = [r for r in self.ledger.tables[row.table].rows if column in r.cells and r.cells[column].numeric]
                if not row.cells[column].numeric or len(rows) < 3:
                    continue
                best = max(rows, key=lambda r: up * r.cells[column].value)
                outcomes.append((up * (row.cells[column].value - best.cells[column].value) >= 0, row, best, column))
        if not outcomes:
            return
        right = [o for o in outcomes if o[0]]
        _, row, best, column = (right or outcomes)[0]
        cells = (f"{row.id}.{column}", f"{best.id}.{column}")
        if right:
            yield self._claim(
                "superlative", EXPLAINED, text, line, cells[:1], f"{column} {row.cells[column].printed} is it"
            )
        elif len({o[1].table for o in outcomes}) == 1 and len(outcomes) == 1:
            said = f"the text says {match['word']}; {' '.join(best.labels)} prints {best.cells[column].printed}"
            arithmetic = f"{said}, this {row.cells[column].printed}"
            yield self._claim("superlative", CONTRADICTED, text, line, cells, arithmetic)

    def _values(self, text: str, line: int, named: list[_Named], used: set[int]) -> Iterator[ProseClaim]:
        for q in quantities_of(text):
            if q.start in used or any(n.start <= q.start < n.end for n in named) or q.unit == "×":
                continue
            owners = [n for n in named if n.end <= q.start]
            if not owners or q.unit.startswith(("point", "pp", "percentage")):
                continue
            owner = owners[-1]
            between = text[owner.end : q.start]
            if (
                re.search(r"[;:]|\b(?:while|whereas|but|than|by|from|over|gains?|more|fewer|less)\b", between)
                or "respectively" in text
            ):
                continue
            after = re.split(r"[,;.]\s|\b(?:and|with|at|but|while|to|on|in|for|of)\b", text[q.end : q.end + 28])[0]
            words = f"{q.unit if q.unit == 'ms' else ''} {after}"
            columns = {c for row in owner.rows for c in self.names.columns(row, words)}
            of = re.search(r"((?:[\w-]+\s+){1,3})of\s+$", text[: q.start])
            if not columns and of:
                columns = {c for row in owner.rows for c in self.names.columns(row, of[1])}
            cells = [
                (row, row.cells[c])
                for row in owner.rows
                for c in row.cells
                if row.cells[c].numeric and (not columns or c in columns)
            ]
            hit = next(((row, cell) for row, cell in cells if q.repeats(cell)), None)
            if hit is not None:
                row, cell = hit
                name = f"{row.id}.{cell.column}"
                stated = f'agrees({name}, "{cell.printed}")'
                yield self._claim("value", EXPLAINED, text, line, (name,), f"{cell.column} {cell.printed}", stated)
                continue
            near = [(row, c) for row, c in cells if columns]
            if variant := next((r for r, c in self._variants(owner) if q.repeats(c)), None):
                told = f"{q.printed} stands in the row {' '.join(variant.labels)}, a variant of the one named"
                yield self._claim("value", OPEN, text, line, (), told)
                continue
            part = _PART.search(text[: owner.start])
            if not near or q.hedged or len(text) > LONGEST or part or _NARROW.search(text):
                if columns or q.unit:
                    yield self._claim("value", OPEN, text, line, (), f"{q.printed} is tied to no cells")
                continue
            row, cell = min(near, key=lambda rc: abs(Fraction(rc[1].value) - (q.low + q.high) / 2))
            arithmetic = f"the text says {q.printed}; {' '.join(row.labels)} prints {cell.column} {cell.printed}"
            yield self._claim("value", CONTRADICTED, text, line, (f"{row.id}.{cell.column}",), arithmetic)

    def _variants(self, owner: _Named) -> Iterator[tuple[Row, Cell]]:
        """Yield the cells of rows whose name is that of the named row and more: "M1 (distilled)", "M1 + aug"."""
        names = {" ".join(row.labels) for row in owner.rows} | {row.labels[0] for row in owner.rows if row.labels}
        for row in self.ledger.rows.values():
            label = " ".join(row.labels)
            if row not in owner.rows and any(
                label.startswith(n) and not label[len(n) :][:1].isalnum() for n in names if n
            ):
                yield from ((row, cell) for cell in row.cells.values() if cell.numeric)

    @staticmethod
    def _from_to(text: str, line: int) -> Iterator[ProseClaim]:
        """Judge "from A to B, by D", whose three numbers stand in one sentence."""
        for m in _FROM_TO.finditer(text):
            if (m["ua"] or m["ub"] or "") != (m["ub"] or m["ua"] or ""):
                continue
            values = [(Fraction(m[k]), Fraction(1, 10 ** len(m[k].partition(".")[2]))) for k in "abd"]
            (a, pa), (b, pb), (d, pd) = values
            slack = max(pa, pb) + pd
            differs = abs(abs(b - a) - d) >= slack
            relative = a and abs(100 * abs(b - a) / a - d) <= pd + 100 * (pa + pb) * max(a, b) / a**2
            if (m["ud"] or "") in ("%", "percent", "") and relative:
                differs = False
            if (
                m["ud"] in ("%", "percent")
                and b
                and abs(100 * abs(b - a) / b - d) <= pd + 100 * (pa + pb) * max(a, b) / b**2
            ):
                differs = False
            arithmetic = f"from {m['a']} to {m['b']} is {_number(abs(b - a))}"
            if a:
                arithmetic += f" or {_number(100 * abs(b - a) / a)} %"
            arithmetic += f"; the text says {m['d']}"
            outcome = CONTRADICTED if differs else EXPLAINED
            yield ProseClaim(
                kind="change", outcome=outcome, line=line, text=text, cells=(), arithmetic=arithmetic, alone=True
            )

    @staticmethod
    def _claim(
        kind: str, outcome: str, text: str, line: int, cells: tuple[str, ...], arithmetic: str, expression: str = ""
    ) -> ProseClaim:
        return ProseClaim(
            kind=kind, outcome=outcome, line=line, text=text, cells=cells, arithmetic=arithmetic, expression=expression
        )


def read_prose(ledger: Ledger, sentences: Iterable[tuple[str, int]]) -> list[ProseClaim]:
    """Return the claims of running text about a ledger's tables, in the order of the text.

    Args:
        ledger: The tables.
        sentences: Sentences without markup, each with its line from 1.
    """
    reader = _Reader(ledger)
    found = [claim for text, line in sentences for claim in reader.sentence(text, line)]
    return list(dict.fromkeys(found))


def proposal(claims: Iterable[ProseClaim]) -> str:
    """Return a claims.yaml with the claims that cells explain, each expression once.

    Args:
        claims: What read_prose returned.
    """
    lines = [
        "# Proposed from the paper's sentences: what their cells explain. mend: section; leave out what is not meant."
    ]
    lines += ["schema: 1"]
    entries: dict[str, ProseClaim] = {}
    for claim in claims:
        if claim.outcome == EXPLAINED and claim.expression:
            entries.setdefault(claim.expression, claim)
    lines.append("claims:" if entries else "claims: []")
    for number, (expression, claim) in enumerate(entries.items(), start=1):
        lines += [f"  - id: {claim.kind.replace(' ', '_')}_{number}", f'    section: "line {claim.line}"']
        lines += [f"    statement: {json.dumps(claim.text, ensure_ascii=False)}", "    kind: relation"]
        lines += [f"    expr: {json.dumps(expression, ensure_ascii=False)}"]
    return "\n".join(lines) + "\n"
