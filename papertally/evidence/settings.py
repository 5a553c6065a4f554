"""The numbers that a ledger's verdicts rest on: its level, its seeds, its margins, how far runs spread."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from papertally.ledger.load import Ledger
from papertally.quantities.columns import is_cost

#: The usual level, and the runs that settle a trained cell, of a ledger that states neither.
ALPHA, SEEDS = 0.05, 3


class SettingsError(Exception):
    """Say what is wrong with a ledger's settings."""


@dataclass(frozen=True, kw_only=True)
class Settings:
    """Hold the profile shown and the rules' numbers.

    margins: in points, those that are absolute; seeds: runs that settle a trained cell; seed_spread: the standard
    deviation between seeds, in points, for which the tests promise their power; printed_spread: that of the authors'
    runs by column, of which they print one.
    """

    profile: str = "paper"
    alpha: float = ALPHA
    seeds: int = SEEDS
    margins: Mapping[str, float] = field(default_factory=dict)
    seed_spread: float = 0.15
    printed_spread: Mapping[str, float] = field(default_factory=dict)


def settings_for(ledger: Ledger, profile: str = "paper") -> Settings:
    """Return the settings that a ledger states. Raises SettingsError where a trained or measured column has no margin.

    A statement that agrees() within a margin needs an absolute one.
    """
    where = f"{ledger.name or 'the ledger'}/paper.yaml"
    trained = {c for table in ledger.tables.values() for c in table.columns if not is_cost(c)}
    if missing := sorted(trained - set(ledger.margins)):
        raise SettingsError(f"{where}: margins lacks {', '.join(missing)}; add them")
    relative = {c for c, margin in ledger.margins.items() if margin.relative}
    for claim in ledger.claims:
        if "agrees(" in claim.expression.text and (bad := sorted({c for _, c in claim.expression.refs} & relative)):
            fault = f"claim {claim.id}: agrees() over {bad[0]} needs an absolute margin, the ledger states a share"
            raise SettingsError(f"{ledger.name}/claims.yaml: {fault}")
    return Settings(
        profile=profile,
        alpha=ALPHA if ledger.alpha is None else ledger.alpha,
        seeds=SEEDS if ledger.seeds is None else ledger.seeds,
        margins={c: float(margin.amount) for c, margin in ledger.margins.items() if not margin.relative},
        seed_spread=ledger.seed_spread,
        printed_spread=ledger.printed_spread,
    )
