"""Hooks of the recipe `official`: what the released scripts' loop does and mmengine's does not."""

from __future__ import annotations

import sys
from functools import partial
from pathlib import Path
from typing import Any

import torch
from mmengine.dist import broadcast, broadcast_object_list, is_distributed, is_main_process
from mmengine.hooks import Hook
from mmengine.model import is_model_wrapper
from mmengine.registry import HOOKS
from mmengine.runner import Runner
from torch import nn

from pipelines.training.checkpoints import UNREADABLE, save_whole
from pipelines.training.hooks import correct


def bare(model: nn.Module) -> nn.Module:
    """Return a runner's model without what shares it out between processes."""
    return model.module if is_model_wrapper(model) else model


@HOOKS.register_module()
class KeepBest(Hook):
    """Keep the weights of the epoch with the highest metric of all, of equal ones the first, in the run's folder.

    Two of them are kept: a run killed after an epoch's validation may resume before it.
    """

    priority = "HIGH"  # before KeepCurve, which validates a resumed epoch anew

    def __init__(self, metric: str = "top1") -> None:
        self.metric = metric
        self.epoch = 0
        self.value = float("-inf")
        self.correct: dict[str, str] = {}

    def before_train(self, runner: Runner) -> None:
        """Take up the best epoch so far of a resumed run."""
        if not is_main_process():
            return
        for path in self._files(runner):
            if _epoch(path) > runner.epoch:
                path.unlink()  # trained anew
                continue
            try:
                saved = torch.load(path, map_location="cpu", weights_only=True)
                self.epoch, self.value, self.correct = saved["epoch"], saved["value"], saved["correct"]
            except UNREADABLE as error:
                print(f"warning: {path}: damaged ({type(error).__name__}); its epoch may not be kept", file=sys.stderr)
                path.unlink()

    def after_val_epoch(self, runner: Runner, metrics: dict[str, float] | None = None) -> None:
        """Keep an epoch that is better than all before it."""
        value = float((metrics or {}).get(self.metric, float("-inf")))
        if not is_main_process() or not value > self.value:
            return
        self.epoch, self.value, self.correct = runner.epoch, value, correct(runner.val_loop)
        state = {key: tensor.cpu() for key, tensor in bare(runner.model).state_dict().items()}
        save_whole(
            {"epoch": self.epoch, "value": value, "correct": self.correct, "state_dict": state},
            Path(runner.work_dir) / f"kept_{self.epoch}.pth",
        )
        for path in self._files(runner)[:-2]:
            path.unlink()

    def restore(self, runner: Runner) -> int:
        """Load the best epoch's weights on the first process; returns the epoch on each."""
        if is_main_process():
            saved = torch.load(self._files(runner)[-1], map_location="cpu", weights_only=True)
            bare(runner.model).load_state_dict(saved["state_dict"])
        told = [self.epoch]
        broadcast_object_list(told)
        return told[0]

    def _files(self, runner: Runner) -> list[Path]:
        return sorted(Path(runner.work_dir).glob("kept_*.pth"), key=_epoch)


def _epoch(path: Path) -> int:
    return int(path.stem.split("_")[1])


@HOOKS.register_module()
class RampMixup(Hook):
    """Let mixup's alpha rise from 0 by the epoch, and stay from epoch `epochs` on."""

    def __init__(self, alpha: float, epochs: int) -> None:
        self.alpha, self.epochs = alpha, epochs

    def before_train_epoch(self, runner: Runner) -> None:
        """Set the epoch's alpha where batches are mixed: as they are collated, or on the device."""
        alpha = self.alpha * min(1.0, runner.epoch / self.epochs)
        collate: Any = runner.train_dataloader.collate_fn
        if isinstance(collate, partial) and "alpha" in collate.keywords:  # its workers start anew each epoch
            runner.train_dataloader.collate_fn = partial(collate.func, **{**collate.keywords, "alpha": alpha})
        else:
            bare(runner.model).data_preprocessor.set_mixup(alpha)


@HOOKS.register_module()
class FirstBuffersHook(Hook):
    """Give every process the first one's buffers before a validation, as DataParallel keeps the first device's."""

    def after_train_epoch(self, runner: Runner) -> None:
        """Send them."""
        if is_distributed():
            for buffer in runner.model.buffers():
                broadcast(buffer, src=0)
