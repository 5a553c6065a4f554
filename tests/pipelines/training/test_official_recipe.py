"""The recipe `official` is the released scripts' whole recipe: settings, loop, and what is filed of a run."""

from __future__ import annotations

import copy
import csv
import json
import math
from functools import partial
from types import SimpleNamespace

import pytest
import torch
from full_runs import check_resume
from helpers import MICRONET
from mmengine.optim import build_optim_wrapper
from mmengine.registry import MODELS, PARAM_SCHEDULERS
from torch.utils.data import DataLoader

from papertally.evidence.fingerprints import parts, read_fingerprint
from papertally.ledger.load import load_ledger
from papertally.ledger.supplements import load_supplements
from pipelines.analysis import compared
from pipelines.analysis.overlays import recipe_config
from pipelines.analysis.structure import model_hash, recipe_hash
from pipelines.common import ROOT, PipelineError
from pipelines.data import imagenet
from pipelines.packed.reader import PackedPreprocessor
from pipelines.training import __main__ as cli
from pipelines.training import run as runs
from pipelines.training.job import Options, paper_job
from pipelines.training.official import KeepBest, RampMixup
from pipelines.training.run import parts_of, resolve
from registry.classification.models import Classifier
from report.rows import find_row

SCRIPT_OF = {"iccv2021_m0": 0, "iccv2021_m1": 1, "t2_micronet_m0": 1, "iccv2021_m2": 2, "t2_micronet_m1": 2,
             "t2_micronet_m1_ml": 2, "iccv2021_m3": 3}  # fmt: skip
#: Of scripts/train_micronet_mN_4gpu.sh: --wd, MODEL.MICRONETS.DROPOUT, whether --warmup.
SCRIPTS = [(3e-5, 0.05, False), (3e-5, 0.05, False), (3e-5, 0.1, False), (4e-5, 0.1, True)]


def resolved(row, tmp_path, recipe="official"):
    """Return a row's config as a run of a recipe builds it, of ten classes."""
    data = tmp_path / "imagenet"
    for i in range(10):
        (data / f"train/n{i:08d}").mkdir(parents=True, exist_ok=True)
    return resolve(paper_job(row, recipe, 0, data, "pin", Options()), tmp_path)


@pytest.mark.parametrize("row", sorted(SCRIPT_OF))
def test_a_released_network_has_its_scripts_settings(row, tmp_path):
    config = resolved(row, tmp_path)
    decay, dropout, warmup = SCRIPTS[SCRIPT_OF[row]]
    optimizer = config.optim_wrapper.optimizer
    assert (optimizer.type, optimizer.lr, optimizer.momentum, optimizer.weight_decay) == ("SGD", 0.2, 0.9, decay)
    assert config.model.head.dropout == dropout
    assert config.model.get("label_smoothing", 0) == 0
    assert (config.train_cfg.max_epochs, config.train_dataloader.batch_size) == (600, 512)
    assert (config.model.parts, config.train_dataloader.drop_last) == (4, False)
    assert config.train_dataloader.collate_fn.alpha == 0
    assert config.model.backbone.wiring == "official"
    schedule = config.param_scheduler if isinstance(config.param_scheduler, list) else [config.param_scheduler]
    assert [s.type for s in schedule] == (["LinearLR"] if warmup else []) + ["CosineAnnealingLR"]
    hooks = [hook["type"] for hook in config.custom_hooks]
    assert {"KeepBest", "FirstBuffersHook"} <= set(hooks)
    assert not {"SyncBuffersHook", "RampMixup"} & set(hooks)


@pytest.mark.slow
def test_the_networks_are_the_released_ones():
    for row, other in (("t2_micronet_m0", "iccv2021_m1"), ("t2_micronet_m1", "iccv2021_m2")):
        mine, released = (model_hash(recipe_config(find_row(name), "official")) for name in (row, other))
        assert mine == released
    assert model_hash(recipe_config(find_row("t2_micronet_m1"), "paper")) != mine


