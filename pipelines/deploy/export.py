"""Write a row's network for other runtimes and say how far it is from the network itself.

python -m pipelines export --row t2_micronet_m1 --weights M1.pth --to onnx
python -m pipelines export --all --check       every row's network, small images, random weights: results/export.json
"""

from __future__ import annotations

import logging
import warnings
from pathlib import Path

import torch
from mmengine.logging import MMLogger

from pipelines import arguments
from pipelines.common import PipelineError, configured_rows, find_row
from pipelines.deploy import checks
from pipelines.deploy.int8 import compare, said
from pipelines.deploy.network import row_network
from pipelines.tasks import TASKS
from registry.export import FORMS, ExportError, write

SUFFIXES = (".jpg", ".jpeg", ".png")
MEAN, STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)


def calibration_images(folder: Path, size: tuple[int, int], count: int, held_out: bool = False) -> list[torch.Tensor]:
    """Return up to `count` images of a folder (any depth), each (1, 3, H, W), resized and normalized as in training.

    held_out: of those that the same call without it leaves out; there may be none.

    Raises PipelineError where there are none.
    """
    from PIL import Image
    from torchvision.transforms import v2

    from registry.inputs.files import files_in

    prepare = v2.Compose(
        [v2.Resize(size), v2.PILToTensor(), v2.ToDtype(torch.float32, scale=True), v2.Normalize(MEAN, STD)]
    )
    files = files_in(folder, SUFFIXES)
    if not files:
        raise PipelineError(
            f"{folder}: no image (*.jpg, *.png) to take int8's ranges from; name a folder that has some"
        )
    chosen = files[:: max(1, len(files) // count)][:count]
    if held_out:
        left = sorted(set(files) - set(chosen))
        chosen = left[:: max(1, len(left) // count)][:count]
    images = []
    for path in chosen:
        with Image.open(path) as image:
            images.append(prepare(image.convert("RGB"))[None])
    return images


def export(
    row: str,
    form: str,
    weights: Path | None,
    out: Path | None,
    size: tuple[int, int] | None,
    calibration: Path | None,
    count: int,
    static_batch: int | None = None,
    gather: bool = True,
) -> tuple[Path, float]:
    """Write a row's network and return the file and its error as a share of the output (registry.export.write).

    Raises PipelineError for what lacks.
    """
    net = row_network(row, weights)
    height, width = size or TASKS[find_row(row).task].image_size
    path = out or Path("work_dirs/export") / (row + FORMS[form][0])
    images = torch.randn(static_batch or 2, 3, height, width, generator=torch.Generator().manual_seed(0))
    batches: list[torch.Tensor] = []
    if form == "int8":
        if calibration is None:
            raise PipelineError("int8 takes its ranges from images; name a folder with some: --calibration FOLDER")
        batches = calibration_images(calibration, (height, width), count)
        images = torch.cat(batches[:2]) if len(batches) > 1 else batches[0].repeat(2, 1, 1, 1)
    try:
        fixed = {} if static_batch is None else {"dynamic": False}
        error = write(net, images, form, path, batches, **fixed, **({} if gather else {"gather": False}))
        if form == "int8" and calibration is not None:
            print(said(compare(net, path, images, calibration_images(calibration, (height, width), count, True))))
        return path, error
    except ExportError as error:
        raise PipelineError(str(error)) from None


def main(argv: list[str] | None = None) -> int:
    """Run from the command line."""
    args = arguments.export().parse_args(argv)
    if args.batch is not None and (not args.static or args.batch < 1):
        raise PipelineError("--batch is a number from 1 up and goes with --static")
    if args.check:
        if args.to or args.weights or not (args.all or args.row):
            raise PipelineError("--check takes --all or --row ROW, and neither --to nor --weights")
        return checks.run(None if args.all else [args.row], args.out)
    if args.all or not args.row or not args.to:
        raise PipelineError("name a row and a form: --row ROW --to FORM; or --all --check")
    if args.row not in (known := [*configured_rows(), *configured_rows(ledger="micronet_iccv2021")]):
        raise PipelineError(f"no network for row {args.row!r}; rows that have one: {', '.join(known)}")
    warnings.filterwarnings("ignore")  # the exporters' own
    MMLogger.get_instance("mmengine").setLevel(logging.ERROR)
    size = tuple(args.size) if args.size else None
    batch = (args.batch or 1) if args.static else None
    path, error = export(
        args.row, args.to, args.weights, args.out, size, args.calibration, args.images, batch, not args.no_gather
    )
    source = args.weights or "random weights"
    print(f"{path}: {path.stat().st_size / 1e6:.1f} MB, {source}; largest difference {error:.1e} of the output")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
