"""Read the weights of any checkpoint file, whatever wraps them, and refuse what no network should run on.

Wrappers are keys such as `state_dict`, `model`, `net` or `state_dict_ema`, also within each other. Where plain weights
and an average of them (EMA) stand side by side the plain ones are read; `entry` names another, "model.ema" say.
"""

from __future__ import annotations

import re
import tarfile
import zipfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from .compat import training_types

#: What parallel, compiled and wrapped modules put before every key.
PREFIXES = frozenset(("module", "_orig_mod", "model", "net", "network", "backbone", "ema", "ema_model", "model_ema"))
#: Single numbers that profilers, averages and wrappers leave among the weights.
EXTRAS = frozenset(("total_ops", "total_params", "n_averaged", "steps", "initted", "step"))
#: What modules call their tensors.
WEIGHTS = frozenset(("weight", "bias", "running_mean", "running_var", "num_batches_tracked"))
#: Entries that hold tensors, but no weights.
NOT_WEIGHTS = re.compile(r"optim|sched|scaler|momentum|grad|rng|loss|loop|callback|hook|meta|message", re.IGNORECASE)
AVERAGED = re.compile(r"(^|[._])(ema|swa|averaged?)([._]|$)|^ema|ema$", re.IGNORECASE)
FIRST = ("state_dict", "model_state_dict", "model", "net", "network", "module", "weights", "params")
DEPTH = 6


class CheckpointError(ValueError):
    """Say why a checkpoint cannot be used and what to do about it."""


def read_file(path: str | Path) -> Any:
    """Return what a checkpoint file holds, tensors on the CPU: torch's formats by weights only, or safetensors.

    Raises CheckpointError with the reason and the mend, without the file's name.
    """
    path = Path(path)
    try:
        if path.is_dir():
            raise CheckpointError("is a folder; name the file in it")
        with path.open("rb") as file:
            head = file.read(64)
    except FileNotFoundError:
        raise CheckpointError("no such file; give the path of a checkpoint") from None
    except OSError as error:
        raise CheckpointError(f"{error.strerror}; mend its permissions") from None
    if fault := _no_checkpoint(head):
        raise CheckpointError(f"not a readable checkpoint: {fault}")
    try:
        if head[8:9] == b"{" and not head.startswith(b"PK"):
            return _read_safetensors(path)
        with training_types():
            return torch.load(path, map_location="cpu", weights_only=True)
    except CheckpointError:
        raise
    except Exception as error:  # torch raises many kinds for truncated or unsafe files
        raise CheckpointError(f"not a readable checkpoint: {_reason(path, error)}") from None


def _no_checkpoint(head: bytes) -> str | None:
    """Return what a file that is no checkpoint is, by its first bytes."""
    known = {
        b"version https://git-lfs": "a Git LFS pointer; run `git lfs pull`",
        b"<": "a web page; download the file itself",
        b"\x1f\x8b": "gzip; unpack it first",
        b"BZh": "bzip2; unpack it first",
        b"\xfd7zXZ": "xz; unpack it first",
        b"7z\xbc\xaf": "a 7z archive; unpack it first",
        b"Rar!": "a rar archive; unpack it first",
        b"\x89HDF": "HDF5, which Keras writes; only torch's files and safetensors are read",
    }
    if not head:
        return "empty; fetch it again"
    return next((what for start, what in known.items() if head.lstrip().startswith(start)), None)


def _reason(path: Path, error: Exception) -> str:
    """Return why torch could not load a file, and the mend, in one line."""
    text = str(error)
    if found := re.search(r"(?:GLOBAL|Unsupported (?:global|class|operand|type))[: ]+(?:GLOBAL )?(\w+\.[\w.]+)", text):
        return f"it holds code ({found[1]}), not weights alone; save `model.state_dict()` and give that"
    if "TorchScript" in text:
        return "it is a TorchScript archive; save `model.state_dict()` and give that"
    if zipfile.is_zipfile(path) and not any(n.endswith("data.pkl") for n in zipfile.ZipFile(path).namelist()):
        return "it is a zip archive that torch did not write; unpack it first"
    if tarfile.is_tarfile(path):
        return "it is a tar archive; unpack it, or save a file of torch before 0.4 anew"
    first = next((line.strip() for line in text.splitlines() if line.strip()), type(error).__name__)
    if not isinstance(error, (RuntimeError, OSError)):  # what the unpickler says of other bytes tells nobody anything
        first = "no file that torch wrote, or a truncated one"
    return f"{first[:160]}; fetch it again"