def test_what_the_scripts_lack_follows_their_loop(tmp_path):
    config = resolved("t2_micronet_m3", tmp_path)
    ramp = next(hook for hook in config.custom_hooks if hook["type"] == "RampMixup")
    assert (ramp["alpha"], ramp["epochs"]) == (0.2, 100)
    # torch gives every class s / C, the scripts' loss every wrong one 0.1 / (C - 1)
    smoothing, classes = config.model.label_smoothing, 1000
    assert smoothing / classes == pytest.approx(0.1 / (classes - 1))
    assert 1 - smoothing + smoothing / classes == pytest.approx(0.9)
    assert "RampMixup" not in {hook["type"] for hook in resolved("t2_micronet_m3", tmp_path, "paper").custom_hooks}


@pytest.mark.parametrize("recipe", ["paper", "official"])
@pytest.mark.parametrize(("row", "decay"), [("t2_micronet_m0", 3e-5), ("t2_micronet_m3", 4e-5)])
def test_weight_decay_is_of_every_parameter(row, decay, recipe, tmp_path):
    config = resolved(row, tmp_path, recipe)
    with torch.device("meta"):
        net = MODELS.build(config.model)
    groups = build_optim_wrapper(net, config.optim_wrapper).optimizer.param_groups
    assert {group["weight_decay"] for group in groups} == {decay}
    assert sum(len(group["params"]) for group in groups) == len(list(net.parameters()))


@pytest.mark.parametrize("row", ["t2_micronet_m1", "t2_micronet_m2", "t2_micronet_m3", "t5_relu", "t2_ghostnet_0_5"])
def test_the_printed_recipe_is_as_printed_when_it_runs(row, tmp_path):
    """Section 5.1: weight decay, dropout, smoothing and mixup by size; 5.3: ablations are as M0 and M1."""
    config = resolved(row, tmp_path, "paper")
    large = row in ("t2_micronet_m2", "t2_micronet_m3")
    assert config.optim_wrapper.optimizer.weight_decay == (4e-5 if large else 3e-5)
    assert config.model.get("label_smoothing", 0) == (0.1 if row == "t2_micronet_m3" else 0)
    assert config.train_dataloader.collate_fn.alpha == (0.2 if row == "t2_micronet_m3" else 0)
    assert config.optim_wrapper.optimizer.lr == 0.02
    assert config.train_cfg.max_epochs == (300 if row == "t5_relu" else 600)
    assert "parts" not in config.model
    if "backbone" in config.model:
        assert config.model.head.dropout == (0.1 if large else 0.05)
        assert "wiring" not in config.model.backbone


def test_the_learning_rate_is_the_scripts():
    """main.py's adjust_learning_rate, at 10 steps an epoch."""
    config, steps, epochs = recipe_config(find_row("iccv2021_m3"), "official"), 10, 600
    optimizer = torch.optim.SGD([torch.zeros(1, requires_grad=True)], lr=0.2)
    schedules = []
    for scheduler in config.param_scheduler:
        arguments = dict(scheduler)
        make = PARAM_SCHEDULERS.get(arguments.pop("type")).build_iter_from_epoch
        del arguments["convert_to_iter_based"]
        schedules.append(make(optimizer=optimizer, epoch_length=steps, **arguments))
    warm, whole = 5 * steps, epochs * steps
    for step in range(whole):
        script = 0.2 * step / warm if step < warm else 0.1 * (1 + math.cos(math.pi * (step - warm) / (whole - warm)))
        # mmengine's rise ends at its last step, the script's one step later
        assert optimizer.param_groups[0]["lr"] == pytest.approx(script, abs=0.2 / (warm - 1) if step < warm else 1e-9)
        optimizer.step()
        for scheduler in schedules:
            scheduler.step()


