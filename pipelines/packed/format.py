"""The packed set's form on disk: tar shards with an index beside each, a manifest over all, and their checks.

ROOT/manifest.json            what was packed, how, by which libraries; every file's size and sha256. Written last.
ROOT/SPLIT/00000.tar          images as SPLIT/CLASS/NAME, in ImageFolder's order; `tar x` makes an image folder of them
ROOT/SPLIT/00000.index        one RECORD an image
ROOT/SPLIT/00000.mcus         of JPEGs: every MCU's length in bytes, uint16 (pipelines.packed.jpeg_cut)
"""

from __future__ import annotations

import hashlib
import json
import random
import tarfile
import zlib
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from pydantic import Field
from tqdm import tqdm

from papertally.evidence.io import EvidenceError
from papertally.evidence.schema import Count, Strict, read_form
from pipelines.common import PipelineError
from pipelines.packed.jpeg_cut import Frame

MANIFEST = "manifest.json"
SPLITS = ("train", "val")
SAMPLED = 256
#: An image's place in its tar, its label, its size, where its header ends and its frame header starts, its MCUs' place.
RECORD = np.dtype(
    [
        ("offset", "<u8"),
        ("size", "<u4"),
        ("crc", "<u4"),
        ("mcus", "<u4"),
        ("label", "<u4"),
        ("header", "<u2"),
        ("sof", "<u2"),
        ("height", "<u2"),
        ("width", "<u2"),
        ("mcu", "<u2"),
        ("spare", "<u2"),
    ]
)
Digest = Annotated[str, Field(pattern="^[0-9a-f]{64}$")]
MEND = "run `python -m pipelines pack` again: it keeps what is whole and packs the rest anew"


class Record(NamedTuple):
    """Hold an image's RECORD."""

    offset: int
    size: int
    crc: int
    mcus: int
    label: int
    header: int
    sof: int
    height: int
    width: int
    mcu: int
    spare: int

    @property
    def frame(self) -> Frame:
        """Return a JPEG's frame."""
        return Frame(self.header, self.sof, self.height, self.width, self.mcu)


class FileState(Strict):
    """State a file's size in bytes and its sha256."""

    size: Annotated[int, Field(ge=0)]
    sha256: Digest


class Shard(Strict):
    """State a shard's files by suffix, and the sha256 over its source's 'sha256  path' lines."""

    name: str
    images: Count
    source: Digest
    files: dict[str, FileState]


class Parameters(Strict):
    """State how images are packed: sides in pixels, JPEG quality, images a shard."""

    short_side: Annotated[int, Field(ge=8, le=4096)]
    quality: Annotated[int, Field(ge=1, le=100)]
    eval_short_side: Annotated[int, Field(ge=8, le=4096)]
    shard_images: Count


class Split(Strict):
    """State a split's codec and shards."""

    codec: Literal["jpeg", "ppm"]
    images: Count
    shards: list[Shard]


class Source(Strict):
    """Name what was packed: the verified manifest's sha256, or the sha256 over the shards' sources."""

    name: str
    sha256: Digest
    verified: bool


class Manifest(Strict):
    """State a packed set."""

    schema_: Literal[1] = Field(alias="schema")
    kind: Literal["packed"]
    source: Source
    classes: Annotated[list[str], Field(min_length=1)]
    parameters: Parameters
    libraries: dict[str, str]
    splits: dict[Literal["train", "val"], Split]


def is_packed(root: Path) -> bool:
    """Tell whether a folder is a packed set, by its manifest."""
    return (root / MANIFEST).is_file()


def read_manifest(root: Path) -> Manifest:
    """Return a packed set's manifest. Raises PipelineError naming it where it is missing or malformed."""
    path = root / MANIFEST
    if not path.is_file():
        raise PipelineError(f"{root}: holds no {MANIFEST}, so no whole packed set; run `python -m pipelines pack`")
    try:
        found = read_form(path, str(path), Manifest)
    except EvidenceError as error:
        raise PipelineError(f"{error}; {MEND}") from None
    for name, split in found.splits.items():
        counts = [s.images for s in split.shards]
        if sum(counts) != split.images or any(n != found.parameters.shard_images for n in counts[:-1]):
            raise PipelineError(f"{path}: splits.{name}: its shards do not add up to its images; {MEND}")
    return found


def identity(root: Path) -> str:
    """Return the sha256 of the manifest, which names every byte of the set."""
    return hashlib.sha256((root / MANIFEST).read_bytes()).hexdigest()


def check_files(root: Path, manifest: Manifest, splits: tuple[str, ...] = SPLITS) -> None:
    """Compare the size of every file with the manifest. Raises PipelineError naming the first that differs."""
    for split in splits:
        if split not in manifest.splits:
            raise PipelineError(f"{root / MANIFEST}: holds no split {split!r}; {MEND}")
        for shard in manifest.splits[split].shards:
            for suffix, state in shard.files.items():
                path = root / f"{shard.name}{suffix}"
                size = path.stat().st_size if path.is_file() else None
                if size != state.size:
                    what = "is missing" if size is None else f"has {size} bytes, not {state.size}"
                    raise PipelineError(f"{path}: {what}; {MEND}")


