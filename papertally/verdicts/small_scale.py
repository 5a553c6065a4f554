"""What runs on small real data say of the printed orders, all protocols side by side; no protocol decides alone."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Literal

from papertally.evidence.datasets import TITLES
from papertally.verdicts.orderings import Ordering, Pair, RelationalClaim
from papertally.verdicts.registered import Registered

#: What one protocol says of an order, by the name that its engine has for it.
SAID = {"holds": "holds", "fails": "fails", "underpowered": "undecided", "undecided": "undecided"}
Answer = Literal["holds", "contradicted", "undetermined", "untested"]


@dataclass(frozen=True, kw_only=True)
class Protocol:
    """Hold one way of training on small data and what it alone would say of each order and statement."""

    id: str
    description: str
    orders: Mapping[tuple[str, str, str], Pair]
    statements: Mapping[str, str]
    taus: Mapping[str, float | None]

    def counts(self) -> dict[str, int]:
        """Return how many orders hold, fail and are undecided by this protocol alone."""
        return _counted(SAID[pair.verdict] for pair in self.orders.values())

    def statement_counts(self) -> dict[str, int]:
        """Return how many statements hold, fail and are undecided by this protocol alone."""
        return _counted(SAID[verdict] for verdict in self.statements.values() if verdict in SAID)


@dataclass(frozen=True, kw_only=True)
class ComparedOrder:
    """Hold a printed order and what each protocol says of it; answer and basis are those of all protocols together."""

    table: str
    higher: str
    lower: str
    by: Mapping[str, Pair]
    answer: Answer
    basis: str

    @property
    def opposite(self) -> bool:
        """Tell whether two protocols each decide the order, with opposite signs."""
        return {"holds", "fails"} <= {pair.verdict for pair in self.by.values()}

    @property
    def disagreement(self) -> float:
        """Return by how many points the protocols' differences lie apart."""
        gaps = [pair.gap for pair in self.by.values()]
        return max(gaps) - min(gaps)


@dataclass(frozen=True, kw_only=True)
class SmallScale:
    """Hold all protocols and every order that at least one of them judged. decided_by: what was found to
    decide; pending: registered settings that are not run in whole.
    """

    protocols: list[Protocol]
    orders: list[ComparedOrder]
    decided_by: str = ""
    pending: list[str] = field(default_factory=list)

    @property
    def opposite(self) -> list[ComparedOrder]:
        """Return the orders that two protocols decide with opposite signs, the widest disagreement first."""
        found = [order for order in self.orders if order.opposite]
        return sorted(found, key=lambda order: -order.disagreement)

    @property
    def examples(self) -> list[ComparedOrder]:
        """Return of each table the order with the widest disagreement in sign, tables as they are judged."""
        widest: dict[str, ComparedOrder] = {}
        for order in self.opposite:
            widest.setdefault(order.table, order)
        return [widest[table] for table in dict.fromkeys(o.table for o in self.orders) if table in widest]

    def answers(self) -> dict[str, int]:
        """Return how many orders have each answer over all protocols together."""
        return dict(Counter(order.answer for order in self.orders))


def _counted(verdicts: Iterable[str]) -> dict[str, int]:
    counts = Counter(verdicts)
    return {name: counts[name] for name in ("holds", "fails", "undecided")}


def combine(verdicts: Mapping[str, str], protocols: int) -> tuple[Answer, str]:
    """Return the answer of all protocols together on one order, and its basis.

    Args:
        verdicts: By protocol, what it says: holds, fails, or anything else for undecided.
        protocols: How many protocols there are; an order that one of them lacks is not decided by the others.

    Returns:
        (holds, robust) or (contradicted, robust) only where at least two protocols decide with one sign and none is
        undecided; else (undetermined, why).
    """
    if not verdicts:
        return "untested", "not run"
    signs = {"holds": "holds", "fails": "contradicted"}
    given = {signs.get(verdict) for verdict in verdicts.values()}
    if {"holds", "contradicted"} <= given:
        return "undetermined", "protocols disagree in sign"
    if protocols < 2:
        return "undetermined", "one protocol alone"
    if len(verdicts) < protocols:
        return "undetermined", "not run by every protocol"
    if None in given:
        return "undetermined", "not decided by every protocol"
    return ("holds" if given == {"holds"} else "contradicted"), "robust"


def small_scale(
    orderings: list[Ordering], statements: list[RelationalClaim], registered: Registered | None
) -> SmallScale | None:
    """Return the protocols side by side, None where none has judged an order."""
    protocols = []
    if registered is not None and registered.judged and registered.choice is not None:
        known = registered.registration
        schedule, train = known.schedules[registered.choice.schedule], known.train
        description = (
            f"{TITLES.get(train.data, train.data)}, registered beforehand: {schedule.images:,} images, "
            f"{schedule.epochs} epochs, batch {train.batch_size}, learning rate {train.lr:g}, stem and first block at "
            f"strides {train.stem_stride} and {train.first_stride}, {len(registered.choice.seeds)} seeds"
        )
        judged = [family.ordering for family in registered.judged if family.ordering is not None]
        protocols.append(_protocol("registered", description, judged, {s.id: s.verdict for s in registered.statements}))
    if orderings:
        first = orderings[0]
        seeds = sorted({row[4] for ordering in orderings for row in ordering.rows})
        span = f"{seeds[0]}" if len(seeds) == 1 else f"{seeds[0]} to {seeds[-1]}"
        description = (
            f"{TITLES.get(first.data, first.data)}, profile proxy, not registered: {first.epochs} epochs, strides as "
            f"configured for the paper, {span} seeds"
        )
        protocols.append(_protocol("proxy", description, orderings, {s.id: s.verdict for s in statements}))
    pending = []
    for setting in registered.settings if registered is not None else ():
        if setting.orderings:
            description = f"multiverse, setting {setting.name} ({setting.have} of {setting.of} runs)"
            protocols.append(_protocol(setting.name, description, setting.orderings, {}))
        if setting.have < setting.of:
            pending.append(setting.name)
    if not protocols:
        return None
    keys = dict.fromkeys(key for protocol in protocols for key in protocol.orders)
    orders = []
    for key in keys:
        by = {protocol.id: protocol.orders[key] for protocol in protocols if key in protocol.orders}
        answer, basis = combine(
            {name: pair.verdict for name, pair in by.items()}, len({*(p.id for p in protocols), *pending})
        )
        table, higher, lower = key
        orders.append(ComparedOrder(table=table, higher=higher, lower=lower, by=by, answer=answer, basis=basis))
    decided_by = registered.registration.decided_by if registered is not None else ""
    return SmallScale(protocols=protocols, orders=orders, decided_by=decided_by, pending=pending)


def _protocol(name: str, description: str, judged: list[Ordering], statements: Mapping[str, str]) -> Protocol:
    return Protocol(
        id=name,
        description=description,
        orders={(o.table, pair.higher, pair.lower): pair for o in judged for pair in o.pairs},
        statements=statements,
        taus={o.table: o.tau for o in judged},
    )
