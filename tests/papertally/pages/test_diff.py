"""Two reports compared: every change is found, counted and gated; nothing else is."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from papertally.pages import diff
from papertally.verdicts import verdicts
from report.__main__ import main

VERDICT = st.sampled_from(verdicts.VERDICTS)
MAPS = st.dictionaries(st.tuples(st.sampled_from(["cell", "claim"]), st.text("abc.", max_size=3)), VERDICT, max_size=8)


def report(path, cells, claims=()):
    data = {
        "cells": [{"row_id": n.split(".")[0], "column": n.split(".")[1], "verdict": v} for n, v in cells],
        "claims": [{"id": n, "verdict": v} for n, v in claims],
    }
    path.write_text(json.dumps(data))
    return str(path)


@given(MAPS, MAPS)
def test_changes_are_exactly_the_differences(old, new):
    changes = diff.compare(old, new)
    keys = old.keys() | new.keys()
    assert {(c.kind, c.name) for c in changes} == {k for k in keys if old.get(k) != new.get(k)}
    assert len(changes) == len({(c.kind, c.name) for c in changes})
    assert sum(int(s.split()[0]) for s in diff.sentences(changes)) == len(changes)
    worse = {k for k in keys if old.get(k) in verdicts.PASSED and new.get(k) not in verdicts.PASSED}
    assert {(c.kind, c.name) for c in changes if c.worse} == worse
    assert diff.compare(new, new) == []


def test_the_command_counts_and_gates(tmp_path, capsys):
    old = report(tmp_path / "o.json", [("a.params", "reproduced"), ("b.params", "reproduced"), ("c.top1", "not-run")])
    new = report(tmp_path / "n.json", [("a.params", "differs"), ("b.params", "differs"), ("c.top1", "reproduced")])
    assert main(["diff", old, new]) == 3
    text = capsys.readouterr().out
    assert text.startswith("2 cells went from reproduced to differs\n1 cell went from not-run to reproduced\n")
    assert "worse: cell a.params: reproduced -> differs" in text
    assert main(["diff", new, old, "--fail-on", "any"]) == 3
    assert main(["diff", old, new, "--fail-on", "never"]) == 0
    assert main(["diff", old, old, "--markdown"]) == 0
    assert capsys.readouterr().out.endswith("No verdict changed.\n")


def test_a_vanished_pass_is_worse_and_new_cells_are_not(tmp_path):
    old = report(tmp_path / "o.json", [("a.params", "close")])
    new = report(tmp_path / "n.json", [], [("x", "differs")])
    assert main(["diff", old, new]) == 3
    assert main(["diff", report(tmp_path / "e.json", []), new]) == 0


def test_names_are_escaped(tmp_path, capsys):
    old = report(tmp_path / "o.json", [], [("<b>|`", "reproduced")])
    new = report(tmp_path / "n.json", [], [("<b>|`", "differs")])
    assert main(["diff", old, new, "--markdown"]) == 3
    out = capsys.readouterr().out
    assert "<b>" not in out
    assert out.splitlines()[-1].count("|") - out.splitlines()[-1].count("\\|") == 4


@pytest.mark.parametrize("text", ["{", "[]", '{"cells": [{}]}', '{"cells": [], "claims": [{"id": 1, "verdict": "x"}]}'])
def test_a_broken_file_is_named(tmp_path, capsys, text):
    (tmp_path / "bad.json").write_text(text)
    assert main(["diff", str(tmp_path / "bad.json"), str(tmp_path / "bad.json")]) == 1
    assert "bad.json" in capsys.readouterr().err
    assert main(["diff", str(tmp_path / "none.json"), str(tmp_path / "bad.json")]) == 1


def test_the_workflow_runs_commands_that_exist():
    import yaml
    from helpers import ROOT

    text = (ROOT / ".github/workflows/report.yml").read_text()
    workflow = yaml.safe_load(text)
    steps = workflow["jobs"]["report"]["steps"]
    scripts = "\n".join(step.get("run", "") for step in steps)
    assert "make repro" in scripts
    assert "python -m report diff base/report/out/report.json report/out/report.json" in scripts
    assert "GITHUB_STEP_SUMMARY" in scripts
    # What a pull request's author can name must not reach a shell.
    assert "${{ github.event.pull_request.title" not in text
    assert "${{ github.head_ref" not in text
    assert workflow["permissions"] == {"contents": "read"}
    assert workflow["jobs"]["report"]["permissions"] == {
        "contents": "read", "pull-requests": "write", "id-token": "write", "attestations": "write",
    }  # fmt: skip
