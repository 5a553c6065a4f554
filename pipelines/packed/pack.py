"""Stage `pack`: turn an image folder into a compact, checksummed set that is read through memory maps.

python -m pipelines pack [--source data/imagenet] [--out data/imagenet_packed] [--jobs N]
python -m pipelines pack --verify data/imagenet_packed      # compare every file with the manifest

train: JPEGs whose short side is at most --short-side (larger ones are resized once, Lanczos), 4:2:0, with restart
markers, so that a crop is decoded alone (pipelines.packed.jpeg_cut). val: the recipe's own resize (short side 256 for
crops of 224), kept without loss, so that evaluation sees the folder's pixels. The same input gives the same bytes,
whatever the jobs and the kills: finished shards are kept, and nothing else is ever taken as whole.
"""

from __future__ import annotations

import dataclasses
import hashlib
import multiprocessing
import os
import re
import sys
import threading
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from pathlib import Path

import torch
from filelock import FileLock, Timeout
from tqdm import tqdm

from papertally.evidence.io import write_json_atomic
from pipelines import arguments
from pipelines.common import ROOT, PipelineError, guard
from pipelines.data import imagenet
from pipelines.data.folders import ImageFolder, data_root
from pipelines.data.verify import check_imagenet, manifest_path, read_listing
from pipelines.packed.format import (
    MANIFEST,
    SPLITS,
    Manifest,
    Parameters,
    Shard,
    Source,
    Split,
    is_packed,
    read_manifest,
    read_shard,
    verify,
)
from pipelines.packed.shard import CODECS, Task, libraries, pack_shard
from registry.inputs.files import missing, shown

DEFAULTS = Parameters(
    short_side=arguments.SHORT_SIDE,
    quality=arguments.QUALITY,
    eval_short_side=256,
    shard_images=arguments.SHARD_IMAGES,
)
#: All that a pack leaves in a split's folder; nothing else is ever deleted.
OURS = re.compile(r"\d{5}\.(tar|index|mcus|json)(\.\d+\.partial|\w*\.tmp)?")


def tasks(source: Path, out: Path, parameters: Parameters, known: dict[str, str] | None) -> tuple[list[Task], list]:
    """Return the shards to pack, in order, and the class names. Raises PipelineError for a folder without images."""
    key = hashlib.sha256(repr((1, parameters.model_dump(), libraries())).encode()).hexdigest()
    found, classes = [], None
    for split in SPLITS:
        if not (source / split).is_dir():
            why = missing(source / split)
            raise PipelineError(f"{shown(source / split)}: no images in class folders ({why}); {imagenet.GET}")
        folder = ImageFolder(source / split, imagenet.GET)
        if classes not in (None, folder.classes):
            raise PipelineError(f"{source}: train/ and val/ differ in their classes; {imagenet.GET}")
        classes = folder.classes
        images = [(Path(path).relative_to(source).as_posix(), label) for path, label in folder.samples]
        for number, first in enumerate(range(0, len(images), parameters.shard_images)):
            part = images[first : first + parameters.shard_images]
            if strange := [path for path, _ in part if known is not None and path not in known]:
                raise PipelineError(f"{shown(source / strange[0])}: added since it was verified; restore the data")
            shas = None if known is None else [known[path] for path, _ in part]
            found.append(Task(source, out, split, number, part, shas, parameters, key))
    return found, classes


def pack(
    source: Path,
    out: Path,
    parameters: Parameters = DEFAULTS,
    jobs: int = 1,
    pin: str | None = None,
    known: dict[str, str] | None = None,
) -> Manifest:
    """Pack source/train and source/val into `out` and return its manifest, which is written last.

    pin, known: the verified manifest's sha256 and its sha256 by path. Raises PipelineError naming a file at fault.
    """
    todo, classes = tasks(source, out, parameters, known)
    check_out(source, out)
    with locked(out):
        reopen(out, parameters)
        clear(out, re.compile(r".*\.(partial|tmp)"))
        shards = run([dataclasses.replace(t, there=read_shard(out / f"{t.name}.json")) for t in todo], jobs)
        digest = pin or hashlib.sha256("".join(s.source for s in shards).encode()).hexdigest()
        by_split = {}
        for split in SPLITS:
            mine = [s for s in shards if s.name.startswith(f"{split}/")]
            by_split[split] = Split(codec=CODECS[split], images=sum(s.images for s in mine), shards=mine)
        manifest = Manifest(
            schema=1,
            kind="packed",
            source=Source(name="imagenet", sha256=digest, verified=pin is not None),
            classes=classes,
            parameters=parameters,
            libraries=libraries(),
            splits=by_split,
        )
        write_json_atomic(out / MANIFEST, manifest.model_dump(by_alias=True))
        keep = {f"{s.name}{suffix}" for s in shards for suffix in s.files}
        clear(out, re.compile(".*"), keep)
    return manifest


