"""Logs of mmengine, timm and the released scripts give a table's columns in percent, or one line of what is wrong."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st
from small_runs import LOGS

from papertally.evidence.io import EvidenceError
from papertally.evidence.logs import LOGGED, column_of, read_log
from pipelines.tasks import TASKS


@pytest.mark.parametrize("name", list(LOGS))
def test_each_form_of_log_says_the_same(tmp_path, name):
    path = tmp_path / name
    path.write_text(LOGS[name])
    log = read_log(path, ["top1", "top5"])
    assert log.last() == (3, {"top1": 59.25, "top5": 80.75})
    assert log.best("top1") == (2, {"top1": 59.5, "top5": 81.0})


def test_mmpose_logs_shares(tmp_path):
    path = tmp_path / "scalars.json"
    path.write_text(json.dumps({"coco/AP": 0.628, "coco/AP (M)": 0.6, "step": 250}))
    log = read_log(path, ["AP", "APM", "miou"])
    assert log.last() == (250, {"AP": 62.8, "APM": 60.0})


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("", "no column of top1, top5"),
        ("epoch,loss\n1,2\n", "x.log:1: no column of top1, top5"),
        ('{"loss": 1}\n', "has no evaluation of top1, top5"),
        ('{"top1": 1}\nno\n{"top1": 2}', "x.log:2: is no JSON"),
        ('{"top1": 1}\n[1]\n{"top1": 2}', "x.log:2: is no object"),
        ('{"top1": NaN}\n', "x.log:1: nan is not finite"),
        ("epoch,top1\n1,much\n", "x.log:2: 'much' is no number"),
        ("epoch,top1\n1\n2,50\n", "x.log:2: 1 values under 2 names"),
        ("epoch,top1\n1,50,60\n", "x.log:2: 3 values under 2 names"),
        ("epoch,top1,eval_top1\n1,50,60\n", "x.log:2: two values of top1, 50 and 60"),
        ('{"top1": 50, "accuracy/top1": 60}', "x.log:1: two values of top1"),
        ('{"top1": 50, "top1": 60}', "x.log:1: is no JSON .*'top1' stands twice"),
        *[(f'{{"top1": 50, "epoch": {at}}}', "x.log:1: .* is the number of no epoch") for at in (-3, 2.5, 1e300)],
        *[(f"epoch,top1\n1,{said}\n", "is no number") for said in ("５０", "5_0", "٥٠")],
        ('{"loss": NaN, "epoch": 1}\n{"top1": 50, "epoch": 2}', "x.log:1: loss is nan: the run diverged"),
        ('{"top1": 50, "epoch": 2}\n{"train/loss_kd": -Infinity}', "x.log:2: train/loss_kd is -inf: the run"),
        ("epoch,train_loss,eval_top1\n1,nan,50\n", "x.log:2: train_loss is nan: the run diverged"),
        ("x - mmengine - INFO - Epoch(train) [3][9/9] lr: 1e-2  grad_norm: inf  loss: nan\n", "x.log:1: loss is nan"),
        (b"\xff\xfe\x00", "is no text"),
        (None, "No such file"),
    ],
)
def test_what_is_no_log_is_one_line(tmp_path, text, fault):
    path = tmp_path / "x.log"
    if text is not None:
        path.write_bytes(text if isinstance(text, bytes) else text.encode())
    with pytest.raises(EvidenceError, match=fault) as error:
        read_log(path, ["top1", "top5"])
    assert "\n" not in str(error.value)


def test_an_infinite_gradient_is_no_divergence(tmp_path):
    path = tmp_path / "x.json"
    path.write_text('{"grad_norm": Infinity, "loss": 1}\n{"top1": 50, "top5": 80, "accuracy/top1": 50, "epoch": 2}')
    assert read_log(path, ["top1", "top5"]).last() == (2, {"top1": 50.0, "top5": 80.0})


def test_every_evaluators_name_is_known():
    assert {name: LOGGED.get(name) for task in TASKS.values() for name in task.metrics} == {
        name: column for task in TASKS.values() for name, column in task.metrics.items()
    }


def test_an_accuracy_stands_for_an_error_where_the_table_prints_errors(tmp_path):
    path = tmp_path / "summary.csv"
    path.write_text(LOGS["summary.csv"])
    log = read_log(path, ["params", "err1", "err5"])
    assert log.last() == (3, {"err1": 40.75, "err5": 19.25})
    assert log.best("err1") == (2, {"err1": 40.5, "err5": 19.0})
    assert read_log(path, ["acc"]).last() == (3, {"acc": 59.25})
    assert read_log(path, ["acc_a"], {"acc_a": "eval_top5"}).last() == (3, {"acc_a": 80.75})


def test_a_run_by_iterations(tmp_path):
    path = tmp_path / "x.log"
    line = "2024/01/01 10:00:00 - mmengine - INFO - Iter({})\n"
    path.write_text(
        line.format("train) [ 16000/160000]  lr: 1e-2  loss: 0.3")
        + line.format("val) [500/500]    aAcc: 96.0  mIoU: 77.1  mAcc: 84.3  time: 0.2")
    )
    log = read_log(path, ["miou"])
    assert (log.last(), log.trained) == ((16000, {"miou": 77.1}), None)


@given(st.sampled_from(sorted(LOGGED)), st.sets(st.sampled_from(["top1", "err1", "acc", "err", "AP", "miou"])))
def test_a_metric_stands_for_one_column_at_most_and_for_one_of_the_tables(name, columns):
    found = column_of(name, sorted(columns))
    assert found is None or found in columns
    if LOGGED[name] in columns:
        assert found == LOGGED[name]
