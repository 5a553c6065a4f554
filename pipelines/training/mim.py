"""What OpenMMLab's own tools make of a row's config counts: its batch on any number of processes, and its evidence.

`mim train` and `mim test` of configs/micronet_m3.py, say, end in a file under results/, as the trainer's runs do. A run
whose options differ from the row's config says which and is filed as a variant: shown by the report, never judged.
"""

from __future__ import annotations

import os
import shlex
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from mmengine.dist import get_world_size, is_main_process
from mmengine.hooks import Hook
from mmengine.registry import HOOKS, RUNNERS
from mmengine.runner import Runner
from pydantic import BaseModel, ValidationError
from torch import nn

from papertally.evidence.checksum import digest
from papertally.evidence.fingerprints import parts, read_fingerprint
from papertally.evidence.io import EvidenceError, write_json_atomic
from papertally.evidence.provenance import snapshot
from papertally.ledger.load import LedgerError
from pipelines.analysis.structure import deciding, model_hash, recipe_hash
from pipelines.common import ROOT, PipelineError
from pipelines.data.digits import read_manifest
from pipelines.data.verify import check_verified
from pipelines.tasks import TASKS, row_config
from pipelines.training import batchnorm
from pipelines.training.filing import training_evidence
from pipelines.training.profiles import own_settings
from registry.inputs.errors import DataError
from report.rows import Row, all_rows

#: Where evidence is filed, if not in this checkout.
OUT = "MICRONET_OUT"
SCOPES = {"mmpose": ("pose", "mmpose"), "mmseg": ("segmentation", "mmsegmentation")}
#: Of a config, what only says how a run is started.
LAUNCH = ("work_dir", "launcher", "experiment_name", "randomness", "runner_type", "model_wrapper_cfg", "filename")
#: Mixed precision and synchronised BatchNorm are stated with a run's environment, as the trainer's are.
PRECISION = ("optim_wrapper.type", "optim_wrapper.loss_scale", "sync_bn")
TESTED = ("model", "test_dataloader", "test_evaluator", "test_cfg")
KEY = "micronet"


@RUNNERS.register_module()
class SharedBatchRunner(Runner):
    """Run as mmengine's Runner, but share the config's batch between the processes: mmengine counts it for each."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        loader: Any = vars(self)["_train_dataloader"]
        processes = get_world_size()
        if isinstance(loader, Mapping) and processes > 1:
            share, rest = divmod(loader["batch_size"], processes)
            if rest or not share:
                batch = loader["batch_size"]
                raise DataError(
                    f"error: {processes} processes cannot share the config's batch of {batch} evenly; start a number "
                    "of them that divides it"
                )
            self._train_dataloader = {**loader, "batch_size": share}

    def wrap_model(self, model_wrapper_cfg: Any, model: nn.Module) -> nn.Module:
        """Synchronise BatchNorm where each process has few samples, then wrap as mmengine does."""
        loader: Any = vars(self)["_train_dataloader"]
        if isinstance(loader, Mapping) and batchnorm.synchronised(loader["batch_size"] // get_world_size()):
            self.cfg["sync_bn"] = self.cfg.get("sync_bn") or "torch"
        wrapped: nn.Module = super().wrap_model(model_wrapper_cfg, model)
        return wrapped


class Record(BaseModel):
    """Hold what a checkpoint says of the run that wrote it; epoch: how many it has seen."""

    row: str
    seed: int
    epoch: int
    differs: list[str]
    settings: dict[str, Any]
    started: dict[str, Any]


def row_of(config: Any, root: Path = ROOT) -> Row | None:
    """Return the row that a config trains: its own file's, or the one whose name ends as the file's does."""
    task, _ = SCOPES.get(config.get("default_scope"), (None, None))
    path = Path(config.filename) if config.filename else None
    if task is None or path is None:
        return None
    mine = [row for row in all_rows(root).values() if row.task == task and (root / row.config).is_file()]
    own = next((row for row in mine if (root / row.config).resolve() == path.resolve()), None)
    return own or next((row for row in mine if row.id.endswith(f"_{path.stem}")), None)


def differences(config: Any, own: Any) -> list[str]:
    """Return in words what differs from a row's own config of all that decides a result."""

    def leaves(tree: Any) -> dict[str, Any]:
        return {key: value for key, value in deciding(tree, LAUNCH).items() if key not in PRECISION}

    mine, theirs = leaves(config), leaves(own)
    out = [
        f"{key}: {mine.get(key, 'absent')} here, {theirs.get(key, 'absent')} in the row's config"
        for key in dict.fromkeys((*mine, *theirs))
        if mine.get(key, KEY) != theirs.get(key, KEY)
    ]
    if config.get("load_from") and not config.get("resume"):
        out.append(f"load_from: starts from {Path(str(config.load_from)).name}")
    return out


