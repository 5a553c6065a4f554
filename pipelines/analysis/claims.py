"""Stage `claims`: run the computations that the ledger's claims name and file each result.

python -m pipelines claims [--ledger NAME | --path FOLDER]

Another paper's statements of cost and structure ask networks that its rows name (pipelines/counting/statements.py), or
name a function of FOLDER/computations.py.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import Any

from evidence.forms import ClaimEvidence, formed
from evidence.io import read_json, remove_others
from evidence.provenance import environment
from evidence.revision import code_revision
from evidence.seal import file_computed
from paper.faults import one_line
from paper.ledger import Claim, Ledger, add_ledger_arguments, folder_of, load_ledger
from pipelines.analysis.computations.base import Result
from pipelines.analysis.computations.load import load_all
from pipelines.analysis.recipes import configured
from pipelines.common import ROOT, PipelineError, guard, told
from pipelines.counting.statements import OF_NETWORKS, OWN, of_networks, own_computations, run_own

RESULTS = Path("results/claims")


def results(root: Path = ROOT) -> dict[str, dict[str, Any]]:
    """Return the evidence of every claim with a computation that needs no data, by claim id.

    Raises PipelineError for a claim that names no known computation.
    """
    known = load_all()
    ledger, out = load_ledger(), {}
    for claim in ledger.claims:
        if claim.kind == "recipe":
            assert claim.read is not None
            out[claim.id] = evidence_of(claim.id, "recipe", configured(claim.read, ledger), root)
        if claim.computation is None:
            continue
        if claim.kind == "data":
            if (evidence := counted(claim.id, claim.computation, root)) is not None:
                out[claim.id] = evidence
            continue
        if claim.computation not in known:
            raise PipelineError(
                f"paper/claims.yaml: claim {claim.id!r} names the computation {claim.computation!r}, which "
                f"pipelines/analysis/computations does not have; known: {', '.join(sorted(known))}"
            )
        out[claim.id] = evidence_of(claim.id, claim.computation, known[claim.computation](), root)
    return out


def evidence_of(claim_id: str, computation: str, result: Result, root: Path) -> dict[str, Any]:
    """Return a computation's sealed evidence."""
    return formed(
        ClaimEvidence,
        {
            "schema": 1,
            "kind": "claim",
            "claim": claim_id,
            "computation": computation,
            "computed": result.computed,
            "detail": result.detail,
            "code_revision": code_revision(root),
            "environment": environment(),
        },
    )


#: Computation -> the dataset that `python -m pipelines verify` counted, and its count or list of counts.
COUNTS = {
    "coco_train_images": ("coco", ("train_labelled_images",)),
    "coco_train_instances": ("coco", ("train_labelled_instances",)),
    "coco_val_images": ("coco", ("val_images",)),
    "cityscapes_counts": ("cityscapes", ("train_pairs", "val_pairs")),
}


def counted(claim_id: str, computation: str, root: Path) -> dict[str, Any] | None:
    """Return the evidence of a claim about a dataset from its verified manifest, or None where nobody verified it.

    Raises PipelineError for a corrupt manifest.
    """
    if computation not in COUNTS:
        return None
    dataset, keys = COUNTS[computation]
    path = root / "results/manifests" / f"{dataset}.json"
    if not path.is_file():
        return None
    try:
        manifest = read_json(path)
        counts, files = [int(manifest["counts"][key]) for key in keys], int(manifest["files"])
        sha256 = str(manifest["sha256"])
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise PipelineError(f"{path}: corrupt ({error}); run `python -m pipelines verify {dataset}` anew") from None
    evidence = {
        "schema": 1,
        "kind": "claim",
        "claim": claim_id,
        "computation": computation,
        "computed": counts[0] if len(counts) == 1 else counts,
        "detail": f"{', '.join(keys).replace('_', ' ')} of {dataset}, {files} files, sha256 {sha256[:12]}",
        "code_revision": code_revision(root),
        "environment": environment(),
    }
    return formed(ClaimEvidence, evidence)


def of_another(ledger: Ledger, folder: Path) -> tuple[dict[str, dict[str, Any]], list[str]]:
    """Return (evidence of another paper's claims by id, the fault of each that cannot be computed).

    Raises PipelineError where the ledger's own computations cannot be imported.
    """
    own = own_computations(folder)
    out: dict[str, dict[str, Any]] = {}
    faults = []
    for claim in ledger.claims:
        if claim.computation is None and claim.kind != "recipe":
            continue
        try:
            out[claim.id] = evidence_of(
                claim.id, claim.computation or "recipe", _result(claim, ledger, folder, own), ROOT
            )
        except PipelineError as error:
            faults.append(one_line(f"claim {claim.id}: {error}"))
    return out, faults


def _result(claim: Claim, ledger: Ledger, folder: Path, own: dict[str, Any]) -> Result:
    """Return what a claim's computation gives. Raises PipelineError."""
    if claim.kind == "recipe":
        assert claim.read is not None
        return configured(claim.read, ledger)
    name = claim.computation or ""
    if name in own:
        return Result(*run_own(name, own[name]))
    if name not in OF_NETWORKS:
        known = ", ".join([*OF_NETWORKS, *own])
        raise PipelineError(f"no computation {name!r}; known: {known}; or write a function of that name into {OWN}")
    if not claim.of:
        raise PipelineError(f"{name} is asked of networks; name their rows, as `of: [ROW]`")
    return Result(*of_networks(name, claim.of, ledger, folder))


def main(argv: list[str] | None = None) -> int:
    """Write results/claims/ (another paper's: results/NAME/claims/, FOLDER/results/claims/), one file a claim."""
    parser = argparse.ArgumentParser(prog="python -m pipelines claims", description=__doc__.splitlines()[0])
    add_ledger_arguments(parser)
    args = parser.parse_args(argv)
    faults: list[str] = []
    if args.ledger or args.path:
        root = folder_of(args.ledger, args.path)
        folder = root / "results/claims" if args.path else ROOT / "results" / args.ledger / "claims"
        shown = (args.path / "results/claims" if args.path else folder.relative_to(ROOT)).as_posix()
        found, faults = of_another(load_ledger(root), root)
    else:
        found, folder, shown = results(), ROOT / RESULTS, RESULTS.as_posix()
    new = [name for name, evidence in found.items() if file_computed(folder / f"{name}.json", evidence)]
    gone = remove_others(folder, found.keys())
    print(f"{shown}: {len(found)} computations; {told(new, gone)}")
    for fault in faults:
        print(f"error: {fault}", file=sys.stderr)
    return 1 if faults else 0


if __name__ == "__main__":
    raise SystemExit(guard(main))
