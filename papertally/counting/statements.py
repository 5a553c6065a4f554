"""What statements of any paper may ask of the networks that its rows name, and functions of a ledger's own.

A claim of kind cost or structure names a computation and, in `of`, the rows that it is about. Functions of a ledger
stand in computations.py in its folder, take no arguments and return what they computed, or that and one line of
arithmetic.
"""

from __future__ import annotations

import importlib.util
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from torch import nn

from papertally.command import CommandError
from papertally.conventions.axes import madds, parameters
from papertally.counting.names import Measured, build_network, measure, parse_network
from papertally.ledger.load import Ledger, Row
from papertally.ledger.validation_messages import one_line

OWN = "computations.py"
Value = bool | int | float | list
Networks = Sequence[tuple[Row, Path]]


def _measured(row: Row, folder: Path) -> Measured:
    if not row.network:
        raise CommandError(f"row {row.id}: names no network; add `network: timm:NAME` to it")
    return measure(row.network, row.input, folder)


def _modules(row: Row, folder: Path) -> list[nn.Module]:
    """Return a network's convolutions and linear layers, in the order in which it holds them."""
    if not row.network:
        raise CommandError(f"row {row.id}: names no network; add `network: timm:NAME` to it")
    spec = parse_network(row.network)
    if spec.kind in ("pt2", "onnx"):
        raise CommandError(f"row {row.id}: {row.network} is a file, which holds operators and no layers")
    net = build_network(spec, folder)
    return [m for m in net.modules() if isinstance(m, nn.modules.conv._ConvNd | nn.Linear)]


def _layers(row: Row, folder: Path, ledger: Ledger) -> Value:
    return len(_modules(row, folder))


def _kernels(row: Row, folder: Path, ledger: Ledger) -> Value:
    found = {max(m.kernel_size) for m in _modules(row, folder) if isinstance(m, nn.modules.conv._ConvNd)}
    return sorted(found)


def _groups(row: Row, folder: Path, ledger: Ledger) -> Value:
    return sorted({m.groups for m in _modules(row, folder) if isinstance(m, nn.modules.conv._ConvNd)})


def _params(row: Row, folder: Path, ledger: Ledger) -> Value:
    counted = _measured(row, folder).counted
    return parameters(counted.params, counted.parts, ledger.conventions.members[ledger.conventions.default].parameters)


def _madds(row: Row, folder: Path, ledger: Ledger) -> Value:
    found = _measured(row, folder).counted
    if found.unknown:
        raise CommandError(f"row {row.id}: operators that no rule counts: {', '.join(found.unknown)}")
    return madds(found.terms, ledger.conventions.members[ledger.conventions.default].counting)


#: By name: what is asked of one row's network. Of several rows, `computed` is the list of what each gives.
OF_NETWORKS: dict[str, Callable[[Row, Path, Ledger], Value]] = {
    "counted_params": _params,
    "counted_madds": _madds,
    "layers": _layers,
    "kernel_sizes": _kernels,
    "groups": _groups,
}


def of_networks(name: str, rows: Sequence[str], ledger: Ledger, folder: Path) -> tuple[Value, str]:
    """Return what a computation gives of the networks of some rows, and its arithmetic. Raises CommandError."""
    found = {row: OF_NETWORKS[name](ledger.row(ledger.canonical(row)), folder, ledger) for row in rows}
    detail = "; ".join(f"{row}: {_shown(value)}" for row, value in found.items())
    values = list(found.values())
    return (values[0] if len(values) == 1 else values), f"{name.replace('_', ' ')} of {detail}"


def _shown(value: Value) -> str:
    return f"{value:,}" if isinstance(value, int) and not isinstance(value, bool) else str(value)


def own_computations(folder: Path) -> dict[str, Callable[[], Any]]:
    """Return the functions of a ledger's computations.py by name; none where it has no such file.

    Raises CommandError where that cannot be imported.
    """
    path = folder / OWN
    if not path.is_file():
        return {}
    spec = importlib.util.spec_from_file_location(f"_computations_{folder.name}", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    try:
        spec.loader.exec_module(module)
    except Exception as error:
        raise CommandError(one_line(f"{folder.name}/{OWN}: {type(error).__name__}: {error}")) from None
    return {n: f for n, f in vars(module).items() if callable(f) and getattr(f, "__module__", "") == spec.name}


def run_own(name: str, function: Callable[[], Any]) -> tuple[Value, str]:
    """Return what a ledger's own function computes, and its line. Raises CommandError."""
    try:
        result = function()
    except Exception as error:
        raise CommandError(one_line(f"{OWN}: {name}() fails ({type(error).__name__}: {error})")) from None
    value, detail = result if isinstance(result, tuple) and len(result) == 2 else (result, f"{name}() gives {result}")
    if not isinstance(value, bool | int | float | list) or not isinstance(detail, str):
        fault = "write a number, a truth or a list, or one with a line of text"
        raise CommandError(one_line(f"{OWN}: {name}() returns {type(value).__name__}; {fault}"))
    return value, detail
