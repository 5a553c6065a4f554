"""What Python 3.10 has and 3.9 has not."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import zip_longest
from typing import Any

_END = object()


def zip_strict(*iterables: Iterable[Any]) -> Iterator[tuple[Any, ...]]:
    """Yield as zip(..., strict=True) does. Raises ValueError where one iterable ends before another."""
    for values in zip_longest(*iterables, fillvalue=_END):
        if any(value is _END for value in values):
            raise ValueError("zip_strict(): the iterables differ in length")
        yield values
