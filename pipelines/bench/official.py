"""Measure the authors' public code against ours at equal weights, where it lies in a folder that you name.

python -m pipelines bench official --official FOLDER [--sizes 6M 12M] [--rounds 15]

FOLDER: a checkout of github.com/liyunsheng13/micronet, whose code this runs. Both nets have the official wiring and the
same random weights, which is checked, and run in one thread; all take turns, round by round. `ours` is what a user gets
by default, `ours, compiled` with Shift-Max compiled (registry.ops.native). A ratio is the official code's time over
ours: above 1 ours is faster.
"""

from __future__ import annotations

import argparse
import contextlib
import importlib
import io
import re
import sys
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from papertally.evidence.bench import OfficialSpeed
from papertally.evidence.io import write_json_atomic
from papertally.evidence.provenance import cpu_model, environment
from papertally.evidence.revision import code_revision
from pipelines.bench.latency import load, median_interval, turns
from pipelines.common import ROOT, PipelineError, guard
from pipelines.training.run import quiet
from registry import official
from registry.export import largest_difference
from registry.ops import native

#: The public code's names of the released sizes, in its scripts.
SCRIPTS = {"4M": "m0", "6M": "m1", "12M": "m2", "21M": "m3"}
BATCH, SIZE = 16, 224
#: Outputs are compared in shares of their largest.
AGREE = 1e-3


