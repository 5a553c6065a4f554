"""The form of what a figure of the paper is drawn from: curves, or rows of matrices."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, field_validator

from papertally.evidence.schema import Sealed, Strict
from papertally.ledger.schema import Text

#: A number that can be drawn: far beyond these no scale tells anything.
Drawable = Annotated[float, Field(allow_inf_nan=False, ge=-1e15, le=1e15)]
Point = tuple[Drawable, Drawable]


class CurveSeries(Strict):
    """Hold a formula's line and the points that were counted."""

    name: Text
    line: list[Point] = Field(min_length=1)
    points: list[Point]


class Mark(Strict):
    """Hold a named point."""

    x: Drawable
    y: Drawable
    name: Text


class Panel(Strict):
    """Hold a matrix in groups x groups blocks with their ranks (None: not taken)."""

    name: Text
    groups: Annotated[int, Field(gt=0)]
    values: list[list[Drawable]] = Field(min_length=1)
    ranks: list[list[int]] | None

    @field_validator("values")
    @classmethod
    def _rectangular(cls, values: list[list[float]]) -> list[list[float]]:
        if not values[0] or len({len(row) for row in values}) != 1:
            raise ValueError("is no rectangle")
        return values


class PanelRow(Strict):
    """Hold matrices that stand side by side."""

    name: Text
    panels: list[Panel] = Field(min_length=1)


class FigureEvidence(Sealed):
    """Hold what pipelines.analysis.figures computed for one figure: curves, or rows of matrices."""

    schema_: Literal[1] = Field(alias="schema")
    kind: Literal["figure"]
    figure: Text
    form: Literal["curves", "matrices"]
    title: Text
    caption: Text
    x: str = ""
    y: str = ""
    series: list[CurveSeries] = []
    mark: Mark | None = None
    rows: list[PanelRow] = []
    code_revision: str
    environment: dict[str, str]
