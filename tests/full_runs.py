"""A full-size run killed in its second epoch, beside the same run left alone."""

from __future__ import annotations

import json
import os
import signal
from pathlib import Path
from typing import Any

import torch
from cluster_project import until
from forks import Forks
from hold import Hold


def finished(out: Path, row: str) -> tuple[dict[str, float], str, dict[str, Any]]:
    """Return the values, the curve's text and the weights that a run of seed 0 filed under `out`."""
    stem = f"{row}.paper.s0"
    evidence = json.loads(next(out.glob(f"results/paper/*/{stem}.json")).read_text())
    weights = torch.load(out / f"checkpoints/paper/{stem}.pth", weights_only=True)["state_dict"]
    return evidence["values"], (out / f"results/curves/paper/{stem}.csv").read_text(), weights


def check_resume(
    forks: Forks,
    code: str,
    row: str,
    data: Path,
    folder: Path,
    first_more: tuple[str, ...] = (),
    again_more: tuple[str, ...] = (),
) -> None:
    """Run `code` (arguments: row, data, out) whole, then killed in its second epoch and again: both must end alike.

    first_more, again_more: further arguments, those of the resumed run apart.
    """
    hold = Hold(folder / "hold")
    command = ["-c", hold.code + code, row, data]
    whole = forks.run(*command, folder / "whole", *first_more)
    assert whole.returncode == 0, whole.stderr[-2000:]
    hold.after(1)
    process = forks.start(*command, folder / "killed", *first_more)
    until(lambda: hold.reached(1) or process.poll() is not None, 300, "its first epoch does not end")
    os.kill(process.pid, signal.SIGKILL)
    assert process.wait() == -signal.SIGKILL
    hold.release(1)
    assert not (folder / "killed/results").exists()
    again = forks.run(*command, folder / "killed", *again_more)
    assert again.returncode == 0, again.stderr[-2000:]
    assert "resuming from epoch_1.pth" in again.stderr
    (values, curve, weights), (values2, curve2, weights2) = (finished(folder / w, row) for w in ("whole", "killed"))
    assert values == values2
    assert curve == curve2
    assert all(torch.equal(v, weights2[k]) for k, v in weights.items())
