"""CIFAR-100 by the same commands: 100 outputs, evidence in folders apart, and neither set's taken for the other's."""

from __future__ import annotations

import json
import shutil

import pytest
import yaml
from helpers import ROOT
from mmengine.registry import MODELS
from small_runs import OTHER_PIN, random_cifar, registered_checkout

from papertally.evidence.datasets import pins_on, settings_on
from papertally.evidence.read import read_evidence
from papertally.ledger.load import load_ledger
from papertally.pages.registered import registered_pages
from papertally.verdicts.other_sets import read_other_sets
from pipelines.common import PipelineError
from pipelines.data.cifar import CIFAR100
from pipelines.training import __main__ as cli
from pipelines.training import orderings
from pipelines.training.job import cifar_job, proxy_job
from pipelines.training.run import resolve, run
from report.project import held_to
from report.settings import data_pins, load_settings

ROW = "t5_relu"


@pytest.fixture
def checkout(tmp_path):
    """Return a checkout with a few random images of either set, a registration and the proxy's protocol on them."""
    train = yaml.safe_load((ROOT / "params.yaml").read_text("utf-8"))["proxy"]["train"]
    registered_checkout(tmp_path, {"train": train | {"batch_size": 16, "epochs": 1}})
    random_cifar(tmp_path, train=48, test=20, known=CIFAR100)
    return tmp_path


def evidence_of(checkout, name=None):
    """Return the evidence of CIFAR-10, or of a set that is filed apart."""
    runs, pins = load_settings(checkout)[1], data_pins(checkout)
    if name is None:
        return read_evidence(checkout, runs, pins)
    return read_evidence(checkout, settings_on(name, runs), pins_on(name, pins), checkout / "results" / name)


def others_of(checkout):
    return read_other_sets(
        checkout,
        checkout / "results",
        held_to(checkout),
        load_ledger(checkout / "papers/micronet"),
        evidence_of(checkout),
    )


def test_a_hundred_outputs_are_built_and_nothing_is_shared_with_cifar_10(checkout):
    known = orderings.registered(checkout)
    for ten, hundred in (
        (proxy_job(ROW, 0, checkout), proxy_job(ROW, 0, checkout, "cifar100")),
        (cifar_job(ROW, "i32e1", 0, known, checkout), cifar_job(ROW, "i32e1", 0, known.on("cifar100"), checkout)),
    ):
        for job, classes in ((ten, 10), (hundred, 100)):
            model = MODELS.build(resolve(job, checkout / "w").model)
            assert [p.shape[0] for p in model.parameters() if p.ndim == 2][-1] == classes
        assert (hundred.name, hundred.pin) == ("cifar100", OTHER_PIN)
        assert hundred.params["train"] == ten.params["train"] | {"data": "cifar100"}
        assert hundred.identity != ten.identity
        for kind in ("evidence", "weights", "curve", "work"):
            theirs, ours = getattr(ten, kind), getattr(hundred, kind)
            assert "cifar100" not in theirs.parts
            assert theirs.parts[0] == ours.parts[0]
            assert ours.parts[1] == "cifar100"
        assert hundred.command == f"{ten.command} --data cifar100"


