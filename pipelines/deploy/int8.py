"""Compare an 8-bit ONNX file with the float file of the same network: classes, size and time in ONNX Runtime."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from papertally.evidence.io import write_json_atomic
from papertally.evidence.provenance import cpu_model, environment
from pipelines.bench.latency import median_interval, turns
from registry.export import INPUT, write

ROUNDS = 15


def _session(path: Path) -> Any:
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    return onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])


def compare(
    net: nn.Module, path: Path, images: Tensor, held_out: Sequence[Tensor], rounds: int = ROUNDS
) -> dict[str, Any]:
    """Return and write beside the file how it differs from the float file of the same network.

    Args:
        net: the network that `path` was written of.
        path: the 8-bit file; the figures go to the same name with `.json` after it.
        images: two images or more, which the float file is written by and the first of which is timed.
        held_out: images that no range was taken from, one a batch.
        rounds: turns that each file takes, at least six.

    Returns:
        Sizes in bytes, time ratio (8 bits over float, one thread, one image) with a 95 % interval, and the share of
        held-out images with the same top-1 class: None without such images, or where the output is no row of classes.
    """
    import onnxruntime

    with tempfile.TemporaryDirectory(prefix="micronet-int8-") as there:
        whole = Path(there) / "float.onnx"
        write(net, images, "onnx", whole)
        sessions = {"float": _session(whole), "int8": _session(path)}
        sizes = {"float": whole.stat().st_size, "int8": path.stat().st_size}

    def outputs(name: str, batch: Tensor) -> Tensor:
        return torch.from_numpy(sessions[name].run(None, {INPUT: batch.numpy()})[0])

    def timed(name: str) -> Callable[[], object]:
        return lambda: outputs(name, images[:1])

    seconds = turns({(name, "onnxruntime"): timed(name) for name in sessions}, rounds)
    float_turns, int8_turns = (seconds[name, "onnxruntime"] for name in ("float", "int8"))
    ratio, low, high = median_interval([b / a for a, b in zip(float_turns, int8_turns, strict=True)])
    same = [
        bool((outputs("float", batch).argmax(1) == outputs("int8", batch).argmax(1)).all())
        for batch in held_out
        if outputs("float", batch).dim() == 2
    ]
    found = {
        "kind": "int8",
        "runtime": f"onnxruntime {onnxruntime.__version__}",
        "hardware": cpu_model(),
        "rounds": rounds,
        "bytes": sizes,
        "time_ratio": round(ratio, 4),
        "low": round(low, 4),
        "high": round(high, 4),
        "held_out_images": len(same),
        "same_top1": sum(same) / len(same) if same else None,
        "environment": environment(),
    }
    write_json_atomic(path.with_name(path.name + ".json"), found)
    return found


def said(found: dict[str, Any]) -> str:
    """Return the figures in a line, with a plain statement where 8 bits bring no time."""
    share = found["same_top1"]
    classes = (
        "classes not compared"
        if share is None
        else (f"same top-1 class for {share:.1%} of {found['held_out_images']} held-out images")
    )
    gain = "; no faster than float here: it saves size alone" if found["high"] >= 1 else ""
    return (
        f"against float in {found['runtime']}: {found['bytes']['int8'] / found['bytes']['float']:.2f} of its size, "
        f"{found['time_ratio']:.2f} of its time ({found['low']:.2f} to {found['high']:.2f}){gain}; {classes}"
    )
