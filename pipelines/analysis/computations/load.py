"""Every computation by name."""

from __future__ import annotations

from collections.abc import Callable

from pipelines.analysis.computations import (  # noqa: F401  register themselves
    architecture,
    built,
    formulas,
    operators,
    printed,
)
from pipelines.analysis.computations.base import COMPUTATIONS, Result


def load_all() -> dict[str, Callable[[], Result]]:
    """Return every computation by name."""
    return COMPUTATIONS
