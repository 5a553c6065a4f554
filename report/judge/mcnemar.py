"""Two networks on the same images: McNemar's exact test on those that only one of them gets right.

python -m report.judge.mcnemar FILE FILE    compare two files of per-example correctness (evidence/examples.py)
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from evidence.examples import Examples, read_examples
from evidence.io import EvidenceError
from paper.output import run


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


def exact(first: int, second: int) -> float:
    """Return the two-sided exact p of McNemar's test: a fair coin over the discordant images."""
    from scipy.stats import binomtest

    return float(binomtest(first, first + second).pvalue) if first + second else 1.0


def main(argv: Sequence[str] | None = None) -> int:
    """Print the comparison of two files; returns 1 where they cannot be compared, 2 for wrong arguments."""
    argv = sys.argv[1:] if argv is None else argv
    if len(argv) != 2:
        print("usage: python -m report.judge.mcnemar FILE FILE", file=sys.stderr)
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
