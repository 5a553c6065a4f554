"""Numbers of training as a settings file may hold them: each with its bounds and, where it fails, the mend."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Annotated

from pydantic import AfterValidator, Field

from papertally.ledger.schema import Text

#: Each epoch's seed is the run's times 10,007 plus the epoch, and numpy's end at 2**32 (pipelines.training.hooks).
MAX_SEED = 400_000


def _sha256(text: str) -> str:
    if not re.fullmatch(r"[0-9a-f]{64}", text):
        raise ValueError("is no sha256; write its 64 hexadecimal digits, 0-9 and a-f")
    return text


def _multiple_of_32(size: int) -> int:
    if size % 32:
        raise ValueError(f"{size} is no multiple of 32, by which networks shrink images; write {-(-size // 32) * 32}")
    return size


def _distinct(seeds: list[int]) -> list[int]:
    if twice := [seed for i, seed in enumerate(seeds) if seed in seeds[:i]]:
        raise ValueError(f"seed {twice[0]} stands twice; keep one")
    return seeds


def _relative(text: str) -> str:
    if text != text.strip() or "\0" in text or Path(text).is_absolute() or ".." in Path(text).parts:
        raise ValueError("is no folder of this repository; write a path relative to it")
    return text


Pin = Annotated[str, AfterValidator(_sha256)]
Folder = Annotated[Text, AfterValidator(_relative)]
Name = Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]*$")]
Positive = Annotated[float, Field(gt=0, allow_inf_nan=False)]
Images = Annotated[int, Field(ge=1, le=1_000_000)]
Classes = Annotated[int, Field(ge=2, le=100_000)]
#: Batch statistics of the pooled features need two images.
BatchSize = Annotated[int, Field(ge=2, le=65_536)]
Epochs = Annotated[int, Field(ge=1, le=100_000)]
Seed = Annotated[int, Field(ge=0, le=MAX_SEED)]
Seeds = Annotated[list[Seed], Field(min_length=1), AfterValidator(_distinct)]
Threads = Annotated[int, Field(ge=1, le=1024)]
WeightDecay = Annotated[float, Field(ge=0, lt=1, allow_inf_nan=False)]
ImageSize = Annotated[int, Field(ge=8, le=4096)]
Side = Annotated[int, Field(ge=32, le=8192)]
InputSize = Annotated[list[Side], Field(min_length=2, max_length=2)]
#: Heatmaps, a quarter of the image, must be what the head makes of features at stride 32.
EvenSize = Annotated[list[Annotated[Side, AfterValidator(_multiple_of_32)]], Field(min_length=2, max_length=2)]
