"""The form of what `python -m pipelines export --all --check` found: whether every row's network can be exported."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from papertally.evidence.schema import Finite, Strict

#: What is no form: the network in float32 against itself in double precision.
ROUNDING = "float32"


class Exported(Strict):
    """Hold the largest difference of a form to the network, in shares of its output; fault: why there is none.

    rounding: its difference to the network in double precision.
    """

    error: Annotated[Finite, Field(ge=0)] | None
    rounding: Annotated[Finite, Field(ge=0)] | None = None
    fault: str = ""


class Exports(Strict):
    """Hold by row its network's forms; same_as: rows whose network is another row's; limit: what counts as equal.

    Two computations of a network, each off by its own rounding, may differ by more than the limit though both are
    right: a form that is about as near to double precision as the network itself is equal to it, too.
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
        """Return by row and form what failed, or is off by more than the limit and twice the network's own rounding."""
        out = {}
        for row, forms in self.rows.items():
            own = forms[ROUNDING].error if ROUNDING in forms else None
            for form, one in forms.items():
                near = own is not None and one.rounding is not None and one.rounding <= 2 * own
                if form != ROUNDING and (one.error is None or (one.error > self.limit and not near)):
                    out[row, form] = one
        return out
