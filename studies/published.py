"""Say how the costs that timm and torchvision publish were counted: the convention search over their own numbers.

python -m studies.published [--out results/published.json]

timm's are facts of its benchmark files, GMACs and million parameters to two digits, with their source in
studies/published.json; torchvision's stand in its weights' metadata. Every network is counted at the published input.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import torch
from torchvision import models

from papertally.conventions.axes import any_paper
from papertally.conventions.search import Cost, Printed, Search, search, words
from papertally.counting.names import measure
from papertally.evidence.io import read_json, write_json_atomic
from papertally.evidence.provenance import snapshot
from papertally.quantities.printed import parse_printed
from pipelines.common import ROOT, PipelineError, guard

FACTS = Path(__file__).with_suffix(".json")
RESULTS = Path("results/published.json")
Row = tuple[str, tuple[int, ...], str, str]  # network, input, params, multiply-adds; both as printed


def of_timm() -> Iterator[Row]:
    """Yield what timm's benchmark prints."""
    for name, side, params, gmacs in read_json(FACTS)["rows"]:
        yield f"timm:{name}", (3, side, side), f"{params}M", f"{gmacs}G"


def of_torchvision() -> Iterator[Row]:
    """Yield what the metadata of torchvision's classification weights print, of each network's first."""
    for name in models.list_models(module=models):
        weights = next(iter(models.get_model_weights(name)))
        if "_ops" in weights.meta:
            crop = weights.transforms.keywords["crop_size"]
            yield (
                f"torchvision:{name}",
                (3, crop, crop),
                str(weights.meta["num_params"]),
                f"{weights.meta['_ops']:.3f}G",
            )


def explain(rows: list[Row]) -> dict[str, Any]:
    """Return what conventions make of published params and multiply-adds, and the networks that cannot be counted."""
    known, failed = [], {}
    for row in rows:
        try:
            counted = measure(row[0], row[1]).counted
        except PipelineError as error:
            failed[row[0]] = str(error)
            continue
        if counted.unknown:
            failed[row[0]] = f"operators that no rule counts: {', '.join(counted.unknown)}"
        else:
            known.append((row, Cost(counted.params, counted.parts, counted.terms)))
    out: dict[str, Any] = {"networks": len(known), "failed": failed}
    for column, at, power in (("params", 2, 2), ("madds", 3, 3)):
        cells = [Printed(row[0], parse_printed(row[at]), power if row[at][-1].isalpha() else 0) for row, _ in known]
        found = search(column, cells, [cost for _, cost in known], any_paper())
        printed = {row[0]: row[at] for row, _ in known}
        out[column] = told(found, printed)
    return out


def told(found: Search, printed: dict[str, str]) -> dict[str, Any]:
    """Return a search's answer as data."""
    given = set(found.given(found.simplest))
    return {
        "given": found.best,
        "of": len(found.cells),
        "conventions_that_tie": found.ties,
        "conventions": found.conventions,
        "chance": found.chance,
        "simplest": words(found.convention(found.simplest), found.column),
        "shared": words(found.shared),
        "not_given": {
            cell.name: [printed[cell.name], found.value(i, found.simplest)]
            for i, cell in enumerate(found.cells)
            if cell.name not in given
        },
    }


def main(argv: list[str] | None = None) -> int:
    """Write results/published.json and print the answers."""
    parser = argparse.ArgumentParser(prog="python -m studies.published", description=__doc__.splitlines()[0])
    parser.add_argument("--out", type=Path, default=ROOT / RESULTS, help=f"default {RESULTS}")
    args = parser.parse_args(argv)
    where = snapshot(ROOT)
    torch.manual_seed(0)
    found = {"timm": explain(list(of_timm())), "torchvision": explain(list(of_torchvision()))}
    source = read_json(FACTS)["source"]
    write_json_atomic(args.out, {"schema": 1, "kind": "published", **where, "timm_source": source, **found})
    for library, answer in found.items():
        for column in ("params", "madds"):
            a = answer[column]
            print(
                f"{library}, {column}: {a['simplest']} gives {a['given']} of {a['of']} (random numbers "
                f"{a['chance']:.1f}); {a['conventions_that_tie']} of {a['conventions']} conventions tie"
            )
            print(f"  not given: {json.dumps(a['not_given'])}")
    return 0


if __name__ == "__main__":
    raise SystemExit(guard(main))
