"""Commands end as documented whatever their output goes to: any encoding, a reader that left, a closed descriptor."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from helpers import ROOT

from papertally.output import run

WORSE = 3
ENCODINGS = ("cp1252", "ascii", "ascii:strict", "latin-1", "cp437", "utf-16", "utf-8", "utf-8:strict")
LOCALES = (
    {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"},
    {"LC_ALL": "POSIX", "PYTHONUTF8": "0"},
    {"LC_ALL": "C.UTF-8"},
    {"PYTHONUTF8": "1"},
)


#: A command that prints more than a buffer of what most encodings lack, and ends with a documented code.
COMMAND = """
from papertally.output import run
def main():
    for i in range(400):
        print(f"zeile_\\xfc_{i} \\u26a0\\ufe0f \\u5f8c \\udcff")
    return 3
raise SystemExit(run(main))
"""
FULL = pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full")


def shell(script: str, *arguments: str, **variables: str) -> subprocess.CompletedProcess[bytes]:
    """Run a shell script in which "$@" is python with arguments; standard output is a pipe, never a terminal."""
    gone = ("PYTHONIOENCODING", "PYTHONUTF8", "PYTHONCOERCECLOCALE", "LC_ALL", "LANG", "LC_CTYPE", "PYTHONUNBUFFERED")
    environment = {k: v for k, v in os.environ.items() if k not in gone} | variables
    command = ["sh", "-c", script, "sh", sys.executable, *arguments]
    return subprocess.run(command, cwd=ROOT, env=environment, capture_output=True)


@pytest.mark.slow
@pytest.mark.parametrize("variables", [*({"PYTHONIOENCODING": e} for e in ENCODINGS), *LOCALES], ids=str)
def test_a_command_ends_as_documented_in_any_encoding(variables):
    done = shell('"$@"', "-c", COMMAND, **variables)
    assert (done.returncode, done.stderr) == (WORSE, b"")
    assert len(done.stdout) > 8192


@pytest.mark.slow
def test_what_an_encoding_lacks_is_shown_escaped():
    done = shell('"$@"', "-c", COMMAND, PYTHONIOENCODING="ascii")
    assert done.stdout.startswith(b"zeile_\\xfc_0 \\u26a0\\ufe0f \\u5f8c \\udcff\n")
    done = shell('"$@"', "-c", COMMAND, PYTHONIOENCODING="cp1252")
    assert done.stdout.startswith("zeile_ü_0 ".encode("cp1252") + b"\\u26a0")
    done = shell('"$@"', "-c", COMMAND, PYTHONIOENCODING="utf-8")
    assert done.stdout.startswith("zeile_ü_0 ⚠️ 後 \\udcff\n".encode())


@pytest.mark.slow
@pytest.mark.parametrize("unbuffered", ["", "1"])
@pytest.mark.parametrize(
    "script",
    [
        '{ "$@"; echo $? >&3; } 3>&2 | true',
        '{ "$@"; echo $? >&3; } 3>&2 | head -n 1 > /dev/null',
        '"$@" >&-; echo $? >&2',
        '"$@" >&- <&-; echo $? >&2',
        '{ "$@" >&- 2>&- <&-; } 3>&2; echo $? >&2',
        pytest.param('"$@" > /dev/null 2> /dev/full; echo $? >&2', marks=FULL),
    ],
)
def test_output_that_nobody_reads_changes_no_exit_code(script, unbuffered):
    done = shell(script, "-c", COMMAND, **({"PYTHONUNBUFFERED": unbuffered} if unbuffered else {}))
    assert done.stderr.decode() == f"{WORSE}\n"


@pytest.mark.slow
@FULL
@pytest.mark.parametrize("unbuffered", ["", "1"])
def test_a_full_disk_behind_the_output_is_one_line(unbuffered):
    done = shell('"$@" > /dev/full', "-c", COMMAND, **({"PYTHONUNBUFFERED": unbuffered} if unbuffered else {}))
    assert (done.returncode, done.stderr) == (1, b"error: standard output: No space left on device\n")


def test_a_closed_output_lends_its_number_to_no_file(tmp_path):
    code = (
        "import os\nfrom papertally.output import run\n"
        f"def main():\n    with open({str(tmp_path / 'kept')!r}, 'w') as f:\n"
        "        os.system('echo others');  f.write('mine')\nraise SystemExit(run(main))\n"
    )
    shell('"$@" <&- >&- 2>&-', "-c", code)
    assert (tmp_path / "kept").read_text() == "mine"


@pytest.mark.slow
def test_a_reader_that_does_not_keep_up_loses_nothing():
    code = (
        "import os\nfrom papertally.output import run\nos.set_blocking(1, False)\n"
        "def main():\n    for i in range(20000): print('line', i)\n    return 4\n"
        "raise SystemExit(run(main))\n"
    )
    done = shell('{ "$@"; echo $? >&2; } | { sleep 0.5; cat; }', "-c", code)
    assert done.stderr.decode() == "4\n"
    assert done.stdout.decode().splitlines() == [f"line {i}" for i in range(20000)]


@pytest.mark.slow
@pytest.mark.parametrize("variables", [{"PYTHONIOENCODING": "cp1252"}, LOCALES[0]], ids=str)
def test_diff_says_worse(tmp_path, variables):
    for name, verdict in (("vorhér.json", "reproduced"), ("後.json", "differs")):
        cells = [{"row_id": "ü", "column": "top1", "verdict": verdict}]
        (tmp_path / name).write_text(json.dumps({"cells": cells, "claims": []}), "utf-8")
    arguments = ("-m", "report", "diff", str(tmp_path / "vorhér.json"), str(tmp_path / "後.json"), "--markdown")
    done = shell('"$@"', *arguments, **variables)
    assert (done.returncode, done.stderr) == (WORSE, b"")
    assert done.stdout.startswith(b"- \\u26a0\\ufe0f 1 cell went from reproduced to differs\n")
    name = os.fsdecode(b"\xff\xfe.json")
    done = shell('"$@"', "-m", "report", "diff", str(tmp_path / name), "x", **variables)
    assert done.returncode == 1
    assert done.stderr.startswith(b"error: ")
    assert done.stderr.count(b"\n") == 1


@pytest.mark.slow
@pytest.mark.parametrize("words", [("papertally", "ledger", "papers/micronet"), ("report",)])
def test_every_command_takes_a_pipe_that_closes(words):
    done = shell('{ "$@"; echo $? >&3; } 3>&2 | true', "-m", *words, PYTHONIOENCODING="ascii")
    *warned, status = done.stderr.decode().splitlines()  # warned where this checkout's own runs are of another state
    assert status == "0"
    assert all(line.startswith("warning: ") for line in warned)


@pytest.mark.slow
@pytest.mark.long
def test_the_plan_is_json_in_any_encoding():
    done = shell('"$@"', "-m", "report.plan", "--json", PYTHONIOENCODING="cp1252")
    assert json.loads(done.stdout)


def test_a_stages_error_is_one_line_in_any_encoding():
    code = (
        "from pipelines.common import PipelineError, guard\n"
        "def main(): raise PipelineError('ß\\udcff: no such row')\nraise SystemExit(guard(main))\n"
    )
    done = shell('"$@"', "-c", code, PYTHONIOENCODING="ascii")
    assert (done.returncode, done.stderr) == (1, b"error: \\xdf\\udcff: no such row\n")


def test_streams_that_a_caller_put_in_place_stay(capsys):
    stream = sys.stdout
    assert run(lambda: print("ü") or 4) == 4
    assert sys.stdout is stream
    assert capsys.readouterr().out == "ü\n"