def data_of(config: Any, row: Row, root: Path = ROOT) -> tuple[str, str]:
    """Return name and pin of a config's data: a drawn set's, or a verified one's. Raises PipelineError for others."""
    folder, task = Path(config.data_root), TASKS[row.task]
    if (folder / "manifest.json").is_file():
        found = read_manifest(folder)
        return found["name"], found["pin"]
    return task.data, check_verified(folder, root, (task.data,))


def check_today(row: Row, root: Path) -> dict[str, Any]:
    """Return the parts of a row's fingerprint. Raises PipelineError where its file is not of today's code."""
    found, config = read_fingerprint(root, row.id), row_config(row, root)
    if (found.model, found.recipe) != (model_hash(config), recipe_hash(config)):
        raise PipelineError(
            f"{row.fingerprint}: is not of today's config and network; run `python -m pipelines fingerprint`"
        )
    return parts(found, "paper")


def precision(config: Any) -> str:
    """Return how numbers are held, as evidence states it."""
    return "mixed" if config.optim_wrapper.get("type") == "AmpOptimWrapper" else "fp32"


def command(verb: str, package: str, argv: Sequence[str], root: Path = ROOT) -> str:
    """Return the command line of a run, the launcher's and the work folder's options left out."""
    kept, skip = [], False
    for word in argv:
        if skip:
            skip = False
        elif word in ("--work-dir", "--launcher", "--local-rank", "--local_rank"):
            skip = True
        elif not word.startswith(("--work-dir=", "--launcher=", "--local-rank=", "--local_rank=")):
            path = Path(word)
            kept.append(path.relative_to(root).as_posix() if path.is_absolute() and root in path.parents else word)
    return shlex.join(["mim", verb, package, *kept])


