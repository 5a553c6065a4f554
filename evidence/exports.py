"""The form of what `python -m pipelines export --all --check` found: whether every row's network can be exported."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from evidence.forms import Finite, Strict


class Exported(Strict):
    """Hold the largest difference of a form to the network, in shares of its output; fault: why there is none."""

    error: Annotated[Finite, Field(ge=0)] | None
    fault: str = ""


class Exports(Strict):
    """Hold by row its network's forms; same_as: rows whose network is another row's; limit: what counts as equal."""

    schema_: Literal[1] = Field(alias="schema")
    kind: Literal["exports"]
    limit: Finite
    sizes: list[tuple[int, int, int]]
    rows: dict[str, dict[str, Exported]]
    same_as: dict[str, str]
    code_revision: str
    environment: dict[str, str]
