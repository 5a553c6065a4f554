"""The form that a compiler makes: Eq. 5's bits, its gradients, and the other forms where it cannot serve."""

from __future__ import annotations

import shutil
import warnings

import pytest
import torch
from compiled_library import library_for_module, needs_compiler
from hypothesis import given
from hypothesis import strategies as st
from shift_max_cases import case

from registry.ops import fused, native, native_factorized
from registry.ops.eager import SHIFTS, eager_shift_max
from registry.ops.shift_max import DynamicShiftMax, shift_max

pytestmark = needs_compiler
prepared = library_for_module()
SHAPES = st.fixed_dictionaries({
    "batch": st.integers(1, 3), "groups": st.integers(1, 5), "width": st.integers(1, 4), "j": st.integers(1, 4),
    "k": st.integers(1, 3), "shift": st.sampled_from(SHIFTS), "shared": st.booleans(), "seed": st.integers(0, 99),
    "ties": st.booleans(), "pixels": st.sampled_from([(3, 4), (1, 1), (23, 29)]),
})  # fmt: skip
FAULTS = {"wrong values": ("y[p] = best", "y[p] = -best"), "wrong gradients": ("dx[i] += sum", "dx[i] = sum")}


@pytest.fixture
def unprepared(monkeypatch):
    monkeypatch.setattr(native, "ALWAYS", ("-O0", *native.ALWAYS[1:]))  # compiled in a moment
    monkeypatch.delenv(native.VARIABLE, raising=False)
    monkeypatch.setattr(native, "_state", {"asked": False, "library": None})


@pytest.mark.slow
@given(SHAPES, st.sampled_from([torch.float32, torch.float64]))
def test_values_are_the_straightforward_forms_bits_and_gradients_agree(shape, dtype):
    x, a, grad = case(shape, dtype)
    found = []
    for form in (native.shift_max, eager_shift_max):
        y = form(x, a, shape["groups"], shape["shift"])
        found.append((y, *torch.autograd.grad(y, (x, a), grad)))
    (y, *mine), (wanted, *theirs) = found
    assert torch.equal(y, wanted)
    with torch.no_grad():
        assert torch.equal(native.shift_max(x, a, shape["groups"], shape["shift"]), wanted)
    limit = {torch.float32: 1e-5, torch.float64: 1e-12}[dtype]
    for one, other in zip(mine, theirs, strict=True):
        torch.testing.assert_close(one, other, rtol=limit, atol=limit * max(1.0, float(other.abs().max())))


@pytest.mark.slow
@pytest.mark.parametrize("shift", SHIFTS)
def test_gradients_are_the_derivative_once_and_twice(shift):
    torch.manual_seed(0)
    x = torch.randn(2, 6, 2, 2, dtype=torch.float64, requires_grad=True)
    a = torch.randn(2, 3, 2, 6, dtype=torch.float64, requires_grad=True)
    for inputs in ((x, a), (x.detach(), a), (x, a.detach())):
        assert torch.autograd.gradcheck(lambda x, a: native.shift_max(x, a, 3, shift), inputs)
    assert torch.autograd.gradgradcheck(lambda x, a: native.shift_max(x, a, 3, shift), (x, a), fast_mode=True)


def test_threads_share_the_work_and_change_nothing():
    x = torch.randn(4, 48, 29, 29, requires_grad=True)
    a = torch.randn(4, 2, 2, 48, requires_grad=True)
    assert x.numel() >= native_factorized.THREADED
    held, found = torch.get_num_threads(), []
    try:
        for threads in (1, 3):
            torch.set_num_threads(threads)
            y = native.shift_max(x, a, 4)
            found.append((y, *torch.autograd.grad(y.square().sum(), (x, a))))
    finally:
        torch.set_num_threads(held)
    assert all(torch.equal(one, other) for one, other in zip(*found, strict=True))


