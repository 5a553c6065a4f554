"""Start a training on the GPUs that the environment offers, so that a stage's command need not name them."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping, Sequence

from pipelines.common import PipelineError


def offered_gpus(environ: Mapping[str, str] = os.environ) -> int | None:
    """Return how many GPUs CUDA_VISIBLE_DEVICES or Slurm's allocation offers; None where neither says."""
    visible = environ.get("CUDA_VISIBLE_DEVICES")
    if visible is not None:
        names = [name.strip() for name in visible.split(",")]
        # as CUDA reads it: what follows the first invalid entry does not count
        return next(
            (i for i, name in enumerate(names) if not name or name.startswith("-") or name == "NoDevFiles"), len(names)
        )
    slurm = environ.get("SLURM_GPUS_ON_NODE", "")
    return int(slurm) if slurm.isdigit() else None


def processes(seen: int, environ: Mapping[str, str] = os.environ) -> int:
    """Return how many processes to start, one a GPU and at least one; `seen`: the GPUs that torch sees.

    Raises PipelineError where GPUs were given that torch does not see: it would train on the CPU for years.
    """
    offered = offered_gpus(environ)
    if offered is not None and offered > seen:
        raise PipelineError(f"the environment offers {offered} GPUs, torch sees {seen}; mend the driver on this node")
    return max(1, seen if offered is None else offered)


def torchrun(module: str, argv: Sequence[str], count: int) -> None:
    """Replace this process by torchrun with `count` processes of `module` on this machine; never returns.

    Raises PipelineError on Windows, which can neither replace a process nor run NCCL.
    """
    if os.name == "nt":
        raise PipelineError(f"{count} GPUs at once need Linux or WSL; set CUDA_VISIBLE_DEVICES to one of them")
    command = [
        sys.executable,
        "-m",
        "torch.distributed.run",
        "--standalone",
        "--nproc_per_node",
        str(count),
        "-m",
        module,
        *argv,
        "--launcher",
        "pytorch",
    ]
    sys.stdout.flush()
    sys.stderr.flush()
    os.execv(command[0], command)
