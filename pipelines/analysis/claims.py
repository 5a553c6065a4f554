"""Stage `claims`: run the computations that the ledger's claims name and file each result.

python -m pipelines claims
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from evidence.forms import ClaimEvidence, formed
from evidence.io import read_json, remove_others
from evidence.provenance import environment
from evidence.revision import code_revision
from evidence.seal import file_computed
from paper import load_ledger
from pipelines.analysis.computations.base import Result
from pipelines.analysis.computations.load import load_all
from pipelines.analysis.recipes import configured
from pipelines.common import ROOT, PipelineError, guard, told

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


def main() -> int:
    """Write results/claims/, one file a claim."""
    found = results()
    folder = ROOT / RESULTS
    new = [name for name, evidence in found.items() if file_computed(folder / f"{name}.json", evidence)]
    gone = remove_others(folder, found.keys())
    print(f"{RESULTS.as_posix()}: {len(found)} computations; {told(new, gone)}")
    return 0


if __name__ == "__main__":
    raise SystemExit(guard(main))