def test_not_a_number_stays_one():
    x = torch.tensor([1.0, float("nan"), 2.0, 3.0]).view(1, 4, 1, 1)
    a = torch.randn(1, 2, 2, 4)
    assert torch.equal(native.shift_max(x, a, 2).isnan(), eager_shift_max(x, a, 2).isnan())


def test_auto_takes_it_once_prepared_and_where_it_may():
    x, a = torch.randn(1, 4, 2, 2), torch.randn(1, 2, 2, 4)
    assert fused.chosen(x, a) == "native"
    assert fused.chosen(x, a.double()) == "eager"
    assert fused.chosen(x.bfloat16(), a.bfloat16()) != "native"
    assert fused.chosen(x, torch.randn(1, 11, 3, 4)) != "native"  # more than the source has room for
    assert fused.chosen(x.to(memory_format=torch.channels_last), a) != "native"
    with torch.autocast("cpu"):
        assert fused.chosen(x, a) == "eager"
    with native.disabled():
        assert fused.chosen(x, a) == "eager"
    assert fused.chosen(x, a) == "native"


def test_a_layer_trains_through_it():
    layer, x = DynamicShiftMax(8, 2, k=3), torch.randn(2, 8, 3, 3, requires_grad=True)
    results = []
    for name in ("eager", "native"):
        with fused.use_backend(name):
            results.append(torch.autograd.grad(layer(x).square().sum(), [x, *layer.parameters()]))
    for one, other in zip(*results, strict=True):
        torch.testing.assert_close(one, other, rtol=1e-5, atol=1e-6)


def test_a_library_is_kept_and_used_again(unprepared, monkeypatch, tmp_path):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    first = native.compiled()
    assert first.parent == tmp_path / "micronet"
    changed = first.stat().st_mtime_ns
    assert native.compiled() == first
    assert first.stat().st_mtime_ns == changed
    assert [p.name for p in first.parent.iterdir()] == [first.name]


def test_a_cache_that_cannot_be_written_does_not_stop_it(unprepared, monkeypatch, tmp_path):
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "file"))
    assert native.prepare()


@pytest.mark.parametrize("fault", ["no compiler", "no C", *FAULTS])
def test_what_fails_is_one_warning_and_the_other_forms_serve(unprepared, monkeypatch, tmp_path, fault):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    if fault == "no compiler":
        monkeypatch.setattr(shutil, "which", lambda _: None)
        said = "no C compiler"
    elif fault == "no C":
        monkeypatch.setattr(native, "SOURCE", "int f( {")
        said = "does not compile it"
    else:
        old, new = FAULTS[fault]
        assert native.SOURCE.count(old) == 1
        monkeypatch.setattr(native, "SOURCE", native.SOURCE.replace(old, new))
        said = "its results differ"
    x, a = torch.randn(1, 4, 2, 2), torch.randn(1, 2, 2, 4)
    with pytest.warns(UserWarning, match=said) as caught:
        assert not native.prepare()
    assert len(caught) == 1
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert not native.prepare()
        assert torch.equal(shift_max(x, a, 2), eager_shift_max(x, a, 2))
    with fused.use_backend("native"), pytest.raises(RuntimeError, match="cannot be compiled here"):
        shift_max(x, a, 2)


def test_the_variable_switches_it(unprepared, monkeypatch):
    x, a = torch.randn(1, 4, 2, 2), torch.randn(1, 2, 2, 4)
    assert fused.chosen(x, a) == "eager"  # nobody prepared it
    monkeypatch.setenv(native.VARIABLE, "0")
    assert not native.prepare()
    assert fused.chosen(x, a) == "eager"
    monkeypatch.setenv(native.VARIABLE, "1")
    assert fused.chosen(x, a) == "native"
    monkeypatch.setenv(native.VARIABLE, "0")
    assert fused.chosen(x, a) == "eager"
    monkeypatch.setenv(native.VARIABLE, "yes")
    with pytest.raises(ValueError, match="MICRONET_COMPILE='yes': unknown; known: 0, 1"):
        fused.chosen(x, a)
