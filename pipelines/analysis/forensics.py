"""Stage `forensics`: the smallest edits of a printed architecture that reach its printed totals under some convention.

python -m pipelines forensics          writes results/forensics/

An edit is a stride changed or moved, or one or two cells of one block row set to other values that the same column of
the table prints somewhere. That some succeed proves nothing by itself: how many were tried says how much is chance.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cache
from itertools import combinations, product
from pathlib import Path
from typing import Any

import numpy as np

from papertally.conventions.axes import TermName
from papertally.conventions.vectorized import Truths, counted, holds
from papertally.evidence.checksum import file_computed
from papertally.evidence.forensics import ForensicsEvidence
from papertally.evidence.io import remove_others
from papertally.evidence.provenance import snapshot
from papertally.evidence.read import read_evidence
from papertally.evidence.schema import formed
from papertally.ledger.load import Ledger, load_ledger
from pipelines import arguments
from pipelines.common import MICRONET, ROOT, PipelineError, guard, told
from registry.arch import ARCHS, ArchSpec, BlockSpec
from registry.classification.models import classifier_cost
from registry.cost.count import Cost, conv2d_cost, pool_cost
from registry.micronet import Plan
from registry.ops.attention import AttendedSpec
from registry.ops.shift_max import ShiftMaxSpec, squeeze_width
from registry.pose.archs import POSE_HEADS
from registry.pose.head import HeadBlockPlan, HeadPlan

FOLDER = Path("results/forensics")
J = K = 2  # section 4
#: Edits that succeed are listed, smallest first, up to so many.
LISTED = 40
Size = tuple[int, int]


@dataclass
class Parts:
    """Hold a network's cost apart from its Shift-Max layers, and these as (channels, elements, site, ratio)."""

    cost: Cost = field(default_factory=Cost)
    sites: list[tuple[int, int, str, int]] = field(default_factory=list)

    def add(self, op: Any, size: Size) -> Size:
        """Add one operator on an input of `size`; returns the output's."""
        if isinstance(op, AttendedSpec):
            self.cost += conv2d_cost(op.channels, 1, (1, 1), size, bias=True)
            op = op.activation
        if isinstance(op, ShiftMaxSpec) and op.reduction is not None:
            ratio = op.reduction * (2 if op.site == "A2" else 1) // 8
            self.sites.append((op.channels, op.channels * size[0] * size[1], op.site, ratio))
            self.cost += pool_cost(op.channels, size)
            return size
        cost, out = op.cost(size)
        self.cost += cost
        return out

    def layers(self, reduction: int, k_linear: int) -> Iterator[tuple[str, int, int, int, int]]:
        """Yield every Shift-Max layer's (site, K, elements, weights, biases) at a reduction and a K at linear sites."""
        for channels, elements, site, ratio in self.sites:
            k = k_linear if site in ("A2", "last") else K
            outputs = channels * J * k
            hidden = squeeze_width(channels, reduction * ratio // (2 if site == "A2" else 1))
            yield site, k, elements, channels * hidden + hidden * outputs, hidden + outputs

    def params(self, reduction: int, k_linear: int) -> int:
        """Return the parameters."""
        return self.cost.params + sum(w + b for *_, w, b in self.layers(reduction, k_linear))

    def terms(self, reduction: int, k_linear: int) -> Counter[str]:
        """Return the terms."""
        terms = Counter(self.cost.named())
        for site, k, elements, weights, biases in self.layers(reduction, k_linear):
            terms[str(TermName("shift_max", site, J, k))] += elements
            terms["fc"] += weights
            terms["fc_bias"] += biases
        return terms


def backbone(arch: ArchSpec, size: Size) -> tuple[Parts, Size]:
    """Return a backbone's parts and its last map's size."""
    plan, parts = Plan(arch, None), Parts()
    size = parts.add(plan.stem.relu, parts.add(plan.stem.conv, size))
    for block in plan.blocks:
        for op in block.ops.values():
            size = parts.add(op, size)
    return parts, size


def structures(
    arch: ArchSpec, name: str, axes: Mapping[str, Sequence]
) -> Iterator[tuple[dict[str, Any], int, Callable[[], dict[str, int]]]]:
    """Yield every structure of an architecture with its params and what gives its terms.

    Raises ValueError for an architecture that cannot be built.
    """
    pose = name.startswith("pose")
    parts, out = backbone(arch, (256, 192) if pose else (224, 224))
    if pose:
        for upsample, attention in product(axes["upsample"], axes["attention"]):
            head = _head(replace(arch, blocks=arch.blocks[-1:]), name, upsample, attention, out)
            whole = Parts(parts.cost + head.cost, parts.sites + head.sites)
            for at in product(axes["reduction"], axes["k_linear"]):
                found = {"reduction": at[0], "k_linear": at[1], "upsample": upsample, "attention": attention}
                yield found, whole.params(*at), lambda whole=whole, at=at: dict(whole.terms(*at))
        return
    heads = {h: classifier_cost(arch.blocks[-1].out_channels, h, 1000, out) for h in axes["hidden"]}
    for at in product(axes["reduction"], axes["k_linear"]):
        params = parts.params(*at)
        for hidden, head in heads.items():
            found = {"reduction": at[0], "k_linear": at[1], "hidden": hidden}
            yield found, params + head.params, lambda at=at, head=head: dict(parts.terms(*at) + Counter(head.named()))


@cache
def _head(arch: ArchSpec, name: str, upsample: str, attention: bool, size: Size) -> Parts:
    """Return the parts of a pose head on what the last block of `arch` puts out at `size`."""
    head, parts = HeadPlan(arch, replace(POSE_HEADS[name], upsample=upsample, attention=attention)), Parts()
    for block in head.blocks:
        size = _head_block(parts, block, size)
    parts.cost += conv2d_cost(head.out_channels, 17, (1, 1), size, bias=True)
    return parts


def _head_block(parts: Parts, block: HeadBlockPlan, size: Size) -> Size:
    larger = (size[0] * block.factor, size[1] * block.factor)
    now = larger if block.upsample == "input" else size
    for name, op in block.block.ops.items():
        if name == "expand" and block.upsample == "squeeze":
            now = larger
        now = parts.add(op, now)
    return larger


# edits


def _numbers(ledger: Ledger, table: str) -> dict[str, list[int]]:
    """Return by column of an architecture table every number that it prints, of all models."""
    raw = ledger.tables[table].architecture
    assert raw is not None
    out: dict[str, set[int]] = {"kernel": set(), "channels": set(), "squeeze": set(), "g1": set(), "g2": set()}
    for line in raw.rows:
        for model in raw.models:
            cells = line.cells(model)
            if cells and cells[0].startswith("Micro"):
                groups = [p.strip() for p in cells[4].strip("()").split(",")]
                for key, text in zip(out, (*cells[1:4], *groups), strict=True):
                    if text != "-":
                        out[key].add(int(text))
    return {key: sorted(found) for key, found in out.items()}


def _cells(block: BlockSpec) -> dict[str, int]:
    g1, g2 = block.groups
    found = {"kernel": block.kernel, "channels": block.channels, "squeeze": block.squeeze, "g1": g1}
    return found if g2 is None else {**found, "g2": g2}


def _changed(block: BlockSpec, values: Mapping[str, int]) -> BlockSpec:
    found = {**_cells(block), **values}
    groups = (found.pop("g1"), found.pop("g2", None))
    return replace(block, groups=groups, **found)


NAMES = {"kernel": "k", "channels": "C", "squeeze": "C/R", "g1": "G1", "g2": "G2"}
KINDS = ("none", "one stride", "one cell", "two cells of a row")


def edits(arch: ArchSpec, numbers: Mapping[str, Sequence[int]]) -> Iterator[tuple[str, list[str], ArchSpec]]:
    """Yield (kind, what is changed, the edited architecture), smallest first; an architecture may be unbuildable."""
    yield KINDS[0], [], arch

    def with_blocks(changed: Mapping[int, BlockSpec]) -> ArchSpec:
        return replace(arch, blocks=tuple(changed.get(i, b) for i, b in enumerate(arch.blocks)))

    def flipped(i: int) -> BlockSpec:
        return replace(arch.blocks[i], stride=3 - arch.blocks[i].stride)

    for i in range(len(arch.blocks)):
        to = 3 - arch.blocks[i].stride
        yield KINDS[1], [f"block {i + 1}: stride {arch.blocks[i].stride} -> {to}"], with_blocks({i: flipped(i)})
    strided = [i for i, b in enumerate(arch.blocks) if b.stride == 2]
    for i, j in product(strided, [i for i in range(len(arch.blocks)) if i not in strided]):
        words = [f"the stride of block {i + 1} moves to block {j + 1}"]
        yield KINDS[1], words, with_blocks({i: flipped(i), j: flipped(j)})
    for count in (1, 2):
        for i, block in enumerate(arch.blocks):
            own = _cells(block)
            for keys in combinations(own, count):
                for values in product(*([n for n in numbers[key] if n != own[key]] for key in keys)):
                    words = [f"block {i + 1}: {NAMES[k]} {own[k]} -> {v}" for k, v in zip(keys, values, strict=True)]
                    try:
                        changed = with_blocks({i: _changed(block, dict(zip(keys, values, strict=True)))})
                    except ValueError:
                        continue
                    yield KINDS[1 + count], words, changed


@dataclass(frozen=True)
class Case:
    """Name a search: the row whose totals are wanted, its architecture, the axes that are open."""

    name: str
    row: str
    arch: str
    table: str
    axes: tuple[str, ...]


CASES = (
    Case("m2", "t2_micronet_m2", "m2", "1", ("reduction", "k_linear", "hidden")),
    Case("m3", "t2_micronet_m3", "m3", "1", ("reduction", "k_linear", "hidden")),
    Case("pose_m2", "t8_micronet_m2", "pose_m2_printed", "10", ("reduction", "k_linear", "upsample", "attention")),
)
#: Table 9's row on the same backbone: it holds the backbone without the classifier, so costs no fewer parameters.
SEGMENTED = {"m2": "t9_micronet_m2", "m3": "t9_micronet_m3"}


def against(ledger: Ledger, case: Case, params: int, structure: Mapping[str, Any], arch: ArchSpec) -> str:
    """Return what another table says against an edit, or "": Table 9's total is at least the backbone's."""
    row = SEGMENTED.get(case.name)
    if row is None:
        return ""
    head = classifier_cost(arch.blocks[-1].out_channels, structure["hidden"], 1000, (7, 7)).params
    printed = ledger.cell(row, "params")
    if params - head < printed.interval.high:
        return ""
    return f"Table 9 prints {printed.printed} for all of {row}, the backbone alone has {(params - head) / 1e6:.2f}M"


def admissible(ledger: Ledger, evidence: Any) -> tuple[Truths, str]:
    """Return the conventions of counting that give the released networks' MAdds, which Table 1 prints too."""
    found = np.ones(ledger.conventions.sizes, dtype=bool)
    rows = ("t2_micronet_m0", "t2_micronet_m1")
    for row in rows:
        if row not in evidence.cost:
            raise PipelineError(f"results/cost/{row}.json: no cost that counts; run `python -m pipelines cost` first")
        terms = evidence.cost[row].values.terms
        found &= holds(counted(terms, ledger.conventions), ledger.cell(row, "madds").interval)
    return found, f"those that give {' and '.join(rows)} as printed, with the released code's structure"


def search(case: Case, ledger: Ledger, evidence: Any) -> dict[str, Any]:
    """Return one search's findings, without seal and provenance."""
    conventions = ledger.conventions
    pose = case.table == "10"
    mask, reason = admissible(ledger, evidence)
    if pose:
        mask, reason = np.ones_like(mask), "all: the tables of keypoints share no network with released code"
    wanted = {c: ledger.cell(case.row, c).interval for c in ("params", "madds")}
    axes = {a: list(conventions.axis(a).values) for a in case.axes}
    sizes = {kind: Counter() for kind in KINDS}
    found: list[dict[str, Any]] = []
    for kind, words, arch in edits(ARCHS[case.arch], _numbers(ledger, case.table)):
        sizes[kind]["tried"] += 1
        hits: list[tuple[int, dict, int]] = []
        try:
            for structure, params, terms in structures(arch, case.arch, axes):
                if params in wanted["params"]:
                    n = int((holds(counted(terms(), conventions), wanted["madds"]) & mask).sum())
                    if n:
                        hits.append((n, structure, params))
        except ValueError:  # groups that do not divide, a Micro-A that its input does not make
            continue
        sizes[kind]["built"] += 1
        if not hits:
            continue
        sizes[kind]["reached"] += 1
        said = [against(ledger, case, params, structure, arch) for _, structure, params in hits]
        sizes[kind]["uncontradicted"] += "" in said
        best = max(zip(hits, said, strict=True), key=lambda h: (h[1] == "", h[0][0]))
        found.append(
            {
                "kind": kind,
                "changes": words,
                "structure": best[0][1],
                "params": best[0][2],
                "conventions": sum(n for n, _, _ in hits),
                "against": best[1],
            }
        )
    order = {kind: i for i, kind in enumerate(KINDS)}
    found.sort(key=lambda e: (e["against"] != "", order[e["kind"]], -e["conventions"], e["changes"]))
    return {
        "schema": 1,
        "kind": "forensics",
        "row": case.row,
        "params": ledger.cell(case.row, "params").printed,
        "madds": ledger.cell(case.row, "madds").printed,
        "structures": int(np.prod([len(v) for v in axes.values()])),
        "admissible": int(mask.sum()),
        "reason": reason,
        "sizes": [
            {"kind": k, **{n: c[n] for n in ("tried", "built", "reached", "uncontradicted")}} for k, c in sizes.items()
        ],
        "edits": found[:LISTED],
    }


def main(argv: list[str] | None = None) -> int:
    """Write results/forensics/."""
    arguments.forensics().parse_args(argv)
    ledger, evidence, where = load_ledger(ROOT / MICRONET), read_evidence(ROOT), snapshot(ROOT)
    found = {c.name: formed(ForensicsEvidence, {**search(c, ledger, evidence), **where}) for c in CASES}
    new = [name for name, of in found.items() if file_computed(ROOT / FOLDER / f"{name}.json", of)]
    gone = remove_others(ROOT / FOLDER, {case.name for case in CASES})
    print(f"{FOLDER.as_posix()}: {len(CASES)} searches; {told(new, gone)}")
    return 0


if __name__ == "__main__":
    raise SystemExit(guard(main))
