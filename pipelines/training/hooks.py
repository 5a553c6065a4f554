"""Hooks and a runner that make training killable: seeded epochs, atomic checkpoints, a kept curve, a progress bar."""

from __future__ import annotations

import math
import os
import sys
from pathlib import Path
from typing import Any

from mmengine.dist import is_main_process
from mmengine.hooks import Hook
from mmengine.registry import HOOKS
from mmengine.runner import Runner, set_random_seed
from tqdm import tqdm

from pipelines.common import PipelineError


def diverged(name: str, key: str, value: float, epoch: int, step: int, mend: str = "lower its lr") -> PipelineError:
    """Return the error of a run whose loss is not finite."""
    return PipelineError(f"{name}: training diverged: {key} is {value} in epoch {epoch}, step {step}; {mend}")


class AtomicRunner(Runner):
    """Run as mmengine's Runner, but let a checkpoint appear only when it is complete."""

    def save_checkpoint(self, out_dir: str, filename: str, *args: Any, **kwargs: Any) -> None:
        """Save to a temporary file beside the target, then rename. Raises PipelineError when the disk is full."""
        if not is_main_process():
            return
        target = Path(out_dir) / filename
        partial = target.with_name(target.name + ".partial")
        try:
            super().save_checkpoint(out_dir, partial.name, *args, **kwargs)
            os.replace(partial, target)
        except (OSError, RuntimeError) as error:  # torch reports a full disk as RuntimeError
            partial.unlink(missing_ok=True)
            raise PipelineError(f"{target}: cannot be written ({error}); free disk space and run again") from None


@HOOKS.register_module()
class SeedEachEpoch(Hook):
    """Seed every generator before each epoch, so that an epoch does not depend on what ran before a kill."""

    priority = "VERY_HIGH"

    def __init__(self, seed: int) -> None:
        self.seed = seed

    def before_train_epoch(self, runner: Runner) -> None:
        """Seed from the run's seed and the epoch's number, each process of several its own."""
        set_random_seed(self.seed * 10_007 + runner.epoch, diff_rank_seed=True)


@HOOKS.register_module()
class KeepCurve(Hook):
    """Record loss and validation metrics an epoch, and carry them in the checkpoints."""

    priority = "ABOVE_NORMAL"  # before the checkpoint is written

    def __init__(self) -> None:
        self.rows: list[dict[str, float]] = []
        self._losses: dict[str, list[float]] = {}
        self._validated = False

    def before_train(self, runner: Runner) -> None:
        """Validate a resumed epoch anew where the kill came between its checkpoint and its validation's end."""
        if self.rows and runner.val_loop is not None and not self._validated:
            runner.val_loop.run()

    def before_train_epoch(self, runner: Runner) -> None:
        """Start an epoch's sums."""
        self._losses = {}

    def after_train_iter(self, runner: Runner, batch_idx: int, data_batch: Any = None, outputs: Any = None) -> None:
        """Collect a step's losses. Raises PipelineError where one is not finite: nothing after it can be sound."""
        for key, value in (outputs or {}).items():
            number = float(value.detach())
            if "loss" in key and not math.isfinite(number):
                raise diverged(Path(runner.work_dir).name, key, number, runner.epoch + 1, runner.iter + 1)
            self._losses.setdefault(key, []).append(number)

    def after_train_epoch(self, runner: Runner) -> None:
        """Add the epoch's mean losses."""
        means = {key: sum(v) / len(v) for key, v in self._losses.items()}
        self.rows.append({"epoch": runner.epoch + 1, **means})
        self._validated = False

    def after_val_epoch(self, runner: Runner, metrics: dict[str, float] | None = None) -> None:
        """Add validation metrics to the last epoch."""
        if self.rows:
            self.rows[-1].update(metrics or {})
            self._validated = True

    def before_save_checkpoint(self, runner: Runner, checkpoint: dict) -> None:
        """Put the curve into the checkpoint."""
        checkpoint["curve"] = [dict(row) for row in self.rows]

    def after_load_checkpoint(self, runner: Runner, checkpoint: dict) -> None:
        """Take the curve back from the checkpoint, which was written before its epoch's validation."""
        self.rows = [dict(row) for row in checkpoint.get("curve", [])]


@HOOKS.register_module()
class ProgressBar(Hook):
    """Show epochs, steps and the loss on stderr."""

    priority = "VERY_LOW"

    def __init__(self, label: str) -> None:
        self.label = label
        self.bar: tqdm | None = None

    def before_train(self, runner: Runner) -> None:
        """Open the bar at the step that a resumed run starts from."""
        quiet = not sys.stderr.isatty()
        self.bar = tqdm(
            total=runner.max_iters, initial=runner.iter, desc=self.label, unit="step", file=sys.stderr,
            mininterval=10 if quiet else 0.2, ncols=100 if quiet else None, dynamic_ncols=not quiet,
        )  # fmt: skip

    def after_train_iter(self, runner: Runner, batch_idx: int, data_batch: Any = None, outputs: Any = None) -> None:
        """Advance by one step."""
        if self.bar is not None:
            if outputs and "loss" in outputs:
                self.bar.set_postfix(
                    epoch=runner.epoch + 1, loss=f"{float(outputs['loss'].detach()):.3f}", refresh=False
                )
            self.bar.update()

    def after_train(self, runner: Runner) -> None:
        """Close the bar."""
        if self.bar is not None:
            self.bar.close()
