"""Profiles as overlays over a row's own mmengine config: small drawn sets, CIFAR, or the paper's sets and recipe."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

from pipelines.data.cifar import find_set
from registry.arch import get_arch
from report.rows import Row


def own_settings(config: Any) -> dict[str, Any]:
    """Return what a config says of its schedule, by the names that evidence uses."""
    optimizer = config.optim_wrapper.optimizer
    collate = config.train_dataloader.get("collate_fn", {})
    size = config.train_dataloader.dataset.get("size")
    return {
        "epochs": config.train_cfg.max_epochs,
        "batch_size": config.train_dataloader.batch_size,
        **{key: optimizer[key] for key in ("lr", "momentum", "weight_decay") if key in optimizer},
        **({"mixup": collate["alpha"]} if "alpha" in collate else {}),
        **({"image_size": size} if size else {}),
        **_further(config),
    }


def _further(config: Any) -> dict[str, Any]:
    """Return what recipes other than `paper` have in a config, by the names that evidence uses."""
    hooks = {hook["type"]: hook for hook in config.get("custom_hooks", [])}
    steps = {step.get("type") for step in config.train_dataloader.dataset.get("pipeline", [])}
    warmup = [s["end"] for s in schedulers(config) if s["type"] == "LinearLR"]
    out: dict[str, Any] = {}
    if "parts" in config.model:
        out["norm_batch"] = config.train_dataloader.batch_size // config.model.parts
    if "KeepBest" in hooks:
        out["kept"] = "best epoch"
    if "RampMixup" in hooks:
        out["mixup_ramp"] = hooks["RampMixup"]["epochs"]
    if warmup:
        out["warmup"] = warmup[0]
    if "ClippedBBoxTransform" in steps:
        out["augmentation"] = "clipped"
    return out


def schedulers(config: Any) -> list[Any]:
    """Return a config's schedules of the learning rate."""
    return config.param_scheduler if isinstance(config.param_scheduler, list) else [config.param_scheduler]


def set_epochs(config: Any, epochs: int, every: int) -> None:
    """Set a run's length and how often it validates; the learning rate's schedule shrinks in proportion."""
    whole = config.train_cfg.max_epochs
    for scheduler in schedulers(config):
        for name in ("begin", "end"):  # what has some length keeps an epoch
            scheduler[name] = max(min(scheduler[name], 1), round(scheduler[name] * epochs / whole))
        if "milestones" in scheduler:
            scheduler["milestones"] = [round(epoch * epochs / whole) for epoch in scheduler["milestones"]]
    config.train_cfg.update(max_epochs=epochs, val_interval=every)


def small(config: Any, row: Row, settings: Mapping[str, Any], folder: Path) -> None:
    """Put the mini profile's data, sizes and epochs into a row's config."""
    config.optim_wrapper.optimizer.lr = settings["lr"]
    for hook in config.custom_hooks:
        if hook["type"] == "AnnealTemperature":
            hook["epochs"] = settings["anneal_epochs"]
    SMALL[row.task](config, settings, folder)
    for name in ("train_dataloader", "val_dataloader", "test_dataloader"):
        config[name].update(num_workers=0, persistent_workers=False)
    config.train_dataloader.batch_size = settings["batch_size"]


def _small_classification(config: Any, settings: Mapping[str, Any], folder: Path) -> None:
    config.optim_wrapper.optimizer.weight_decay = settings["weight_decay"]
    _classes(config, settings["classes"])
    for name, split in (("train_dataloader", "train"), ("val_dataloader", "val"), ("test_dataloader", "val")):
        _loads(
            config[name],
            {
                "type": "FolderClassification",
                "root": str(folder / split),
                "size": settings["image_size"],
                "train": split == "train",
            },
            "default_collate",
            256,
        )
    set_epochs(config, settings["epochs"], 1)


def _loads(loader: Any, dataset: dict[str, Any], collate: str, batch_size: int) -> None:
    """Let a loader read another set in this process."""
    loader.pop("dataset")
    loader.pop("collate_fn", None)
    loader.pop("worker_init_fn", None)
    loader.update(dataset=dataset, collate_fn={"type": collate}, batch_size=batch_size, num_workers=0)


def _classes(config: Any, classes: int) -> None:
    """Set the number of a classifier's outputs, and of mixup's distributions."""
    config.model.head["classes"] = classes
    for name in ("train_dataloader", "val_dataloader", "test_dataloader"):
        if "classes" in config[name].get("collate_fn", {}):
            config[name].collate_fn["classes"] = classes


def _walk(node: Any, visit: Callable[[dict], None]) -> None:
    """Visit every mapping of a config, inner ones after outer."""
    if isinstance(node, dict):
        visit(node)
        for value in list(node.values()):
            _walk(value, visit)
    elif isinstance(node, list | tuple):
        for value in node:
            _walk(value, visit)


