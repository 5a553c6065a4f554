"""Let OpenMMLab 1.x run beside today's torch and mmcv-lite."""

from __future__ import annotations

import importlib.util
import sys
from collections.abc import Sequence
from contextlib import AbstractContextManager, nullcontext
from functools import wraps
from importlib.abc import Loader, MetaPathFinder
from importlib.machinery import ModuleSpec
from pickle import UnpicklingError
from types import ModuleType
from typing import Any

import torch

#: torch's version, (2, 15).
TORCH = tuple(int(part) for part in torch.__version__.split(".")[:2])


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


def _statistic(owner: Any, name: str) -> Any:
    """Stand in for getattr in a checkpoint: mmengine's HistoryBuffer pickles its methods so, and nothing else may."""
    from mmengine.logging.history_buffer import HistoryBuffer

    if owner is not HistoryBuffer or name.startswith("_"):
        raise UnpicklingError(f"it asks for {name!r} of {owner!r}")
    return getattr(HistoryBuffer, name)


def training_types() -> AbstractContextManager[None]:
    """Return a context in which torch.load(weights_only=True) reads what mmengine writes beside weights.

    Elsewhere in the process nothing more is allowed than torch allows. Before torch 2.6, which refuses nothing where
    weights_only is not asked for, it does nothing.
    """
    import numpy as np
    from mmengine.logging.history_buffer import HistoryBuffer

    if not hasattr(torch.serialization, "safe_globals") or TORCH < (2, 6):
        return nullcontext()
    reconstruct = np.zeros(1).__reduce__()[0]
    scalar = np.float64(0).__reduce__()[0]
    dtypes = {type(np.dtype(t)) for t in ("float64", "float32", "int64", "int32", "uint8", "bool", "uint32")}
    allowed = [HistoryBuffer, reconstruct, scalar, np.ndarray, np.dtype, (_statistic, "builtins.getattr"), *dtypes]
    return torch.serialization.safe_globals(allowed)


def let_mmengine_resume() -> None:
    """Let mmengine read its own local checkpoints, as `mim train --resume` does, where torch loads weights only."""
    from mmengine.runner.checkpoint import CheckpointLoader, load_from_local

    if CheckpointLoader._get_checkpoint_loader("") is not load_from_local:  # done, or a user's own
        return

    @wraps(load_from_local)
    def load(filename: str, map_location: Any) -> Any:
        with training_types():
            return load_from_local(filename, map_location)

    CheckpointLoader.register_scheme("", load, force=True)


class CocoFinder(MetaPathFinder, Loader):
    """Serve mmpose's `xtcocotools` from pycocotools where it is absent: its wheel is built for numpy 1 only."""

    NAMES = ("xtcocotools", "xtcocotools.coco", "xtcocotools.cocoeval", "xtcocotools.mask")

    def find_spec(self, name: str, path: Sequence[str] | None = None, target: Any = None) -> ModuleSpec | None:
        """Return a spec for the served names; last on sys.meta_path, so an installed xtcocotools wins."""
        return ModuleSpec(name, self, is_package=name == self.NAMES[0]) if name in self.NAMES else None

    def create_module(self, spec: ModuleSpec) -> None:
        """Use the default module."""

    def exec_module(self, module: ModuleType) -> None:
        """Fill the module from pycocotools."""
        if module.__name__.endswith(".coco"):
            from pycocotools.coco import COCO

            module.COCO = COCO  # type: ignore[attr-defined]
        elif module.__name__.endswith(".cocoeval"):
            from .compat_coco import COCOeval

            module.COCOeval = COCOeval  # type: ignore[attr-defined]
        elif module.__name__.endswith(".mask"):
            from pycocotools import mask

            vars(module).update({k: v for k, v in vars(mask).items() if not k.startswith("__")})


def provide_xtcocotools() -> None:
    """Let `import xtcocotools` fall back to pycocotools."""
    if not any(isinstance(finder, CocoFinder) for finder in sys.meta_path):
        sys.meta_path.append(CocoFinder())


def prepare() -> None:
    """Apply all of it, once, before any OpenMMLab framework is imported."""
    provide_mmcv_extension()
    provide_xtcocotools()
    let_mmengine_resume()
