"""The report is written where, and only where, something that it reads has changed."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest
from helpers import ROOT, fresh

from papertally.evidence.revision import NoRevision, git
from report import __main__ as report
from report import refresh


@pytest.fixture
def written(checkout, capsys):
    """Return a checkout whose report was refreshed once."""
    (checkout / "report").mkdir()
    (checkout / "report/baseline.json").write_bytes((ROOT / "report/baseline.json").read_bytes())
    assert refresh.main([], checkout) == 0
    assert "up to date" not in capsys.readouterr().out
    return checkout


@pytest.mark.slow
def test_nothing_is_done_twice(written, capsys):
    page = written / "report/out/index.html"
    before = page.stat().st_mtime_ns
    assert refresh.main([], written) == 0
    assert f"report: {page} (up to date)" in capsys.readouterr().out
    assert page.stat().st_mtime_ns == before


@pytest.mark.parametrize(
    "change",
    [
        lambda r: fresh(r),
        *[pytest.param(change, marks=pytest.mark.long) for change in (
        lambda r: (r / "params.yaml").write_text((r / "params.yaml").read_text() + "\n# a comment\n"),
        lambda r: (r / "results/curves/x").mkdir(parents=True) or (r / "results/curves/x/x.csv").write_text("a"),
        lambda r: (r / "report/out/index.html").unlink(),
        lambda r: (r / "proxy").mkdir() or (r / "proxy/orderings.yaml").write_bytes(
            (ROOT / "proxy/orderings.yaml").read_bytes()),
        lambda r: (r / "results/cost/t5_relu.json").rename(r / "results/cost/t5_relu.js"),
        lambda r: subprocess.run(["git", "init", "-q", str(r)], check=True)
        and subprocess.run(["git", "-C", str(r), "-c", "user.name=a", "-c", "user.email=a@b", "commit", "-q",
                            "--allow-empty", "-m", "x"], check=True),
        lambda r: report.main(["--profile", "paper"], r),
        )],
    ],
)  # fmt: skip
@pytest.mark.slow
def test_any_change_writes_it_anew(written, change, capsys):
    change(written)
    assert not refresh.is_current(written)
    capsys.readouterr()
    assert refresh.main([], written) == 0
    assert "up to date" not in capsys.readouterr().out
    assert refresh.is_current(written)


@pytest.mark.slow
def test_the_mark_comes_first_and_is_always_the_same(written):
    (written / "params.yaml").write_text("report: [")
    assert refresh.main(["--mark", str(written / "work_dirs/mark")], written) == 1
    first = (written / "work_dirs/mark").read_bytes()
    assert refresh.main(["--mark", str(written / "work_dirs/mark")], written) == 1
    assert (written / "work_dirs/mark").read_bytes() == first
    assert not refresh.is_current(written)


#: Prints what is opened or imported below the working folder while the report and the model index are made.
OPENED = """
import sys
from pathlib import Path

root, found = Path.cwd(), set()


def note(name):
    path = Path(name).absolute()
    if path.is_relative_to(root):
        found.add(path.relative_to(root).as_posix())


sys.addaudithook(lambda event, given: note(given[0]) if event == "open" and isinstance(given[0], str) else None)
from report import metadata
from report import __main__ as report

assert report.main(["--out", sys.argv[1]]) == 0
metadata.main(["--check"], root)
for module in list(sys.modules.values()):  # of code, its compiled form is opened
    if getattr(module, "__file__", None):
        note(module.__file__)
print(*sorted(found), sep="\\n", file=sys.stderr)
"""


@pytest.mark.slow
def test_all_that_the_report_opens_decides_whether_it_is_current(tmp_path):
    done = subprocess.run(
        [sys.executable, "-c", OPENED, tmp_path / "out"], cwd=ROOT, env=dict(os.environ, PYTHONPATH=str(ROOT)),
        capture_output=True, text=True, check=True, encoding="utf-8",
    )  # fmt: skip
    try:
        tracked = set(git(ROOT, "ls-files").splitlines())
    except NoRevision as reason:
        pytest.skip(str(reason))
    opened = tracked & set(done.stderr.splitlines())
    assert {
        "proxy/orderings.yaml",
        "papertally/evidence/registration.py",
        "papers/micronet/tables/table_02.yaml",
    } <= opened
    own = tuple(name if (ROOT / name).is_file() else f"{name}/" for name in refresh.READ)
    others = {name for name in opened if not name.startswith(own)}
    assert others <= {"README.md", "model-index.yml", "micronet_plugin.py"}  # written; the plugin's
