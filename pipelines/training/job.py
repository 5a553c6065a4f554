"""One run as data: a row by a profile, with seed, settings, data and what it depends on; no training here."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from papertally.evidence.checksum import digest
from papertally.evidence.datasets import OWN, SMALL_REAL, apart
from papertally.evidence.fingerprints import parts, read_fingerprint
from papertally.evidence.registration import FILE, Registration, random_seed
from pipelines.analysis.overlays import recipe_config
from pipelines.common import ROOT, PipelineError, load_params, section
from pipelines.data.digits import check_batch, read_manifest
from pipelines.tasks import TASKS
from pipelines.training.profiles import own_settings
from report.rows import Row, find_row

#: What a dry run shrinks; all else is the recipe's.
DRY = {
    "classification": {"batch_size": 8, "epochs": 2},
    "pose": {"batch_size": 4, "epochs": 2},
    "segmentation": {"batch_size": 2, "epochs": 2},
}


@dataclass(frozen=True)
class Options:
    """Hold how a run is launched; none of it but `amp` and a packed set's output changes a result."""

    launcher: str = "none"
    workers: int = 8
    amp: bool = False
    decode: str = "workers"
    resize: str = "workers"


@dataclass(frozen=True)
class Job:
    """Hold one run. settings: what evidence states of the recipe. folder, name, pin: the data. out: where it is filed.

    fingerprint: the parts that this profile's results depend on. stated: more that changes the result.
    """

    row: Row
    profile: str
    seed: int
    settings: Mapping[str, Any]
    folder: Path
    name: str
    pin: str
    fingerprint: Mapping[str, Any]
    root: Path = ROOT
    out: Path = ROOT
    options: Options = field(default_factory=Options)
    stated: Mapping[str, Any] = field(default_factory=dict)

    @property
    def stem(self) -> str:
        """Return the name of the run's files."""
        recipe = f".{self.settings['recipe']}" if "recipe" in self.settings else ""
        return self.row.id if self.profile == "mini" else f"{self.row.id}{recipe}.s{self.seed}"

    @property
    def random_seed(self) -> int:
        """Return what the run's generators start from: of the registered orderings mixed with the row's name."""
        return random_seed(self.row.id, self.seed) if self.profile == "cifar" else self.seed

    @property
    def params(self) -> dict[str, Any]:
        """Return what the run's evidence states under `params`."""
        return {"train": dict(self.settings), **self.stated}

    @property
    def identity(self) -> str:
        """Return the sha256 over all that the result depends on: equal ones resume each other."""
        return digest(
            {
                "row": self.row.id,
                "profile": self.profile,
                "seed": self.seed,
                "params": self.params,
                "pin": self.pin,
                "fingerprint": dict(self.fingerprint),
                "amp": self.options.amp,
            }
        )

    @property
    def apart(self) -> Path:
        """Return the folder that keeps runs on another small set than CIFAR-10 apart; of all others none."""
        return apart(self.name) if self.profile in SMALL_REAL else Path()

    @property
    def results(self) -> Path:
        """Return the folder of evidence, relative to `out`."""
        return self.row.results / self.apart

    @property
    def evidence(self) -> Path:
        """Return where the evidence is filed, relative to `out`."""
        return self.results / self.profile / f"{self.stem}.json"

    @property
    def weights(self) -> Path:
        """Return where the weights are filed, relative to `out`."""
        return "checkpoints" / self.apart / self.profile / f"{self.stem}.pth"

    @property
    def work(self) -> Path:
        """Return where a run keeps what it resumes from, relative to `out`; its lock lies beside."""
        return "work_dirs" / self.apart / self.profile / self.stem

    @property
    def curve(self) -> Path:
        """Return where the curve is filed, relative to `out`."""
        return "results" / self.apart / "curves" / self.profile / f"{self.stem}.csv"

    @property
    def picture(self) -> Path | None:
        """Return where predictions are drawn, relative to `out`: of pixel-level rows of the small profile."""
        drawn = self.profile == "mini" and self.row.task != "classification"
        return Path("results/pictures") / self.profile / f"{self.stem}.jpg" if drawn else None

    @property
    def command(self) -> str:
        """Return the command that makes the run again."""
        data = f" --data {self.apart}" if self.apart.parts else ""
        if self.profile == "cifar":
            run = f"--row {self.row.id} --schedule {self.settings['recipe']} --seed {self.seed}"
            return f"python -m pipelines orderings run {run}{data}"
        out = f"python -m pipelines train --row {self.row.id}"
        if self.profile != "mini":
            out += f" --profile {self.profile} --seed {self.seed}{data}"
        if self.settings.get("recipe", "paper") != "paper":
            out += f" --recipe {self.settings['recipe']}"
        if "input" in self.stated:
            out += f" --packed --decode {self.options.decode} --resize {self.options.resize}"
        return out + (" --amp" if self.options.amp else "")


