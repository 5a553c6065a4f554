"""Compute what a ledger states of its networks, or asks of functions of its own, and file each result.

papertally claims --path FOLDER
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from papertally.command import CommandError, guard, told
from papertally.counting import arguments
from papertally.counting.evidence import filed_in
from papertally.counting.statements import OF_NETWORKS, OWN, Value, of_networks, own_computations, run_own
from papertally.evidence.checksum import file_computed
from papertally.evidence.io import remove_others
from papertally.evidence.provenance import environment
from papertally.evidence.revision import CODE_ROOT, code_revision
from papertally.evidence.schema import ClaimEvidence, formed
from papertally.ledger.load import Claim, Ledger, load_ledger
from papertally.ledger.validation_messages import one_line

#: What a computation gives: a value, and one line on how it came about.
Found = tuple[Value, str]


def evidence_of(claim_id: str, computation: str, found: Found, root: Path = CODE_ROOT) -> dict[str, Any]:
    """Return a computation's sealed evidence."""
    return formed(
        ClaimEvidence,
        {
            "schema": 1,
            "kind": "claim",
            "claim": claim_id,
            "computation": computation,
            "computed": found[0],
            "detail": found[1],
            "code_revision": code_revision(root),
            "environment": environment(),
        },
    )


def of_another(
    ledger: Ledger, folder: Path, recipe: Callable[[Claim], Found] | None = None
) -> tuple[dict[str, dict[str, Any]], list[str]]:
    """Return (evidence of another paper's claims by id, the fault of each that cannot be computed).

    recipe: how printed settings are found in configs, where there are some. Raises CommandError where the ledger's own
    computations cannot be imported.
    """
    own = own_computations(folder)
    out: dict[str, dict[str, Any]] = {}
    faults = []
    for claim in ledger.claims:
        if claim.computation is None and claim.kind != "recipe":
            continue
        try:
            found = _recipe(claim, recipe) if claim.kind == "recipe" else _computed(claim, ledger, folder, own)
            out[claim.id] = evidence_of(claim.id, claim.computation or "recipe", found)
        except CommandError as error:
            faults.append(one_line(f"claim {claim.id}: {error}"))
    return out, faults


def _recipe(claim: Claim, recipe: Callable[[Claim], Found] | None) -> Found:
    if recipe is None:
        raise CommandError("a recipe is read from configs, and a ledger elsewhere has none; make it a `cost`")
    return recipe(claim)


def _computed(claim: Claim, ledger: Ledger, folder: Path, own: Mapping[str, Callable[[], Any]]) -> Found:
    """Return what a claim's computation gives. Raises CommandError."""
    name = claim.computation or ""
    if name in own:
        return run_own(name, own[name])
    if name not in OF_NETWORKS:
        known = ", ".join([*OF_NETWORKS, *own])
        raise CommandError(f"no computation {name!r}; known: {known}; or write a function of that name into {OWN}")
    if not claim.of:
        raise CommandError(f"{name} is asked of networks; name their rows, as `of: [ROW]`")
    return of_networks(name, claim.of, ledger, folder)


def file_claims(found: Mapping[str, dict[str, Any]], faults: list[str], folder: Path, shown: str) -> int:
    """File every result and return the exit code: 1 where one could not be computed."""
    new = [name for name, evidence in found.items() if file_computed(folder / f"{name}.json", evidence)]
    gone = remove_others(folder, found.keys())
    print(f"{shown}: {len(found)} computations; {told(new, gone)}")
    for fault in faults:
        print(f"error: {fault}", file=sys.stderr)
    return 1 if faults else 0


def main(argv: list[str] | None = None) -> int:
    """Write FOLDER/results/claims/, one file a claim."""
    paper, folder, shown = filed_in(arguments.claims().parse_args(argv).path, "claims")
    return file_claims(*of_another(load_ledger(paper.folder), paper.folder), folder, shown)


if __name__ == "__main__":
    raise SystemExit(guard(main))
