"""Try every row's network as an exported program and as ONNX, batch and size free, and file how far they are off."""

from __future__ import annotations

import logging
import re
import sys
import tempfile
import warnings
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from mmengine.logging import MMLogger
from tqdm import tqdm

from papertally.evidence.checksum import digest
from papertally.evidence.exports import Exports
from papertally.evidence.io import EvidenceError, write_json_atomic
from papertally.evidence.provenance import environment
from papertally.evidence.revision import code_revision
from papertally.evidence.schema import read_form
from pipelines.analysis.structure import build, deployed, scope, structure
from pipelines.common import ROOT, PipelineError, configured_rows, load_config
from pipelines.deploy.network import row_network
from registry.export import ExportError, differences

#: (N, H, W): written from the first, run on each. Small: what is tested does not depend on the size.
SHAPES = ((2, 64, 96), (3, 96, 64))
LIMIT = 1e-5


def networks(rows: Sequence[str]) -> dict[str, list[str]]:
    """Return rows by the first row of the same network: equal in structure as it is deployed."""
    first: dict[str, str] = {}
    out: dict[str, list[str]] = {}
    for row in rows:
        config = load_config(row)
        config.model.data_preprocessor = None
        with scope(config):
            name = digest(structure(build(deployed(config.model))))
        out.setdefault(first.setdefault(name, row), []).append(row)
    return out


def _begun(path: Path, filed: Mapping[str, Any]) -> dict[str, Any]:
    """Return the rows that a stopped run filed, where all that they depend on is the same and stated."""
    today = Exports.model_validate(filed)
    try:
        found = read_form(path, path.name, Exports)
    except EvidenceError:
        return {}
    same = all(getattr(found, key) == getattr(today, key) for key in ("limit", "sizes", "code_revision", "environment"))
    return found.model_dump()["rows"] if same and re.fullmatch("[0-9a-f]{40}", today.code_revision) else {}


def _tried(row: str, folder: Path) -> dict[str, Any]:
    """Return by form how far a row's network is off, or why it cannot be written."""
    try:
        forms = differences(row_network(row), SHAPES, folder)
    except ExportError as error:
        raise PipelineError(str(error)) from None
    return {
        form: {"error": None, "rounding": None, "fault": value}
        if isinstance(value, str)
        else {"error": float(f"{value.error:.1e}"), "rounding": float(f"{value.rounding:.1e}"), "fault": ""}
        for form, value in forms.items()
    }


def run(rows: Sequence[str] | None, out: Path | None) -> int:
    """Check rows (None: every one) and print what is off; returns 1 where any is.

    Filed where every row is tried or `out` says where; what a stopped run of this revision filed there is not tried
    again. Raises PipelineError for an unknown row or a lacking package.
    """
    known = [*configured_rows(), *configured_rows(ledger="micronet_iccv2021")]
    wanted = known if rows is None else list(rows)
    if unknown := set(wanted) - set(known):
        raise PipelineError(f"no network for row {sorted(unknown)[0]!r}; rows that have one: {', '.join(known)}")
    warnings.filterwarnings("ignore")  # the exporters' own
    for name in ("mmengine", "torch.onnx", "onnxscript"):
        logging.getLogger(name).setLevel(logging.ERROR)
    MMLogger.get_instance("mmengine").setLevel(logging.ERROR)
    revision, found = code_revision(ROOT), networks(wanted)
    path = out or (ROOT / "results/export.json" if rows is None else None)
    filed: dict[str, Any] = {
        "schema": 1,
        "kind": "exports",
        "limit": LIMIT,
        "sizes": [list(shape) for shape in SHAPES],
        "rows": {},
        "same_as": {},
        "code_revision": revision,
        "environment": environment(),
    }
    done = _begun(path, filed) if path is not None else {}
    with tempfile.TemporaryDirectory(prefix="micronet-export-") as there:
        for row, same in tqdm(found.items(), unit="network", file=sys.stderr, disable=None):
            filed["rows"][row] = done.get(row) or _tried(row, Path(there))
            filed["same_as"] |= dict.fromkeys(same[1:], row)
            if path is not None:  # what is done stays if the rest is stopped
                write_json_atomic(path, filed)
    checked = Exports.model_validate(filed)
    off = [
        f"{row} as {form}: " + (one.fault or f"off by {one.error:.1e} of the output")
        for (row, form), one in checked.off().items()
    ]
    for line in off:
        print(line)
    tried = f"{len(checked.rows)} networks of {len(wanted)} rows, exported programs and ONNX"
    print(f"{tried}: {len(off)} off by more than {LIMIT:g} of the output and twice their own rounding")
    if path is not None:
        print(f"written: {path}")
    return 1 if off else 0