def settings(folder: Path, size: str) -> SimpleNamespace:
    """Return a size's configuration as the public scripts state it. Raises PipelineError where these are missing."""
    script = folder / f"scripts/eval_micronet_{SCRIPTS[size]}.sh"
    try:
        text = script.read_text("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise PipelineError(f"{script}: {error}; --official names a checkout of liyunsheng13/micronet") from None
    model = SimpleNamespace(MICRONETS=SimpleNamespace(), ACTIVATION=SimpleNamespace())
    for part, name, value in re.findall(r"MODEL\.(MICRONETS|ACTIVATION)\.(\w+)\s+([\w.,]+)", text):
        items = [_value(item) for item in value.split(",")]
        setattr(getattr(model, part), name, items if "," in value else items[0])
    return SimpleNamespace(MODEL=model)


def _value(text: str) -> Any:
    """Return a script's word as a truth, a number or itself."""
    if text in ("True", "False"):
        return text == "True"
    return int(text) if text.isdigit() else float(text) if re.fullmatch(r"[\d.]+", text) else text


@contextlib.contextmanager
def _importable(folder: Path) -> Iterator[None]:
    """Let the public code be imported, and forget its modules afterwards: their names are common."""
    before = set(sys.modules)
    sys.path.insert(0, str(folder))
    try:
        yield
    finally:
        sys.path.remove(str(folder))
        for name in set(sys.modules) - before:
            if name.partition(".")[0] == "backbone":
                del sys.modules[name]


def their_net(folder: Path, size: str) -> nn.Module:
    """Return the public code's network of a size with random weights. Raises PipelineError for what is not its code."""
    wanted = settings(folder, size)
    with _importable(folder), contextlib.redirect_stdout(io.StringIO()):
        try:
            return importlib.import_module("backbone.micronet").MicroNet(wanted)
        except (ImportError, AttributeError, TypeError, ValueError, SyntaxError) as error:
            raise PipelineError(f"{folder}: not the public code of MicroNet ({error})") from None


def pair(folder: Path, size: str) -> tuple[nn.Module, nn.Module]:
    """Return their network and ours with the same random weights. Raises PipelineError where their logits differ."""
    torch.manual_seed(0)
    theirs = their_net(folder, size)
    generator = torch.Generator().manual_seed(5)
    for name, value in theirs.state_dict().items():
        if "running_var" in name or (name.endswith("weight") and value.ndim == 1):
            value.uniform_(0.5, 1.5, generator=generator)
    ours = official.build(theirs.state_dict(), size)
    images = torch.randn(2, 3, SIZE, SIZE, generator=generator)
    with torch.no_grad():
        wanted, got = theirs.eval()(images), ours(images)
    error = largest_difference(got, wanted)
    if not error <= AGREE:
        raise PipelineError(f"{folder}: the {size} network's logits differ from ours by {error:.1e} of the largest")
    return theirs, ours


def _inference(net: nn.Module, images: Tensor) -> Callable[[], object]:
    def run() -> None:
        net.eval()
        with torch.no_grad():
            net(images)

    return run


def _training(net: nn.Module, images: Tensor) -> Callable[[], object]:
    labels = torch.arange(len(images))
    optimizer = torch.optim.SGD(net.parameters(), 1e-4, momentum=0.9)

    def run() -> None:
        net.train()
        loss = F.cross_entropy(net(images), labels)
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        optimizer.step()

    return run


def forms(theirs: nn.Module, ours: nn.Module) -> dict[tuple[str, str], Callable[[], object]]:
    """Return every form's call by (what is measured, form)."""
    out: dict[tuple[str, str], Callable[[], object]] = {}
    images = torch.randn(BATCH, 3, SIZE, SIZE, generator=torch.Generator().manual_seed(1))
    for what, make, batch in (
        ("inference, batch 1", _inference, 1),
        (f"inference, batch {BATCH}", _inference, BATCH),
        (f"training step, batch {BATCH}", _training, BATCH),
    ):
        out[what, "official"] = make(theirs, images[:batch])
        call = make(ours, images[:batch])
        out[what, "ours"] = _without_native(call)
        if native.library() is not None:
            out[what, "ours, compiled"] = call
    return out


def _without_native(call: Callable[[], object]) -> Callable[[], object]:
    """Return a call during which Shift-Max is not compiled, as by default."""

    def run() -> None:
        with native.disabled():
            call()

    return run


def measure(folder: Path, sizes: list[str], rounds: int) -> dict[str, Any]:
    """Return what an official file holds."""
    revision, before, threads = code_revision(ROOT), load(), torch.get_num_threads()
    torch.set_num_threads(1)
    native.prepare()
    ratios = []
    try:
        for size in sizes:
            seconds = turns(forms(*pair(folder, size)), rounds)
            for what, form in seconds:
                if form == "official":
                    continue
                each = [a / b for a, b in zip(seconds[what, "official"], seconds[what, form], strict=True)]
                middle, low, high = (round(v, 4) for v in median_interval(each))
                name = f"{size}, {what}"
                ratios.append(
                    {"of": "official", "to": form, "runtime": name, "ratio": middle, "low": low, "high": high}
                )
    finally:
        torch.set_num_threads(threads)
    after = load()
    return {
        "schema": 1,
        "kind": "official",
        "hardware": cpu_model(),
        "threads": 1,
        "rounds": rounds,
        "load": None if before is None or after is None else [before, after],
        "ratios": ratios,
        "code_revision": revision,
        "environment": environment(),
    }


def show(found: OfficialSpeed) -> str:
    """Return the figures as a table."""
    lines = [f"{found.hardware}, one thread, {found.rounds} rounds; load {found.load}", "official / ours:"]
    lines += [f"{r.ratio:>8.2f} ({r.low:.2f} to {r.high:.2f})  {r.runtime}: {r.to}" for r in found.ratios]
    return "\n".join(lines)


def main(argv: list[str] | None = None) -> int:
    """Measure, print and file the figures."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--official", type=Path, required=True, metavar="FOLDER", help="the public code's checkout")
    parser.add_argument("--sizes", nargs="+", choices=tuple(SCRIPTS), default=["6M", "12M"], help="default: 6M 12M")
    parser.add_argument("--rounds", type=int, default=15, help="measured rounds, at least 6 (default 15)")
    parser.add_argument("--out", type=Path, default=ROOT / "results/bench/official.json", help="file to write")
    args = parser.parse_args(argv)
    if args.rounds < 6:
        raise PipelineError("--rounds must be at least 6: fewer hold no interval")
    quiet()
    warnings.filterwarnings("ignore", category=UserWarning, module="torch")
    found = measure(args.official.resolve(), args.sizes, args.rounds)
    filed = OfficialSpeed.model_validate(found)
    write_json_atomic(args.out, found)
    print(show(filed))
    print(f"written: {args.out}")
    return 0


if __name__ == "__main__":
    raise SystemExit(guard(main))