def _read_safetensors(path: Path) -> dict[str, Tensor]:
    try:
        from safetensors.torch import load_file
    except ImportError:
        raise CheckpointError("is a safetensors file; install safetensors, or save its tensors by torch.save") from None
    return load_file(path)


def _text_keys(found: Mapping[Any, Any]) -> dict[str, Any]:
    """Return a mapping with keys as text: Python 2 wrote bytes. Raises CheckpointError for other keys."""
    out = {}
    for key, value in found.items():
        if isinstance(key, bytes):
            key = key.decode("utf-8", "replace")
        if not isinstance(key, str):
            raise CheckpointError(f"not a state dict: its key {key!r:.40} is no name; give a state dict's file")
        if key in out:
            raise CheckpointError(f"{key} stands twice, as text and as bytes; save one network alone")
        out[key] = value
    return out


def _is_state_dict(found: Any) -> bool:
    return isinstance(found, Mapping) and any(
        isinstance(v, Tensor) and isinstance(k, (str, bytes)) and not _is_extra(_decoded(k), v)
        for k, v in found.items()
    )


def _decoded(key: str | bytes) -> str:
    return key.decode("utf-8", "replace") if isinstance(key, bytes) else key


def _is_extra(key: str, value: Any) -> bool:
    return key.rpartition(".")[2] in EXTRAS and (not isinstance(value, Tensor) or value.numel() == 1)


def _entries(found: Any, path: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], Mapping[Any, Any]]]:
    """Yield every state dict within a checkpoint with its path, outer ones first."""
    if not isinstance(found, Mapping) or len(path) > DEPTH:
        return
    if _is_state_dict(found):
        yield path, found
        return
    for key, value in found.items():
        name = _decoded(key) if isinstance(key, (str, bytes)) else repr(key)
        if isinstance(value, Mapping) and not NOT_WEIGHTS.search(name):
            yield from _entries(value, (*path, name))


def unwrap(found: Any, entry: str | None = None) -> tuple[dict[str, Any], str]:
    """Return a checkpoint's state dict and the path of its entry, "" where nothing wraps it.

    Of several, plain weights come before averaged ones, then the usual names. Raises CheckpointError naming what the
    checkpoint holds instead, or which entries it leaves open.
    """
    entries = {".".join(path): state for path, state in _entries(found)}
    if entry is not None:
        if entry not in entries:
            raise CheckpointError(f"has no weights under {entry!r}; it has {', '.join(map(repr, entries)) or 'none'}")
        return _text_keys(entries[entry]), entry
    if not entries:
        raise CheckpointError(f"not a state dict: {_contents(found)}; expected a mapping of names to tensors")
    plain = [name for name in entries if not AVERAGED.search(name)] or list(entries)

    def rank(name: str) -> tuple[int, ...]:
        return tuple(FIRST.index(part) if part in FIRST else len(FIRST) for part in name.split("."))

    best = min(plain, key=rank)
    if same := [name for name in plain if rank(name) == rank(best) and name != best]:
        raise CheckpointError(f"has weights under {best!r} and {same[0]!r}; name the entry to read")
    return _text_keys(entries[best]), best


def _contents(found: Any) -> str:
    """Return what an object without weights is."""
    if isinstance(found, Mapping):
        keys = ", ".join(f"{key!r:.40}" for key in list(found)[:5]) + (", …" if len(found) > 5 else "")
        kinds = {type(value).__name__ for value in found.values()}
        what = f" ({next(iter(kinds))} each)" if len(kinds) == 1 else ""
        return f"it holds {keys}{what}" if found else "it is empty"
    return f"it is a {type(found).__name__}"


def sound_tensors(state: Mapping[str, Any], strip: bool = True) -> dict[str, Tensor]:
    """Return a state dict's tensors, dense, and without extras; strip: by names without wrappers' prefixes.

    Raises CheckpointError naming the key that is no sound weight: no tensor, quantized, without data, complex, of whole
    numbers where none belong, with values that are not finite, or a variance below 0.
    """
    out: dict[str, Tensor] = {}
    source: dict[str, str] = {}
    for key, value in state.items():
        if _is_extra(key, value):
            continue
        if not isinstance(value, Tensor):
            if key.rpartition(".")[2] in WEIGHTS:
                raise CheckpointError(f"{key} is a {type(value).__name__}, not a tensor; save `model.state_dict()`")
            continue  # a setting beside the weights
        name = strip_prefixes(key) if strip else key
        if name in source:
            # one of two nets in one state dict is the other's average
            if AVERAGED.search(key) and not AVERAGED.search(source[name]):
                continue
            if AVERAGED.search(key) or not AVERAGED.search(source[name]):
                raise CheckpointError(f"{source[name]} and {key} are both {name}; save one network alone")
        source[name], out[name] = key, _sound(key, value)
    return out


