"""Networks by name, without code: timm:NAME, torchvision:NAME, module:package.function(settings), a .pt2 or .onnx file.

Settings are literals (`ast.literal_eval`), nothing else is run of a name. Networks are built without weights, on the
meta device where they can be.
"""

from __future__ import annotations

import ast
import difflib
import importlib
import inspect
import re
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any
from unittest import mock

import torch
from torch import nn

from papertally.command import CommandError
from papertally.counting.count import Counted, count_network
from papertally.ledger.validation_messages import one_line

FORMS = "timm:NAME, torchvision:NAME, module:package.function(settings), a .pt2 or .onnx file"
FILES = (".pt2", ".onnx")
_NAME = re.compile(r"(timm|torchvision|module):([^()\s]+?)(\(.*\))?", re.DOTALL)
_DOTTED = re.compile(r"[A-Za-z_]\w*([.:][A-Za-z_]\w*)*")
Size = tuple[int, ...]


@dataclass(frozen=True)
class Spec:
    """Hold a network's name, taken apart; kind: timm, torchvision, module, pt2 or onnx."""

    text: str
    kind: str
    name: str
    settings: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Measured:
    """Hold a network's count, the input (sizes without the batch) that it was counted at, and what to know of it."""

    counted: Counted
    size: Size
    notes: tuple[str, ...] = ()


def parse_network(text: str) -> Spec:
    """Return a network's name taken apart. Raises CommandError for what is none."""
    suffix = Path(text).suffix.lower()
    if suffix in FILES and not text.startswith(("timm:", "torchvision:", "module:")):
        return Spec(text, suffix[1:], text)
    found = _NAME.fullmatch(text.strip())
    if found is None:
        raise CommandError(one_line(f"network {text!r}: is none; write {FORMS}"))
    kind, name, settings = found.groups()
    if kind == "module" and not (_DOTTED.fullmatch(name) and re.search(r"[.:]", name)):
        raise CommandError(one_line(f"network {text!r}: {name!r} names no function in a package; write pkg.function"))
    return Spec(text, kind, name, _settings(text, settings or "()"))


def _settings(text: str, written: str) -> dict[str, Any]:
    """Return keyword settings, literals alone. Raises CommandError."""
    try:
        call = ast.parse(f"f{written}", mode="eval").body
        if not isinstance(call, ast.Call) or not isinstance(call.func, ast.Name):
            raise ValueError("they are no settings")
        if call.args or any(k.arg is None for k in call.keywords):
            raise ValueError("a setting has no name")
        return {str(k.arg): ast.literal_eval(k.value) for k in call.keywords}
    except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
        said = "they are no literals" if "malformed node" in str(error) else str(error).split(" (<")[0]
        raise CommandError(one_line(f"network {text!r}: settings {written}: {said}; write name=literal")) from None


@contextmanager
def importing(folder: Path | None) -> Iterator[None]:
    """Let modules of a ledger's own folder be imported inside."""
    before = list(sys.path)
    if folder is not None:
        sys.path.insert(0, str(folder))
    try:
        yield
    finally:
        sys.path[:] = before


def own_folder(text: str) -> Path | None:
    """Return the working folder for a network that is a function of a package, for modules that lie there."""
    return Path.cwd() if text.startswith("module:") else None


def _timm(spec: Spec) -> Callable[[], nn.Module]:
    try:
        import timm
    except ModuleNotFoundError:
        raise CommandError(f"network {spec.text!r}: timm is not installed; install it") from None
    if not timm.is_model(spec.name.partition(".")[0]):
        raise _unknown(spec, timm.list_models())
    return lambda: timm.create_model(spec.name, **{"pretrained": False, **spec.settings})


def _torchvision(spec: Spec) -> Callable[[], nn.Module]:
    from torchvision import models

    if spec.name not in models.list_models():
        raise _unknown(spec, models.list_models())
    accepted = inspect.signature(models.get_model_builder(spec.name)).parameters
    bare = {name: None for name in ("weights", "weights_backbone") if name in accepted}
    return lambda: models.get_model(spec.name, **{**bare, **spec.settings})


def _unknown(spec: Spec, known: Sequence[str]) -> CommandError:
    close = difflib.get_close_matches(spec.name, known, 3, 0.5)
    hint = f"close: {', '.join(close)}" if close else f"see its list of {len(known)} models"
    return CommandError(one_line(f"network {spec.text!r}: {spec.kind} has no model {spec.name!r}; {hint}"))


def _module(spec: Spec) -> Callable[[], nn.Module]:
    package, name = spec.name.split(":", 1) if ":" in spec.name else spec.name.rsplit(".", 1)
    try:
        found = importlib.import_module(package)
        for part in name.split("."):
            found = getattr(found, part)
    except ModuleNotFoundError as error:
        hint = "install it, put it into the ledger's folder or add its folder to PYTHONPATH"
        raise CommandError(one_line(f"network {spec.text!r}: {error}; {hint}")) from None
    except AttributeError as error:
        raise CommandError(one_line(f"network {spec.text!r}: {error}; mend the function's name")) from None
    except Exception as error:
        raise CommandError(one_line(f"network {spec.text!r}: importing it fails ({_said(error)})")) from None

    def make() -> nn.Module:
        made = found if isinstance(found, nn.Module) else found(**spec.settings) if callable(found) else found
        if not isinstance(made, nn.Module):
            raise CommandError(one_line(f"network {spec.text!r}: gives {type(made).__name__}, not a torch.nn.Module"))
        return made

    return make