@pytest.mark.slow
def test_parts_are_data_parallels():
    """DataParallel: a replica a part, outputs gathered before the loss, buffers of the first replica."""
    torch.manual_seed(0)
    backbone = {"type": "MicroNet", "arch": "m0"}
    net = Classifier(backbone, {"type": "ClassificationHead", "hidden": 8, "classes": 5, "dropout": 0.0}).double()
    net.init_weights()
    images, labels = torch.randn(8, 3, 32, 32).double(), torch.arange(8) % 5
    replicas = [copy.deepcopy(net) for _ in range(3)]
    logits = torch.cat([r.logits(part) for r, part in zip(replicas, images.chunk(3), strict=True)])
    expected = torch.nn.functional.cross_entropy(logits, labels)
    expected.backward()
    net.parts = 3
    found = net(images, labels, mode="loss")["loss"]
    found.backward()
    assert found.item() == pytest.approx(expected.item(), rel=1e-12)
    for name, value in net.named_parameters():
        theirs = sum(dict(r.named_parameters())[name].grad for r in replicas)
        assert torch.allclose(value.grad, theirs, rtol=1e-9, atol=1e-12), name
    first = dict(replicas[0].named_buffers())
    assert all(torch.equal(value, first[name]) for name, value in net.named_buffers())
    whole = copy.deepcopy(replicas[1])
    whole.parts = 1
    assert whole(images, labels, mode="loss")["loss"].item() != pytest.approx(expected.item(), rel=1e-6)
    assert net(images[:7], labels[:7], mode="loss")["loss"].isfinite()  # in two parts: of three, one has one image


@pytest.mark.parametrize(("processes", "expected"), [(1, 4), (2, 2), (4, 1), (8, None), (3, None)])
def test_batchnorm_takes_128_images_on_any_number_of_processes(processes, expected, monkeypatch):
    monkeypatch.setattr(runs, "get_world_size", lambda: processes)
    if expected:
        assert parts_of(512, 128) == expected
    else:
        with pytest.raises(PipelineError, match=f"^(the recipe's BatchNorm.*, which )?{processes} processes"):
            parts_of(512, 128)


@pytest.mark.parametrize("packed", [False, True])
def test_mixup_rises_over_100_epochs(packed):
    items = [{"inputs": torch.zeros(3, 2, 2), "data_samples": i} for i in range(4)]
    loader = DataLoader(items, 4, collate_fn=None if packed else partial(imagenet.mixup_collate, alpha=0.2, classes=4))
    model = SimpleNamespace(data_preprocessor=PackedPreprocessor(2, 0.2, 4))
    hook = RampMixup(alpha=0.2, epochs=100)
    for epoch, alpha in ((0, 0), (1, 0.002), (50, 0.1), (100, 0.2), (599, 0.2)):
        hook.before_train_epoch(SimpleNamespace(epoch=epoch, train_dataloader=loader, model=model))
        if packed:
            mix = model.data_preprocessor.mix
            assert (mix.alpha if mix else 0) == pytest.approx(alpha)
        else:
            assert loader.collate_fn.keywords["alpha"] == pytest.approx(alpha)
            labels = next(iter(loader))["data_samples"]
            assert labels.shape == ((4, 4) if epoch else (4,))  # what is mixed is a distribution


def epochs_of(folder, metrics, hook=None, start=0):
    """Let a hook see validations, whose weights are the epoch's number; returns hook and runner."""
    model = torch.nn.Linear(1, 1, bias=False)
    runner = SimpleNamespace(
        epoch=start, work_dir=str(folder), model=model, val_loop=SimpleNamespace(evaluator=SimpleNamespace(metrics=[]))
    )
    hook = hook or KeepBest()
    hook.before_train(runner)
    for value in metrics:
        runner.epoch += 1
        torch.nn.init.constant_(model.weight, runner.epoch)
        hook.after_val_epoch(runner, {"top1": value})
    return hook, runner


def test_the_best_epoch_is_kept_the_first_of_equal_ones(tmp_path):
    hook, runner = epochs_of(tmp_path, [10, 30, 20, 30, 29])
    assert hook.restore(runner) == 2
    assert runner.model.weight.item() == 2


@pytest.mark.parametrize(("resumed", "rest", "best"), [(3, [5], 2), (2, [20, 40], 4), (1, [9, 9], 1), (0, [1, 2], 2)])
def test_a_resumed_run_knows_its_best_epoch(tmp_path, resumed, rest, best):
    epochs_of(tmp_path, [10, 30, 20])
    hook, runner = epochs_of(tmp_path, rest, start=resumed)  # epochs after the resumed one do not count
    assert hook.restore(runner) == best
    assert runner.model.weight.item() == best


