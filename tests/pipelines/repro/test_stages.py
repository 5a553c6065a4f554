"""Data, cost and claims stages, and that configs, params.yaml, dvc.yaml and ledger name the same rows."""

from __future__ import annotations

import numpy as np
import pytest
import yaml
from helpers import MICRONET, ROOT

from papertally.counting import cost as counted
from papertally.evidence.io import read_json
from papertally.evidence.schema import ClaimEvidence, CostEvidence, Rules
from papertally.ledger.load import load_ledger
from pipelines.analysis import claims, cost
from pipelines.analysis.computations.load import load_all
from pipelines.analysis.fingerprint import row_lists
from pipelines.common import PipelineError, configured_rows, guard, load_params
from pipelines.data.digits import digits, pixels_pin, write


def test_digits_are_the_pinned_real_ones():
    images = digits()
    assert len(images) == 1797
    assert pixels_pin(images) == load_params()["data"]["digits"]["pin"]
    assert sum(name.startswith("val/") for name, _ in images) == 364


def test_another_data_set_is_refused_and_the_old_folder_stays(tmp_path):
    images = digits()[:20]
    pin = pixels_pin(images)
    write(tmp_path / "d", images, pin)
    before = sorted(p.name for p in (tmp_path / "d").rglob("*"))
    other = [(images[0][0], np.zeros((8, 8), np.uint8)), *images[1:]]
    with pytest.raises(PipelineError, match=r"params.yaml: data.digits.pin"):
        write(tmp_path / "d", other, pin)
    assert sorted(p.name for p in (tmp_path / "d").rglob("*")) == before
    assert pixels_pin(other) != pin


def first_fast(rows: list[str]) -> list[object]:
    """Return the rows as parameters: of each table, the first belongs to the fast tests."""
    first = {row.partition("_")[0]: row for row in reversed(rows)}.values()
    return [row if row in first else pytest.param(row, marks=pytest.mark.slow) for row in rows]


@pytest.mark.slow
@pytest.mark.parametrize("row", first_fast(configured_rows()))
def test_every_config_is_a_row_of_the_ledger_and_is_costed(row):
    evidence = cost.row_cost(row)
    assert evidence["row"] == row
    assert load_ledger(MICRONET).row(row).same_as is None
    CostEvidence.model_validate(evidence)
    assert set(evidence["values"]) == {"params", "terms"}


def test_rules_are_stated():
    assert Rules.model_validate(counted.rules(load_ledger(MICRONET).conventions)).default == "plain"


def test_merged_changes_nested_keys_only():
    assert cost.merged({"a": {"b": 1, "c": 2}, "d": 3}, {"a": {"b": 9}}) == {"a": {"b": 9, "c": 2}, "d": 3}


@pytest.mark.slow
@pytest.mark.long
def test_every_claim_that_needs_no_data_is_computed():
    found = claims.results()
    wanted = {c.id for c in load_ledger(MICRONET).claims if c.kind in ("cost", "structure", "recipe")}
    assert set(found) == wanted
    for evidence in found.values():
        ClaimEvidence.model_validate(evidence)


def test_no_computation_is_unused():
    named = {c.computation for c in load_ledger(MICRONET).claims}
    assert set(load_all()) <= named


def test_the_list_of_rows_is_todays_configs():
    assert read_json(ROOT / "fingerprints/rows.json") == row_lists()


def test_stage_dependencies_exist():
    stages = yaml.safe_load((ROOT / "dvc.yaml").read_text())["stages"]
    for name, stage in stages.items():
        for dep in stage.get("do", stage).get("deps", []):
            generated = dep.startswith(("data/", "results/", "work_dirs/")) or "${" in dep
            assert generated or (ROOT / dep).exists(), (name, dep)


def test_guard_turns_known_errors_into_one_line(capsys):
    def fail():
        raise PipelineError("x.yaml: broken; mend it")

    def missing():
        raise FileNotFoundError(2, "No such file or directory", "y.json")

    assert guard(fail) == 1
    assert guard(missing) == 1
    assert guard(lambda: 0) == 0
    assert capsys.readouterr().err == "error: x.yaml: broken; mend it\nerror: y.json: No such file or directory\n"
    with pytest.raises(ZeroDivisionError):  # a defect is not hidden
        guard(lambda: 1 // 0)


def test_every_row_has_a_stage_in_every_profile_that_trains_it():
    lists, params = row_lists()["rows"], load_params()
    stages = {folder: load_stages(folder) for folder in ("", "proxy", "full")}
    small = {task: f"train_{task}" if task != "classification" else "train" for task in lists}
    assert all(stages[""][name]["foreach"] == f"${{rows.{task}}}" for task, name in small.items())
    assert stages["proxy"]["train"]["matrix"] == {"row": "${proxy.rows}", "seed": "${proxy.seeds}"}
    full = {"classification": "imagenet", "pose": "coco", "segmentation": "cityscapes"}
    assert all(stages["full"][name]["matrix"]["row"] == f"${{rows.{task}}}" for task, name in full.items())
    assert set(params["mini"]["first"]) <= {row for rows in lists.values() for row in rows}


def load_stages(folder):
    return yaml.safe_load((ROOT / folder / "dvc.yaml").read_text())["stages"]


def test_the_default_pipeline_depends_on_no_other_files_stages():
    """DVC would run what makes a dependency, whichever file it is in: `dvc repro` must stay small."""
    own = yaml.safe_load((ROOT / "dvc.yaml").read_text())["stages"]
    mine = {stage["cmd"]: stage for name, stage in own.items() if "cmd" in stage}
    needed = {dep for stage in mine.values() for dep in stage.get("deps", [])}
    for folder in ("proxy", "proxy/orderings", "full"):
        stages = load_stages(folder)
        for stage in stages.values():
            for out in stage.get("do", stage)["outs"]:
                path = out if isinstance(out, str) else next(iter(out))
                assert not any(path.startswith(dep + "/") or path == dep for dep in needed), path


def test_the_lock_names_todays_stages():
    """A stage that changed its command or what it reads stands as changed in every clone, whatever is there."""
    stages = yaml.safe_load((ROOT / "dvc.yaml").read_text("utf-8"))["stages"]
    computed = {name: stage for name, stage in stages.items() if "foreach" not in stage}
    for name, entry in yaml.safe_load((ROOT / "dvc.lock").read_text("utf-8"))["stages"].items():
        if "@" in name:  # a row's, where `make repro` ran here
            continue
        assert entry["cmd"] == computed[name]["cmd"]
        assert {d["path"] for d in entry.get("deps", [])} == set(computed[name].get("deps", []))


@pytest.mark.slow
def test_dvc_takes_the_stages_of_all_files_as_one_graph():
    """No stage depends on a folder that it writes into, of whatever file: `dvc repro` refuses all stages then."""
    from dvc.repo import Repo

    repo = Repo(str(ROOT))
    repo.index.check_graph()
    assert {"cost", "report"} <= {getattr(stage, "name", "") for stage in repo.index.graph}
