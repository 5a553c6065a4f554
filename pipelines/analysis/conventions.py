"""Say which ways of counting give a printed cost, for any torch module.

python -m pipelines conventions --module torchvision.models:mobilenet_v2 --input 3,224,224 --params 3.5M --madds 300M

--module names a factory, package:function, which is called without arguments; add the folder that holds a package of
yours to PYTHONPATH. Exit 0 where some convention gives every printed number, 3 where none does.
"""

from __future__ import annotations

import argparse
import importlib
import json
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from itertools import product

import torch
from torch import nn

from paper.printed import Interval, parse_printed, plain
from pipelines.common import PipelineError, guard
from registry.cost.trace import trace_cost

OK, NOT_REPRODUCED = 0, 3
Terms = Mapping[str, int]


def _kinds(*kinds: str) -> Callable[[Terms], int]:
    return lambda terms: sum(n for name, n in terms.items() if name.partition("@")[0].partition(":")[0] in kinds)


#: By axis and value: what it adds to the convolutions' multiply-adds. `unit` multiplies the sum.
AXES: dict[str, dict[str, Callable[[Terms], int]]] = {
    "linear layers": {"counted": _kinds("fc", "head_fc"), "left out": _kinds()},
    "biases": {"left out": _kinds(), "counted": _kinds("fc_bias", "head_bias", "conv_bias")},
    "BatchNorm": {
        "left out": _kinds(), "1 an element": _kinds("batch_norm"),
        "2 an element": lambda terms: 2 * _kinds("batch_norm")(terms),
    },
    "pooling": {"left out": _kinds(), "1 an element": _kinds("pool")},
    "activations": {
        "left out": _kinds(), "ReLUs, 1 an element": _kinds("relu"), "all, 1 an element": _kinds("relu", "activation"),
    },
}  # fmt: skip
UNITS = {"multiply-adds": 1, "additions and multiplications": 2}
#: By axis and value: parameters that are taken away.
PARAMETERS = {
    "BatchNorm": {"counted": False, "left out": True},
    "biases": {"counted": False, "left out": True},
    "last linear layer": {"counted": False, "left out": True},
}


@dataclass(frozen=True)
class Reached:
    """Hold one convention, what it gives, and whether that prints as the printed number."""

    convention: dict[str, str]
    value: int
    holds: bool


def build(name: str) -> nn.Module:
    """Return the module that `package:factory` makes. Raises PipelineError naming what is wrong."""
    package, colon, factory = name.partition(":")
    if not (package and colon and factory):
        raise PipelineError(f"--module {name}: no package:factory; name one, as torchvision.models:mobilenet_v2")
    try:
        made = getattr(importlib.import_module(package), factory)
        module = made() if callable(made) and not isinstance(made, nn.Module) else made
    except ModuleNotFoundError as error:
        raise PipelineError(f"--module {name}: {error}; install it or add its folder to PYTHONPATH") from None
    except AttributeError as error:
        raise PipelineError(f"--module {name}: {error}; mend the name after the colon") from None
    except Exception as error:
        raise PipelineError(f"--module {name}: cannot be built ({type(error).__name__}: {error})") from None
    if not isinstance(module, nn.Module):
        raise PipelineError(f"--module {name}: gives {type(module).__name__}, not a torch.nn.Module")
    return module


def parameter_parts(module: nn.Module) -> dict[str, set[tuple[int, int]]]:
    """Return (identity, count) of the parameters that each axis of PARAMETERS may leave out."""

    def of(found: list[nn.Parameter | None]) -> set[tuple[int, int]]:
        return {(id(p), p.numel()) for p in found if p is not None}

    norms = [p for m in module.modules() if isinstance(m, nn.modules.batchnorm._BatchNorm) for p in m.parameters()]
    layers = [m for m in module.modules() if isinstance(m, nn.modules.conv._ConvNd | nn.Linear)]
    linears = [m for m in layers if isinstance(m, nn.Linear)]
    return {
        "BatchNorm": of([*norms]),
        "biases": of([m.bias for m in layers]),
        "last linear layer": of([*linears[-1].parameters()]) if linears else set(),
    }


def params_under(module: nn.Module) -> list[tuple[dict[str, str], int]]:
    """Return the module's parameter count under every convention; axes that change nothing are left out."""
    parts, total = parameter_parts(module), {(id(p), p.numel()) for p in module.parameters()}
    axes = {a: values for a, values in PARAMETERS.items() if parts[a]}
    out = []
    for chosen in product(*axes.values()):
        convention = dict(zip(axes, chosen, strict=True))
        gone = {p for a, value in convention.items() if PARAMETERS[a][value] for p in parts[a]}
        out.append((convention, sum(n for _, n in total - gone)))
    return out