_MAKERS = {"timm": _timm, "torchvision": _torchvision, "module": _module}


def _said(error: BaseException) -> str:
    return f"{type(error).__name__}: {' '.join(str(error).split())[:300]}"


@contextmanager
def parameters_on_meta() -> Iterator[None]:
    """Keep parameters that are registered inside on the meta device: what holds them takes no memory for them.

    For networks that read numbers while they are built, and so cannot be built on the meta device whole.
    """
    plain = nn.Module.register_parameter

    def register(module: nn.Module, name: str, parameter: nn.Parameter | None) -> None:
        plain(module, name, parameter)
        if parameter is not None and parameter.device.type != "meta":
            bare = parameter.data.to("meta")
            module._parameters[name] = nn.Parameter(bare, requires_grad=parameter.requires_grad)

    with mock.patch.object(nn.Module, "register_parameter", register):
        yield


def build_network(spec: Spec, folder: Path | None = None, device: str = "meta") -> nn.Module:
    """Return a named network without weights, on the meta device where it can be built there.

    folder: where modules of a ledger's own lie. Raises CommandError naming what is wrong.
    """
    with importing(folder):
        make = _MAKERS[spec.kind](spec)
        state = torch.get_rng_state()
        try:
            for where in (torch.device("meta"), parameters_on_meta()) if device == "meta" else ():
                try:
                    with where:
                        return make()
                except CommandError:
                    raise
                except Exception:  # a network may compute while it is built
                    pass
            return make()
        except CommandError:
            raise
        except Exception as error:
            raise CommandError(one_line(f"network {spec.text!r}: cannot be built ({_said(error)})")) from None
        finally:
            torch.set_rng_state(state)


def own_size(spec: Spec, module: nn.Module) -> Size | None:
    """Return the input that a library states for its network (timm's configuration, torchvision's preprocessing)."""
    if spec.kind == "timm":
        found = getattr(module, "pretrained_cfg", None) or {}
        return tuple(found["input_size"]) if "input_size" in found else None
    if spec.kind == "torchvision":
        from torchvision import models

        preset = getattr(models.get_model_weights(spec.name).DEFAULT, "transforms", None)
        crop = getattr(preset, "keywords", {}).get("crop_size")
        if crop is not None:
            side = crop if isinstance(crop, (list, tuple)) else (crop, crop)
            return (3, *side)
    return None


def measure(text: str, size: Sequence[int] | None = None, folder: Path | None = None) -> Measured:
    """Return a named network's count at an input of `size` (C, H, W), or at the network's own where none is given.

    folder: where its files and modules lie. Raises CommandError naming the network and what is wrong.
    """
    spec = parse_network(text)
    if spec.kind in ("pt2", "onnx"):
        return _measure_file(spec, size, folder)
    module = build_network(spec, folder)
    wanted = tuple(size) if size else own_size(spec, module)
    if wanted is None:
        raise CommandError(f"network {text!r}: no input size is stated; write `input: [3, 224, 224]` beside it")
    notes = () if size else (f"counted at {_shape(wanted)}, the network's own input: none is stated",)
    return count_at(text, module, wanted, lambda: build_network(spec, folder, "cpu"), notes)


def count_at(
    text: str, module: nn.Module, size: Size, real: Callable[[], nn.Module], notes: tuple[str, ...] = ()
) -> Measured:
    """Return a module's count, on the meta device or, where that cannot be, on the CPU with a network of `real`.

    An input of numbers is tried first, one of indices (a text's) then. Raises CommandError.
    """
    tried: list[Exception] = []
    for device in ("meta", "cpu"):
        for dtype in (torch.float32, torch.int64):
            try:
                found = count_network(module, size, device, dtype)
            except Exception as error:
                tried.append(error)
                continue
            if device == "cpu":
                notes = (*notes, "run on the CPU, as it cannot be on the meta device: counts may depend on the input")
            return Measured(found, size, notes)
        if device == "meta":
            module = real()
    said = _said(tried[2])
    raise CommandError(one_line(f"network {text!r}: fails on one {_shape(size)} input ({said})")) from None


def _shape(size: Sequence[int]) -> str:
    return " x ".join(map(str, size))


def _measure_file(spec: Spec, size: Sequence[int] | None, folder: Path | None) -> Measured:
    """Return the count of an exported program or of an ONNX file."""
    path = (folder or Path()) / spec.name
    if not path.is_file():
        raise CommandError(one_line(f"network {spec.text!r}: no such file in {folder or 'this folder'}; mend the name"))
    if spec.kind == "onnx":
        from papertally.counting.onnx_file import measure_onnx

        counted, own = measure_onnx(path, spec.text, size)
        return Measured(counted, own)
    try:
        program = torch.export.load(str(path))
        shapes = [tuple(x.shape[1:]) for x in program.example_inputs[0]] if program.example_inputs else []
        module = program.module()
    except Exception as error:
        raise CommandError(one_line(f"network {spec.text!r}: is no exported program ({_said(error)})")) from None
    wanted = tuple(size) if size else (shapes[0] if len(shapes) == 1 else None)
    if wanted is None:
        raise CommandError(f"network {spec.text!r}: no input size is stated; write `input: [3, 224, 224]` beside it")
    found = count_at(spec.text, module, wanted, program.module)
    return replace(found, notes=tuple(n for n in found.notes if "meta device" not in n))
