"""`make repro`'s runner: stages side by side, a failure named and survived, nothing left running, DVC's record kept."""

from __future__ import annotations

import io
import os
import signal
import subprocess
import sys
import textwrap
import time

import psutil
import pytest
from helpers import ROOT

from pipelines.common import PipelineError, load_params
from pipelines.repro import __main__ as repro
from pipelines.repro import progress
from pipelines.repro.__main__ import Runner, split
from pipelines.repro.progress import Progress, clock
from pipelines.repro.stages import Stages, Step

#: Modules that the steps below run: each `main` as a stage's is.
WORK = {
    "step_good": "def main():\n    print('first line')\n    print('all is well')\n",
    "step_bad": "from pipelines.common import PipelineError\ndef main():\n"
    "    raise PipelineError('data/x: broken on purpose; mend it')\n",
    "step_bug": "def main():\n    return [][0]\n",
    "step_full": "import errno\ndef main():\n"
    "    raise OSError(errno.ENOSPC, 'No space left on device', 'results/x.json')\n",
    "step_dies": "import os, signal\ndef main():\n    os.kill(os.getpid(), signal.SIGKILL)\n",
    "step_ill": "import os, signal\ndef main():\n    os.kill(os.getpid(), signal.SIGILL)\n",
    "step_waits": "import os, time, pathlib\ndef main():\n    pathlib.Path('pid').write_text(str(os.getpid()))\n"
    "    time.sleep(600)\n",
    "step_meets": "import sys, time, pathlib\ndef main():\n"
    "    me, other = map(pathlib.Path, sys.argv[1:])\n    me.touch()\n"
    "    until = time.monotonic() + 60\n    while not other.exists():\n"
    "        if time.monotonic() > until:\n            raise SystemExit('alone')\n        time.sleep(0.05)\n",
}


def step(name, module="step_good", needs=(), *, bookend=False, computed=False, arguments=()):
    return Step(name, module, tuple(arguments), frozenset(needs), computed, bookend, None)


class Record:
    """Stand in for DVC: what is out of date, what was recorded."""

    def __init__(self, unchanged=(), refuse=()):
        self.unchanged, self.refuse, self.recorded = set(unchanged), set(refuse), []

    def changed(self, step):
        return step.name not in self.unchanged

    def record(self, step):
        if step.name in self.refuse:
            raise PipelineError("its results are there, but DVC cannot record them (the cache is read-only)")
        self.recorded.append(step.name)


@pytest.fixture
def place(tmp_path, monkeypatch):
    for name, text in WORK.items():
        (tmp_path / f"{name}.py").write_text(text)
    monkeypatch.setattr(repro.worker, "PRELOAD", [])
    return tmp_path


def ran(root, steps, record=None, jobs=2):
    out = io.StringIO()
    runner = Runner(root, record or Record(), jobs, Progress(root, [s.name for s in steps], out))
    runner.run(steps)
    return runner, out.getvalue()


@pytest.mark.slow
def test_what_does_not_depend_on_a_failure_runs_on(place):
    steps = [
        step("data", "step_bad"), step("rows@a", needs=["data"]), step("rows@b", needs=["rows@a"]), step("cost"),
        step("old"),
    ]  # fmt: skip
    record = Record(unchanged=["old"])
    runner, text = ran(place, steps, record)
    assert runner.outcome.failed == {"data": "data/x: broken on purpose; mend it"}
    assert runner.outcome.skipped == {"rows@a": "data", "rows@b": "rows@a"}
    assert runner.outcome.done == {"cost", "old"}
    assert record.recorded == ["cost"]
    assert "cost: all is well" in text
    assert "data: FAILED: data/x: broken on purpose; mend it" in text
    assert "[5/5]" in text


@pytest.mark.slow
@pytest.mark.parametrize(
    ("module", "words"),
    [
        ("step_bug", "IndexError: list index out of range"),
        ("step_full", "results/x.json: No space left on device"),
        ("step_none", "No module named 'step_none'"),
        pytest.param("step_dies", "enough memory", marks=pytest.mark.skipif(os.name == "nt", reason="no signals")),
        pytest.param("step_ill", "instruction", marks=pytest.mark.skipif(os.name == "nt", reason="no signals")),
    ],
)
def test_any_end_of_a_stage_is_told_in_one_line(place, module, words):
    runner, _ = ran(place, [step("x", module), step("y")])
    assert words in runner.outcome.failed["x"]
    assert "\n" not in runner.outcome.failed["x"]
    assert runner.outcome.done == {"y"}


