"""The form of what `python -m pipelines export --all --check` found: whether every row's network can be exported."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from evidence.forms import Finite, Strict

#: What is no form: the network in float32 against itself in double precision.
ROUNDING = "float32"


class Exported(Strict):
    """Hold the largest difference of a form to the network, in shares of its output; fault: why there is none."""

    error: Annotated[Finite, Field(ge=0)] | None
    fault: str = ""


class Exports(Strict):
    """Hold by row its network's forms; same_as: rows whose network is another row's; limit: what counts as equal.

    Two computations of a network, each off by its rounding, may differ by twice that: where it is more than the limit,
    they need agree no better.
    """

    schema_: Literal[1] = Field(alias="schema")
    kind: Literal["exports"]
    limit: Finite
    sizes: list[tuple[int, int, int]]
    rows: dict[str, dict[str, Exported]]
    same_as: dict[str, str]
    code_revision: str
    environment: dict[str, str]

    def off(self) -> dict[tuple[str, str], Exported]:
        """Return by row and form what is off by more than the limit and twice the rounding, or failed."""
        out = {}
        for row, forms in self.rows.items():
            own = forms[ROUNDING].error if ROUNDING in forms else None
            allowed = max(self.limit, 2 * (own or 0.0))
            for form, one in forms.items():
                if form != ROUNDING and (one.error is None or one.error > allowed):
                    out[row, form] = one
        return out