def check_out(source: Path, out: Path) -> None:
    """Refuse a folder that holds anything but a packed set, or what a killed run left of one. Raises PipelineError."""
    if out.exists():
        strange = [p for p in out.iterdir() if p.name not in (MANIFEST, *SPLITS)]
        strange += [p for split in SPLITS for p in (out / split).glob("*") if not OURS.fullmatch(p.name)]
        if strange or out.resolve() == source.resolve():
            raise PipelineError(f"{min(strange, default=out)}: is no part of a packed set; choose an empty --out")


def reopen(out: Path, parameters: Parameters) -> None:
    """Take a finished set's manifest apart into its shards' notes: it is whole again when all have been compared.

    Raises PipelineError where it was packed with other parameters.
    """
    if not is_packed(out):
        return
    try:
        manifest = read_manifest(out)
    except PipelineError as error:
        print(f"warning: {error}", file=sys.stderr)
    else:
        if manifest.parameters != parameters:
            raise PipelineError(f"{out}: was packed with other parameters; choose another --out or delete it")
        for split in manifest.splits.values():
            for shard in split.shards:
                write_json_atomic(out / f"{shard.name}.json", shard.model_dump())
    (out / MANIFEST).unlink()


def run(todo: list[Task], jobs: int) -> list[Shard]:
    """Return the shards' statements in order, packed by `jobs` processes. Raises the first error."""
    done: dict[str, Shard] = {}
    bar = tqdm(total=len(todo), unit="shard", disable=None)
    if jobs == 1:
        for task in todo:
            done[task.name] = pack_shard(task)[0]
            bar.update()
    else:
        context = multiprocessing.get_context("spawn")
        with ProcessPoolExecutor(jobs, mp_context=context, initializer=_follow) as pool:
            waiting = [pool.submit(pack_shard, task) for task in todo]
            try:
                for future in as_completed(waiting):
                    shard, _ = future.result()
                    done[shard.name] = shard
                    bar.update()
            except BrokenProcessPool:
                raise PipelineError(
                    "a packing process was killed (out of memory?); run again, with fewer --jobs: finished shards stay"
                ) from None
            except BaseException:
                pool.shutdown(wait=True, cancel_futures=True)
                raise
    bar.close()
    return [done[task.name] for task in todo]


def _follow() -> None:
    """End this process when its parent is gone: a killed pack must leave nobody writing."""
    torch.set_num_threads(1)

    def watch() -> None:
        parent.join()
        os._exit(1)

    parent = multiprocessing.parent_process()
    assert parent is not None

    threading.Thread(target=watch, daemon=True).start()


@contextmanager
def locked(out: Path) -> Iterator[None]:
    """Hold the folder alone. Raises PipelineError where another process packs into it."""
    out.mkdir(parents=True, exist_ok=True)
    lock = FileLock(out.with_name(f"{out.name}.lock"))
    try:
        lock.acquire(blocking=False)
    except Timeout:
        raise PipelineError(f"{out}: another process packs into it; wait for it or choose another --out") from None
    try:
        yield  # the file stays: others may have it open, and would lock what nobody sees
    finally:
        lock.release()


def clear(out: Path, pattern: re.Pattern[str], keep: set[str] = frozenset()) -> None:
    """Delete a pack's own files of a pattern, but for those named."""
    for path in [p for split in SPLITS for p in (out / split).glob("*")]:
        ours = OURS.fullmatch(path.name) and pattern.fullmatch(path.name)
        if ours and f"{path.parent.name}/{path.name}" not in keep:
            path.unlink()


def verified_files(source: Path) -> dict[str, str]:
    """Return the sha256 by path that the verified manifest of ImageNet states."""
    return read_listing(manifest_path(source, "imagenet"))


def main(argv: list[str] | None = None) -> int:
    """Pack a folder, or verify a packed one."""
    args = arguments.pack().parse_args(argv)
    if args.verify:
        manifest = verify(args.verify)
        print(f"{args.verify}: {sum(s.images for s in manifest.splits.values())} images as packed")
        return 0
    try:
        parameters = Parameters(
            short_side=args.short_side,
            quality=args.quality,
            eval_short_side=DEFAULTS.eval_short_side,
            shard_images=args.shard_images,
        )
    except ValueError:
        raise PipelineError("--short-side must be 8 to 4096, --quality 1 to 100, --shard-images at least 1") from None
    if args.jobs < 1:
        raise PipelineError("--jobs must be at least 1")
    source = data_root(args.source or os.environ.get("IMAGENET_ROOT") or ROOT / "data/imagenet")
    if not source.is_dir():
        raise PipelineError(f"{shown(source)}: {missing(source)}; {imagenet.GET}")
    pin, known = None, None
    if not args.unverified:
        pin = check_imagenet(source, ROOT)
        known = verified_files(source)
    manifest = pack(source, args.out, parameters, args.jobs, pin, known)
    size = sum(f.size for split in manifest.splits.values() for s in split.shards for f in s.files.values())
    images = sum(split.images for split in manifest.splits.values())
    print(f"{args.out}: {images} images, {size / 2**30:.2f} GiB")
    return 0


if __name__ == "__main__":
    raise SystemExit(guard(main))