def madds_under(terms: Terms) -> list[tuple[dict[str, str], int]]:
    """Return what terms come to under every convention; axes and values that change nothing are left out."""
    base = _kinds("conv", "shift_max", "dynamic_relu")(terms)
    axes = {}
    for axis, values in AXES.items():
        first: dict[int, str] = {}
        for value, weigh in values.items():
            first.setdefault(weigh(terms), value)
        if len(first) > 1:
            axes[axis] = list(first.values())
    out = []
    for unit, factor in UNITS.items():
        for chosen in product(*axes.values()):
            convention = dict(zip(axes, chosen, strict=True))
            rest = {a: next(iter(AXES[a])) for a in AXES if a not in axes}
            total = base + sum(AXES[a][v](terms) for a, v in {**rest, **convention}.items())
            out.append(({"unit": unit, **convention}, factor * total))
    return out


def reached(found: list[tuple[dict[str, str], int]], interval: Interval) -> list[Reached]:
    """Return every convention with its value and whether it prints as the interval's string."""
    return [Reached(convention, value, value in interval) for convention, value in found]


def always(found: list[Reached]) -> dict[str, str]:
    """Return the values that all conventions of a list share."""
    first = found[0].convention
    return {a: v for a, v in first.items() if all(f.convention[a] == v for f in found)}


def words(convention: Mapping[str, str]) -> str:
    """Return a convention in words."""
    return ", ".join(f"{axis}: {value}" for axis, value in convention.items()) or "everything counted"


def told(what: str, printed: str, found: list[Reached], shown: int = 12) -> list[str]:
    """Return what the conventions make of a printed number, a line each."""
    interval = parse_printed(printed)
    hits = [f for f in found if f.holds]
    if hits:
        lines = [f"{what} {printed}: {len(hits)} of {len(found)} conventions give it"]
        if len(found) > 1 and len(hits) > 1 and (shared := always(hits)):
            lines.append(f"  all of these: {words(shared)}")
        lines += [f"  {f.value:,}  {words(f.convention)}" for f in hits[:shown]]
        return lines + ([f"  and {len(hits) - shown} more; --json lists all"] if len(hits) > shown else [])
    nearest = min(found, key=lambda f: abs(f.value - interval.value))
    off = (nearest.value - interval.value) / interval.place
    return [
        f"{what} {printed}: none of {len(found)} conventions gives it",
        f"  nearest {nearest.value:,}, {plain(round(off, 2))} units of the last place off: {words(nearest.convention)}",
    ]


def main(argv: list[str] | None = None) -> int:
    """Print which conventions reach the printed numbers; returns 0, or 3 where none reaches one of them."""
    parser = argparse.ArgumentParser(prog="python -m pipelines conventions", description=__doc__.splitlines()[0])
    parser.add_argument("--module", required=True, metavar="PKG:FACTORY", help="what makes the network")
    parser.add_argument("--input", default="3,224,224", metavar="C,H,W", help="one image's shape (default 3,224,224)")
    parser.add_argument("--params", metavar="2.6M", help="the printed number of parameters")
    parser.add_argument("--madds", metavar="42M", help="the printed MAdds, MACs or FLOPs")
    parser.add_argument("--json", action="store_true", help="every convention with its value")
    args = parser.parse_args(argv)
    try:
        size = [int(n) for n in args.input.split(",")]
        intervals = {k: parse_printed(v) for k, v in (("params", args.params), ("madds", args.madds)) if v}
    except ValueError as error:
        raise PipelineError(f"{error}; write numbers as 3,224,224 and 2.6M") from None
    if min(size) < 1:
        raise PipelineError(f"--input {args.input}: sizes are above 0")
    module = build(args.module)
    try:
        with torch.no_grad():
            terms = trace_cost(module, size).named()
    except Exception as error:
        shape = " x ".join(map(str, size))
        raise PipelineError(f"--module {args.module}: fails on one {shape} input ({error})") from None
    found = {"params": params_under(module), "madds": madds_under(terms)}
    judged = {what: reached(found[what], interval) for what, interval in intervals.items()}
    if args.json:
        print(json.dumps({what: [asdict(f) for f in of] for what, of in judged.items()}, indent=1))
    for what, of in judged.items() if not args.json else ():
        print("\n".join(told(what, getattr(args, what), of)))
    if not judged:
        for what, of in found.items():
            low, high = min(v for _, v in of), max(v for _, v in of)
            print(f"{what}: {low:,} to {high:,} over {len(of)} conventions; give --{what} to see which print a number")
    return OK if all(any(f.holds for f in of) for of in judged.values()) else NOT_REPRODUCED


if __name__ == "__main__":
    raise SystemExit(guard(main))
