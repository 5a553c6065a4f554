"""What a row's results depend on: one file a row in fingerprints/, written by `python -m pipelines fingerprint`."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import Field

from papertally.evidence.checksum import digest
from papertally.evidence.io import EvidenceError
from papertally.evidence.schema import Strict, read_form

#: Where a project keeps its fingerprints.
FINGERPRINTS = Path("fingerprints")
MEND = "run `python -m pipelines fingerprint`"
Sha256 = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]


class Parts(Strict):
    """Hold the parts that a recipe decides."""

    model: Sha256
    recipe: Sha256
    probe: list[str]


class Fingerprint(Parts):
    """Hold what a row's results depend on.

    model: sha256 of the network's structure. recipe: sha256 of the resolved config. probe: two losses of the network
    on fixed numbers, six digits. stated: sha256 of the config's variants, notes and construction, which costs state.
    protocol: a number raised by hand for what none of these sees. recipes: the first three under each further recipe
    that the row has (pipelines/analysis/overlays.py).
    """

    stated: Sha256
    protocol: int
    recipes: dict[str, Parts] = {}


class RowFingerprint(Fingerprint):
    """Hold a row's fingerprint as its file has it."""

    schema_: Literal[1] = Field(alias="schema")
    kind: Literal["fingerprint"]
    row: str


#: What each kind of result depends on. The two of CIFAR-10 have recipes of their own; released weights too.
PARTS: Mapping[str, tuple[str, ...]] = {
    "cost": ("model", "stated"),
    "mini": ("model", "recipe", "probe", "protocol"),
    "proxy": ("model", "probe", "protocol"),
    "cifar": ("model", "probe", "protocol"),
    "paper": ("model", "recipe", "probe", "protocol"),
    "released": ("model", "probe", "protocol"),
}
WORDS = {
    "model": "its network",
    "recipe": "its recipe",
    "probe": "what its network computes",
    "stated": "its variants or notes",
    "protocol": "the protocol",
}


def read_fingerprint(root: Path, row: str, folder: Path = FINGERPRINTS) -> RowFingerprint:
    """Return a row's fingerprint; folder: of the fingerprints, from the root on.

    Raises EvidenceError naming the file and the mend.
    """
    shown = (folder / f"{row}.json").as_posix()
    if not (root / shown).exists():
        raise EvidenceError(f"{shown}: missing; {MEND}")
    try:
        found = read_form(root / shown, shown, RowFingerprint)
    except EvidenceError as error:
        raise EvidenceError(f"{error}; {MEND}") from None
    if found.row != row:
        raise EvidenceError(f"{shown}: is of row {found.row!r}; {MEND}")
    return found


def parts(found: Fingerprint, kind: str, recipe: str = "") -> dict[str, Any]:
    """Return the parts of a fingerprint that a kind of result (a profile, cost, released) by a recipe depends on.

    A recipe that the row does not have depends on its own config's.
    """
    of = found.recipes.get(recipe)
    return {name: getattr(of if of and name in Parts.model_fields else found, name) for name in PARTS[kind]}


def network_parts(network: str, size: Sequence[int] | None, others: Sequence[Sequence[int]] = ()) -> dict[str, str]:
    """Return what the cost of a network that a ledger names depends on: its name and the inputs stated for it.

    others: those of columns that state their own.
    """
    more = [[list(other) for other in others]] if others else []
    return {"network": digest([network, list(size) if size else None, *more])}


def differing(before: Mapping[str, Any], now: Mapping[str, Any]) -> list[str]:
    """Return in words which parts differ."""
    names: Iterable[str] = (name for name in WORDS if before.get(name) != now.get(name))
    return [WORDS[name] for name in names]
