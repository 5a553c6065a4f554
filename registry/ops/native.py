"""MicroNet's operators compiled by the machine's own C compiler: Shift-Max, factorized convolutions, BatchNorm.

`prepare` compiles registry.ops.native_source, factorized_source and norm_source once, in some seconds, and keeps the
library in the user's cache; the forms then serve by themselves on CPUs. Shift-Max's forward values are the
straightforward form's, bit for bit; its gradients, the convolutions and BatchNorm are equal within rounding, since
their sums run in another order.
MICRONET_COMPILE=0 switches it off, 1 on from the first use; without it long training runs on a CPU switch it on
themselves. Where no compiler is at hand or the library's results are wrong, one warning says so and the other forms
serve.
"""

from __future__ import annotations

import ctypes
import hashlib
import os
import platform
import shutil
import subprocess
import tempfile
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from functools import lru_cache
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from torch.autograd import Function

from . import native_factorized, native_norm
from .eager import differentiable_gradients, eager_shift_max, shift_index
from .factorized_source import SOURCE as FACTORIZED
from .native_factorized import DTYPES, threads
from .native_source import SOURCE as SHIFT_MAX
from .norm_source import SOURCE as NORM

SOURCE = SHIFT_MAX + FACTORIZED + NORM

VARIABLE = "MICRONET_COMPILE"
COMPILERS = ("cc", "gcc", "clang", "c++", "g++")
#: Tried in this order: without OpenMP's library the form runs in one thread.
FLAGS = (("-march=native", "-fopenmp"), ("-fopenmp",), ("-march=native",), ())
ALWAYS = ("-O3", "-ffp-contract=off", "-fno-math-errno", "-fPIC", "-shared", "-x", "c", "-std=gnu11")
#: J and K's product that the source has room for.
MANY = 32
_state: dict[str, Any] = {"asked": False, "library": None}


class NativeError(RuntimeError):
    """Say why the compiled form cannot serve."""


def wanted() -> bool | None:
    """Return what MICRONET_COMPILE says: True, False, or None where it is not set. Raises ValueError for another."""
    value = os.environ.get(VARIABLE, "")
    if value not in ("", "0", "1"):
        raise ValueError(f"{VARIABLE}={value!r}: unknown; known: 0, 1")
    return None if not value else value == "1"


def library() -> ctypes.CDLL | None:
    """Return the library if it serves: it was prepared, or MICRONET_COMPILE=1 asks for it."""
    if _state["asked"]:
        return _state["library"] if wanted() is not False else None
    if wanted():
        prepare()
    return _state["library"]


def prepare() -> bool:
    """Compile and load the library unless that was done or MICRONET_COMPILE=0; tell whether it serves.

    What fails is said in one warning.
    """
    if wanted() is False:
        return False
    if not _state["asked"]:
        _state["asked"] = True
        try:
            found = load(compiled())
            check(found)
            _state["library"] = found
        except (NativeError, OSError) as error:
            warnings.warn(f"operators are not compiled, the slower forms serve: {error}", stacklevel=2)
    return _state["library"] is not None


@contextmanager
def disabled() -> Iterator[None]:
    """Keep the library out of `auto`'s choice inside a with block."""
    held = dict(_state)
    _state.update(asked=True, library=None)
    try:
        yield
    finally:
        _state.update(held)


def cache_folder() -> Path:
    """Return where libraries are kept: XDG_CACHE_HOME/micronet, by default ~/.cache/micronet."""
    base = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(base) / "micronet"


def compiled() -> Path:
    """Return the library's file, compiled where the cache has none of this source, compiler and processor.

    Raises NativeError with the reason where none can be made.
    """
    compiler = next(filter(None, map(shutil.which, [os.environ.get("CC", ""), *COMPILERS])), None)
    if compiler is None:
        raise NativeError("no C compiler (cc, gcc or clang) on PATH")
    version = _run([compiler, "--version"]).stdout
    key = hashlib.sha256("\0".join([SOURCE, str(ALWAYS), compiler, version, _processor()]).encode()).hexdigest()[:16]
    target = cache_folder() / f"operators_{key}.so"
    if target.is_file():
        return target
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        folder: Path | str = target.parent
        with tempfile.TemporaryFile(dir=folder):
            pass
    except (OSError, RuntimeError):  # a home that cannot be written: for this process alone
        target = Path(tempfile.mkdtemp(prefix="micronet-")) / target.name
        folder = target.parent
    with tempfile.TemporaryDirectory(dir=folder) as there:
        source, made = Path(there) / "operators.c", Path(there) / "operators.so"
        source.write_text(SOURCE, "utf-8")
        for flags in FLAGS:
            done = _run([compiler, *ALWAYS, *flags, "-o", str(made), str(source)])
            if done.returncode == 0 and made.is_file():
                os.replace(made, target)
                return target
    said = next((line for line in done.stderr.splitlines() if "error" in line), f"exit {done.returncode}")
    raise NativeError(f"{Path(compiler).name} does not compile it ({said.strip()[:200]})")


def _run(command: list[str]) -> subprocess.CompletedProcess[str]:
    """Return a finished command. Raises NativeError where it cannot start or does not end."""
    try:
        return subprocess.run(command, capture_output=True, text=True, check=False, timeout=120)
    except (OSError, subprocess.TimeoutExpired, UnicodeDecodeError) as error:
        raise NativeError(f"{Path(command[0]).name} does not run ({error})") from None


def _processor() -> str:
    """Return what machine code depends on: the processor's kind and, on Linux, what it can do."""
    flags = ""
    try:
        with open("/proc/cpuinfo", encoding="utf-8", errors="replace") as file:
            flags = next((line for line in file if line.startswith(("flags", "Features"))), "")
    except OSError:
        pass
    return f"{platform.system()} {platform.machine()} {flags}"


