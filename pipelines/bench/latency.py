"""Measure how long one image takes in one thread, network against network, and write results/bench/latency.json.

python -m pipelines bench latency [--rounds 31] [--rows ROW ...]

Every network runs in eager PyTorch and in ONNX Runtime, with random weights, on an image of the row's own size. All of
them take turns, round by round, and a ratio is taken within each round: its median over the rounds and a 95 % interval
of that median hold on a machine that is not quiet. The clock is the thread's own CPU time, which equals the time that
passes where nothing else runs; milliseconds are this machine's only.
"""

from __future__ import annotations

import argparse
import math
import os
import statistics
import sys
import tempfile
import time
import warnings
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from tqdm import tqdm

from papertally.evidence.bench import Latency
from papertally.evidence.io import write_json_atomic
from papertally.evidence.provenance import cpu_model, environment
from papertally.evidence.revision import code_revision
from papertally.ledger.load import load_ledger
from pipelines.common import MICRONET, ROOT, PipelineError, configured_rows, find_row, guard
from pipelines.deploy.network import row_network
from pipelines.tasks import TASKS
from pipelines.training.run import quiet
from registry.export import INPUT, ExportError, onnx_session

#: The paper's networks, each against the rows whose printed MAdds lie within SAME of its own.
OURS = ("t2_micronet_m0", "t2_micronet_m1", "t2_micronet_m2", "t2_micronet_m3")
REFERENCE = "t2_micronet_m0"
SAME = 1.1
RUNTIMES = ("torch", "onnxruntime")
#: A turn lasts about so long, so that the clock's steps do not count; its fastest call is the turn's time.
TURN = 0.04
WARM = 3

Call = Callable[[], object]


def default_rows() -> list[str]:
    """Return Table 2's rows that have a network of their own: without mutual learning."""
    return [r for r in configured_rows(tasks=("classification",)) if r.startswith("t2_") and not r.endswith("_ml")]


def printed_madds(rows: Sequence[str]) -> dict[str, float]:
    """Return the rows' printed MAdds, where the ledger has them."""
    ledger = load_ledger(ROOT / MICRONET)
    return {row: float(cells["madds"].value) for row in rows if "madds" in (cells := ledger.row(row).cells)}


def pairs(ours: Sequence[str], printed: Mapping[str, float]) -> list[tuple[str, str]]:
    """Return (one of ours, a row not of ours) of the same printed MAdds, within a factor SAME."""
    others = [row for row in printed if row not in ours]
    return [
        (own, row)
        for own in ours
        if own in printed
        for row in others
        if max(printed[own], printed[row]) <= SAME * min(printed[own], printed[row])
    ]


def calls(row: str, folder: Path) -> dict[str, Call]:
    """Return a row's network on one image, by runtime. Raises PipelineError for what lacks or cannot be written."""
    net = row_network(row)
    images = torch.randn(1, 3, *TASKS[find_row(row).task].image_size, generator=torch.Generator().manual_seed(0))
    feed = {INPUT: images.numpy()}
    try:
        session = onnx_session(net, images, folder / f"{row}.onnx")
    except ExportError as error:
        raise PipelineError(str(error)) from None

    def in_torch() -> object:
        with torch.inference_mode():
            return net(images)

    return {"torch": in_torch, "onnxruntime": lambda: session.run(None, feed)}


def fastest(call: Call, repeats: int, clock: Callable[[], float] = time.thread_time) -> float:
    """Return a call's fewest seconds of this thread over some repeats."""
    found = []
    for _ in range(repeats):
        started = clock()
        call()
        found.append(clock() - started)
    return min(found)


def turns(found: Mapping[tuple[str, str], Call], rounds: int) -> dict[tuple[str, str], list[float]]:
    """Return every call's seconds, one number a round; in a round each has one turn, after a warm-up."""
    repeats = {}
    for name, call in found.items():
        once = fastest(call, WARM)
        repeats[name] = max(1, math.ceil(TURN / max(once, 1e-6)))
    out: dict[tuple[str, str], list[float]] = {name: [] for name in found}
    for _ in tqdm(range(rounds), unit="round", file=sys.stderr, disable=None):
        for name, call in found.items():
            out[name].append(fastest(call, repeats[name]))
    return out