def _small_pose(config: Any, settings: Mapping[str, Any], folder: Path) -> None:
    """Set input and heatmap sizes (width, height)."""
    size = tuple(settings["input_size"])
    heatmap = (size[0] // 4, size[1] // 4)

    def visit(node: dict) -> None:
        if node.get("type") == "MSRAHeatmap":
            node.update(input_size=size, heatmap_size=heatmap, sigma=settings["sigma"])
        elif node.get("type") == "TopdownAffine":
            node["input_size"] = size

    _walk(config._cfg_dict, visit)
    _small_pixels(config, settings)


def _small_segmentation(config: Any, settings: Mapping[str, Any], folder: Path) -> None:
    """Set the images' size (width, height), which crops have too."""
    width, height = settings["input_size"]

    def visit(node: dict) -> None:
        if node.get("type") == "RandomResize":
            node["scale"] = (width, height)
        elif node.get("type") == "RandomCrop":
            node["crop_size"] = (height, width)
        elif node.get("type") == "SegDataPreProcessor":
            node["size"] = (height, width)

    _walk(config._cfg_dict, visit)
    _small_pixels(config, settings)


def _small_pixels(config: Any, settings: Mapping[str, Any]) -> None:
    for name in ("val_dataloader", "test_dataloader"):
        config[name].update(batch_size=64)
    set_epochs(config, settings["epochs"], settings["epochs"])


SMALL = {"classification": _small_classification, "pose": _small_pose, "segmentation": _small_segmentation}


def proxy(config: Any, row: Row, settings: Mapping[str, Any], folder: Path) -> None:
    """Put the proxy's fixed protocol into a classification row's config: CIFAR, no label smoothing, no mixup.

    Whole images of 32 x 32, random crop with padding 4, flip, SGD with momentum 0.9 and a cosine to 0.
    """
    config.model.pop("label_smoothing", None)
    _classes(config, len(find_set(settings["data"]).classes))
    config.optim_wrapper.optimizer.update(lr=settings["lr"], momentum=0.9, weight_decay=settings["weight_decay"])
    for name, split in (("train_dataloader", "train"), ("val_dataloader", "test"), ("test_dataloader", "test")):
        _loads(
            config[name],
            {
                "type": "CifarImages",
                "path": str(folder),
                "split": split,
                "data": settings["data"],
            },
            "batched",
            settings["batch_size"] if split == "train" else 500,
        )
    set_epochs(config, settings["epochs"], settings["epochs"])


def start_as_relu(backbone: Any) -> None:
    """Start Dynamic Shift-Max at A1 and A3 as max(x, 0); any other activation keeps its start."""
    activation = dict(backbone.get("activation", {}))
    j, k = activation.get("j", 2), activation.get("k", 2)
    if activation.get("type", "DynamicShiftMax") == "DynamicShiftMax" and k > 1:
        zero = (0.0,) * j
        activation["constants"] = ((1.0, *zero[1:]), *(zero for _ in range(k - 1)))
        backbone["activation"] = activation


def cifar(config: Any, row: Row, settings: Mapping[str, Any], folder: Path) -> None:
    """Put the registered orderings' protocol into a row's config: the proxy's, on larger maps and fewer images.

    Stem and first block keep their stride only as far as registered, so that maps are those of a larger image.
    """
    proxy(config, row, settings, folder)
    backbone = config.model.backbone
    arch = get_arch(backbone.get("arch", "m1"))
    first = {**asdict(arch.blocks[0]), "stride": settings["first_stride"]}
    backbone["arch"] = {
        "base": backbone.get("arch", "m1"),
        "stem_stride": settings["stem_stride"],
        "blocks": [first, *(asdict(block) for block in arch.blocks[1:])],
    }
    if settings.get("start") == "relu":
        start_as_relu(backbone)
    if settings["image_size"] != 32:
        for name in ("train_dataloader", "val_dataloader", "test_dataloader"):
            config[name].dataset["size"] = settings["image_size"]
    config.train_dataloader.dataset["first"] = settings["images"]
    for name in ("val_dataloader", "test_dataloader"):
        config[name].dataset["first"] = settings["test_images"]
        config[name]["batch_size"] = 100  # as quick as larger ones, in less memory


def paper(config: Any, row: Row, settings: Mapping[str, Any], folder: Path) -> None:
    """Put what a dry run shrinks into a recipe's config; where a set is tiny, its classes too."""
    if settings["epochs"] != config.train_cfg.max_epochs:
        set_epochs(config, settings["epochs"], min(config.train_cfg.val_interval, settings["epochs"]))
    config.train_dataloader.batch_size = settings["batch_size"]
    if row.task == "classification":
        from pipelines.training.imagenet_input import class_count

        _classes(config, class_count(folder))


OVERLAYS = {"mini": small, "proxy": proxy, "cifar": cifar, "paper": paper}
