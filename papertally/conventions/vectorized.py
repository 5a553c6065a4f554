"""Term counts under every convention of counting at once, in whole numbers."""

from __future__ import annotations

import math
from collections.abc import Mapping
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from papertally.conventions.axes import AT_LINEAR, Conventions, named, part, weights
from papertally.quantities.printed import PrintedNumber

Counts = NDArray[np.int64]
Truths = NDArray[np.bool_]


def counted(terms: Mapping[str, int], conventions: Conventions) -> Counts:
    """Return MAdds under every convention of counting: an axis an axis of the file, in its order. Read only."""
    axes = tuple((axis.id, tuple(axis.values)) for axis in conventions.counting)
    return _counted(tuple(sorted(terms.items())), axes)


@lru_cache(maxsize=1024)
def _counted(terms: tuple[tuple[str, int], ...], axes: tuple[tuple[str, tuple[str, ...]], ...]) -> Counts:
    sizes, ids = [len(values) for _, values in axes], [name for name, _ in axes]
    names = named(dict(terms))
    out = np.full(sizes, weights(dict(terms)), dtype=np.int64)
    for i, (axis, values) in enumerate(axes):
        if axis == "unit" or axis.endswith(AT_LINEAR):
            continue
        shape = [1] * len(sizes)
        shape[i] = sizes[i]
        if axis + AT_LINEAR in ids:
            at = ids.index(axis + AT_LINEAR)
            table = np.array([[part(axis, v, names, w) for w in axes[at][1]] for v in values], dtype=np.int64)
            shape[at] = sizes[at]
            out += (table if i < at else table.T).reshape(shape)
        else:
            out += np.array([part(axis, v, names) for v in values], dtype=np.int64).reshape(shape)
    if "unit" in ids:  # multiplies what the others sum up
        i = ids.index("unit")
        out *= np.array([int(v) for v in axes[i][1]], dtype=np.int64).reshape([-1] + [1] * (len(sizes) - 1 - i))
    out.flags.writeable = False
    return out


def holds(values: Counts, interval: PrintedNumber) -> Truths:
    """Return where whole numbers print as a printed string."""
    return (values >= math.ceil(interval.low)) & (values < math.ceil(interval.high))
