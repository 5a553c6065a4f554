"""Two networks on the same images: McNemar's exact test on those that only one of them gets right.

Of several seeds, an image counts for the row that gets it right in more of its runs, of as many runs each: every image
is one toss of a fair coin however many runs there are, which for one run each is McNemar's test.

python -m papertally.verdicts.mcnemar FILE FILE    compare two files of per-example correctness (evidence/examples.py)
"""

from __future__ import annotations

import base64
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from papertally.evidence.examples import Examples, read_examples
from papertally.evidence.io import EvidenceError
from papertally.output import run


@dataclass(frozen=True)
class Paired:
    """Hold a comparison: images that only the first, only the second gets right, of all; p: exact, two-sided.

    It tests these two runs on this test set; what another seed would give is the spread between seeds.
    """

    first: int
    second: int
    images: int
    p: float

    @property
    def gap(self) -> float:
        """Return the difference in points."""
        return 100 * (self.first - self.second) / self.images

    @property
    def disagree(self) -> float:
        """Return the share of images on which exactly one is right, in percent."""
        return 100 * (self.first + self.second) / self.images

    def told(self) -> str:
        """Return the comparison in words."""
        return (
            f"{self.gap:+.2f} points on {self.images:,} images; {self.disagree:.1f} % are right in one alone "
            f"({self.first:,} and {self.second:,}), McNemar's exact p = {self.p:.2g}"
        )


def paired(a: Examples, b: Examples) -> Paired:
    """Compare two runs image by image. Raises EvidenceError where they are not of the same images in the same order."""
    if (a.data, a.images, a.column) != (b.data, b.images, b.column):
        one, other = (f"{e.column} of {e.images} images of {e.data.name} {e.data.pin[:12]}" for e in (a, b))
        raise EvidenceError(f"{a.row} and {b.row} cannot be compared image by image: {one} against {other}")
    differ = a.mask ^ b.mask
    first = (differ & a.mask).bit_count()
    second = differ.bit_count() - first
    return Paired(first, second, a.images, exact(first, second))


@dataclass(frozen=True)
class Pooled:
    """Hold a comparison of two rows by several seeds each: images that count for the first and the second row.

    gap: of the mean accuracies, in points; seeds: runs of each. It tests these runs on this test set.
    """

    first: int
    second: int
    images: int
    seeds: int
    gap: float
    p: float

    def told(self) -> str:
        """Return the comparison in words."""
        runs = "one run each" if self.seeds == 1 else f"{self.seeds} runs each"
        return (
            f"image by image ({runs}): {self.first:,} of {self.images:,} images for it, {self.second:,} against, "
            f"{self.gap:+.2f} points, McNemar's exact p = {self.p:.2g} for these runs"
        )


def pooled(a: Sequence[Examples], b: Sequence[Examples]) -> Pooled | None:
    """Compare two rows over their seeds, the lowest seeds of each and as many of either.

    None where a row has no bits or they are not of the same images: see `paired`.
    """
    n = min(len(a), len(b))
    mine, theirs = (sorted(runs, key=_seed)[:n] for runs in (a, b))
    if not n or len({(e.data.name, e.data.pin, e.images, e.column) for e in (*mine, *theirs)}) > 1:
        return None
    images = mine[0].images
    score = _right(mine) - _right(theirs)
    first, second = int((score > 0).sum()), int((score < 0).sum())
    return Pooled(first, second, images, n, 100 * float(score.sum()) / (n * images), exact(first, second))


def _seed(examples: Examples) -> int:
    return -1 if examples.seed is None else examples.seed


def _right(runs: Sequence[Examples]) -> Any:
    """Return how many runs get each image right."""
    import numpy as np

    bits = [np.unpackbits(np.frombuffer(base64.b64decode(e.bits), np.uint8), count=e.images) for e in runs]
    return np.sum(bits, axis=0, dtype=np.int64)


def exact(first: int, second: int) -> float:
    """Return the two-sided exact p of McNemar's test: a fair coin over the discordant images."""
    from scipy.stats import binomtest

    return float(binomtest(first, first + second).pvalue) if first + second else 1.0


def main(argv: Sequence[str] | None = None) -> int:
    """Print the comparison of two files; returns 1 where they cannot be compared, 2 for wrong arguments."""
    argv = sys.argv[1:] if argv is None else argv
    if len(argv) != 2:
        print("usage: python -m papertally.verdicts.mcnemar FILE FILE", file=sys.stderr)
        return 2
    try:
        a, b = (read_examples(Path(name)) for name in argv)
        print(f"{a.row} ({a.percent:.2f} %) against {b.row} ({b.percent:.2f} %): {paired(a, b).told()}")
    except EvidenceError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    raise SystemExit(run(main))
