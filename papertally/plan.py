"""List what is not settled yet and what settling it costs, cheapest first; name the next run that settles the most.

papertally plan FOLDER [--by item|run] [--bench results/bench/NAME.json] [--limit 20] [--json]

Hours are of the benchmark's own machine (`make bench`): a GPU's where one is committed, else a card's at rates that
others published, which is said.
"""

from __future__ import annotations

import argparse
from pathlib import Path

from papertally.command import CommandError, guard
from papertally.evidence.settings import SettingsError
from papertally.ledger.load import LedgerError, add_ledger_arguments
from papertally.ledger.paper import Paper
from papertally.verdicts.gather import Held, gather
from papertally.verdicts.model import build
from papertally.verdicts.names import count
from papertally.verdicts.plan import Plan, dumps, make_plan, read_benches

#: Names of what no run settles are listed up to here.
MANY = 12


def hours_text(hours: float | None) -> str:
    """Return hours for a reader, or a question mark without a throughput."""
    return "?" if hours is None else f"{hours:,.1f}" if hours < 100 else f"{hours:,.0f}"


def table(plan: Plan, by: str, limit: int) -> str:
    """Return the plan as text, at most `limit` lines of items or runs (0: all)."""
    out = priced(plan, by, limit) if plan.runs or not plan.unpriced else []
    out += unpriced(plan, limit)
    out += left(plan)
    return "\n".join(out or ["nothing is open"])


def priced(plan: Plan, by: str, limit: int) -> list[str]:
    """Return the lines of what a budget prices."""
    unit = "GPU-hours" if plan.gpu else "machine-hours"
    out = [f"{unit} on {plan.hardware} ({plan.source})"]
    if plan.published:
        out.append(f"  at published rates, not measured here ({plan.published}); other networks by their MAdds")
    if by == "run":
        out.append(f"{unit:>14}  {'seeds':>5}  {'settles':>7}  row")
        lines = [f"{hours_text(r.hours):>14}  {r.seeds:>5}  {r.settles:>7}  {r.row}" for r in plan.runs]
    else:
        out.append(f"{unit:>14}  what (needs)")
        lines = [
            f"{hours_text(i.hours):>14}  {i.kind} {i.name} ({', '.join(i.rows[:3])}"
            + (f" and {len(i.rows) - 3} more)" if len(i.rows) > 3 else ")")
            for i in plan.items
        ]
    out += shown(lines, limit)
    out.append(
        f"open: {sum(i.kind == 'cell' for i in plan.items)} cells, {sum(i.kind == 'claim' for i in plan.items)} "
        f"claims; {len(plan.runs)} rows to train, {plan.image_passes / 1e9:.1f} billion images, "
        f"{hours_text(plan.hours)} {unit}"
    )
    best = next((r for r in plan.runs if r.row == plan.next_row), None)
    if best:
        out.append(f"next: {best.row} settles {best.settles} verdicts in {hours_text(best.hours)} {unit}")
    return out


def shown(lines: list[str], limit: int) -> list[str]:
    """Return the first `limit` lines (0: all) and how many are left."""
    some = lines if not limit else lines[:limit]
    return some + ([f"... {len(lines) - len(some)} more; --limit 0 lists all"] if len(some) < len(lines) else [])


def unpriced(plan: Plan, limit: int) -> list[str]:
    """Return the lines of what training settles where the ledger states no budget."""
    if not plan.unpriced:
        return []
    out = [f"{'settles':>7}  {'seeds':>5}  row to train"]
    out += shown([f"{r.settles:>7}  {r.seeds:>5}  {r.row}" for r in plan.unpriced], limit)
    cells = sum(len(r.cells) for r in plan.unpriced)
    what = f"{count(cells, 'trained number')} of {count(len(plan.unpriced), 'row')}"
    what += f" and {count(len(plan.waiting), 'statement')}" if plan.waiting else ""
    out.append(f"open: {what}; hours are not known: `budgets` of paper.yaml say what a run takes")
    return out


def left(plan: Plan) -> list[str]:
    """Return the lines of what no training settles: costs to count, measurements, statements."""
    out = []
    if plan.uncounted:
        names = listed(plan.uncounted)
        out.append(f"to count, by `papertally count`: {count(len(plan.uncounted), 'row')} without a `network`: {names}")
    if plan.unmeasured:
        named = "; ".join(f"{n} of {what}" for what, n in plan.unmeasured.items())
        out.append(f"to measure, and file by `papertally enter`: {named}")
    known = {*plan.waiting, *(key for run in plan.unpriced for key in run.cells)}
    others = [name for name in plan.unplanned if name not in known]
    if others:
        out.append(f"no training run settles: {listed(others)}")
    return out


def listed(names: list[str]) -> str:
    """Return names, the first three of many."""
    some = names if len(names) <= MANY else names[:3]
    return ", ".join(some) + (f" and {len(names) - len(some)} more" if len(names) > len(some) else "")


def main(argv: list[str] | None = None, default: Path | None = None, held: Held | None = None) -> int:
    """Print the plan; default: the folder of the paper where none is named, held to its project's settings."""
    parser = argparse.ArgumentParser(
        prog="papertally plan", description="List what is not settled and what settling it costs."
    )
    parser.add_argument("--by", choices=("item", "run"), default="item", help="cells and claims, or rows to train")
    parser.add_argument("--bench", type=Path, help="a file of `make bench`; default: a GPU's, else a CPU's")
    parser.add_argument("--limit", type=int, default=20, help="lines shown (default 20; 0: all)")
    parser.add_argument("--json", action="store_true", help="print JSON instead")
    add_ledger_arguments(parser)
    args = parser.parse_args(argv)
    try:
        paper = Paper.at(args.path or default or Path())
        ledger, settings, evidence = gather(paper, held if paper.folder == default else None)
    except (SettingsError, LedgerError) as error:
        raise CommandError(str(error)) from None
    benches = read_benches(paper.root, paper.results)
    if args.bench:
        wanted = args.bench.resolve()
        benches = [b for b in benches if (paper.root / b[0]).resolve() == wanted]
        if not benches:
            raise CommandError(f"{args.bench}: no benchmark under results/bench; run `make bench`")
    plan = make_plan(build(ledger, evidence, settings), evidence, benches[0] if benches else None)
    print(dumps(plan) if args.json else table(plan, args.by, max(0, args.limit)))
    return 0


if __name__ == "__main__":
    raise SystemExit(guard(main))
