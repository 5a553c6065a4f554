"""Sound evidence files for tests to write and to break."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from papertally.conventions.axes import madds
from papertally.counting.cost import rules
from papertally.evidence.checksum import seal
from papertally.evidence.fingerprints import parts, read_fingerprint
from papertally.evidence.io import write_json_atomic
from papertally.ledger.load import load_ledger
from report.settings import load_settings

ROOT = Path(__file__).resolve().parent.parent
MICRONET = ROOT / "papers/micronet"
COST = "results/cost/t5_relu.json"
DIGITS = "6b5f11fa1915fbfc86eaf2c66a29b45309845231c8afeb919a5e0c2a1add117c"
#: 10,603,776 MAdds by `plain` and 10,465,792 by `S`, which counts neither the stem's ReLU nor the last one.
TERMS = {"conv": 8_025_024, "head_fc": 1_810_432, "relu@A1": 338_688, "relu@A3": 291_648, "relu@last": 37_632,
         "relu@stem": 100_352}  # fmt: skip


def under(rule: str, terms: Mapping[str, int]) -> int:
    """Return the multiply-adds of terms by name under a convention that MicroNet's ledger names."""
    return madds(terms, load_ledger(MICRONET).conventions.members[rule].counting)


def fresh(root: Path) -> str:
    """Write sound cost evidence of one row for today's fingerprint, and return its name."""
    evidence = {
        "schema": 2, "kind": "cost", "row": "t5_relu", "config": "configs/classification/t5_relu.py",
        "fingerprint": parts(read_fingerprint(root, "t5_relu"), "cost"), "construction": "printed",
        "values": {"params": 1_876_172, "terms": TERMS}, "variants": {}, "notes": [],
        "input_size": [3, 224, 224], "code_revision": "abc", "environment": {"python": "3.11"},
    }  # fmt: skip
    write_json_atomic(root / COST, seal(evidence))
    write_json_atomic(root / "results/cost/rules.json", rules(load_ledger(MICRONET).conventions))
    return COST


def training(root: Path, profile: str = "mini", **values: object) -> str:
    """Write sound evidence of one trained row under today's parameters, and return its name."""
    params = {"train": load_settings(root)[1]["mini/t2_micronet_m0"]}
    name = f"results/{profile}/t2_micronet_m0.json"
    evidence = {
        "schema": 2, "kind": "training", "profile": profile, "row": "t2_micronet_m0", "seed": 0,
        "values": {"top1": 51.0, "top5": 74.0}, "config": "configs/classification/t2_micronet_m0.py",
        "fingerprint": parts(read_fingerprint(root, "t2_micronet_m0"), profile), "params": params,
        "data": {"name": "digits", "pin": DIGITS}, "code_revision": "abc", "environment": {}, "epochs": 3,
        "duration_s": 1.0, "command": "x", **values,
    }  # fmt: skip
    write_json_atomic(root / name, seal(evidence))
    return name
