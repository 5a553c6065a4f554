"""Run the stages of more/dvc.yaml, several rows at a time; what they share must be up to date.

python -m pipelines.fan_out [--jobs 2] [--rows ROW ...]
"""

from __future__ import annotations

import argparse
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from tqdm import tqdm

from pipelines.common import ROOT, TASKS, PipelineError, guard, load_params, section

STAGES = ("train", "evaluate")


def stage_rows(params: dict[str, Any]) -> dict[str, str]:
    """Return the rows of more/dvc.yaml with their stages' ending: '' or, for a pixel-level task, '_pose'."""
    rows = dict.fromkeys(section(params, "more_rows"), "")
    for task in TASKS[1:]:
        rows |= dict.fromkeys(params.get(task, {}).get("more_rows", {}), f"_{task}")
    return rows


def run_row(row: str, ending: str = "") -> str | None:
    """Train and evaluate a row; returns the failing stage's last lines, or None."""
    for stage in (name + ending for name in STAGES):
        command = [sys.executable, "-m", "dvc", "--wait-for-lock", "repro", "-q", "-s", f"more/dvc.yaml:{stage}@{row}"]
        done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
        if done.returncode:
            return f"{stage}@{row}:\n" + "\n".join((done.stdout + done.stderr).strip().splitlines()[-6:])
    return None


def main(argv: list[str] | None = None) -> int:
    """Run all rows and report every failure at the end."""
    parser = argparse.ArgumentParser(description="Train and evaluate the rows of more/dvc.yaml.")
    parser.add_argument("--jobs", type=int, default=2, help="rows at a time (default 2)")
    parser.add_argument("--rows", nargs="+", help="these rows only")
    args = parser.parse_args(argv)
    known = stage_rows(load_params())
    if unknown := set(args.rows or []) - set(known):
        raise PipelineError(f"params.yaml: no more_rows has {', '.join(sorted(unknown))}")
    with ThreadPoolExecutor(max(1, args.jobs)) as pool:
        rows = args.rows or list(known)
        done = pool.map(run_row, rows, [known[row] for row in rows])
        failures = [f for f in tqdm(done, total=len(rows), unit="row") if f]
    for failure in failures:
        print(failure, file=sys.stderr)
    print(f"{len(rows) - len(failures)} of {len(rows)} rows done")
    return bool(failures)


if __name__ == "__main__":
    raise SystemExit(guard(main))
