"""A full-size run killed in its second epoch, beside the same run left alone."""

from __future__ import annotations

import json
import os
import signal
from pathlib import Path
from typing import Any

import torch
from forks import Forks
from hold import Hold, until

#: Arguments: row, data, out, workers, recipe; `changes` is put in.
RUN = """
import pathlib, sys
from pipelines.training import __main__, job, run
row, data, out, workers, recipe = sys.argv[1:]
run.run(job.paper_job(
    row, recipe, 0, pathlib.Path(data), "pin", job.Options(workers=int(workers)), out=pathlib.Path(out),
    changes={changes},
))
"""


def finished(out: Path, row: str, recipe: str) -> tuple[dict[str, float], str, dict[str, Any]]:
    """Return the values, the curve's text and the weights that a run of seed 0 filed under `out`."""
    stem = f"{row}.{recipe}.s0"
    evidence = json.loads(next(out.glob(f"results/paper/{stem}.json")).read_text())
    weights = torch.load(out / f"checkpoints/paper/{stem}.pth", weights_only=True)["state_dict"]
    return evidence["values"], (out / f"results/curves/paper/{stem}.csv").read_text(), weights


def check_resume(
    forks: Forks,
    changes: dict[str, Any],
    row: str,
    data: Path,
    folder: Path,
    workers: int = 1,
    again: int = 1,
    recipe: str = "paper",
) -> None:
    """Run a recipe with `changes` whole, then killed in its second epoch and again: both must end alike.

    workers, again: loading processes, those of the resumed run apart.
    """
    hold = Hold(folder / "hold")
    command = ["-c", hold.code + RUN.replace("{changes}", repr(changes)), row, data]
    whole = forks.run(*command, folder / "whole", workers, recipe)
    assert whole.returncode == 0, whole.stderr[-2000:]
    hold.after(1)
    process = forks.start(*command, folder / "killed", workers, recipe)
    until(lambda: hold.reached(1) or process.poll() is not None, 300, "its first epoch does not end")
    os.kill(process.pid, signal.SIGKILL)
    assert process.wait() == -signal.SIGKILL
    hold.release(1)
    assert not (folder / "killed/results").exists()
    done = forks.run(*command, folder / "killed", again, recipe)
    assert done.returncode == 0, done.stderr[-2000:]
    assert "resuming from epoch_1.pth" in done.stderr
    (values, curve, weights), (values2, curve2, weights2) = (
        finished(folder / w, row, recipe) for w in ("whole", "killed")
    )
    assert values == values2
    assert curve == curve2
    assert all(torch.equal(v, weights2[k]) for k, v in weights.items())
