"""Hooks and a runner that make training killable: seeded epochs, atomic checkpoints, a kept curve, a progress bar."""

from __future__ import annotations

import math
import os
import sys
from pathlib import Path
from typing import Any

import numpy as np
from mmengine.dist import get_rank, is_main_process
from mmengine.hooks import Hook
from mmengine.registry import HOOKS
from mmengine.runner import Runner, set_random_seed
from tqdm import tqdm

from pipelines.common import PipelineError
from registry.classification.models import TopK

#: Steps between looks at a loss that lies on a GPU.
LOOK = 50


def diverged(name: str, key: str, value: float, epoch: int, step: int, mend: str = "lower its lr") -> PipelineError:
    """Return the error of a run whose loss is not finite."""
    return PipelineError(f"{name}: training diverged: {key} is {value} in epoch {epoch}, step {step}; {mend}")


def epoch_seed(seed: int, epoch: int, rank: int = 0) -> int:
    """Return the seed of a process's generators in an epoch: no two of a run, or of two runs, share a stream."""
    return int(np.random.SeedSequence([seed, epoch, rank]).generate_state(1)[0])


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


def correct(loop: Any) -> dict[str, str]:
    """Return which images a loop's last evaluation got right by column, "1" or "0" an image; none of other tasks.

    On the first of several processes alone.
    """
    found = [metric.correct for metric in loop.evaluator.metrics if isinstance(metric, TopK)]
    return {column: "".join("01"[hit] for hit in hits) for of in found for column, hits in of.items()}


@HOOKS.register_module()
class SeedEachEpoch(Hook):
    """Seed every generator before each epoch, so that an epoch does not depend on what ran before a kill."""

    priority = "VERY_HIGH"

    def __init__(self, seed: int) -> None:
        self.seed = seed

    def before_train_epoch(self, runner: Runner) -> None:
        """Seed from the run's seed, the epoch and the process, each combination its own."""
        set_random_seed(epoch_seed(self.seed, runner.epoch, get_rank()))


@HOOKS.register_module()
class KeepCurve(Hook):
    """Record loss and validation metrics an epoch, and carry them in the checkpoints."""

    priority = "ABOVE_NORMAL"  # before the checkpoint is written

    def __init__(self) -> None:
        self.rows: list[dict[str, float]] = []
        self._sums: dict[str, Any] = {}
        self._steps = 0
        self._validated = False

    def before_train(self, runner: Runner) -> None:
        """Validate a resumed epoch anew where the kill came between its checkpoint and its validation's end."""
        loop = runner.train_loop
        due = runner.epoch % loop.val_interval == 0 or runner.epoch >= loop.max_epochs
        if self.rows and runner.val_loop is not None and due and not self._validated:
            runner.val_loop.run()

    def before_train_epoch(self, runner: Runner) -> None:
        """Start an epoch's sums."""
        self._sums, self._steps = {}, 0

    def after_train_iter(self, runner: Runner, batch_idx: int, data_batch: Any = None, outputs: Any = None) -> None:
        """Add a step's losses. Raises PipelineError where one is not finite: nothing after it can be sound.

        On a GPU they are looked at each fiftieth step: to look is to wait for it.
        """
        self._steps += 1
        for key, value in (outputs or {}).items():
            loss = value.detach().double() if value.device.type != "mps" else value.detach()
            self._sums[key] = self._sums[key] + loss if key in self._sums else loss
            if loss.device.type == "cpu" or self._steps % LOOK == 0:
                self._check(runner, key)

    def after_train_epoch(self, runner: Runner) -> None:
        """Add the epoch's mean losses."""
        for key in self._sums:
            self._check(runner, key)
        means = {key: float(total) / self._steps for key, total in self._sums.items()}
        self.rows.append({"epoch": runner.epoch + 1, **means})
        self._validated = False

    def _check(self, runner: Runner, key: str) -> None:
        total = float(self._sums[key])  # a sum that was not finite once stays so
        if "loss" in key and not math.isfinite(total):
            raise diverged(runner.experiment_name.rpartition("-")[0], key, total, runner.epoch + 1, runner.iter + 1)

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
            total=runner.max_iters,
            initial=runner.iter,
            desc=self.label,
            unit="step",
            file=sys.stderr,
            mininterval=10 if quiet else 0.2,
            ncols=100 if quiet else None,
            dynamic_ncols=not quiet,
        )

    def after_train_iter(self, runner: Runner, batch_idx: int, data_batch: Any = None, outputs: Any = None) -> None:
        """Advance by one step."""
        if self.bar is not None:
            if outputs and "loss" in outputs and (outputs["loss"].device.type == "cpu" or self.bar.n % LOOK == 0):
                self.bar.set_postfix(
                    epoch=runner.epoch + 1, loss=f"{float(outputs['loss'].detach()):.3f}", refresh=False
                )
            self.bar.update()

    def after_train(self, runner: Runner) -> None:
        """Close the bar."""
        if self.bar is not None:
            self.bar.close()
