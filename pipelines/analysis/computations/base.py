"""What a computation is: a named function that returns what it computed and its arithmetic in one line."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

Computed = int | float | bool | list


@dataclass(frozen=True)
class Result:
    """Hold a computed quantity and one line on how it came about."""

    computed: Computed
    detail: str


COMPUTATIONS: dict[str, Callable[[], Result]] = {}


def computation(function: Callable[[], Result]) -> Callable[[], Result]:
    """Register a computation under its function's name."""
    if function.__name__ in COMPUTATIONS:
        raise ValueError(f"two computations are named {function.__name__}")
    COMPUTATIONS[function.__name__] = function
    return function
