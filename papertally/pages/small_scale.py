"""Sentences and tables about runs on small real data: every protocol beside the others, none alone."""

from __future__ import annotations

from dataclasses import dataclass

from papertally.verdicts.names import count
from papertally.verdicts.small_scale import SAID, ComparedOrder, SmallScale


@dataclass(frozen=True, kw_only=True)
class SmallScalePage:
    """Hold the section: what all protocols say together, a column for each, and every order."""

    lines: list[str]
    columns: list[str]
    rows: list[list[str]]
    order_columns: list[str]
    orders: list[list[str]]


def _difference(order: ComparedOrder, protocol: str) -> str:
    pair = order.by.get(protocol)
    return "not run" if pair is None else f"{pair.gap:+.1f} ± {pair.half_width:.1f}, {SAID[pair.verdict]}"


def _counted(counts: dict[str, int]) -> str:
    return f"{counts['holds']} hold, {counts['fails']} fail, {counts['undecided']} undecided"


def conclusion(found: SmallScale) -> str:
    """Return in one sentence what all protocols together say of the printed orders."""
    total, protocols = len(found.orders), len(found.protocols)
    orders = count(total, "printed order")
    if protocols == 1:
        return f"One small protocol alone decides no order: of {orders} none has an answer."
    if opposite := found.opposite:
        first = found.examples[0]
        gaps = " and ".join(f"{first.by[p.id].gap:+.1f}" for p in found.protocols if p.id in first.by)
        return (
            f"Small data decide nothing: {protocols} protocols disagree in sign on {len(opposite)} of {orders} "
            f"({first.higher} against {first.lower}: {gaps} points)."
        )
    robust = sum(order.basis == "robust" for order in found.orders)
    return f"{protocols} small protocols decide {robust} of {orders} with one sign; the others stay undetermined."


def small_scale_lines(found: SmallScale | None) -> list[str]:
    """Return the conclusion, and what was found to decide the signs; [] where no protocol has judged an order."""
    if found is None:
        return []
    lines = [conclusion(found), *([found.decided_by] if found.decided_by else [])]
    if found.pending:
        noun = count(len(found.pending), "registered setting")
        lines.append(f"{noun} of the multiverse still to run; until then no order can hold under every setting.")
    return lines


def protocol_rows(found: SmallScale) -> tuple[list[str], list[list[str]]]:
    """Return a table with a column for each protocol: settings, orders, statements, rank correlation, widest orders."""
    columns = ["", *(protocol.id for protocol in found.protocols)]
    rows = [
        ["settings", *(protocol.description for protocol in found.protocols)],
        ["printed orders", *(_counted(protocol.counts()) for protocol in found.protocols)],
        ["statements about orders", *(_counted(protocol.statement_counts()) for protocol in found.protocols)],
    ]
    for table in dict.fromkeys(order.table for order in found.orders):
        taus = [protocol.taus.get(table) for protocol in found.protocols]
        rows.append([f"Kendall's tau, Table {table}", *("" if tau is None else f"{tau:.2f}" for tau in taus)])
    for order in found.examples:
        name = f"{order.higher} less {order.lower}, points (Table {order.table})"
        rows.append([name, *(_difference(order, protocol.id) for protocol in found.protocols)])
    return columns, rows


def small_scale_page(found: SmallScale | None) -> SmallScalePage | None:
    """Return the section, None where no protocol has judged an order."""
    if found is None:
        return None
    columns, rows = protocol_rows(found)
    return SmallScalePage(
        lines=small_scale_lines(found),
        columns=columns,
        rows=rows,
        order_columns=["Table", "Printed higher", "Printed lower", *(p.id for p in found.protocols), "Together"],
        orders=[
            [
                order.table,
                order.higher,
                order.lower,
                *(_difference(order, p.id) for p in found.protocols),
                f"{order.answer}: {order.basis}",
            ]
            for order in found.orders
        ],
    )


def small_scale_json(found: SmallScale | None) -> dict[str, object] | None:
    """Return report.json's form: every protocol's counts side by side, every order with what each protocol says."""
    if found is None:
        return None
    return {
        "conclusion": conclusion(found),
        "decided_by": found.decided_by,
        "protocols": [
            {"id": p.id, "description": p.description, "orders": p.counts(), "statements": p.statement_counts()}
            for p in found.protocols
        ],
        "opposite": len(found.opposite),
        "orders": [
            {
                "table": order.table,
                "higher": order.higher,
                "lower": order.lower,
                "answer": order.answer,
                "basis": order.basis,
                "protocols": [
                    {"id": name, "gap": pair.gap, "half_width": pair.half_width, "verdict": SAID[pair.verdict]}
                    for name, pair in order.by.items()
                ],
            }
            for order in found.orders
        ],
    }
