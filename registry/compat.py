"""Let OpenMMLab 1.x run beside today's torch and mmcv-lite."""

from __future__ import annotations

import importlib.util
import sys
from importlib.machinery import ModuleSpec
from types import ModuleType
from typing import Any


def _missing_op(name: str) -> Any:
    def op(*_: Any, **__: Any) -> None:
        raise RuntimeError(f"mmcv's compiled operator {name!r} was called, but mmcv-lite has none: install full mmcv")

    return op


class _MissingExtension(ModuleType):
    """Stand in for mmcv._ext: any operator can be imported; calling one says what is missing."""

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        return _missing_op(name)


def provide_mmcv_extension() -> bool:
    """Put a stand-in for mmcv._ext in place where only mmcv-lite is installed; return whether that was needed."""
    name = "mmcv._ext"
    if name in sys.modules:
        return isinstance(sys.modules[name], _MissingExtension)
    spec = importlib.util.find_spec("mmcv")
    if spec is None or not spec.submodule_search_locations:
        return False
    if importlib.machinery.PathFinder.find_spec(name, list(spec.submodule_search_locations)) is not None:
        return False
    module = _MissingExtension(name)
    module.__spec__ = ModuleSpec(name, loader=None)
    sys.modules[name] = module
    return True


def allow_checkpoint_types() -> None:
    """Allow-list what mmengine writes into its own checkpoints, so that weights_only=True can read them back."""
    import numpy as np
    import torch
    from mmengine.logging.history_buffer import HistoryBuffer

    reconstruct = np.zeros(1).__reduce__()[0]
    scalar = np.float64(0).__reduce__()[0]
    dtypes = {type(np.dtype(t)) for t in ("float64", "float32", "int64", "int32", "uint8", "bool", "uint32")}
    torch.serialization.add_safe_globals([HistoryBuffer, reconstruct, scalar, np.ndarray, np.dtype, getattr, *dtypes])


def prepare() -> None:
    """Apply both, once, before any OpenMMLab framework is imported."""
    provide_mmcv_extension()
    allow_checkpoint_types()