def strip_prefixes(key: str) -> str:
    """Return a key without the prefixes of wrapping modules."""
    parts = key.split(".")
    while len(parts) > 1 and parts[0] in PREFIXES:
        parts.pop(0)
    return ".".join(parts)


def _sound(key: str, value: Tensor) -> Tensor:
    """Return a weight dense and detached. Raises CheckpointError naming its key and fault."""
    value = value.detach()
    if value.is_meta:
        raise CheckpointError(f"{key} has no data (it is on the meta device); save it from a network with weights")
    if value.is_quantized:
        raise CheckpointError(f"{key} is quantized; give the weights in floating point")
    if value.is_nested:
        raise CheckpointError(f"{key} is a nested tensor; save a dense one")
    if value.layout != torch.strided:
        value = value.to_dense()
    if key.endswith("num_batches_tracked"):
        if not torch.isfinite(value).all():
            raise CheckpointError(f"{key} is not finite; the file is damaged")
        return value.to(torch.int64)
    if value.is_complex() or not value.is_floating_point():
        kind = str(value.dtype).removeprefix("torch.")
        raise CheckpointError(f"{key} holds {kind}, not floating point; give the weights in floating point")
    value = value.to(torch.float64) if value.dtype == torch.float64 else value.to(torch.float32)
    if bad := int((~torch.isfinite(value)).sum()):
        raise CheckpointError(
            f"{key} has {bad} of {value.numel()} values that are not finite; the run diverged: take an earlier "
            "checkpoint"
        )
    if key.endswith("running_var") and value.numel() and float(value.min()) < 0:
        raise CheckpointError(f"{key} has a variance below 0 ({float(value.min()):.3g}); the file is damaged")
    return value


def cast_weight(key: str, value: Tensor, like: Tensor) -> Tensor:
    """Return a weight in the model's type. Raises CheckpointError where that type cannot hold it."""
    out = value.to(like.dtype)
    if out.is_floating_point() and not torch.isfinite(out).all():
        raise CheckpointError(f"{key} has values beyond {str(like.dtype).removeprefix('torch.')}; the file is damaged")
    return out


def fill_model(model: nn.Module, state: Mapping[str, Tensor], surplus: bool = False) -> None:
    """Load sound weights into a model; surplus: further keys are passed over.

    Raises CheckpointError naming the keys that lack, are too many, or have another shape.
    """
    ours = model.state_dict()
    missing = [key for key in ours if key not in state and not key.endswith("num_batches_tracked")]
    more = [] if surplus else [key for key in state if key not in ours]
    if missing or more:
        faults = [f"it lacks {list_keys(missing)}"] * bool(missing) + [f"it alone has {list_keys(more)}"] * bool(more)
        found = f"; its keys are {list_keys(list(state))}" if not more else ""
        raise CheckpointError(f"does not fit the model: {' and '.join(faults)}{found}")
    for key, value in ours.items():
        if key in state and state[key].shape != value.shape:
            raise CheckpointError(
                f"does not fit the model: {key} has shape {tuple(state[key].shape)}, the model's {tuple(value.shape)}"
            )
    model.load_state_dict({k: cast_weight(k, state[k], v) if k in state else v for k, v in ours.items()})


def load_pretrained(model: nn.Module, path: str, prefix: str | None = None) -> None:
    """Fill a backbone from a checkpoint of itself or of a network that has it, under `prefix` or a wrapper's name.

    Raises CheckpointError naming the file and what lacks; mmengine's own loader leaves that random and only logs it.
    """
    try:
        state, _ = unwrap(read_file(path))
        if prefix:
            start = prefix.rstrip(".") + "."
            kept = {key[len(start) :]: value for key, value in state.items() if key.startswith(start)}
            if not kept:
                raise CheckpointError(f"no key begins with {start!r}; its keys are {list_keys(state)}")
            fill_model(model, sound_tensors(kept, strip=False), surplus=True)
        else:
            fill_model(model, sound_tensors(state), surplus=True)
    except CheckpointError as error:
        raise CheckpointError(f"{path}: {error}") from None


def list_keys(keys: Mapping[str, Any] | list[str], count: int = 3) -> str:
    """Return the first keys, for a message."""
    names = list(keys)
    return ", ".join(names[:count]) + (f", … ({len(names)} in all)" if len(names) > count else "")