@pytest.mark.slow
def test_a_result_that_dvc_cannot_record_serves_what_needs_it_and_is_an_error_at_the_end(place, capsys):
    runner, _ = ran(place, [step("x"), step("y", needs=["x"])], Record(refuse=["x", "y"]))
    assert runner.outcome.done == {"x", "y"}
    assert repro._told(runner, place) == 1
    error = capsys.readouterr().err
    assert error.startswith("error: stage x and 1 more: ")
    assert "the cache is read-only" in error


@pytest.mark.slow
def test_computed_results_are_computed_anew_and_two_steps_run_at_once(place):
    record = Record(unchanged=["cost", "a", "b"])
    runner, _ = ran(place, [step("cost", computed=True)], record)
    assert record.recorded == ["cost"]
    here, there = str(place / "here"), str(place / "there")
    both = [step("a", "step_meets", arguments=[here, there]), step("b", "step_meets", arguments=[there, here])]
    runner, _ = ran(place, both)
    assert runner.outcome.done == {"a", "b"}


def test_the_report_stands_first_and_last():
    steps = [step("first", bookend=True), step("x"), step("y"), step("report", bookend=True, needs=["x"])]
    assert [[s.name for s in part] for part in split(steps)] == [["first"], ["x", "y"], ["report"]]
    assert [len(part) for part in split(steps[:1])] == [1, 0, 0]


STARTS = """
import io, pathlib, signal, sys
from pipelines.repro import worker
worker.PRELOAD = []
from pipelines.repro.progress import Progress
from pipelines.repro.__main__ import Runner, interruptible
from pipelines.repro.stages import Step
class Record:
    changed = staticmethod(lambda step: True)
    record = staticmethod(lambda step: None)
root = pathlib.Path(sys.argv[1])
if __name__ == "__main__":
    signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell starts what is in the background deaf to it
    runner = Runner(root, Record(), 1, Progress(root, ["x"], io.StringIO()))
    with interruptible():
        try:
            runner.run([Step("x", "step_waits", (), frozenset(), False, False, None)])
        except KeyboardInterrupt:
            runner.stop()
            sys.exit(130)
"""


@pytest.mark.skipif(os.name == "nt", reason="no signals")
@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
@pytest.mark.slow
def test_nothing_runs_on_when_the_run_is_ended(place, how):
    (place / "starts.py").write_text(textwrap.dedent(STARTS))
    process = subprocess.Popen([sys.executable, str(place / "starts.py"), str(place)],
                               env={**os.environ, "PYTHONPATH": str(ROOT)}, cwd=place)  # fmt: skip
    until = time.monotonic() + 120
    while not (place / "pid").exists() or not (place / "pid").read_text():
        assert process.poll() is None
        assert time.monotonic() < until
        time.sleep(0.05)
    child = psutil.Process(int((place / "pid").read_text()))
    process.send_signal(how)
    assert process.wait(60) == (-signal.SIGKILL if how == signal.SIGKILL else 130)
    psutil.wait_procs([child], timeout=30)
    assert not child.is_running() or child.status() == psutil.STATUS_ZOMBIE