def test_a_damaged_file_is_passed_over(tmp_path, capsys):
    epochs_of(tmp_path, [10, 30, 20])
    (tmp_path / "kept_2.pth").write_bytes(b"x")
    hook, runner = epochs_of(tmp_path, [5], start=3)
    assert hook.restore(runner) == 1
    assert "kept_2.pth: damaged" in capsys.readouterr().err


def test_its_fingerprint_is_of_its_own_network_and_recipe():
    found, config = read_fingerprint(ROOT, "t2_micronet_m1"), recipe_config(find_row("t2_micronet_m1"), "official")
    mine = parts(found, "paper", "official")
    assert (mine["model"], mine["recipe"]) == (model_hash(config), recipe_hash(config))
    assert parts(found, "paper", "paper") == parts(found, "paper") != mine
    assert parts(found, "mini", "") == parts(found, "mini")


@pytest.mark.slow
def test_the_docs_list_what_the_configs_differ_in():
    text = (ROOT / compared.DOCS).read_text("utf-8")
    assert compared.documented(text) == text


def test_every_difference_is_explained_on_the_page():
    """Each changed key of the resolved configs stands at a difference of released_code.yaml, and these change one."""
    rows = ["t2_micronet_m1", "t2_micronet_m3", "iccv2021_m3"]  # one of each kind
    changed = {key for row in rows for key, *_ in compared.changes(row, "official")}
    told = [d for d in load_supplements(load_ledger(MICRONET), MICRONET).differences if d.keys]
    explained = {key for d in told for key in d.keys}
    assert {key for key in changed if not any(key.startswith(e) for e in explained)} == set()
    assert {e for e in explained if not any(key.startswith(e) for key in changed)} == set()
    assert {d.here for d in told} == {"recipe official", "wiring official"}


def test_the_command_names_rows_and_values(capsys):
    assert compared.main(["--row", "t2_micronet_m1", "t8_micronet_m0"]) == 0
    out = capsys.readouterr().out
    assert "official: optim_wrapper.optimizer.lr: 0.02 -> 0.2  [all 1]" in out
    assert "hrnet: train_dataloader.dataset.pipeline.4.type: RandomBBoxTransform -> ClippedBBoxTransform" in out
    with pytest.raises(PipelineError, match="lacks the lines <!-- official -->"):
        compared.documented("# Recipes\n")


@pytest.mark.slow
@pytest.mark.long
def test_a_run_files_its_best_epoch(tmp_path):
    out = tmp_path / "out"
    options = cli.parser().parse_args(
        ["--row", "t2_micronet_m0", "--profile", "paper", "--workers", "0", "--recipe", "official", "--dry-run"]
    )
    values = cli.dry_run(options, keep=out)
    evidence = json.loads((out / "results/paper/t2_micronet_m0.official.s0.json").read_text())
    curve = list(csv.DictReader((out / "results/curves/paper/t2_micronet_m0.official.s0.csv").open()))
    top1 = [float(line["top1"]) for line in curve]
    assert evidence["best_epoch"] == top1.index(max(top1)) + 1
    assert evidence["values"] == values
    assert values["top1"] == pytest.approx(max(top1))
    train = evidence["params"]["train"]
    assert (train["lr"], train["norm_batch"], train["kept"], train["batch_size"]) == (0.2, 2, "best epoch", 8)
    assert evidence["fingerprint"] == parts(read_fingerprint(ROOT, "t2_micronet_m0"), "paper", "official")


@pytest.mark.slow
@pytest.mark.long
def test_a_killed_run_keeps_the_same_epoch(tmp_path, forks):
    data = imagenet.draw_tiny(tmp_path / "data/imagenet", classes=3, train=4, val=2)
    check_resume(forks, {"batch_size": 8, "epochs": 3}, "t2_micronet_m0", data, tmp_path, recipe="official")
