"""List what is not settled yet and what settling it costs, cheapest first; name the next run that settles the most.

python -m pipelines plan [--by item|run] [--bench results/bench/NAME.json] [--limit 20] [--json]
python -m pipelines plan --ledger NAME          (or --path FOLDER: a ledger's folder that lies elsewhere)

Hours are of the benchmark's own machine (`make bench`): a GPU's where one is committed, else a card's at rates that
others published, which is said.
"""

from __future__ import annotations

import argparse
from pathlib import Path

from evidence.settings import SettingsError
from paper.ledger import LedgerError, add_ledger_arguments
from pipelines.common import ROOT, PipelineError, guard
from report.gather import gather, place
from report.judge.model import build
from report.judge.plan import Plan, dumps, make_plan, read_benches

#: Names of what no run settles are listed up to here.
MANY = 12


def hours_text(hours: float | None) -> str:
    """Return hours for a reader, or a question mark without a throughput."""
    return "?" if hours is None else f"{hours:,.1f}" if hours < 100 else f"{hours:,.0f}"


def table(plan: Plan, by: str, limit: int) -> str:
    """Return the plan as text, at most `limit` lines of items or runs (0: all)."""
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
    shown = lines if not limit else lines[:limit]
    out += shown
    if len(shown) < len(lines):
        out.append(f"... {len(lines) - len(shown)} more; --limit 0 lists all")
    out.append(f"open: {sum(i.kind == 'cell' for i in plan.items)} cells, {sum(i.kind == 'claim' for i in plan.items)} "
               f"claims; {len(plan.runs)} rows to train, {plan.image_passes / 1e9:.1f} billion images, "
               f"{hours_text(plan.hours)} {unit}")  # fmt: skip
    if plan.unplanned:
        some = plan.unplanned if len(plan.unplanned) <= MANY else plan.unplanned[:3]
        more = len(plan.unplanned) - len(some)
        rest = f" and {more} more; `budgets` of paper.yaml say what runs take" if more else ""
        out.append(f"no training run settles: {', '.join(some)}{rest}")
    best = next((r for r in plan.runs if r.row == plan.next_row), None)
    if best:
        out.append(f"next: {best.row} settles {best.settles} verdicts in {hours_text(best.hours)} {unit}")
    return "\n".join(out)


def main(argv: list[str] | None = None) -> int:
    """Print the plan."""
    parser = argparse.ArgumentParser(description="List what is not settled and what settling it costs.")
    parser.add_argument("--by", choices=("item", "run"), default="item", help="cells and claims, or rows to train")
    parser.add_argument("--bench", type=Path, help="a file of `make bench`; default: a GPU's, else a CPU's")
    parser.add_argument("--limit", type=int, default=20, help="lines shown (default 20; 0: all)")
    parser.add_argument("--json", action="store_true", help="print JSON instead")
    add_ledger_arguments(parser)
    args = parser.parse_args(argv)
    try:
        ledger, settings, evidence = gather(*place(args.path, args.ledger, ROOT))
    except (SettingsError, LedgerError) as error:
        raise PipelineError(str(error)) from None
    benches = [] if ledger.name else read_benches(ROOT)  # they measure the first paper's rows
    if args.bench:
        wanted = args.bench.resolve()
        benches = [b for b in benches if (ROOT / b[0]).resolve() == wanted]
        if not benches:
            raise PipelineError(f"{args.bench}: no benchmark under results/bench; run `make bench`")
    plan = make_plan(build(ledger, evidence, settings), evidence, benches[0] if benches else None)
    print(dumps(plan) if args.json else table(plan, args.by, max(0, args.limit)))
    return 0


if __name__ == "__main__":
    raise SystemExit(guard(main))
