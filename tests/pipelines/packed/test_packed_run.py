"""The full-size recipe through a packed set: end to end, killed and resumed, with processes sharing a batch."""

from __future__ import annotations

import dataclasses
import json

import pytest
from full_runs import check_resume

from pipelines import arguments
from pipelines.common import ROOT, PipelineError
from pipelines.data import imagenet
from pipelines.data.verify import PINS, check_imagenet, verify
from pipelines.packed import pack
from pipelines.training import __main__ as cli
from pipelines.training.imagenet_input import class_count
from report.rows import find_row

ROW = "t2_mobilenetv3_0_2"


@pytest.fixture(scope="module")
def tiny(tmp_path_factory):
    root = imagenet.draw_tiny(tmp_path_factory.mktemp("data") / "imagenet", classes=3, train=4, val=2)
    pack.pack(root, root.with_name("packed"))
    return root.with_name("packed")


def options(*more):
    return arguments.train().parse_args(["--row", ROW, "--profile", "paper", *more])


@pytest.mark.slow
def test_a_packed_run_states_its_input(tiny, tmp_path):
    found = {}
    for where in ("workers", "device"):
        out = tmp_path / where
        values = cli.dry_run(options("--data", str(tiny), "--workers", "0", "--resize", where), keep=out)
        found[where] = json.loads(next(out.glob("results/paper/*.json")).read_text())
        assert found[where]["values"] == values
    workers, device = found["workers"], found["device"]
    stated = workers["params"]["input"]
    assert stated["pipeline"] == "packed"
    assert (stated["short_side"], stated["quality"]) == (pack.DEFAULTS.short_side, pack.DEFAULTS.quality)
    assert stated["worker_output"] == "image"
    assert device["params"]["input"] == {**stated, "worker_output": "crop"}
    assert workers["command"].endswith("--packed --decode workers --resize workers")
    assert "--resize device" in device["command"]
    # the same pixels on a CPU, so the same result
    assert workers["values"] == device["values"]


def test_data_is_told_apart_by_its_manifest(tiny, tmp_path, monkeypatch):
    monkeypatch.setattr(cli, "ROOT", tmp_path)

    def checked(given):
        folder = cli.data_folder(find_row(ROW), given.data, tmp_path, given.packed)
        return folder, cli.checked(find_row(ROW), folder, given)

    folder = tiny.with_name("imagenet")
    verify("imagenet", folder, dataclasses.replace(PINS["imagenet"], counts=imagenet.count(folder)), tmp_path)
    pin = check_imagenet(folder, tmp_path)
    assert checked(options("--data", str(folder))) == (folder, pin)
    with pytest.raises(PipelineError, match="--decode and --resize need a packed set; pack it"):
        checked(options("--data", str(folder), "--resize", "device"))
    with pytest.raises(PipelineError, match="was not packed from the ImageNet"):
        checked(options("--data", str(tiny)))
    with pytest.raises(PipelineError, match="imagenet_packed: holds no manifest.json"):
        checked(options("--packed"))
    out = tmp_path / "data/imagenet_packed"
    pack.pack(folder, out, pin=pin, known=pack.verified_files(folder))
    assert checked(options("--packed")) == (out, pin)
    assert checked(options("--data", str(out))) == (out, pin)
    assert class_count(out) == class_count(folder) == 3


@pytest.mark.slow
@pytest.mark.long
def test_a_killed_packed_run_resumes_to_the_unkilled_result(tiny, tmp_path, forks):
    """Even with another number of workers: a batch's draws depend on the seed, the epoch and its images alone."""
    check_resume(forks, {"batch_size": 4, "epochs": 3, "mixup": 0.2}, ROW, tiny, tmp_path, workers=1, again=2)


@pytest.mark.slow
@pytest.mark.long
def test_two_processes_share_a_packed_batch(forks):
    command = ["-m", cli.MODULE, "--row", ROW, "--profile", "paper", "--dry-run", "--packed", "--launcher", "pytorch"]
    done = forks.run_together(2, *command, "--workers", "0", cwd=ROOT)
    assert [one.returncode for one in done] == [0, 0], done[0].stderr[-2000:] + done[1].stderr[-2000:]
    assert sorted(one.stdout.count("dry run of recipe paper done") for one in done) == [0, 1]
