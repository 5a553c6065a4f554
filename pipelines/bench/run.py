"""Measure training and inference of Table 2's networks side by side, and write results/bench/MACHINE.json.

python -m pipelines bench [--batch-size N] [--rounds 3] [--rows ROW ...]     (`make bench`)
python -m pipelines bench latency [--rounds 31]       one thread, one image: pipelines.bench.latency
python -m pipelines bench official --official FOLDER  the authors' public code against ours: pipelines.bench.official

All networks take turns in one run, round by round, so that the ratios are fair on a machine that is not quiet; each
figure is the median of its rounds. On a GPU: batch 512, AMP. On a CPU: batch 16, fp32; absolute times there are this
machine's only.
"""

from __future__ import annotations

import statistics
import sys
from typing import Any

import torch
from tqdm import tqdm

from papertally.conventions.axes import madds
from papertally.evidence.bench import Bench
from papertally.evidence.io import write_json_atomic
from papertally.evidence.provenance import cpu_model, environment
from papertally.evidence.revision import code_revision
from papertally.evidence.schema import CostEvidence, read_form
from papertally.ledger.load import load_ledger
from pipelines import arguments
from pipelines.bench import input as bench_input
from pipelines.bench import latency, official
from pipelines.bench import operators as bench_ops
from pipelines.bench.networks import Bencher
from pipelines.common import MICRONET, ROOT, PipelineError, configured_rows, guard
from pipelines.training.run import quiet

REFERENCE = "t2_micronet_m0"
#: What `make bench` measures beside the networks' rates.


def default_rows() -> list[str]:
    """Return Table 2's rows without mutual learning, which doubles a step, then Table 5's."""
    rows = configured_rows(tasks=("classification",))
    return [r for r in rows if r.startswith("t2_") and not r.endswith("_ml")] + [r for r in rows if r.startswith("t5_")]


def hardware() -> str:
    """Return the device's name, for a CPU with the threads used."""
    if torch.cuda.is_available():
        return torch.cuda.get_device_name(0)
    return f"{cpu_model()}, {torch.get_num_threads()} threads"


def measure(rows: list[str], batch: int, rounds: int, device: torch.device) -> dict[str, dict[str, Any]]:
    """Return every row's median rates, its peak memory in MiB (GPU only) and its computed MAdds."""
    repeats = 20 if device.type == "cuda" else 1
    rates: dict[str, dict[str, list[float]]] = {row: {"train": [], "inference": []} for row in rows}
    peaks: dict[str, float | None] = dict.fromkeys(rows)
    for _ in tqdm(range(rounds), unit="round", file=sys.stderr, disable=None):
        for row in rows:
            bencher = Bencher(row, batch, device)
            if device.type == "cuda":
                torch.cuda.reset_peak_memory_stats()
            for name, step in (("train", bencher.train_step), ("inference", bencher.inference_step)):
                bencher.rate(step, 1)  # warm
                rates[row][name].append(bencher.rate(step, repeats))
            if device.type == "cuda":
                peaks[row] = round(torch.cuda.max_memory_allocated() / 2**20, 1)
    return {
        row: {
            **{name: round(statistics.median(v), 3) for name, v in found.items()},
            "peak_mib": peaks[row],
            "madds": cost_madds(row),
        }
        for row, found in rates.items()
    }


def cost_madds(row: str) -> int:
    """Return a row's computed MAdds under the default rule, from its cost evidence."""
    path = ROOT / f"results/cost/{row}.json"
    values = read_form(path, path.relative_to(ROOT).as_posix(), CostEvidence).values
    return madds(values.terms, load_ledger(ROOT / MICRONET).conventions.members["plain"].counting)


def show(bench: dict[str, Any]) -> str:
    """Return the figures as a table, each network's beside its ratio to MicroNet-M0."""
    lines = [f"{bench['hardware']}, batch {bench['batch_size']}, {bench['precision']}"]
    lines.append(f"{'images/s':>26} {'train':>9} {'(M0 = 1)':>9} {'inference':>10} {'(M0 = 1)':>9} {'peak MiB':>9}")
    for row, m in bench["models"].items():
        peak = "-" if m["peak_mib"] is None else f"{m['peak_mib']:.0f}"
        ratios = [bench["ratios"].get(f"{row} / {REFERENCE} {kind}") for kind in ("train", "inference")]
        shown = ["-" if r is None else f"{r:.2f}" for r in ratios]
        lines.append(f"{row:>26} {m['train']:>9.1f} {shown[0]:>9} {m['inference']:>10.1f} {shown[1]:>9} {peak:>9}")
    lines += [f"{ratio:>26.2f} {name}" for name, ratio in bench["ratios"].items() if f" / {REFERENCE} " not in name]
    return "\n".join(lines)


def main(argv: list[str] | None = None) -> int:
    """Measure, print and file the figures."""
    argv = sys.argv[1:] if argv is None else argv
    if argv[:1] in (["latency"], ["official"]):
        return {"latency": latency, "official": official}[argv[0]].main(argv[1:])
    args = arguments.bench().parse_args(argv)
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    batch = args.batch_size or (512 if device.type == "cuda" else 16)
    rows = args.rows or default_rows()
    if batch < 2 or args.rounds < 1:
        raise PipelineError("--batch-size must be at least 2 and --rounds at least 1")
    if unknown := set(rows) - set(configured_rows(tasks=("classification",))):
        raise PipelineError(f"configs/classification: no config of {', '.join(sorted(unknown))}")
    quiet()
    models = measure(rows, batch, args.rounds, device)
    ratios = {}
    if REFERENCE in models:
        ratios = {
            f"{row} / {REFERENCE} {kind}": round(m[kind] / models[REFERENCE][kind], 4)
            for row, m in models.items()
            for kind in ("train", "inference")
        }
    if "operator" in args.sections:
        ratios |= bench_ops.ratios(args.rounds, batch, device, compiled=args.compile)
    inputs = None
    if "input" in args.sections:
        found, inputs = bench_input.section(args.rounds, device)
        ratios |= found
    bench = {
        "schema": 1,
        "kind": "bench",
        "hardware": hardware(),
        "gpu": device.type == "cuda",
        "batch_size": batch,
        "precision": "AMP" if device.type == "cuda" else "fp32",
        "models": models,
        "ratios": ratios,
        "input": inputs,
        "code_revision": code_revision(ROOT),
        "environment": environment(),
    }
    Bench.model_validate(bench)
    out = args.out or ROOT / f"results/bench/{'gpu' if bench['gpu'] else 'cpu'}.json"
    write_json_atomic(out, bench)
    print(show(bench))
    print(f"written: {out}")
    return 0


if __name__ == "__main__":
    raise SystemExit(guard(main))