@HOOKS.register_module()
class FileEvidence(Hook):
    """File what a run of `mim train`, or `mim test` of its checkpoint, reaches; say at the start whether it will count.

    Nothing here stops a run. Runs of the trainer, which files its own, are without this hook.
    """

    priority = "VERY_LOW"

    def __init__(self) -> None:
        self.row: Row | None = None
        self.record: Record | None = None
        self.data = ("", "")
        self.fingerprint: dict[str, Any] = {}
        self.metrics: dict[str, Any] = {}
        self.why_not = ""
        self.begun = 0.0
        self.resumed = 0

    def before_train(self, runner: Runner) -> None:
        """Note what the run depends on, and say how it will be filed."""
        if not is_main_process():
            return
        self.begun, self.resumed, loaded = time.monotonic(), runner.epoch, self.record
        differs = self._look(runner)
        if self.row is None or self.why_not:
            runner.logger.warning(f"evidence: this run will not be filed: {self.why_not}")
            return
        batch = runner.train_dataloader.batch_size * get_world_size()
        wanted = own_settings(row_config(self.row, ROOT))["batch_size"]
        if batch != wanted and not any(d.startswith("train_dataloader.batch_size") for d in differs):
            differs.append(
                f"train_dataloader.batch_size: {batch} in {get_world_size()} processes, {wanted} in the row's config"
            )
        settings = {**own_settings(runner.cfg), "batch_size": batch, "recipe": "paper", "seed": runner.seed}
        started = snapshot(ROOT)
        started["environment"] |= self._more(runner)
        if loaded is not None and self.resumed:  # of the process that began it
            started = batchnorm.resumed(loaded.started, started)
        self.record = Record(
            row=self.row.id, seed=runner.seed, epoch=runner.epoch, differs=differs, settings=settings, started=started
        )
        how = f"as a variant ({'; '.join(differs)})" if differs else "by the row's recipe"
        runner.logger.info(f"evidence: row {self.row.id}, {how}; filed at the end in {self._path()}")

    def before_save_checkpoint(self, runner: Runner, checkpoint: dict) -> None:
        """Put the record into the checkpoint."""
        if self.record is not None:
            checkpoint[KEY] = {**self.record.model_dump(), "epoch": checkpoint["meta"]["epoch"]}

    def after_load_checkpoint(self, runner: Runner, checkpoint: dict) -> None:
        """Take the record of the run that wrote a checkpoint."""
        try:
            self.record = Record.model_validate(checkpoint.get(KEY))
        except ValidationError:
            self.record = None

    def after_val_epoch(self, runner: Runner, metrics: dict[str, float] | None = None) -> None:
        """Keep the last evaluation's metrics."""
        self.metrics = dict(metrics or {})

    def after_train(self, runner: Runner) -> None:
        """File the run."""
        if is_main_process() and self.record is not None and not self.why_not:
            seconds = time.monotonic() - self.begun
            extra = [f"resumed after epoch {self.resumed}: the time is that of the last part"] if self.resumed else []
            self._file(runner, "train", self.metrics, runner.max_epochs, seconds, extra)

    def after_test_epoch(self, runner: Runner, metrics: dict[str, float] | None = None) -> None:
        """File the test of a checkpoint that says of which run it is."""
        if not is_main_process():
            return
        if self.record is None:
            runner.logger.warning(
                "evidence: this test will not be filed: its checkpoint does not say how it was trained; `python -m "
                "pipelines file --row ROW --checkpoint X --log Y` brings a run in by its log"
            )
            return
        mine = [d for d in self._look(runner) if d.split(".")[0].split(":")[0] in TESTED]
        if self.row is None or self.why_not or self.row.id != self.record.row:
            why = self.why_not or f"its checkpoint is of row {self.record.row}"
            runner.logger.warning(f"evidence: this test will not be filed: {why}")
            return
        whole = self.record.settings.get("epochs")
        if self.record.epoch != whole:
            mine.append(f"epoch {self.record.epoch} of {whole}")
        differs = list(dict.fromkeys([*self.record.differs, *mine]))
        self.record = self.record.model_copy(update={"differs": differs})
        self._file(runner, "test", metrics or {}, self.record.epoch, 0.0, [])

    def _look(self, runner: Runner) -> list[str]:
        """Find row, data and fingerprint, or why nothing can be filed; returns what differs from the row's config."""
        self.why_not = ""
        try:
            self.row = row_of(runner.cfg)
            if self.row is None:
                self.why_not = f"no row of the ledger has the config {runner.cfg.filename}"
                return []
            self.data = data_of(runner.cfg, self.row)
            self.fingerprint = check_today(self.row, ROOT)
            differs = differences(runner.cfg, row_config(self.row, ROOT, Path(runner.cfg.data_root)))
        except (PipelineError, EvidenceError, LedgerError, OSError) as error:
            self.why_not = str(error)
            return []
        if self.data[0] != TASKS[self.row.task].data:
            differs.append(f"data: {self.data[0]}, not {TASKS[self.row.task].data}")
        return differs

    def _more(self, runner: Runner) -> dict[str, str]:
        """Return what the trainer states of a full-size run's environment."""
        synced = any(isinstance(module, nn.SyncBatchNorm) for module in runner.model.modules())
        return batchnorm.told(synced) | {"precision": precision(runner.cfg)}

    def _path(self) -> Path:
        assert self.row is not None
        assert self.record is not None
        profile = "paper" if self.data[0] == TASKS[self.row.task].data else "mini"
        how = f"mim.{digest(self.record.differs)[:8]}" if self.record.differs else "paper.mim"
        return self.row.results / profile / f"{self.row.id}.{how}.s{self.record.seed}.json"

    def _file(
        self, runner: Runner, verb: str, metrics: Mapping[str, Any], epochs: int, seconds: float, extra: list[str]
    ) -> None:
        """Write the evidence, or say why it cannot be."""
        assert self.row is not None
        assert self.record is not None
        task = TASKS[self.row.task]
        scale = 100 if self.row.task == "pose" else 1  # mmpose reports shares
        found = {column: metrics.get(name) for name, column in task.metrics.items()}
        if lacking := [column for column, value in found.items() if value is None or not value >= 0]:
            runner.logger.warning(f"evidence: not filed: the last evaluation gives no {', '.join(lacking)}")
            return
        now, path = snapshot(ROOT), self._path()
        now["environment"] |= {
            k: v for k, v in self.record.started["environment"].items() if k not in now["environment"]
        }
        _, package = SCOPES[runner.cfg.default_scope]
        evidence = training_evidence(
            row=self.row,
            profile=path.parent.name,
            seed=self.record.seed,
            values={c: round(float(v) * scale, 6) for c, v in found.items() if v is not None},
            params={"train": self.record.settings},
            fingerprint=self.fingerprint,
            data=self.data,
            epochs=epochs,
            seconds=round(seconds, 1),
            command=command(verb, package, sys.argv[1:]),
            started=self.record.started,
            now=now,
            origin="mim",
            differs=self.record.differs,
            extra=extra,
        )
        whole = Path(os.environ.get(OUT) or ROOT) / path
        if verb == "test" and whole.is_file():  # the run filed itself when it ended
            said = ", ".join(f"{column} {value:.2f}" for column, value in evidence["values"].items())
            runner.logger.info(f"evidence: {path} holds this run already and stays as it is; this test gives {said}")
            return
        try:
            write_json_atomic(whole, evidence)
        except EvidenceError as error:
            runner.logger.warning(f"evidence: not filed: {error}")
            return
        runner.logger.info(f"evidence: filed in {path}; `python -m report` shows it")
