"""Cost evidence of the networks that a ledger's rows name: no config, no fingerprint file."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from papertally.command import CommandError
from papertally.counting.names import Measured, Size, measure, parse_network
from papertally.evidence.fingerprints import network_parts
from papertally.evidence.schema import CostEvidence, formed, size_name
from papertally.ledger.load import Ledger, Row
from papertally.ledger.paper import Paper


def filed_in(path: Path, kind: str, project: Path | None = None) -> tuple[Paper, Path, str]:
    """Return the paper of a folder, where its evidence of a kind lies, and how that is called from here.

    Raises CommandError for a paper whose evidence another project than `project` makes, by fingerprints: to compute it
    from the ledger alone would take away what that project computed.
    """
    paper = Paper.at(path)
    if paper.fingerprints is not None and paper.root != project:
        raise CommandError(
            f"{path}: its evidence is made by the project that it belongs to (`fingerprints` in paper.yaml); run that "
            "project's own command"
        )
    folder = paper.results / kind
    within = folder.is_relative_to(paper.folder)
    return paper, folder, (path / folder.relative_to(paper.folder)).as_posix() if within else paper.shown(folder)


def named_rows(ledger: Ledger) -> list[Row]:
    """Return the rows that name a network of their own."""
    return [row for row in ledger.rows.values() if row.network and not row.same_as]


def measured(ledger: Ledger, folder: Path) -> dict[str, dict[Size | None, Measured] | CommandError]:
    """Return what is counted of every row that names a network, by input, or why it cannot be.

    None is the row's own input, others are those that columns state. Equal networks are counted once. folder: the
    ledger's, where its files and modules lie.
    """
    seen: dict[tuple[str, Size | None], Measured | CommandError] = {}
    out: dict[str, dict[Size | None, Measured] | CommandError] = {}
    for row in named_rows(ledger):
        assert row.network is not None
        found: dict[Size | None, Measured] = {}
        for column in (None, *ledger.inputs(row.id)):
            key = row.network, column or row.input
            if key not in seen:
                try:
                    seen[key] = measure(row.network, key[1], folder)
                except CommandError as error:
                    seen[key] = error
            one = seen[key]
            if isinstance(one, CommandError):
                out[row.id] = one
                break
            found[column] = one
        else:
            out[row.id] = found
    return out


def network_costs(
    ledger: Ledger, folder: Path, where: Mapping[str, Any]
) -> tuple[dict[str, dict[str, Any]], list[tuple[str, str]]]:
    """Return (sealed evidence by row, (row, fault) of each that cannot be counted); equal networks are counted once.

    folder: the ledger's, where its files and modules lie. where: code revision and environment.
    """
    out: dict[str, dict[str, Any]] = {}
    faults = []
    for row, found in measured(ledger, folder).items():
        if isinstance(found, CommandError):
            faults.append((row, str(found)))
        else:
            out[row] = evidence_of(ledger.row(row), found, where)
    return out, faults


def _values(found: Measured) -> dict[str, Any]:
    return {"params": found.counted.params, "terms": found.counted.terms, "parts": found.counted.parts}


def evidence_of(row: Row, by_input: Mapping[Size | None, Measured], where: Mapping[str, Any]) -> dict[str, Any]:
    """Return a row's sealed cost evidence; by_input: its own under None, and others."""
    assert row.network is not None
    library = parse_network(row.network).kind
    found = by_input[None]
    others = {size: other for size, other in by_input.items() if size is not None}
    unknown = {name: n for other in others.values() for name, n in other.counted.unknown.items()}
    unknown |= found.counted.unknown
    at = {size_name(size): _values(other) for size, other in others.items()}
    return formed(
        CostEvidence,
        {
            "schema": 2,
            "kind": "cost",
            "row": row.id,
            "config": "",
            "network": row.network,
            "fingerprint": network_parts(row.network, row.input, list(others)),
            "construction": "library" if library in ("timm", "torchvision") else "named by the ledger",
            "values": _values(found),
            **({"at": at} if at else {}),
            "unknown": {name: max(1, n) for name, n in unknown.items()},
            "variants": {},
            "structure": {},
            "readings": [],
            "notes": list(found.notes),
            "input_size": list(found.size),
            **where,
        },
    )
