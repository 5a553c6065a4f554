"""Make Cityscapes' labelTrainIds from its labelIds where they are absent.

python -m pipelines.cityscapes [data/cityscapes]
"""

from __future__ import annotations

import argparse
import io
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
from PIL import Image
from tqdm import tqdm

from pipelines.common import ROOT, PipelineError, guard
from registry.dense.cityscapes import EVALUATED_IDS, IGNORE, LABEL, LABEL_IDS, unreadable
from registry.dense.errors import DataError
from report.evidence import write_bytes_atomic

LAST_ID = 33


def train_id_table() -> np.ndarray:
    """Return the train id of every label id, (256,) uint8."""
    table = np.full(256, IGNORE, np.uint8)
    table[list(EVALUATED_IDS)] = np.arange(len(EVALUATED_IDS))
    return table


def make_train_ids(source: Path) -> bool:
    """Write the train ids beside a labelIds file unless they are there; returns whether it wrote.

    Raises DataError for a file that is no image, or holds ids above 33 (255 stands for -1, the licence plate).
    """
    target = source.with_name(source.name.removesuffix(LABEL_IDS) + LABEL)
    if target.is_file():
        return False
    try:
        ids = np.asarray(Image.open(source))
    except (OSError, SyntaxError) as error:
        raise unreadable(source, error) from None
    if ids.ndim != 2 or ((ids > LAST_ID) & (ids != IGNORE)).any():
        raise DataError(f"error: {source}: holds no label ids 0 to {LAST_ID}; unpack gtFine_trainvaltest.zip anew")
    buffer = io.BytesIO()
    Image.fromarray(train_id_table()[ids]).save(buffer, "PNG")
    write_bytes_atomic(target, buffer.getvalue())
    return True


def main(argv: list[str] | None = None) -> int:
    """Make the train ids of both splits."""
    parser = argparse.ArgumentParser(description="Make Cityscapes' labelTrainIds where they are absent.")
    parser.add_argument("root", nargs="?", type=Path, default=ROOT / "data/cityscapes")
    args = parser.parse_args(argv)
    sources = sorted(p for s in ("train", "val") for p in (args.root / "gtFine" / s).rglob(f"*{LABEL_IDS}"))
    if not sources:
        raise PipelineError(f"{args.root / 'gtFine'}: holds no *{LABEL_IDS}; unpack gtFine_trainvaltest.zip there")
    with ThreadPoolExecutor() as pool:
        made = sum(tqdm(pool.map(make_train_ids, sources), total=len(sources), unit="file", disable=None))
    print(f"{args.root / 'gtFine'}: {made} made, {len(sources) - made} there before")
    return 0


if __name__ == "__main__":
    raise SystemExit(guard(main))
