"""The form of what forensics finds: the smallest edits of a printed architecture that reach its printed totals."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field

from papertally.evidence.io import listed
from papertally.evidence.schema import Choice, Sealed, Strict, read_form

Number = Annotated[int, Field(ge=0)]


class EditSize(Strict):
    """Count edits of one kind: tried, buildable, reaching both totals, and of these not against another table."""

    kind: str
    tried: Number
    built: Number
    reached: Number
    uncontradicted: Number


class Edit(Strict):
    """Hold an edit that reaches the printed totals under `conventions` ways of counting, with one structure of these.

    against: what another table says against it, "" for nothing.
    """

    kind: str
    changes: list[str]
    structure: dict[str, Choice]
    params: Number
    conventions: Number
    against: str


class Search(Strict):
    """Hold a search for the smallest edits of an architecture that reach its printed totals.

    admissible: the conventions of counting that were tried, reason: why these.
    """

    row: str
    params: str
    madds: str
    structures: Number
    admissible: Number
    reason: str
    sizes: list[EditSize]
    edits: list[Edit]

    def search(self) -> Search:
        """Return the search without what its file says of itself."""
        return Search.model_validate(self.model_dump(include=set(Search.model_fields)))


class ForensicsEvidence(Search, Sealed):
    """Hold one network's search as filed."""

    schema_: Literal[1] = Field(alias="schema")
    kind: Literal["forensics"]
    code_revision: str
    environment: dict[str, str]


def read_forensics(root: Path, results: Path) -> list[ForensicsEvidence]:
    """Return the filed searches by name. Raises EvidenceError naming a corrupt one."""
    return [
        read_form(path, path.relative_to(root).as_posix(), ForensicsEvidence) for path in listed(results / "forensics")
    ]
