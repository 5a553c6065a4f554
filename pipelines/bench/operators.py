"""Measure Shift-Max's forms side by side: Eq. 5 as it reads (eager), the form chosen by itself (auto), torch.compile.

A ratio is eager's time over the form's: above 1 the form is faster. Forms take turns, and the median counts. `floor`
is a form's time over the time that a plain copy takes for the bytes that the operator cannot but move.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Mapping
from typing import Any

import torch
from torch import Tensor, nn

from pipelines.analysis.structure import classifier
from pipelines.bench.networks import Bencher
from registry.ops.eager import eager_shift_max
from registry.ops.fused import use_backend
from registry.ops.shift_max import DynamicShiftMax, shift_max

NETWORKS = ("t2_micronet_m0", "t2_micronet_m1", "t2_micronet_m3")
SITES_OF = "t2_micronet_m1"
SIZE = 224


def clock(device: torch.device) -> float:
    """Return the seconds of a monotonic clock once the device has done its work."""
    if device.type == "cuda":
        torch.cuda.synchronize()
    return time.perf_counter()


def take_turns(calls: Mapping[str, Callable[[], object]], turns: int, device: torch.device) -> dict[str, float]:
    """Return each call's median seconds; the calls take turns, after one unmeasured turn."""
    seconds: dict[str, list[float]] = {name: [] for name in calls}
    for turn in range(turns + 1):
        for name, call in calls.items():
            started = clock(device)
            call()
            if turn:
                seconds[name].append(clock(device) - started)
    return {name: statistics.median(found) for name, found in seconds.items()}


def sites(row: str = SITES_OF) -> list[tuple[int, int, int, int, int]]:
    """Return (channels, groups, size, K, J) of every Shift-Max of a network on 224 x 224 images, in its order."""
    found: list[tuple[int, int, int, int, int]] = []

    def note(layer: DynamicShiftMax, inputs: tuple[Tensor], _: Tensor) -> None:
        found.append((layer.channels, layer.groups, inputs[0].shape[2], layer.k, layer.j))

    model = classifier(row, 1000).eval()
    hooks = [m.register_forward_hook(note) for m in model.modules() if isinstance(m, DynamicShiftMax)]
    with torch.no_grad():
        model(torch.zeros(1, 3, SIZE, SIZE), mode="tensor")
    for hook in hooks:
        hook.remove()
    return found


def operator_calls(
    site: tuple[int, int, int, int, int], batch: int, device: torch.device, gradients: bool, compiled: Callable | None
) -> tuple[dict[str, Callable[[], object]], int]:
    """Return the forms' calls at one site and the bytes that the operator must move: inputs once, outputs once."""
    channels, groups, size, k, j = site
    half = device.type == "cuda"
    dtype = torch.float16 if half else torch.float32
    x = torch.randn(batch, channels, size, size, device=device, dtype=dtype, requires_grad=gradients)
    a = torch.randn(batch, k, j, channels, device=device, dtype=dtype, requires_grad=gradients)
    out = torch.randn_like(x)

    def call(form: Callable[..., Tensor], backend: str) -> Callable[[], object]:
        def run() -> None:
            with use_backend(backend):
                y = form(x, a, groups)
                if gradients:
                    torch.autograd.grad(y, (x, a), out)

        return run

    calls = {"eager": call(eager_shift_max, "eager"), "auto": call(shift_max, "auto")}
    if compiled is not None:
        calls["compiled"] = call(compiled, "eager")
    tensors = 5 if gradients else 2  # x, y; backward x, dy, dx
    return calls, tensors * x.numel() * x.element_size()


def copy_speed(device: torch.device) -> float:
    """Return the bytes a second that a plain copy of a large tensor moves, read and written."""
    source = torch.randn(1 << (26 if device.type == "cuda" else 23), device=device)
    target = torch.empty_like(source)
    seconds = take_turns({"copy": lambda: target.copy_(source)}, 10, device)["copy"]
    return 2 * source.numel() * source.element_size() / seconds


def compiled_form() -> Callable[..., Tensor]:
    """Return torch.compile's form of Eq. 5, one for each shape."""
    torch._dynamo.reset()
    torch._dynamo.config.recompile_limit = 128
    return torch.compile(eager_shift_max, dynamic=False)


def operator_ratios(
    every: list[tuple[int, int, int, int, int]],
    rounds: int,
    batch: int,
    device: torch.device,
    compiled: Callable[..., Tensor] | None,
) -> dict[str, float]:
    """Return ratios over all of M1's sites together, forward alone and with the backward pass."""
    speed = copy_speed(device)
    totals: dict[bool, dict[str, float]] = {False: {}, True: {}}
    moved = {False: 0, True: 0}
    for gradients in (False, True):
        for site in dict.fromkeys(every):
            calls, size = operator_calls(site, batch, device, gradients, compiled)
            for name, seconds in take_turns(calls, 3 * rounds, device).items():
                totals[gradients][name] = totals[gradients].get(name, 0.0) + seconds * every.count(site)
            moved[gradients] += size * every.count(site)
    out = {}
    for gradients, names in totals.items():
        what = "Shift-Max, all of M1's layers, " + ("forward and backward" if gradients else "inference")
        for form in names:
            if form != "eager":
                out[f"{what}: {form} / eager"] = round(names["eager"] / names[form], 3)
            out[f"{what}: time of {form} / floor"] = round(names[form] / (moved[gradients] / speed), 3)
    return out


def network_ratios(rounds: int, batch: int, device: torch.device, compiled: bool) -> dict[str, float]:
    """Return ratios of whole networks: a training step and inference, with `compiled` by torch.compile too."""
    out = {}
    for row in NETWORKS:
        bencher = Bencher(row, batch, device)
        variants: dict[str, tuple[nn.Module, str]] = {
            "eager": (bencher.model, "eager"),
            "auto": (bencher.model, "auto"),
        }
        if compiled:
            torch._dynamo.reset()
            variants["compiled"] = (torch.compile(bencher.model, dynamic=False), "eager")
        for kind, step in (("training step", bencher.train_step), ("inference", bencher.inference_step)):
            calls = {name: on(bencher, step, model, backend) for name, (model, backend) in variants.items()}
            seconds = take_turns(calls, 2 * rounds + 1, device)
            for name in calls:
                if name != "eager":
                    out[f"{row} {kind}, batch {batch}: {name} / eager"] = round(seconds["eager"] / seconds[name], 3)
    return out


def on(bencher: Any, step: Callable[[], None], model: nn.Module, backend: str) -> Callable[[], None]:
    """Return a step that runs with another form of the model and of Shift-Max."""

    def run() -> None:
        bencher.model = model
        with use_backend(backend):
            step()

    return run


def ratios(rounds: int, batch: int, device: torch.device, compiled: bool = False) -> dict[str, float]:
    """Return every ratio of this module by name. `compiled`: of whole networks too, which takes minutes."""
    operator = operator_ratios(sites(), rounds, batch, device, compiled_form())
    return operator | network_ratios(rounds, batch, device, compiled)