def median_interval(values: Sequence[float], level: float = 0.95) -> tuple[float, float, float]:
    """Return the median and an interval that holds the true one with at least `level`, whatever the distribution.

    The interval lies between two of the ordered values, as many from either end as the binomial law allows. Raises
    ValueError for fewer than six values at 95 %.
    """
    n, ordered = len(values), sorted(values)
    tail, cut = 0.0, 0
    for k in range(n // 2 + 1):  # chance that k or fewer of n values lie below the true median
        tail += math.comb(n, k) / 2**n
        if tail > (1 - level) / 2:
            break
        cut = k + 1
    if not cut:
        raise ValueError(f"{n} values hold no interval of {level:.0%}")
    return statistics.median(ordered), ordered[cut - 1], ordered[n - cut]


def ratios(
    seconds: Mapping[tuple[str, str], Sequence[float]], wanted: Sequence[tuple[str, str]], runtimes: Sequence[str]
) -> list[dict[str, Any]]:
    """Return each pair's ratio of times within a round, in every runtime: median and interval over the rounds."""
    out = []
    for runtime in runtimes:
        for of, to in wanted:
            each = [a / b for a, b in zip(seconds[of, runtime], seconds[to, runtime], strict=True)]
            middle, low, high = (round(v, 4) for v in median_interval(each))
            out.append({"of": of, "to": to, "runtime": runtime, "ratio": middle, "low": low, "high": high})
    return out


def load() -> float | None:
    """Return the machine's load average over a minute, or None where it does not tell."""
    return round(os.getloadavg()[0], 2) if hasattr(os, "getloadavg") else None


def measure(rows: Sequence[str], rounds: int) -> dict[str, Any]:
    """Return what a latency file holds of some rows."""
    ours = [row for row in OURS if row in rows]
    reference = REFERENCE if REFERENCE in rows else rows[0]
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    revision, before = code_revision(ROOT), load()
    try:
        with tempfile.TemporaryDirectory(prefix="micronet-latency-") as there:
            found = {
                (row, runtime): call
                for row in tqdm(rows, unit="network", file=sys.stderr, disable=None)
                for runtime, call in calls(row, Path(there)).items()
            }
            seconds = turns(found, rounds)
    finally:
        torch.set_num_threads(threads)
    after = load()
    wanted = [(row, reference) for row in rows if row != reference] + [
        pair for pair in pairs(ours, printed_madds(rows)) if pair[1] != reference
    ]
    return {
        "schema": 1,
        "kind": "latency",
        "hardware": cpu_model(),
        "threads": 1,
        "batch_size": 1,
        "rounds": rounds,
        "load": None if before is None or after is None else [before, after],
        "runtimes": list(RUNTIMES),
        "reference": reference,
        "ours": ours,
        "ms": {row: {r: round(1000 * statistics.median(seconds[row, r]), 3) for r in RUNTIMES} for row in rows},
        "ratios": ratios(seconds, wanted, RUNTIMES),
        "code_revision": revision,
        "environment": {**environment(), **_versions()},
    }


def _versions() -> dict[str, str]:
    from importlib.metadata import version

    return {"onnxruntime": version("onnxruntime")}


def show(found: Latency) -> str:
    """Return the figures as a table."""
    lines = [f"{found.hardware}, one thread, one image, {found.rounds} rounds; load {found.load}"]
    for runtime in found.runtimes:
        lines.append(f"{runtime}: {'ms':>28} {f'/ {found.reference}':>18}")
        for row, ms in found.ms.items():
            r = found.ratio(row, found.reference, runtime)
            lines.append(f"{row:>32} {ms[runtime]:>8.2f} {'1' if r is None else f'{r.ratio:.2f}':>8}")
    lines.append("at the same printed MAdds:")
    for r in found.ratios:
        if r.of in found.ours and r.to not in found.ours:
            lines.append(f"{r.ratio:>8.2f} ({r.low:.2f} to {r.high:.2f})  {r.runtime}: {r.of} / {r.to}")
    return "\n".join(lines)


def main(argv: list[str] | None = None) -> int:
    """Measure, print and file the figures."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=31, help="measured rounds, at least 6 (default 31)")
    parser.add_argument("--rows", nargs="+", help="row ids; default: Table 2's without mutual learning")
    parser.add_argument("--out", type=Path, default=ROOT / "results/bench/latency.json", help="file to write")
    args = parser.parse_args(argv)
    rows = args.rows or default_rows()
    if args.rounds < 6:
        raise PipelineError("--rounds must be at least 6: fewer hold no interval")
    if unknown := set(rows) - set(configured_rows(tasks=("classification",))):
        raise PipelineError(f"configs/classification: no config of {', '.join(sorted(unknown))}")
    quiet()
    warnings.filterwarnings("ignore")  # the exporters' own
    found = measure(list(dict.fromkeys(rows)), args.rounds)
    Latency.model_validate(found)
    write_json_atomic(args.out, found)
    print(show(Latency.model_validate(found)))
    print(f"written: {args.out}")
    return 0


if __name__ == "__main__":
    raise SystemExit(guard(main))