@pytest.mark.long
def test_a_registered_run_counts_for_its_own_set_alone(checkout, capsys):
    known = orderings.registered(checkout, "cifar100")
    seed = known.pilot.seeds[0]
    names = [(ROW, "i32e1", seed)]
    assert orderings.run_all(iter(names), known, checkout) == (1, 0)
    assert orderings.run_all(iter(names), known, checkout) == (0, 0)
    job = cifar_job(*names[0], known, checkout)
    assert job.evidence.as_posix() == f"results/cifar100/cifar/{ROW}.i32e1.s{seed}.json"
    ten = cifar_job(*names[0], orderings.registered(checkout), checkout)
    assert orderings.filed(ten) is None
    found = evidence_of(checkout, "cifar100")
    assert not found.problems
    (filed,) = found.runs["cifar"][ROW]
    assert (filed.data.name, filed.data.pin) == ("cifar100", OTHER_PIN)
    (bits,) = found.bits("cifar", ROW, "top1")
    assert (bits.images, bits.data.name) == (10, "cifar100")
    own = evidence_of(checkout)
    assert not own.problems
    assert not own.runs.get("cifar")

    capsys.readouterr()
    for data, count in ((None, 0), ("cifar100", 1)):
        orderings.tell_status(checkout, data)
        assert capsys.readouterr().out == f"pilot: {count} of 4 runs\nchoice: none yet\n"
    with pytest.raises(PipelineError, match=r"results/cifar100/orderings/choice.json: missing.*choose --data cifar100"):
        orderings.chosen(checkout, "cifar100")
    with pytest.raises(PipelineError, match=r"results/cifar100/cifar/.*missing.*--phase pilot --data cifar100"):
        orderings.file_choice(checkout, "cifar100")

    (other,) = others_of(checkout)
    assert dict(other.runs) == {"proxy": 0, "cifar": 1}
    assert "0 runs by the proxy's protocol, 1 run of the registered" in other.told()
    assert other.registered.pilot == (1, 4)
    (page,) = registered_pages(None, [other])
    assert (page.title, page.anchor) == ("CIFAR-100", "registered-cifar100")
    assert "CIFAR-10 " not in page.scope
    assert any("choice of its own" in line for line in page.protocol)

    # the same file in the other's place, either way, is stale: its settings name another set
    place = checkout / ten.evidence
    place.parent.mkdir(parents=True)
    shutil.copy(checkout / job.evidence, place)
    (problem,) = evidence_of(checkout).problems
    assert "other training parameters" in problem.fault
    assert orderings.filed(ten) is None
    place.unlink()
    # without a pin, or under another, nothing counts
    (checkout / CIFAR100.manifest).unlink()
    (problem,) = evidence_of(checkout, "cifar100").problems
    assert "nothing pins cifar100" in problem.fault
    (other,) = others_of(checkout)
    assert "1 file cannot count" in other.told()
    with pytest.raises(PipelineError, match="nothing pins it"):
        cifar_job(*names[0], known, checkout)


@pytest.mark.long
def test_a_proxy_run_of_either_set_is_filed_apart_and_neither_resumes_the_other(checkout):
    ten, hundred = proxy_job(ROW, 0, checkout), proxy_job(ROW, 0, checkout, "cifar100")
    run(ten)
    before = (checkout / ten.evidence).read_bytes()
    run(hundred)  # trains: the finished one beside it is of another set
    assert (checkout / ten.evidence).read_bytes() == before
    filed = json.loads((checkout / hundred.evidence).read_text())
    assert filed["data"] == {"name": "cifar100", "pin": OTHER_PIN}
    assert filed["params"]["train"]["data"] == "cifar100"
    assert filed["command"].endswith("--data cifar100")
    assert (checkout / ten.weights).is_file()
    assert (checkout / hundred.weights).is_file()
    assert [list(evidence_of(checkout, name).runs) for name in (None, "cifar100")] == [["proxy"], ["proxy"]]
    shutil.copy(checkout / ten.evidence, checkout / hundred.evidence)
    (problem,) = evidence_of(checkout, "cifar100").problems
    assert "other training parameters" in problem.fault


def test_data_that_a_profile_does_not_take_is_one_line(checkout):
    with pytest.raises(PipelineError, match=r"^--data cifar11: no such small set; there are cifar10 and cifar100$"):
        proxy_job(ROW, 0, checkout, "cifar11")
    with pytest.raises(PipelineError, match="profile mini has its own sets"):
        cli.main(["--row", ROW, "--data", "cifar100"])
    assert others_of(checkout) == []
    params = yaml.safe_load((checkout / "params.yaml").read_text("utf-8"))
    params["proxy"]["train"]["data"] = "cifar100"
    (checkout / "params.yaml").write_text(yaml.safe_dump(params), "utf-8")
    with pytest.raises(PipelineError, match=r"^params.yaml: proxy.train.data: 'cifar100' is not cifar10; name"):
        proxy_job(ROW, 0, checkout)