@pytest.mark.slow
def test_the_real_stages_and_what_each_needs(monkeypatch):
    monkeypatch.chdir(ROOT)
    steps = Stages(ROOT, repro.FILES).steps
    stages = {s.name: s for s in steps}
    first, inner, last = split(steps)
    assert [s.name for s in first + last] == ["first_report", "report", "report/dvc.yaml:report"]
    assert stages["report"].needs == {"report/dvc.yaml:report"}
    computed = {"cost", "cost_iccv2021", "cost_shufflenet", "claims", "figures"}
    assert {s.name for s in inner if s.computed} == computed
    assert stages["train_pose@t8_micronet_m0"].needs == {"people", "fingerprint"}
    assert stages["train@t2_micronet_m0"].needs == {"data", "fingerprint"}
    assert stages["train_segmentation@t9_micronet_m1"].needs == {"streets", "fingerprint"}
    assert {s.name for s in inner} >= stages["report/dvc.yaml:report"].needs > {"train@t2_micronet_m0", "cost"}
    assert all(s.needs == {"first_report"} for s in inner if s.name in ("data", "people", "streets", "claims"))
    # `make repro` takes params.yaml's rows in their order, everything else where it stands
    rows = load_params()["mini"]["first"]
    some = repro.chosen(steps, rows)
    assert [s.name.partition("@")[2] for s in some if "@" in s.name] == rows
    assert [s.name for s in some if "@" not in s.name] == [s.name for s in steps if "@" not in s.name]
    assert split(some)[2] == last
    assert repro.chosen(steps, None) == list(steps)


def project(root, stages):
    (root / "dvc.yaml").write_text(stages)
    subprocess.run([sys.executable, "-m", "dvc", "init", "-q", "--no-scm"], cwd=root, check=True)
    return root


STAGES = """
stages:
  {name}:
    cmd: python -m pipelines data{ending}
    deps: [in.txt]
    outs: [out.txt]
"""


@pytest.mark.slow
def test_dvc_finds_nothing_left_to_do_after_a_record(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    root = project(tmp_path, STAGES.format(name="make", ending=""))
    (root / "in.txt").write_text("1")
    stages = Stages(root)
    assert stages.changed(stages.steps[0])
    with pytest.raises(PipelineError, match=r"DVC cannot record .*out.txt"):
        stages.record(stages.steps[0])
    (root / "out.txt").write_text("2")
    stages.record(stages.steps[0])
    again = Stages(root)
    assert not again.changed(again.steps[0])
    done = subprocess.run([sys.executable, "-m", "dvc", "status"], cwd=root, capture_output=True, text=True)
    assert "up to date" in done.stdout
    (root / "in.txt").write_text("3")
    again = Stages(root)
    assert again.changed(again.steps[0])


@pytest.mark.slow
@pytest.mark.parametrize(
    ("text", "words"),
    [
        (STAGES.format(name="make", ending=" | tee x"), "stage make runs"),
        (STAGES.format(name="make", ending="; rm x"), "stage make runs"),
        ("stages: [", "DVC: "),
        (STAGES.format(name="make", ending=" ${no.key}"), "no.key"),
    ],
)
def test_stages_that_cannot_be_run_are_one_error(tmp_path, monkeypatch, text, words):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(PipelineError, match=words) as caught:
        Stages(project(tmp_path, text))
    assert "\n" not in str(caught.value)


def test_a_long_step_says_how_far_it_is(tmp_path, monkeypatch):
    out = io.StringIO()
    shown = Progress(tmp_path, ["a", "b", "c"], out)
    shown.started("a")
    shown.ended("a", "done")
    shown.started("b")
    log = progress.worker.log_path(tmp_path, "b")
    log.parent.mkdir(parents=True)
    log.write_text("b:  25%|##   | 1/4\rb:  50%|####  | 2/4")
    assert shown.share("b") == 0.5
    shown.begun["b"] -= 100  # half in 100 s: 100 s are left, and as much for each other stage as is usual
    shown.finished["a"] = 100
    assert shown.left(["b"]) == pytest.approx(100 + 150, abs=5)
    shown.show(["b"])
    assert "1 of 3" not in out.getvalue()  # not so soon
    monkeypatch.setattr(progress, "PAUSE", 0)
    shown.show(["b"])
    assert "1 of 3 stages done; now b 50%; about 4 min left" in out.getvalue()
    shown.close()
    assert Progress(tmp_path, ["a"]).known == {"a": 100}
    progress.worker.log_path(tmp_path, "b").unlink()
    (tmp_path / "work_dirs/repro/seconds.json").write_text("[")
    assert Progress(tmp_path, ["b"], out).share("b") == 0


def test_times_as_a_reader_takes_them():
    assert [clock(s) for s in (0.2, 40, 89, 170)] == ["1 s", "40 s", "89 s", "3 min"]
    assert [clock(s) for s in (3600, 7800)] == ["1 h 0 min", "2 h 10 min"]
