"""Logs of mmengine, timm and the released scripts give a table's columns in percent, or one line of what is wrong."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from small_runs import LOGS

from papertally.evidence.import_logs import LOGGED, Target, column_of, read_log
from papertally.evidence.io import EvidenceError
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
        ("", "is no log that is known here"),
        ("epoch,loss\n1,2\n", "has no evaluation of top1, top5; it has loss"),
        ('{"loss": 1}\n', "has no evaluation of top1, top5"),
        ('{"top1": 1}\nno\n{"top1": 2}', "x.log:2: is no JSON"),
        ('{"top1": 1}\n[1]\n{"top1": 2}', "x.log:2: is no object"),
        ('{"top1": NaN}\n', "x.log:1: nan is not finite"),
        ("epoch,top1\n1,much\n", "x.log:2: 'much' is no number"),
        ("epoch,top1\n1\n2,50\n", "x.log:2: 1 values under 2 names"),
        ("epoch,top1\n1,50,60\n", "x.log:2: 3 values under 2 names"),
        ("epoch,val_top1,eval_top1\n1,50,60\n", "x.log:2: two values of top1, 60 and 50"),
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


#: Logs that real trainers wrote (mmengine 0.10.7, timm 1.0.31, Lightning 2.6.6, Keras 3.15.1, transformers 5.24.0).
REAL = Path(__file__).parents[2] / "data/logs"
PERCENT, FRACTION = Target("acc", "percent", 1), Target("acc", "fraction", 1)


@pytest.mark.parametrize(
    ("name", "target", "when", "value"),
    [
        ("mmengine_with_test.log", PERCENT, "4", 91.3333),
        ("mmengine_with_test.log", FRACTION, "4", 0.913333),
        ("mmengine_iterations.json", PERCENT, "after iteration 90", 92.666667),
        ("mmengine_shares.json", FRACTION, "4", 0.91),
        ("timm_resumed.csv", PERCENT, "4", 31.666667),
        ("timm_val_interval.csv", PERCENT, "4", 37.666667),
        ("lightning_val_acc.csv", FRACTION, "3", 0.86767167),
        ("keras_acc.csv", FRACTION, "6", 0.53768843),
        ("keras_top1_freq2.csv", FRACTION, "4", 0.2160804),
        ("hf_trainer_state.json", FRACTION, "3", 0.10666667),
        ("hf_eval_results.json", FRACTION, "3", 0.10666667),
    ],
)
def test_a_real_log_gives_its_last_evaluation_in_the_columns_unit(name, target, when, value):
    log = read_log(REAL / name, [target])
    assert (log.whens[-1], log.last()[1]) == (when, {"acc": value})


@pytest.mark.parametrize(
    "name", ["mmengine_shares.json", "lightning_val_acc.csv", "keras_acc.csv", "hf_trainer_state.json"]
)
def test_a_share_in_a_column_of_percentages_is_refused_and_the_mend_works(name):
    with pytest.raises(EvidenceError, match="looks like a share of 1") as error:
        read_log(REAL / name, [PERCENT])
    mend = str(error.value).partition("--column acc='")[2].partition("'")[0]
    fraction = read_log(REAL / name, [FRACTION]).last()[1]["acc"]
    assert read_log(REAL / name, [PERCENT], {"acc": mend}).last()[1]["acc"] == pytest.approx(100 * fraction, abs=1e-5)


def test_what_may_be_of_training_is_asked_for():
    with pytest.raises(EvidenceError, match="'acc' is of training or of an evaluation.*--column acc=acc"):
        read_log(REAL / "lightning_top1.csv", [FRACTION])
    assert read_log(REAL / "lightning_top1.csv", [FRACTION], {"acc": "top1"}).last()[1] == {"acc": 0.86934674}


def test_less_is_better_where_the_column_says_so():
    rmse = Target("rmse", "plain", -1)
    assert read_log(REAL / "keras_acc.csv", [rmse], {"rmse": "val_loss"}).best("rmse")[0] == 6
    unknown = read_log(REAL / "keras_acc.csv", [Target("x", "plain", 0)], {"x": "val_loss"})
    with pytest.raises(EvidenceError, match="nobody knows which way x is better"):
        unknown.best("x")


def test_a_last_line_without_its_end_is_not_read_and_said(tmp_path):
    path = tmp_path / "x.csv"
    path.write_text("epoch,time,loss,acc,val_loss,val_acc\n1,1,2,50,2,88.4\n2,1,2,60,2,8")
    log = read_log(path, ["acc"])
    assert log.last() == (1, {"acc": 88.4})
    assert "x.csv:3: has no line end" in log.notes[0]
    path = tmp_path / "x.log"
    path.write_text(
        (REAL / "mmengine_with_test.log").read_text().partition("accuracy/top1: 91")[0] + "accuracy/top1: 9"
    )
    assert read_log(path, ["top1"]).last()[0] == 3


@pytest.mark.parametrize(
    ("name", "text", "epochs"),
    [
        ("20200101.log.json", '{"env_info": ""}\n{"mode": "train", "epoch": 1, "iter": 9, "loss": 1}\n'
         '{"mode": "val", "epoch": 1, "iter": 4, "accuracy_top-1": 70.5}\n', [(1, {"top1": 70.5})]),
        ("out.txt", "Epoch: [0]  [ 0/9]  loss: 1\nTest: EMA Acc@1 3.0 Acc@5 9.0\nTest:  Acc@1 71.5 Acc@5 90.0\n",
         [(1, {"top1": 71.5})]),
        ("train.log", "x: [Eval][Epoch 2][Avg]CELoss: 1.1, top1: 0.71500, top5: 0.9\n", [(2, {"top1": 71.5})]),
        ("history.json", '[{"epoch": 1, "train_loss": 1, "valid_top1": 71.5, "valid_top1_best": true, "batches": []}]',
         [(1, {"top1": 71.5})]),
        ("metrics.json", '{"train": {"top1": 99.0}, "val": {"top1": 71.5}, "step": 4}', [(4, {"top1": 71.5})]),
    ],
)  # fmt: skip
def test_forms_of_further_trainers(tmp_path, name, text, epochs):
    path = tmp_path / name
    path.write_text(text)
    assert read_log(path, ["top1"]).epochs == epochs


def test_two_splits_under_two_names_are_asked_for(tmp_path):
    path = tmp_path / "x.csv"
    path.write_text("epoch,step,val_acc,test_acc\n0,1,80,70\n")
    with pytest.raises(EvidenceError, match="'val_acc' and 'test_acc' could be acc"):
        read_log(path, ["acc"])


def test_a_table_of_models_is_no_log(tmp_path):
    path = tmp_path / "x.csv"
    path.write_text("model,acc\na,69.8\nb,76.1\n")
    with pytest.raises(EvidenceError, match="nothing says which line is meant"):
        read_log(path, ["acc"])
    path.write_text("model,acc\na,69.8\n")
    assert read_log(path, ["acc"]).last()[1] == {"acc": 69.8}


def test_fastai_names_its_validations_metric_bare(tmp_path):
    path = tmp_path / "history.csv"
    path.write_text("epoch,train_loss,valid_loss,accuracy,time\n0,1,2,0.5,00:01\n1,1,2,0.6,00:01\n")
    assert read_log(path, [FRACTION]).last() == (2, {"acc": 0.6})
