"""Make Cityscapes' labelTrainIds from its labelIds where they are absent.

python -m pipelines cityscapes [data/cityscapes]
"""

from __future__ import annotations

import io
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from PIL import Image
from tqdm import tqdm

from papertally.evidence.io import write_bytes_atomic
from pipelines import arguments
from pipelines.common import PipelineError, guard
from registry.inputs.errors import DataError
from registry.inputs.files import files_in, missing, shown
from registry.segmentation.cityscapes import IGNORE, LABEL, LABEL_IDS, read_label, train_id_table

LAST_ID = 33


def make_train_ids(source: Path) -> bool:
    """Write the train ids beside a labelIds file unless they are there; returns whether it wrote.

    Raises DataError for a file that is no label, or holds ids above 33 (255 stands for -1, the licence plate).
    """
    target = source.with_name(source.name[: -len(LABEL_IDS)] + LABEL)
    if target.is_file():
        return False
    ids = read_label(source)
    if ((ids > LAST_ID) & (ids != IGNORE)).any():
        raise DataError(
            f"error: {shown(source)}: holds no label ids 0 to {LAST_ID}; unpack gtFine_trainvaltest.zip anew"
        )
    buffer = io.BytesIO()
    Image.fromarray(train_id_table()[ids]).save(buffer, "PNG")
    write_bytes_atomic(target, buffer.getvalue())
    return True


def main(argv: list[str] | None = None) -> int:
    """Make the train ids of both splits."""
    args = arguments.cityscapes().parse_args(argv)
    root = args.root.expanduser()
    top = root / "gtFine"
    if not top.is_dir():
        raise PipelineError(f"{shown(top)}: {missing(top)}; unpack gtFine_trainvaltest.zip there")
    splits = [top / s for s in ("train", "val") if (top / s).exists() or (top / s).is_symlink()]
    sources = [path for split in splits for path in files_in(split, (LABEL_IDS.lower(),))]
    if not sources:
        raise PipelineError(f"{shown(top)}: holds no *{LABEL_IDS}; unpack gtFine_trainvaltest.zip there")
    with ThreadPoolExecutor() as pool:
        made = sum(tqdm(pool.map(make_train_ids, sources), total=len(sources), unit="file", disable=None))
    print(f"{shown(top)}: {made} made, {len(sources) - made} there before")
    return 0


if __name__ == "__main__":
    raise SystemExit(guard(main))