def check_sample(root: Path, manifest: Manifest, sampled: int = SAMPLED) -> None:
    """Compare a fixed sample of images with their checksums. Raises PipelineError naming the first that differs."""
    for name, split in manifest.splits.items():
        images = Images(root, name, manifest)
        for i in sorted(random.Random(0).sample(range(split.images), min(sampled, split.images))):
            record, data, _ = images[i]
            if len(data) != record.size or zlib.crc32(data) != record.crc:
                raise PipelineError(f"{images.where(i)}: altered since it was packed; {MEND}")


def verify(root: Path) -> Manifest:
    """Compare every file's sha256 with the manifest and return it. Raises PipelineError naming the first at fault."""
    manifest = read_manifest(root)
    check_files(root, manifest, tuple(manifest.splits))
    shards = [shard for split in manifest.splits.values() for shard in split.shards]
    for shard in tqdm(shards, unit="shard", disable=None):
        if fault := shard_fault(root, shard):
            raise PipelineError(f"{fault}: altered since it was packed; {MEND}")
    return manifest


def shard_fault(root: Path, shard: Shard) -> Path | None:
    """Return the first file of a shard that is not as stated, or None."""
    for suffix, state in shard.files.items():
        path = root / f"{shard.name}{suffix}"
        if not path.is_file() or path.stat().st_size != state.size or state_of(path).sha256 != state.sha256:
            return path
    return None


def state_of(path: Path) -> FileState:
    """Return a file's size and sha256."""
    with path.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    return FileState(size=path.stat().st_size, sha256=digest)


def read_shard(path: Path) -> Shard | None:
    """Return what a finished shard's own note states, or None where it is absent or broken."""
    try:
        return Shard.model_validate(json.loads(path.read_text("utf-8")))
    except (OSError, ValueError):
        return None


@dataclass
class _Maps:
    tar: NDArray[np.uint8]
    index: NDArray[np.void]
    mcus: NDArray[np.uint16]


def _map(path: Path, dtype: np.dtype) -> NDArray:
    """Return a file as a memory map that holds no file open: a large set has more files than a process may open."""
    try:
        content = torch.from_file(str(path), shared=False, size=path.stat().st_size, dtype=torch.uint8).numpy()
        content.setflags(write=False)
        return content.view(dtype)
    except (OSError, RuntimeError, ValueError) as error:
        raise PipelineError(f"{path}: cannot be mapped ({str(error).splitlines()[0]}); {MEND}") from None


class Images:
    """Read a split's images from memory maps, which open at first use in each process; pickles without them."""

    def __init__(self, root: Path, split: str, manifest: Manifest) -> None:
        self.root, self.split = root, split
        self.shards = [s.name for s in manifest.splits[split].shards]
        self.count = manifest.splits[split].images
        self.per_shard = manifest.parameters.shard_images
        self.codec = manifest.splits[split].codec
        self._open: dict[int, _Maps] = {}

    def __getstate__(self) -> dict:
        return {**self.__dict__, "_open": {}}

    def __len__(self) -> int:
        return self.count

    def _maps(self, shard: int) -> _Maps:
        if shard not in self._open:
            base = self.root / self.shards[shard]
            mcus = _map(base.with_suffix(".mcus"), np.dtype("<u2")) if self.codec == "jpeg" else np.empty(0, "<u2")
            tar, index = _map(base.with_suffix(".tar"), np.dtype("u1")), _map(base.with_suffix(".index"), RECORD)
            self._open[shard] = _Maps(tar, index, mcus)
        return self._open[shard]

    def __getitem__(self, i: int) -> tuple[Record, NDArray[np.uint8], NDArray[np.uint16]]:
        """Return image i's record, its file's bytes and its MCUs' lengths, all views of the maps."""
        shard, at = divmod(i, self.per_shard)
        maps = self._maps(shard)
        record = Record(*maps.index[at].item())
        mcus = record.frame.rows * record.frame.columns if record.mcu else 0
        data = maps.tar[record.offset : record.offset + record.size]
        return record, data, maps.mcus[record.mcus : record.mcus + mcus]

    def labels(self) -> NDArray[np.uint32]:
        """Return all labels, in order."""
        return np.concatenate([self._maps(s).index["label"] for s in range(len(self.shards))])

    def where(self, i: int) -> str:
        """Return image i's tar and its name there, for messages."""
        shard, at = divmod(i, self.per_shard)
        path = self.root / f"{self.shards[shard]}.tar"
        try:
            offset = int(self._maps(shard).index[at]["offset"])
            header = self._maps(shard).tar[offset - tarfile.BLOCKSIZE : offset].tobytes()
            return f"{path}: {tarfile.TarInfo.frombuf(header, 'utf-8', 'surrogateescape').name}"
        except (tarfile.TarError, ValueError, IndexError):
            return f"{path}: image {at}"
