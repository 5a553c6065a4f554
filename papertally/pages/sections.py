"""Parts of the page beside its tables: filters, what is open, what the verdicts mean."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass

from papertally.pages.cell_details import Value, link
from papertally.verdicts.answers import HEADS, SIGNS, Answer, answer, counted
from papertally.verdicts.names import count, large, row_name, span
from papertally.verdicts.views import Report

#: What a run's result would be about.
TESTED = {
    "paper": "About the paper",
    "reconstruction": "About reconstructions of what it leaves open",
    "quotation": "About other works' numbers that it quotes",
}


@dataclass(frozen=True)
class Filter:
    """Hold a verdict that tables can be filtered by."""

    verdict: str
    slug: str
    glyph: str
    count: int


@dataclass(frozen=True)
class PlanPage:
    """Hold what is open and what settling it takes."""

    summary: str
    hours: str
    throughput: str
    published: str
    source: Value | None
    next: str
    columns: list[str]
    rows: list[list[str]]
    benches: list[tuple[str, list[list[str]], list[str]]]


def filters(found: Iterable[Answer]) -> list[Filter]:
    """Return a filter for each answer that was given."""
    return [Filter(HEADS.get(name, name), name, SIGNS[name], n) for name, n in counted(found).items() if n]


def plan_page(report: Report, up: str) -> PlanPage | None:
    plan = report.plan
    if plan is None or not plan.runs:
        return None
    kinds = Counter(item.kind for item in plan.items)
    summary = (
        f"{count(kinds['cell'], 'printed number')} and {count(kinds['claim'], 'statement')} wait for "
        f"{count(len(plan.planned), 'row')} to be trained with {report.settings.seeds} seeds: "
        f"{large(sum(run.image_passes for run in plan.planned))} images in training. "
    ) + " ".join(f"{line[0].upper()}{line[1:]}." for line in plan.power)
    unit = "GPU-hours" if plan.gpu else "machine-hours"
    for tests, (cells, runs, took) in plan.hours_by().items():
        settles = f"{count(cells, 'number')} from {count(runs, 'row')}"
        if tests == "quotation":
            summary += f" {TESTED[tests]}: {settles}; not planned, as this paper's recipe would not test them."
            continue
        summary += f" {TESTED[tests]}: {settles}" + ("." if took is None else f", {span(took)} {unit}.")
    took = plan.planned_hours
    hours = "" if took is None else f"{span(took)} {unit} on {plan.hardware}"
    names = {row.id: f"{row_name(table, row)}" for table in report.ledger.tables.values() for row in table.rows}
    rows = [
        [
            run.table,
            names[run.row],
            str(run.seeds),
            large(run.image_passes),
            "–" if run.hours is None else span(run.hours),
            str(len(run.cells)),
            str(len(run.claims)),
        ]
        for run in plan.planned
    ]
    benches = []
    for _, bench in report.benches:
        lines = [
            [
                names.get(row, row),
                f"{m.train:,.1f}",
                "–" if m.inference is None else f"{m.inference:,.1f}",
                "–" if m.peak_mib is None else f"{m.peak_mib:,.0f}",
            ]
            for row, m in bench.models.items()
        ]
        # a network's rate over another's stands in the table already
        ratios = [f"{n}: {r:.2f}" for n, r in bench.ratios.items() if ": " in n or n.split(" ")[0] not in names]
        if bench.input is not None:
            of = bench.input.images_per_core_second
            ratios += [f"input, {name}: {rate:,.0f} images per core-second" for name, rate in of.items()]
            waits = bench.input.loader_wait_percent or {}
            ratios += [f"{wait:.1f} % of a training step waits for the loader: {name}" for name, wait in waits.items()]
        if bench.published:
            ratios.append(f"published, not measured here: {bench.published}")
        benches.append((f"{bench.hardware}, batch {bench.batch_size}, {bench.precision}", lines, ratios))
    source = Value(plan.source, link(up, plan.source)) if hours else None
    following = f"{names[plan.next_row]} (Table {report.ledger.row(plan.next_row).table})" if plan.next_row else ""
    columns = ["Table", "Row", "Seeds", "Images", unit.capitalize() if not plan.gpu else unit, "Cells", "Statements"]
    throughput = "published throughput" if plan.published else "measured throughput"
    return PlanPage(summary, hours, throughput, plan.published, source, following, columns, rows, benches)


def verdict_rules(report: Report) -> list[tuple[list[Filter], str]]:
    """Return what each verdict means, as the settings have it."""
    s = report.settings

    def of(*names: str) -> list[Filter]:
        """Return the answers that verdicts stand for, each once."""
        found = dict.fromkeys(answer(name) for name in names)
        return [Filter(one.words, one.name, one.sign, 0) for one in found]

    narrow = 100 * (1 - 2 * s.alpha)
    return [
        (
            of("reproduced"),
            "Params, MAdds: under every admissible convention the value prints as the printed string (2.4M stands for "
            "2.35M up to 2.45M). Trained: the "
            f"{narrow:g} % interval of mean − printed lies inside the margin (two one-sided t tests).",
        ),
        (
            of("depends", "differs"),
            "Params, MAdds: so under some of the conventions that the paper leaves open, or under none; the deviation is "
            "in units of the last printed place and in percent.",
        ),
        (
            of("predicted", "not-predicted"),
            "A network that this project drew comes out as printed, or not: neither for nor against the paper.",
        ),
        (
            of("reported", "reported-otherwise"),
            "Evidence that no stage of this project wrote agrees with the print, or not: on its owner's word.",
        ),
        (
            of("not-reproduced", "underpowered"),
            "Trained: further off than the margin, corrected by Holm over all cells; or neither is shown.",
        ),
        (of("consistent (n = 1)", "inconsistent (n = 1)"), "Trained, one seed: never more than that."),
        (
            of("derivation-holds", "derivation-fails"),
            "A formula or a property that the text derives, checked on real modules or exhaustively.",
        ),
        (of("built-as-stated", "built-otherwise"), "What the text says of a network, read back from the built one."),
        (of("run-as-stated", "run-otherwise"), "A setting of the recipe as printed, read from the configs that run."),
        (
            of("agrees-with-itself", "undecided"),
            "The paper's tables and text agree with each other, or rounding leaves that open; nothing was run for it.",
        ),
        (
            of("paper-inconsistent"),
            "The paper's own numbers contradict the statement or the cell, however they were rounded.",
        ),
        (of("blocked"), "The paper does not give the architecture, and nobody has reconstructed one."),
        (of("not-run"), "Nobody ran it."),
        (of("invalid-evidence"), "A result file is corrupt, stale or altered."),
    ]
