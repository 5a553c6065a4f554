"""Pack one shard: images encoded, written as a tar with its index, and stated only when all of it is on disk."""

from __future__ import annotations

import hashlib
import io
import os
import tarfile
import zlib
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np
import torch
import torchvision
from PIL import Image, JpegImagePlugin, features
from torchvision.transforms import v2

from papertally.evidence.io import write_bytes_atomic, write_json_atomic
from pipelines.common import PipelineError
from pipelines.data.folders import why_not
from pipelines.packed.format import RECORD, Parameters, Shard, shard_fault, state_of
from pipelines.packed.jpeg_cut import scan
from registry.inputs.files import shown
from registry.inputs.images import check_pixels

CODECS = {"train": "jpeg", "val": "ppm"}
JPEG = {"format": "JPEG", "optimize": True, "restart_marker_blocks": 1, "comment": b""}


@dataclass(frozen=True)
class Task:
    """Hold what a shard is packed from: paths under the source with labels, and their sha256 where verified.

    there: what a shard that an earlier run finished states of itself.
    """

    source: Path
    out: Path
    split: str
    number: int
    images: list[tuple[str, int]]
    known: list[str] | None
    parameters: Parameters
    key: str
    there: Shard | None = None

    @property
    def name(self) -> str:
        """Return the shard's name under the set's folder."""
        return f"{self.split}/{self.number:05d}"


def libraries() -> dict[str, str]:
    """Return the versions of all that shapes the packed bytes."""
    return {
        "pillow": Image.__version__,
        "libjpeg_turbo": str(features.version("libjpeg_turbo")),
        "numpy": np.__version__,
        "torch": torch.__version__,
        "torchvision": torchvision.__version__,
    }


@cache
def _tables(quality: int) -> int:
    """Return the sum over the quantization tables of a quality: smaller is finer."""
    file = io.BytesIO()
    Image.new("RGB", (16, 16)).save(file, "JPEG", quality=quality)
    file.seek(0)
    return _sum(Image.open(file))


def _sum(image: Image.Image) -> int:
    tables = list(image.quantization.values())
    return sum(tables[0]) + sum(tables[-1])


def _opened(content: bytes) -> Image.Image:
    if not content:
        raise ValueError("is empty")
    image = Image.open(io.BytesIO(content))
    check_pixels(image)
    return image


def encode_train(content: bytes, parameters: Parameters) -> bytes:
    """Return an image file as the packed JPEG. Raises OSError or SyntaxError where it cannot be decoded.

    A 4:2:0 JPEG that needs no resize and is no finer than the quality keeps its quantization tables, which makes
    coding it again nearly lossless.
    """
    image = _opened(content)
    image.load()
    factor = parameters.short_side / min(image.size)
    quality: dict[str, object] = {"quality": parameters.quality, "subsampling": "4:2:0"}
    if factor < 1:
        size = tuple(max(1, round(side * factor)) for side in image.size)
        image = image.convert("RGB").resize(size, Image.Resampling.LANCZOS)
    elif (
        image.format == "JPEG"
        and image.mode == "RGB"
        and JpegImagePlugin.get_sampling(image) == 2
        and _sum(image) >= _tables(parameters.quality)
    ):
        quality = {"quality": "keep"}
    else:
        image = image.convert("RGB")
    file = io.BytesIO()
    image.save(file, **JPEG, **quality)
    return file.getvalue()


def encode_val(content: bytes, parameters: Parameters) -> bytes:
    """Return an image file resized as the recipe's evaluation does, as PPM. Raises OSError or SyntaxError."""
    image = v2.functional.pil_to_tensor(_opened(content).convert("RGB"))
    pixels = v2.functional.resize(image, [parameters.eval_short_side], antialias=True)
    header = f"P6\n{pixels.shape[2]} {pixels.shape[1]}\n255\n".encode()
    return header + pixels.permute(1, 2, 0).contiguous().numpy().tobytes()


def _record(content: bytes, codec: str, label: int, offset: int, mcus: int) -> tuple[tuple, np.ndarray]:
    """Return an image's RECORD and its MCUs' lengths."""
    crc = zlib.crc32(content)
    if codec == "jpeg":
        frame, lengths = scan(content)
        place = (frame.header, frame.sof, frame.height, frame.width, frame.mcu)
    else:
        width, height = map(int, content.split(b"\n", 2)[1].split())
        place, lengths = (len(content) - 3 * width * height, 0, height, width, 0), np.empty(0, np.uint16)
    return (offset, len(content), crc, mcus, label, *place, 0), lengths


