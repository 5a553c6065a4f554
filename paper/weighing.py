"""Term counts under every convention of counting at once, in whole numbers."""

from __future__ import annotations

import math
from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from paper.conventions import Conventions, part, weights
from paper.printed import Interval

Counts = NDArray[np.int64]
Truths = NDArray[np.bool_]


def counted(terms: Mapping[str, int], conventions: Conventions) -> Counts:
    """Return MAdds under every convention of counting: an axis an axis of the file, in its order."""
    sizes = conventions.sizes
    out = np.full(sizes, weights(terms), dtype=np.int64)
    names = [axis.id for axis in conventions.counting]
    for i, axis in enumerate(conventions.counting):
        if axis.id == "linear_sites":
            continue
        shape = [1] * len(sizes)
        shape[i] = sizes[i]
        if axis.id == "shift_max" and "linear_sites" in names:
            at = names.index("linear_sites")
            linear = conventions.counting[at].values
            table = np.array([[part(axis.id, v, terms, w) for w in linear] for v in axis.values], dtype=np.int64)
            shape[at] = sizes[at]
            out += (table if i < at else table.T).reshape(shape)
        else:
            out += np.array([part(axis.id, v, terms) for v in axis.values], dtype=np.int64).reshape(shape)
    return out


def holds(values: Counts, interval: Interval) -> Truths:
    """Return where whole numbers print as a printed string."""
    return (values >= math.ceil(interval.low)) & (values < math.ceil(interval.high))