def load(path: Path) -> ctypes.CDLL:
    """Return the library of a file with its functions' types set."""
    found = ctypes.CDLL(str(path))
    for kind in DTYPES.values():
        for name, pointers in ((f"shift_max_{kind}", 4), (f"shift_max_backward_{kind}", 6)):
            function = getattr(found, name)
            function.argtypes = [ctypes.c_void_p] * pointers + [ctypes.c_int64] * 7
            function.restype = None
    native_factorized.declare(found)
    native_norm.declare(found)
    return found


def check(found: ctypes.CDLL) -> None:
    """Compare the library with the straightforward forms on small tensors. Raises NativeError where they differ."""
    if (fault := native_factorized.fault(found) or native_norm.fault(found)) is not None:
        raise NativeError(fault)
    generator = torch.Generator().manual_seed(0)
    for dtype, limit in ((torch.float32, 1e-5), (torch.float64, 1e-12)):
        for k, j, shift in ((2, 2, "group"), (1, 2, "group_channel"), (3, 3, "group")):
            x = torch.randn(2, 12, 5, 7, generator=generator).to(dtype)
            a = torch.randn(2, k, j, 12, generator=generator).to(dtype)
            grad = torch.randn(x.shape, generator=generator).to(dtype)
            got = (_forward(found, x, a, 4, shift), *_backward(found, x, a, grad, 4, shift, True))
            x.requires_grad_(), a.requires_grad_()
            y = eager_shift_max(x, a, 4, shift)
            for one, other in zip(got, (y, *torch.autograd.grad(y, (x, a), grad))):
                if one is None or not torch.allclose(one, other, rtol=limit, atol=10 * limit):
                    raise NativeError(f"its results differ from the straightforward form's in {dtype}")


@lru_cache(maxsize=256)
def _index(channels: int, groups: int, steps: int, shift: str) -> Any:
    """Return the source channels of every step as C's array of steps x channels."""
    values = [i for step in range(steps) for i in shift_index(channels, groups, step, shift).tolist()]
    return (ctypes.c_int64 * len(values))(*values)


def takes(x: Tensor, a: Tensor) -> bool:
    """Tell whether the library takes x and coefficients: on the CPU, of one dtype, J K up to 32, no odd views."""
    return (
        x.device.type == "cpu"
        and x.dtype in DTYPES
        and a.dtype == x.dtype
        and a.shape[1] * a.shape[2] <= MANY
        and (x.is_contiguous() or not x.is_contiguous(memory_format=torch.channels_last))
    )


def _forward(found: ctypes.CDLL, x: Tensor, a: Tensor, groups: int, shift: str) -> Tensor:
    x, a = x.contiguous(), a.contiguous()
    n, channels, height, width = x.shape
    _, k, j, _ = a.shape
    y = torch.empty_like(x)
    getattr(found, f"shift_max_{DTYPES[x.dtype]}")(
        x.data_ptr(),
        a.data_ptr(),
        y.data_ptr(),
        _index(channels, groups, j, shift),
        n,
        channels,
        height * width,
        k,
        j,
        len(a) == 1,
        threads(x),
    )
    return y


def _backward(
    found: ctypes.CDLL, x: Tensor, a: Tensor, grad: Tensor, groups: int, shift: str, wants_x: bool
) -> tuple[Tensor | None, Tensor]:
    x, a, grad = x.contiguous(), a.contiguous(), grad.contiguous()
    n, channels, height, width = x.shape
    _, k, j, _ = a.shape
    dx = torch.empty_like(x) if wants_x else None
    da = x.new_empty(n, k, j, channels)
    getattr(found, f"shift_max_backward_{DTYPES[x.dtype]}")(
        x.data_ptr(),
        a.data_ptr(),
        grad.data_ptr(),
        None if dx is None else dx.data_ptr(),
        da.data_ptr(),
        _index(channels, groups, j, shift),
        n,
        channels,
        height * width,
        k,
        j,
        len(a) == 1,
        threads(x),
    )
    return dx, da.sum(0, keepdim=True) if len(a) == 1 < n else da


class NativeShiftMax(Function):
    """Apply Eq. 5 and its derivative to x (N, C, H, W) and coefficients (N or 1, K, J, C) of one dtype."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, a: Tensor, groups: int, shift: str) -> Tensor:
        ctx.groups, ctx.shift = groups, shift
        ctx.save_for_backward(x, a)
        return _forward(_loaded(), x, a, groups, shift)

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor | None, Tensor | None, None, None]:
        x, a = ctx.saved_tensors
        if torch.is_grad_enabled():  # to be differentiated again
            return *differentiable_gradients(x, a, ctx.groups, ctx.shift, grad), None, None
        dx, da = _backward(_loaded(), x, a, grad, ctx.groups, ctx.shift, ctx.needs_input_grad[0])
        return dx, da if ctx.needs_input_grad[1] else None, None, None


def _loaded() -> ctypes.CDLL:
    """Return the library. Raises NativeError where it was never prepared."""
    if _state["library"] is None:
        raise NativeError("the compiled form was not prepared")
    return _state["library"]


def shift_max(x: Tensor, coefficients: Tensor, groups: int, shift: str = "group") -> Tensor:
    """Apply Eq. 5 to x (N, C, H, W) with coefficients (N or 1, K, J, C) that `takes` allows; returns (N, C, H, W).

    Raises NativeError where the library was not prepared.
    """
    if torch.is_grad_enabled() and (x.requires_grad or coefficients.requires_grad):
        return NativeShiftMax.apply(x, coefficients, groups, shift)
    return _forward(_loaded(), x, coefficients, groups, shift)