def pack_shard(task: Task) -> tuple[Shard, bool]:
    """Pack a shard or keep the one that is there; returns its statement and whether it was kept.

    Raises PipelineError naming an image that cannot be decoded or was altered, or the file that cannot be written.
    """
    base = task.out / task.name
    note = base.with_suffix(".json")
    if task.there and task.there.source == _source_digest(task) and shard_fault(task.out, task.there) is None:
        return task.there, True
    tar = base.with_suffix(".tar")
    partial = tar.with_name(f"{tar.name}.{os.getpid()}.partial")
    note.unlink(missing_ok=True)
    try:
        partial.parent.mkdir(parents=True, exist_ok=True)
        with partial.open("wb") as file:
            records, mcus, lines = _write_tar(task, file)
            file.flush()
            os.fsync(file.fileno())
        os.replace(partial, tar)
    except OSError as error:
        partial.unlink(missing_ok=True)
        raise PipelineError(
            f"{tar}: cannot be written ({error.strerror}); free space or mend permissions, and run again: "
            "finished shards are kept"
        ) from None
    files = {".index": np.array(records, RECORD).tobytes()}
    if CODECS[task.split] == "jpeg":
        files[".mcus"] = np.concatenate(mcus).astype("<u2").tobytes()
    for suffix, content in files.items():
        write_bytes_atomic(base.with_suffix(suffix), content)
    states = {suffix: state_of(base.with_suffix(suffix)) for suffix in (".tar", *files)}
    source = hashlib.sha256("".join([task.key, *lines]).encode("utf-8", "surrogateescape")).hexdigest()
    shard = Shard(name=task.name, images=len(task.images), source=source, files=states)
    write_json_atomic(note, shard.model_dump())
    return shard, False


def _write_tar(task: Task, file: io.BufferedWriter) -> tuple[list[tuple], list[np.ndarray], list[str]]:
    encode = encode_train if task.split == "train" else encode_val
    codec = CODECS[task.split]
    records: list[tuple] = []
    mcus: list[np.ndarray] = []
    lines: list[str] = []
    place = 0
    with tarfile.open(fileobj=file, mode="w", format=tarfile.PAX_FORMAT) as tar:
        for i, (path, label) in enumerate(task.images):
            content, line = _read_source(task, i)
            lines.append(line)
            try:
                packed = encode(content, task.parameters)
            except Exception as error:  # Pillow's decoders raise nearly every kind
                raise PipelineError(f"{shown(task.source / path)}: {why_not(error)}; unpack it anew") from None
            member = tarfile.TarInfo(str(Path(path).with_suffix(Path(path).suffix if codec == "jpeg" else ".ppm")))
            member.size = len(packed)
            tar.addfile(member, io.BytesIO(packed))
            blocks = -(-len(packed) // tarfile.BLOCKSIZE) * tarfile.BLOCKSIZE
            record, lengths = _record(packed, codec, label, tar.offset - blocks, place)
            records.append(record)
            mcus.append(lengths)
            place += len(lengths)
    return records, mcus, lines


def _read_source(task: Task, i: int) -> tuple[bytes, str]:
    """Return a source file's bytes and its 'sha256  path' line."""
    path = task.source / task.images[i][0]
    try:
        content = path.read_bytes()
    except OSError as error:
        raise PipelineError(f"{path}: cannot be read ({error.strerror}); restore the data") from None
    digest = hashlib.sha256(content).hexdigest()
    if task.known is not None and digest != task.known[i]:
        raise PipelineError(f"{path}: altered since it was verified; restore the data")
    return content, f"{digest}  {task.images[i][0]}\n"


def _source_digest(task: Task) -> str:
    """Return what a shard's `source` is today; verified files are not read again."""
    if task.known is not None:
        lines = [f"{sha}  {path}\n" for sha, (path, _) in zip(task.known, task.images, strict=True)]
    else:
        lines = [_read_source(task, i)[1] for i in range(len(task.images))]
    return hashlib.sha256("".join([task.key, *lines]).encode("utf-8", "surrogateescape")).hexdigest()
