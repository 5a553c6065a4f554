"""Per-example correctness as evidence: one bit an image, sealed, so that two rows can be compared image by image.

A file holds one run's bits of one column in the order of its test set: 50,000 images are 6,250 bytes, 8.3 KB in base64.
A run's evidence names its files and their seals: results/examples/PROFILE/ROW[.RECIPE][.sSEED].COLUMN.json, of the
small profile without a seed. Of classification alone: average precision and mIoU are no sums over images.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Iterable
from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field, ValidationError

from papertally.evidence.checksum import digest_of, seal
from papertally.evidence.io import EvidenceError, read_json, write_json_atomic
from papertally.evidence.schema import Count, DataPin, ExamplesFile, Sealed, TrainingEvidence
from papertally.ledger.validation_messages import one_line

FOLDER = "examples"
#: Of the largest test sets in use.
MAX_IMAGES = 10_000_000


class Examples(Sealed):
    """Hold which images of a test set one run got right.

    bits: base64 of the bits, the first image the most significant bit of the first byte, padded with zeros; correct:
    how many are set; data: the test set that the order of images is of.
    """

    schema_: Literal[1] = Field(alias="schema")
    kind: Literal["examples"]
    profile: Literal["mini", "proxy", "cifar", "paper"]
    row: str
    seed: int | None
    recipe: str
    column: str
    data: DataPin
    images: Annotated[Count, Field(le=MAX_IMAGES)]
    correct: Annotated[int, Field(ge=0)]
    bits: str

    @property
    def mask(self) -> int:
        """Return the bits as one integer, the first image the most significant bit."""
        return int.from_bytes(base64.b64decode(self.bits), "big") >> (-self.images % 8)

    @property
    def percent(self) -> float:
        """Return the accuracy in percent."""
        return 100 * self.correct / self.images


def example_file(root: Path, profile: str, row: str, seed: int | None, column: str, recipe: str = "") -> Path:
    """Return where a run's bits are filed under the folder of results."""
    name = [] if seed is None or profile == "mini" else [f"s{seed}"]
    parts = [row, *([recipe] if recipe else []), *name, column, "json"]
    return root / FOLDER / profile / ".".join(parts)


def write_examples(
    results: Path,
    correct: Iterable[bool],
    *,
    profile: str,
    row: str,
    seed: int | None,
    column: str,
    data: DataPin,
    recipe: str = "",
) -> ExamplesFile:
    """File which images a run got right, in the test set's own order; returns how the run's evidence names the file.

    correct: one truth value an image (top1: the first prediction is the label; top5: one of five is).
    """
    flags = [bool(c) for c in correct]
    if not flags:
        raise EvidenceError(f"{row}: no image was judged; evaluate on a test set first")
    packed = int("".join("01"[f] for f in flags), 2) << (-len(flags) % 8)
    content = packed.to_bytes((len(flags) + 7) // 8, "big")
    path = example_file(results, profile, row, seed, column, recipe)
    sealed = seal(
        {
            "schema": 1,
            "kind": "examples",
            "profile": profile,
            "row": row,
            "seed": seed,
            "recipe": recipe,
            "column": column,
            "data": data.model_dump(),
            "images": len(flags),
            "correct": sum(flags),
            "bits": base64.b64encode(content).decode("ascii"),
        }
    )
    write_json_atomic(path, sealed)
    return ExamplesFile(file=path.relative_to(results).as_posix(), digest=sealed["digest"])


def read_examples(path: Path, shown: str | None = None) -> Examples:
    """Return a run's bits. Raises EvidenceError with the file, the fault and the mend."""
    shown = shown or path.as_posix()
    again = "evaluate the run anew"
    try:
        data = read_json(path)
        found = Examples.model_validate(data)
    except OSError as error:
        raise EvidenceError(f"{shown}: {error.strerror}; {again}") from None
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(map(str, first["loc"])) or "the file"
        raise EvidenceError(one_line(f"{shown}: {where}: {first['msg']}; {again}")) from None
    except ValueError as error:
        raise EvidenceError(one_line(f"{shown}: corrupt JSON ({error}); {again}")) from None
    if found.digest != digest_of(data):
        raise EvidenceError(f"{shown}: hash mismatch: edited since it was written; {again}")
    try:
        content = base64.b64decode(found.bits, validate=True)
    except (binascii.Error, ValueError):
        raise EvidenceError(f"{shown}: bits: is no base64; {again}") from None
    spare = -found.images % 8
    if len(content) != (found.images + 7) // 8 or (spare and content[-1] & ((1 << spare) - 1)):
        raise EvidenceError(f"{shown}: bits: {len(content)} bytes for {found.images} images; {again}")
    if found.mask.bit_count() != found.correct:
        raise EvidenceError(f"{shown}: correct: {found.correct}, the bits count {found.mask.bit_count()}; {again}")
    return found


def check_run(examples: Examples, run: TrainingEvidence) -> None:
    """Raise EvidenceError where a run's bits are of another run, or do not give the metric that it reports.

    Metrics are kept in floats, so that they may differ in the last digits.
    """
    name = f"{examples.row}.{examples.column}"
    for what in ("profile", "row", "seed", "recipe", "data"):
        if getattr(examples, what) != getattr(run, what):
            raise EvidenceError(f"{name}: the bits are of {what} {getattr(examples, what)!r}, the run is not")
    reported = run.values.get(examples.column)
    if reported is None or abs(reported - examples.percent) > 50 / examples.images:
        raise EvidenceError(
            f"{name}: the bits give {examples.percent:.3f} %, the run reports "
            f"{'nothing' if reported is None else f'{reported:.3f} %'}; evaluate the run anew"
        )


def run_examples(results: Path, run: TrainingEvidence, shown: str) -> dict[str, Examples]:
    """Return the bits that a run's evidence names, by column.

    results: the folder that its files are named from, `shown` for a reader. Raises EvidenceError where one is missing,
    is not the file that was filed with the run, or does not give the metric that the run reports.
    """
    found = {}
    for column, named in run.examples.items():
        examples = read_examples(results / named.file, f"{shown}/{named.file}")
        if examples.digest != named.digest or examples.column != column:
            raise EvidenceError(f"{shown}/{named.file}: is not the file that was filed with the run; restore both")
        check_run(examples, run)
        found[column] = examples
    return found
