"""The Triton kernels: results in Triton's interpreter, machine code for an H100, results on a GPU if there is one."""

from __future__ import annotations

import os
import re
import subprocess
import sys

import pytest
import torch
from helpers import ROOT

from registry.ops import fused
from registry.ops.eager import SHIFTS, eager_shift_max
from registry.ops.shift_max import shift_max

triton = pytest.importorskip("triton")
kernels = pytest.importorskip("registry.ops.kernels")


@pytest.mark.slow
@pytest.mark.long
def test_results_in_the_interpreter():
    """In a process of its own: Triton decides when it is imported."""
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "tests/registry/triton/interpreted.py"],
        cwd=ROOT, env={**os.environ, "TRITON_INTERPRET": "1"}, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout[-3000:]


def machine_code(kernel, capability, last, j, k):
    """Return (PTX, registers spilled to memory) of a kernel compiled as PyTorch's launch would, for fp16 data."""
    from triton.backends.compiler import GPUTarget
    from triton.compiler import ASTSource

    shape = torch.empty(2, 64, 28, 28, dtype=torch.float16, device="meta")
    shape = shape.to(memory_format=torch.channels_last) if last else shape
    fixed = kernels.constants(shape, j, k, 8, "group")
    if "KJ" in kernel.arg_names:
        fixed["KJ"] = triton.next_power_of_2(k * j)
    ones = {f"stride_{t}{'c' if last else 'p'}" for t in "xygd"}
    signature, constants, hints = {}, dict(fixed), {}
    for i, name in enumerate(kernel.arg_names):
        if name in fixed or name in ones:
            signature[name], constants[name] = "constexpr", fixed.get(name, 1)
            continue
        wide, half = ("a", "da"), ("x", "y", "grad", "dx")
        signature[name] = "*fp32" if name in wide else "*fp16" if name in half else "i32"
        if name not in ("groups", "width"):
            hints[(i,)] = [["tt.divisibility", 16]]
    source = ASTSource(fn=kernel, signature=signature, constexprs=constants, attrs=hints)
    compiled = triton.compile(source, target=GPUTarget("cuda", capability, 32), options=kernels.OPTIONS)
    ptx = compiled.asm["ptx"]
    return ptx, re.findall(r"\b(?:ld|st)\.local", ptx)


@pytest.mark.parametrize("last", [False, pytest.param(True, marks=pytest.mark.slow)])
@pytest.mark.parametrize("name", ["forward_kernel", "backward_kernel"])
def test_machine_code_moves_wide_words(name, last):
    """Compiles for an H100 without one: data moves 16 bytes at a time, each piece read once, nothing spilled."""
    ptx, spilled = machine_code(getattr(kernels, name), 90, last, 2, 2)
    assert not spilled
    assert "st.global.v4.b32" in ptx
    assert not re.search(r"ld\.global(\.\w+)*\.(b16|u16)", ptx)
    if not last:
        per_thread = 2048 * 2 // 16 // 128  # 16-byte words of a tile's tensor in each of 128 threads
        # forward: x shifted and not; backward: the gradient twice, x at its own place and both sides
        tensors = {"forward_kernel": 2, "backward_kernel": 6}[name]
        assert len(re.findall(r"ld\.global\.v4\.b32", ptx)) <= tensors * per_thread


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device")
@pytest.mark.parametrize("dtype", kernels.DTYPES)
@pytest.mark.parametrize("last", [False, True])
@pytest.mark.parametrize("shift", SHIFTS)
def test_results_on_a_gpu(dtype, last, shift):
    torch.manual_seed(0)
    exact = torch.promote_types(dtype, torch.float32)
    x, a = torch.randn(4, 24, 9, 7, device="cuda").to(dtype), torch.randn(4, 2, 2, 24, device="cuda").to(dtype)
    x = x.to(memory_format=torch.channels_last) if last else x
    grad = torch.randn_like(x)
    results = []
    for form, to in ((eager_shift_max, exact), (shift_max, dtype)):
        own, coefficients = x.to(to).requires_grad_(), a.to(to).requires_grad_()
        assert form is eager_shift_max or fused.chosen(own, coefficients) == "triton"
        y = form(own, coefficients, 4, shift)
        results.append([y, *torch.autograd.grad(y, (own, coefficients), grad.to(to))])
    tolerance = {torch.float16: 2e-3, torch.bfloat16: 1.6e-2, torch.float32: 1e-5, torch.float64: 1e-12}[dtype]
    for wanted, got in zip(*results, strict=True):
        torch.testing.assert_close(got.to(exact), wanted, atol=4 * tolerance, rtol=tolerance)
