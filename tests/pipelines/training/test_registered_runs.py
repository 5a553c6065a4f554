"""Running the registered orderings: larger maps, few images, what is filed is not run again, the pilot's choice."""

from __future__ import annotations

import pytest
import torch
import yaml
from helpers import ROOT
from mmengine.registry import MODELS
from small_runs import registered_checkout

from papertally.evidence.read import read_evidence
from papertally.evidence.registration import FILE, Registration, read_choice
from pipelines.analysis.structure import model_hash
from pipelines.common import PipelineError
from pipelines.training import orderings
from pipelines.training.job import cifar_job, recipe_settings
from pipelines.training.run import alone, resolve
from report.rows import find_row
from report.settings import data_pins, load_settings

ROW = "t5_relu"


@pytest.fixture
def checkout(tmp_path):
    """Return a checkout with a few random images and a registration of one schedule on them."""
    registered_checkout(tmp_path, {})
    return tmp_path


def test_the_first_maps_keep_the_images_size_and_both_names_are_one_network(checkout):
    known = orderings.registered(checkout)
    configs = [resolve(cifar_job(row, "i32e1", 0, known, checkout), checkout / "w") for row in known.twins]
    assert model_hash(configs[0]) == model_hash(configs[1])
    job = cifar_job(ROW, "i32e1", 0, known, checkout)
    backbone = MODELS.build({**resolve(job, checkout / "w").model.backbone, "out_indices": (0, 1, 2, 3)})
    with torch.no_grad():
        sizes = [tuple(x.shape[2:]) for x in backbone.eval()(torch.zeros(1, 3, 32, 32))]
    assert sizes == [(32, 32), (16, 16), (8, 8), (4, 4)]
    printed = MODELS.build({"type": "MicroNet", "arch": "m1", "activation": {"type": "ReLU"}})
    shapes = {name: p.shape for name, p in printed.named_parameters()}
    assert {name: p.shape for name, p in backbone.named_parameters()} == shapes  # strides alone differ


@pytest.mark.long
def test_a_run_is_filed_once_and_counts_under_its_registered_schedule_alone(checkout):
    known = orderings.registered(checkout)
    names = [(ROW, "i32e1", 0)]
    with alone(cifar_job(*names[0], known, checkout)):  # another process's, which is not waited for
        assert orderings.run_all(iter(names), known, checkout) == (0, 1)
    assert orderings.run_all(iter(names), known, checkout) == (1, 0)
    job = cifar_job(*names[0], known, checkout)
    before = (checkout / job.evidence).read_bytes()
    assert orderings.run_all(iter(names), known, checkout) == (0, 0)
    assert (checkout / job.evidence).read_bytes() == before
    found = read_evidence(checkout, load_settings(checkout)[1], data_pins(checkout))
    assert not found.problems
    (run,) = found.runs["cifar"][ROW]
    assert run.params["train"]["images"] == 32
    assert run.cpu_s is not None
    assert run.environment["cpu"]
    (bits,) = found.bits("cifar", ROW, "top1")
    assert bits.images == 10
    assert bits.percent == pytest.approx(run.values["top1"])
    raw = yaml.safe_load((checkout / FILE).read_text("utf-8"))
    raw["train"]["lr"] = 0.5
    (checkout / FILE).write_text(yaml.safe_dump(raw), "utf-8")
    (problem,) = read_evidence(checkout, load_settings(checkout)[1], data_pins(checkout)).problems
    assert "proxy/orderings.yaml" in problem.fault
    assert orderings.filed(cifar_job(*names[0], orderings.registered(checkout), checkout)) is None


def test_nothing_is_chosen_before_the_whole_pilot_is_filed(checkout):
    with pytest.raises(PipelineError, match=r"missing.*--phase pilot"):
        orderings.file_choice(checkout)
    with pytest.raises(PipelineError, match="choose"):
        orderings.chosen(checkout)
    assert read_choice(checkout, checkout / "results") is None


def test_families_are_run_whole_one_after_the_other_and_shared_rows_once():
    known = Registration.model_validate(yaml.safe_load((ROOT / FILE).read_text("utf-8")))
    choice = type("C", (), {"seeds": known.confirm.seeds[:2], "schedule": "x"})()
    runs = list(orderings.confirming_runs(known, choice))
    assert len(set(runs)) == len(runs) == 2 * len(known.rows)
    first = 2 * len(known.families[0].rows)
    assert {row for row, _, _ in runs[:first]} == set(known.families[0].rows)
    assert set(known.twins) <= {row for row, _, _ in runs[: first + 2]}


def test_the_stage_list_has_a_stage_for_every_registered_row():
    found = yaml.safe_load((ROOT / "proxy/orderings/dvc.yaml").read_text("utf-8"))
    known = Registration.model_validate(yaml.safe_load((ROOT / FILE).read_text("utf-8")))
    (lists,) = (v for v in found["vars"] if isinstance(v, dict))
    assert sorted(lists["rows"]) == sorted(known.rows)
    assert found["stages"]["confirm"]["matrix"] == {"row": "${rows}", "seed": "${seeds}"}


def test_what_is_filed_is_told_without_the_images_and_a_run_asks_for_them(checkout, capsys):
    (checkout / "data/cifar10.npz").unlink()
    known = orderings.registered(checkout)
    orderings.tell_status(checkout)
    assert capsys.readouterr().out == "pilot: 0 of 4 runs\nchoice: none yet\n"
    with pytest.raises(PipelineError, match=r"results/cifar/.*missing.*--phase pilot"):
        orderings.file_choice(checkout)
    with pytest.raises(PipelineError, match=r"cifar10.npz: missing.*python -m pipelines cifar"):
        orderings.run_all(iter([(ROW, "i32e1", 0)]), known, checkout)


@pytest.mark.parametrize(
    ("recipe", "text"),
    [
        ("paper", "times the printed one ({lr} at {batch})"),
        ("official", "times the released scripts' ({lr} at {batch})"),
    ],
)
def test_the_remark_on_the_learning_rate_is_the_configs(recipe, text):
    known = orderings.registered(ROOT)
    own = recipe_settings(find_row("t2_micronet_m1", ROOT), recipe, 0, ROOT)
    lr, batch = own["lr"], own["batch_size"]
    times = known.train.lr / (lr * known.train.batch_size / batch)
    (remark,) = known.remarks
    assert f"{times:.0f} {text.format(lr=lr, batch=batch)}" in remark
    assert f"A learning rate of {known.train.lr} at a batch of {known.train.batch_size} " in remark
