"""One entry point for all that runs: `python -m pipelines VERB ...`, or `micronet VERB ...` where it is installed."""

from __future__ import annotations

import importlib
import sys

#: By verb: the module whose `main` runs, and what it does.
VERBS = {
    "repro": ("pipelines.repro.__main__", "run every stage that changed, several at a time, and write the report"),
    "report": ("report.__main__", "build the report from ledger and evidence; diff, versions, metadata"),
    "paper": ("papertally.cli", "check a ledger and list what it holds: the command papertally"),
    "fingerprint": ("pipelines.analysis.fingerprint", "write what each row's results depend on"),
    "cost": ("pipelines.analysis.cost", "count params and MAdds of every row"),
    "conventions": ("papertally.counting.conventions", "say which ways of counting give a printed cost of any module"),
    "forensics": ("pipelines.analysis.forensics", "find the smallest edits of an architecture that reach its totals"),
    "claims": ("pipelines.analysis.claims", "compute what the paper states of costs and structure"),
    "recipes": ("pipelines.analysis.compared", "list what a recipe changes of the rows' own configs"),
    "figures": ("pipelines.analysis.figures", "compute the data of the paper's figures"),
    "plan": ("report.plan", "say what it would cost to find out the rest"),
    "train": ("pipelines.training.__main__", "train and evaluate a row: drawn sets, CIFAR, or the paper's recipe"),
    "orderings": ("pipelines.training.orderings", "run, choose and count the registered orderings on CIFAR"),
    "show": ("pipelines.training.show", "draw a trained row's predictions"),
    "released": ("pipelines.training.released", "evaluate the authors' released weights on ImageNet"),
    "file": ("pipelines.training.reported", "bring in a run made elsewhere, by its log: shown, never judged"),
    "evidence": ("pipelines.training.entered", "enter values reported elsewhere (evidence new): shown, never judged"),
    "data": ("pipelines.data.digits", "write the digits"),
    "people": ("pipelines.data.people", "draw people in COCO's layout"),
    "streets": ("pipelines.data.streets", "draw streets in Cityscapes' layout"),
    "cifar": ("pipelines.data.cifar", "read CIFAR-10 or CIFAR-100 into one file"),
    "cityscapes": ("pipelines.data.cityscapes", "write Cityscapes' training ids from its polygons"),
    "verify": ("pipelines.data.verify", "check and pin a data folder of yours"),
    "pack": ("pipelines.packed.pack", "write ImageNet into a few large files"),
    "bench": ("pipelines.bench.run", "measure operators and input side by side"),
    "export": ("pipelines.deploy.export", "write a row's network as ONNX, int8, an exported program or ExecuTorch"),
    "cluster": ("pipelines.cluster.__main__", "run proxy and full rows on a Slurm cluster or on this machine"),
}


def stage_module(verb: str) -> str | None:
    """Return the module that a verb runs, or None for no verb."""
    found = VERBS.get(verb)
    return found[0] if found else None


def usage() -> str:
    """Return the verbs, a line each."""
    width = max(map(len, VERBS))
    lines = [f"  {verb:<{width}}  {text}" for verb, (_, text) in VERBS.items()]
    return "\n".join(["usage: micronet VERB [...]; micronet VERB --help says more", "", *lines])


def main(argv: list[str] | None = None) -> int:
    """Run the verb that the command line names."""
    verb, *rest = (sys.argv[1:] if argv is None else argv) or ["--help"]
    if verb in ("-h", "--help"):
        print(usage())
        return 0
    name = stage_module(verb)
    if name is None:
        print(f"error: no verb {verb!r}; verbs: {', '.join(VERBS)}", file=sys.stderr)
        return 2
    from pipelines.arguments import PARSERS, SUBCOMMANDS
    from pipelines.common import guard

    sys.argv = [f"micronet {verb}", *rest]
    if verb in PARSERS and rest[:1] not in [[word] for word in SUBCOMMANDS.get(verb, ())]:
        PARSERS[verb]().parse_args(rest)  # before what takes seconds to import
    module = importlib.import_module(name)
    return guard(module.main)


if __name__ == "__main__":
    raise SystemExit(main())
