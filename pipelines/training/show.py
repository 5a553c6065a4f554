"""Draw a trained row's predictions: python -m pipelines show --row t8_micronet_m0 [--count 4] [--out FILE.jpg]."""

from __future__ import annotations

import shutil

import registry  # noqa: F401  registers the models
from pipelines import arguments
from pipelines.common import ROOT, PipelineError, guard
from pipelines.training.job import mini_job
from pipelines.training.pictures import DRAWERS, save, strip
from pipelines.training.run import hushed, trained_runner


def main(argv: list[str] | None = None) -> int:
    """Parse the command line and draw."""
    args = arguments.show().parse_args(argv)
    job = mini_job(args.row)
    if job.row.task not in DRAWERS:
        raise PipelineError(f"--row {args.row}: is a row of {job.row.task}; name one of {' or '.join(sorted(DRAWERS))}")
    runner = trained_runner(job)
    out = args.out or ROOT / "work_dirs" / f"{args.row}.jpg"
    with hushed():
        image = strip(runner, job.row.task, max(1, args.count))
    shutil.rmtree(runner.work_dir, ignore_errors=True)
    save(image, out)
    print(out)
    return 0


if __name__ == "__main__":
    raise SystemExit(guard(main))
