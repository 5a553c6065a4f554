"""Hold the counter to a wide zoo: timm's networks against counts that know nothing of it.

python -m studies.zoo [--each 4] [--only PATTERN] [--out results/zoo.json]

Per network and input: parameters as a checkpoint holds them, multiply-adds by torch's own counter
(torch.utils.flop_counter, half its operations) and, for those of convolution and linear modules alone, by forward
hooks. All on the meta device; some ten minutes on a core. Exit 3 where a count differs.
"""

from __future__ import annotations

import argparse
import fnmatch
import sys
from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import timm
import torch
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

from papertally.counting.count import Counted, count_network
from papertally.evidence.io import write_json_atomic
from papertally.evidence.provenance import snapshot
from pipelines.common import ROOT, PipelineError, guard

RESULTS = Path("results/zoo.json")
PRODUCTS = ("conv", "fc", "head_fc", "matmul", "matmul@attention")
OK, DIFFERS = 0, 3


@dataclass(frozen=True)
class Held:
    """Hold one network at one input, counted here and by others.

    modules: multiply-adds of convolution and linear modules, here as far as parameters of theirs are applied.
    """

    model: str
    family: str
    input: tuple[int, ...]
    params: int
    params_independent: int
    macs: int
    macs_independent: int
    modules_independent: int
    unknown: dict[str, int]

    @property
    def equal(self) -> bool:
        """Tell whether parameters and multiply-adds are what others count."""
        return self.params == self.params_independent and self.macs == self.macs_independent


def spread(names: list[str], most: int) -> list[str]:
    """Return at most `most` names, evenly spread over a sorted list, its ends among them."""
    if len(names) <= most:
        return names
    return [names[round(i * (len(names) - 1) / (most - 1))] for i in range(most)] if most > 1 else names[:1]


def zoo(each: int, only: str = "*") -> list[tuple[str, str]]:
    """Return (family, model): of every family of timm's at most `each` networks, one of each family first."""
    chosen = {
        family: spread(sorted(n for n in timm.list_models(module=family) if fnmatch.fnmatch(n, only)), each)
        for family in timm.list_modules()
    }
    return [(family, names[i]) for i in range(each) for family, names in chosen.items() if i < len(names)]


def checkpoint_parameters(module: nn.Module) -> int:
    """Return the numbers that a checkpoint holds beside buffers, one that stands under two names once."""
    buffers = {name for name, _ in module.named_buffers(remove_duplicate=False)}
    state = module.state_dict(keep_vars=True)
    return sum(x.numel() for x in {id(x): x for name, x in state.items() if name not in buffers}.values())


def both(module: nn.Module, size: tuple[int, ...]) -> tuple[Counted, int, int]:
    """Return (our count, multiply-adds by torch's counter, those of convolution and linear modules by forward hooks).

    One forward pass serves all three.
    """
    seen = 0

    def hook(m: nn.Module, given: tuple, out: torch.Tensor) -> None:
        nonlocal seen
        if isinstance(m, nn.Linear):
            seen += out.numel() * m.in_features
        else:
            at = given[0] if m.transposed else out
            seen += at.shape[0] * m.weight.numel() * at[0, 0].numel()

    layers = [m for m in module.modules() if isinstance(m, nn.Linear | nn.modules.conv._ConvNd)]
    handles = [m.register_forward_hook(hook) for m in layers]
    module.requires_grad_(False)  # torch's counter follows gradients, and trips over parameters that it meets alone
    try:
        with FlopCounterMode(display=False) as counter:
            found = count_network(module, size)
    finally:
        for handle in handles:
            handle.remove()
    return found, counter.get_total_flops() // 2, seen


def held(family: str, name: str, size: tuple[int, ...] | None = None) -> Held:
    """Return one network's counts at an input (default: its own). Raises what building or running it raises."""
    with torch.device("meta"):
        module = timm.create_model(name, pretrained=False).eval()
    wanted = size or tuple(module.pretrained_cfg["input_size"])
    found, independent, modules = both(module, wanted)
    macs = sum(found.terms.get(kind, 0) for kind in PRODUCTS)
    return Held(
        name, family, wanted, found.params, checkpoint_parameters(module), macs, independent, modules, found.unknown
    )


def hold_all(models: Iterable[tuple[str, str]], others: int = 6) -> Iterator[tuple[list[Held], dict[str, str]]]:
    """Yield, network by network, all counts so far and, of networks that fail, why.

    Every `others`-th one is counted at a larger input too.
    """
    done: list[Held] = []
    failed: dict[str, str] = {}
    for i, (family, name) in enumerate(models):
        try:
            done.append(held(family, name))
        except Exception as error:
            failed[name] = f"{type(error).__name__}: {' '.join(str(error).split())[:160]}"
            continue
        if i % others == 0:
            channels, *sides = done[-1].input
            with suppress(Exception):  # one of a fixed input fails
                done.append(held(family, name, (channels, *(side + 64 for side in sides))))
        yield done, failed


def summary(done: list[Held], failed: dict[str, str]) -> dict[str, Any]:
    """Return the totals."""
    return {
        "networks": len({h.model for h in done}),
        "families": len({h.family for h in done}),
        "counts": len(done),
        "equal": sum(h.equal for h in done),
        "with_unknown_operators": sum(bool(h.unknown) for h in done),
        "failed": failed,
    }


def file(out: Path, where: dict[str, Any], done: list[Held], failed: dict[str, str]) -> dict[str, Any]:
    """Write what was counted; returns its totals."""
    told = summary(done, failed)
    rows = [{**asdict(h), "input": list(h.input), "equal": h.equal} for h in sorted(done, key=lambda h: h.model)]
    write_json_atomic(out, {"schema": 1, "kind": "zoo", **where, "summary": told, "rows": rows})
    return told


def main(argv: list[str] | None = None) -> int:
    """Write results/zoo.json; returns 0, or 3 where some count differs."""
    parser = argparse.ArgumentParser(prog="python -m studies.zoo", description=__doc__.splitlines()[0])
    parser.add_argument("--each", type=int, default=4, help="networks of a family, at most (default 4)")
    parser.add_argument("--only", default="*", metavar="PATTERN", help="names to take, as efficientnet*")
    parser.add_argument("--out", type=Path, default=ROOT / RESULTS, help=f"default {RESULTS}")
    args = parser.parse_args(argv)
    models = zoo(max(1, args.each), args.only)
    if not models:
        raise PipelineError(f"--only {args.only}: timm has no such model; write a name or a pattern")
    where = snapshot(ROOT)
    done: list[Held] = []
    failed: dict[str, str] = {}
    for i, (done, failed) in enumerate(hold_all(models)):
        if (i + 1) % 25 == 0:
            print(f"{i + 1} of {len(models)} networks", file=sys.stderr, flush=True)
            file(args.out, where, done, failed)  # what a killed run has counted stays
    told = file(args.out, where, done, failed)
    print(
        f"{told['equal']} of {told['counts']} counts of {told['networks']} networks of {told['families']} families "
        f"equal; {told['with_unknown_operators']} with unknown operators; {len(failed)} cannot be run"
    )
    for h in done:
        if not h.equal:
            print(f"differs: {h.model} {h.params - h.params_independent:+} params {h.macs - h.macs_independent:+} MACs")
    return OK if all(h.equal for h in done) else DIFFERS


if __name__ == "__main__":
    raise SystemExit(guard(main))
