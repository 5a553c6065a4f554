"""What a test set can resolve: the difference between two accuracies that chance in its images allows."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass

from papertally.ledger.load import Ledger
from papertally.statements.expressions import Expression
from papertally.verdicts.contrasts import Contrast, contrasts, leaves

#: Two-sided 95 %.
Z = 1.959963984540054
#: Accuracies in percent of images; other metrics are no counts of independent images.
COUNTED = ("top1", "top5")


@dataclass(frozen=True)
class Resolution:
    """Hold what `images` test images say of a difference between two accuracies, in points.

    unpaired: the smallest that two independent sets would resolve; z: the difference in standard errors of two such
    sets; disagree: the largest share of images, in percent,
    on which the two networks may disagree if McNemar's test on one set is to find the difference: a bound that needs
    no run.
    """

    images: int
    gap: float
    unpaired: float
    disagree: float

    @property
    def z(self) -> float:
        """Return the difference in standard errors of two independent sets; 0 where there is none."""
        return Z * self.gap / self.unpaired if self.unpaired else 0.0

    @property
    def resolved(self) -> bool:
        """Tell whether the difference is seen even between independent sets."""
        return abs(self.gap) > self.unpaired

    def told(self) -> str:
        """Return the resolution in words."""
        if self.resolved:
            return f"{abs(self.gap):.1f} points: resolved by {self.images:,} images ({self.unpaired:.2f} suffice)"
        return (
            f"{abs(self.gap):.1f} points: below the {self.unpaired:.2f} that {self.images:,} images resolve unpaired; "
            f"paired, only if the two disagree on at most {self.disagree:.1f} % of them"
        )


def resolution(higher: float, lower: float, images: int) -> Resolution:
    """Return what `images` images resolve between two accuracies in percent."""
    p, q = higher / 100, lower / 100
    unpaired = Z * math.sqrt((p * (1 - p) + q * (1 - q)) / images) * 100
    gap = p - q
    # McNemar: z = gap sqrt(n) / sqrt(D - gap^2) for a share D of images on which one is right and the other wrong
    disagree = min(1.0, gap * gap * (images / Z**2 + 1)) * 100
    return Resolution(images, gap * 100, unpaired, disagree)


def printed_orders(ledger: Ledger, expression: Expression) -> Iterable[tuple[str, str, str]]:
    """Yield (higher, lower, column) for every order of two counted cells that a relation asserts."""
    try:
        tree = contrasts(expression, str, ledger.printed_value, dict.fromkeys(_columns(expression), 0.0))
    except (ValueError, LookupError):
        return
    for leaf in leaves(tree):
        if isinstance(leaf, Contrast) and not leaf.constant and len(leaf.weights) == 2:
            (a, wa), (b, wb) = leaf.weights
            if wa == -wb and a[1] == b[1] and a[1] in COUNTED:
                yield (a[0], b[0], a[1]) if wa > 0 else (b[0], a[0], a[1])


def _columns(expression: Expression) -> set[str]:
    return {column for _, column in expression.refs}


def unresolved(ledger: Ledger, expression: Expression) -> list[str]:
    """Return a line for each printed order of a statement that the test set does not resolve unpaired."""
    out = []
    for higher, lower, column in dict.fromkeys(printed_orders(ledger, expression)):
        images = test_images(ledger, higher)
        a, b = ledger.cell(higher, column), ledger.cell(lower, column)
        if images is None or not (a.numeric and b.numeric):
            continue
        found = resolution(float(a.value), float(b.value), images)
        if not found.resolved:
            out.append(f"{column} {a.printed} against {b.printed}, {found.told()}")
    return out


def test_images(ledger: Ledger, row_id: str) -> int | None:
    """Return how many images a row's accuracies are measured on, or None where the ledger does not say."""
    table = ledger.row(row_id).table
    return next((b.test_images for b in ledger.budgets if table in b.tables), None)
