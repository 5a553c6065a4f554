"""Stage `claims`: run the computations that the ledger's claims name and file each result.

python -m pipelines claims [--path FOLDER]

Another paper's statements of cost and structure ask networks that its rows name (papertally/counting/statements.py), or
name a function of FOLDER/computations.py.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from papertally.counting.claims import Found, evidence_of, file_claims, of_another
from papertally.counting.evidence import filed_in
from papertally.evidence.io import read_json
from papertally.ledger.load import Claim, Ledger, load_ledger
from pipelines import arguments
from pipelines.analysis.computations.load import load_all
from pipelines.analysis.recipes import configured
from pipelines.common import MICRONET, ROOT, PipelineError, guard


def results(root: Path = ROOT) -> dict[str, dict[str, Any]]:
    """Return the evidence of every claim with a computation that needs no data, by claim id.

    Raises PipelineError for a claim that names no known computation.
    """
    known = load_all()
    ledger, out = load_ledger(ROOT / MICRONET), {}
    for claim in ledger.claims:
        if claim.kind == "recipe":
            assert claim.read is not None
            out[claim.id] = evidence_of(claim.id, "recipe", _recipe(ledger)(claim), root)
        if claim.computation is None:
            continue
        if claim.kind == "data":
            if (evidence := counted(claim.id, claim.computation, root)) is not None:
                out[claim.id] = evidence
            continue
        if claim.computation not in known:
            raise PipelineError(
                f"papers/micronet/claims.yaml: claim {claim.id!r} names the computation {claim.computation!r}, which "
                f"pipelines/analysis/computations does not have; known: {', '.join(sorted(known))}"
            )
        result = known[claim.computation]()
        out[claim.id] = evidence_of(claim.id, claim.computation, (result.computed, result.detail), root)
    return out


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
    detail = f"{', '.join(keys).replace('_', ' ')} of {dataset}, {files} files, sha256 {sha256[:12]}"
    return evidence_of(claim_id, computation, (counts[0] if len(counts) == 1 else counts, detail), root)


def _recipe(ledger: Ledger) -> Callable[[Claim], Found]:
    """Return what finds another paper's printed settings in its rows' configs."""

    def found(claim: Claim) -> Found:
        assert claim.read is not None
        result = configured(claim.read, ledger)
        return result.computed, result.detail

    return found


def main(argv: list[str] | None = None) -> int:
    """Write what MicroNet's statements compute, or another paper's: results/claims/ of its folder, one file a claim."""
    path = arguments.claims().parse_args(argv).path or ROOT / MICRONET
    paper, folder, shown = filed_in(path, "claims", ROOT)
    faults: list[str] = []
    if paper.folder == (ROOT / MICRONET).resolve():
        found = results()
    else:
        ledger = load_ledger(paper.folder)
        found, faults = of_another(ledger, paper.folder, _recipe(ledger))
    return file_claims(found, faults, folder, shown)


if __name__ == "__main__":
    raise SystemExit(guard(main))
