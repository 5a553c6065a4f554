"""What the page shows beside the verdicts: its configuration, training curves, figures' evidence, dates of files."""

from __future__ import annotations

import csv
import math
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from papertally.evidence.bench import Latency
from papertally.evidence.figures import FigureEvidence
from papertally.evidence.io import EvidenceError, listed
from papertally.evidence.read import Problem
from papertally.evidence.schema import read_form
from papertally.ledger.files import YamlFile
from papertally.ledger.load import Ledger, LedgerError
from papertally.ledger.paper import Paper
from papertally.ledger.schema import Column, Identifier, Text
from papertally.pages.provenance import evidence_dates
from papertally.verdicts.names import COLUMNS


class Plain(BaseModel):
    """Refuse unknown keys and silent conversions."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)


class SeriesSpec(Plain):
    """Name the rows that a line joins; ours: drawn in the accent."""

    name: Text
    rows: list[Identifier] = Field(min_length=1)
    ours: bool = False


class ScatterSpec(Plain):
    """Describe a chart of one column of a table against another; rows in no series stand alone.

    time: what the same chart by measured time in x's place shows of the paper, in words.
    """

    figure: Text
    title: Text
    table: Text
    x: Column
    y: Column
    log: bool = False
    time: str = ""
    series: list[SeriesSpec] = []


class ForestSpec(Plain):
    """Name the tables whose rows are drawn with intervals, and the column."""

    tables: list[Text]
    column: Column
    title: Text


class PageConfig(Plain):
    """Describe the page of one paper: commands by task (with {row}, {seed}, {config}), captions and charts.

    versions: ledgers of the paper's other versions, each with a page that sets the two side by side; claims: what the
    paper claims, in a sentence, with {row.column} for printed numbers.
    """

    schema_: Literal[1] = Field(default=1, alias="schema")
    commands: dict[str, Text] = {}
    pictures: dict[str, Text] = {}
    scatter: list[ScatterSpec] = []
    forest: list[ForestSpec] = []
    versions: list[Identifier] = []
    claims: str = ""


@dataclass(frozen=True)
class Curve:
    """Hold a run's training curve: (epoch, value) of a metric in percent where it was taken twice, else of the loss."""

    path: str
    row: str
    profile: str
    label: str
    metric: str
    points: list[tuple[float, float]]


@dataclass(frozen=True)
class Sources:
    """Hold all that the page reads beside the report; empty where a checkout has none of it."""

    config: PageConfig = PageConfig()
    curves: list[Curve] = field(default_factory=list)
    figures: list[tuple[str, FigureEvidence]] = field(default_factory=list)
    latency: tuple[str, Latency] | None = None
    dates: dict[str, str] = field(default_factory=dict)
    problems: list[Problem] = field(default_factory=list)


def read_config(paper: Paper, ledger: Ledger) -> PageConfig:
    """Return the ledger's page.yaml, or an empty configuration where there is none. Raises LedgerError naming it."""
    path = paper.folder / "page.yaml"
    shown = paper.shown(path)
    if not path.exists():
        return PageConfig()
    file = YamlFile(path, shown, LedgerError)
    config = file.validate(PageConfig)
    named: list[tuple[tuple[str, int], str, tuple[str, ...]]] = [
        (("scatter", i), spec.table, (spec.x, spec.y)) for i, spec in enumerate(config.scatter)
    ]
    named += [(("forest", i), table, (spec.column,)) for i, spec in enumerate(config.forest) for table in spec.tables]
    for where, table, columns in named:
        if table not in ledger.tables:
            raise file.error(where, f"no table {table!r}; the ledger has {', '.join(ledger.tables)}")
        if unknown := [column for column in columns if column not in ledger.tables[table].columns]:
            raise file.error(where, f"table {table} has no column {unknown[0]!r}; mend it")
    for i, spec in enumerate(config.scatter):
        for j, series in enumerate(spec.series):
            for row in series.rows:
                if row not in ledger.rows or ledger.rows[row].table != spec.table:
                    fault = f"table {spec.table} has no row {row!r}; mend figure {spec.figure}"
                    raise file.error(("scatter", i, "series", j, "rows"), fault)
    return config


def _numbers(lines: list[dict[str, Any]], column: str) -> list[tuple[float, float]]:
    """Return (epoch, value) where a column has one. Raises ValueError for what is no finite number."""
    out = [(float(line["epoch"]), float(line[column])) for line in lines if line[column]]
    if not all(math.isfinite(v) for point in out for v in point):
        raise ValueError("a value is not finite")
    return out


def read_curve(path: Path, shown: str, profile: str) -> Curve | None:
    """Return a run's curve, or None where it has no point. Raises EvidenceError naming a malformed file."""
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            reader = csv.DictReader(file, strict=True)
            lines = list(reader)
        if "epoch" not in (reader.fieldnames or ()):
            raise ValueError("has no column epoch")
        metrics = [c for c in COLUMNS if lines and c in lines[0]]
        metric = metrics[0] if metrics else "loss"
        points = _numbers(lines, metric)
        if metric != "loss" and len(points) < 2 < len(lines):  # validated at the end alone
            metric, points = "loss", _numbers(lines, "loss")
    except OSError as error:
        raise EvidenceError(f"{shown}: {error.strerror}") from None
    except (ValueError, KeyError, TypeError, csv.Error) as error:
        raise EvidenceError(f"{shown}: no training curve ({error!r}); train the row anew") from None
    row, _, label = path.stem.partition(".")
    return Curve(shown, row, profile, label, metric, points) if points else None


def _read_latency(paper: Paper, problems: list[Problem]) -> tuple[str, Latency] | None:
    """Return the measured latencies of a paper's rows, or None; a file that cannot count joins `problems`."""
    path = paper.results / "bench/latency.json"
    if not path.exists():
        return None
    shown = paper.shown(path)
    try:
        return shown, read_form(path, shown, Latency)
    except EvidenceError as error:
        problems.append(Problem(shown, path.stem, str(error).removeprefix(f"{shown}: ")))
        return None


def read_sources(paper: Paper, ledger: Ledger) -> Sources:
    """Return what the page shows beside the verdicts; a file that cannot count is a Problem, not a gap.

    Raises LedgerError for a malformed page.yaml.
    """
    problems: list[Problem] = []
    latency = _read_latency(paper, problems)
    out = Sources(read_config(paper, ledger), dates=evidence_dates(paper.root), latency=latency, problems=problems)
    for path in listed(paper.results / "curves", "*/*.csv"):
        shown = paper.shown(path)
        if path.stem.partition(".")[0] not in ledger.rows:
            continue
        try:
            curve = read_curve(path, shown, path.parent.name)
        except EvidenceError as error:
            out.problems.append(Problem(shown, path.stem, str(error).removeprefix(f"{shown}: ")))
        else:
            out.curves.extend([curve] if curve else [])
    for path in listed(paper.results / "figures"):
        shown = paper.shown(path)
        try:
            out.figures.append((shown, read_form(path, shown, FigureEvidence)))
        except EvidenceError as error:
            out.problems.append(Problem(shown, path.stem, str(error).removeprefix(f"{shown}: ")))
    return out