def known_row(row_id: str, root: Path, profile: str, recipe: str = "") -> tuple[Row, dict[str, Any]]:
    """Return a row and the fingerprint's parts for a profile and recipe.

    Raises LedgerError, EvidenceError, PipelineError.
    """
    row = find_row(row_id, root)
    if not (root / row.config).is_file():
        raise PipelineError(f"{row.config}: no such config; row {row_id!r} has no experiment of its own")
    return row, parts(read_fingerprint(root, row_id), profile, recipe)


def mini_job(row_id: str, root: Path = ROOT) -> Job:
    """Return a row's run on the drawn sets, as params.yaml says (mini.TASK)."""
    row, fingerprint = known_row(row_id, root, "mini")
    settings = dict(section(load_params(root), "mini", row.task))
    manifest = read_manifest(root / settings["folder"])
    check_batch(settings, manifest)
    return Job(
        row,
        "mini",
        settings["seed"],
        settings,
        root / settings["folder"],
        manifest["name"],
        manifest["pin"],
        fingerprint,
        root,
        root,
    )


def proxy_job(row_id: str, seed: int, root: Path = ROOT, data: str | None = None) -> Job:
    """Return a row's run with a seed on CIFAR-10, as params.yaml says (proxy.train), or by the same on another set."""
    from pipelines.data.cifar import find_set, load_pinned

    params = load_params(root)
    if row_id not in section(params, "proxy", "rows"):
        raise PipelineError(f"params.yaml: no row {row_id!r} under proxy.rows; add it")
    row, fingerprint = known_row(row_id, root, "proxy")
    settings = dict(section(params, "proxy", "train"))
    if settings["data"] != OWN:
        raise PipelineError(f"params.yaml: proxy.train.data: {settings['data']!r} is not {OWN}; name others by --data")
    known = find_set(data or OWN)
    settings["data"] = known.name
    found, pin = load_pinned(known, root, ("train_labels",))
    if settings["batch_size"] > (images := len(found["train_labels"])):
        fault = f"batch_size {settings['batch_size']} is more than the {images} training images"
        raise PipelineError(f"params.yaml: proxy.train.{fault}; lower it")
    return Job(row, "proxy", seed, settings, root / known.packed, known.name, pin, fingerprint, root, root)


def cifar_job(
    row_id: str, schedule: str, seed: int, registration: Registration, root: Path = ROOT, packed: bool = True
) -> Job:
    """Return a row's run by a registered schedule on the set that the registration names.

    packed: the set has to be there; False where what is filed is asked about alone. Raises PipelineError where the data
    does not fit, or nothing pins it.
    """
    from pipelines.data.cifar import find_set, load_pinned, stated_pin

    row, fingerprint = known_row(row_id, root, "cifar")
    settings = registration.settings(schedule)
    known = find_set(settings["data"])
    if packed:
        data, pin = load_pinned(known, root, ("train_labels", "test_labels"))
        for key, split in (("images", "train"), ("test_images", "test")):
            if settings[key] > (count := len(data[f"{split}_labels"])):
                raise PipelineError(f"{FILE}: {schedule}: {settings[key]} of the {count} {split} images; lower {key}")
        if settings["batch_size"] > settings["images"]:
            raise PipelineError(f"{FILE}: {schedule}: batch_size is more than its images; lower it")
    else:
        pin = stated_pin(known, root)
    return Job(row, "cifar", seed, settings, root / known.packed, known.name, pin, fingerprint, root, root)


def recipe_settings(row: Row, recipe: str, seed: int, root: Path = ROOT) -> dict[str, Any]:
    """Return what evidence states of a row's recipe. Raises PipelineError where the recipe is of other rows."""
    return {**own_settings(recipe_config(row, recipe, root)), "recipe": recipe, "seed": seed}


def paper_job(
    row_id: str,
    recipe: str,
    seed: int,
    folder: Path,
    pin: str,
    options: Options,
    root: Path = ROOT,
    out: Path | None = None,
    changes: Mapping[str, Any] | None = None,
) -> Job:
    """Return a row's run by a recipe on verified data. changes: what a dry run shrinks; out: where that is filed."""
    row, fingerprint = known_row(row_id, root, "paper", recipe)
    own = recipe_settings(row, recipe, seed, root)
    settings = {**own, **(changes or {})}
    if "norm_batch" in own:  # as many parts of a smaller batch
        settings["norm_batch"] = own["norm_batch"] * settings["batch_size"] // own["batch_size"]
    stated: dict[str, Any] = {}
    if row.task == "classification":
        from pipelines.training.imagenet_input import is_packed, packed

        if is_packed(folder):
            stated["input"] = packed.stated(folder, packed.worker_output(options.decode, options.resize))
    name = TASKS[row.task].data
    return Job(row, "paper", seed, settings, folder, name, pin, fingerprint, root, out or root, options, stated)
