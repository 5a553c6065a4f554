"""Read what mutation testing found (`make mutants`): fail where fewer than 95 % of the mutants were noticed."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

WANTED = 95.0


def main() -> int:
    """Print the share of killed mutants; returns 1 where it is too small or nothing was tested."""
    found = json.loads(Path("mutants/mutmut-cicd-stats.json").read_text("utf-8"))
    share = 100 * (found["killed"] + found["timeout"]) / found["total"] if found["total"] else 0.0
    print(f"{found['killed']} of {found['total']} mutants killed, {share:.1f} % (wanted: {WANTED:g} %)")
    if share < WANTED:  # by name, so that the log alone says what to test
        print(subprocess.run(["mutmut", "results"], capture_output=True, text=True, check=False).stdout.strip())
    return int(share < WANTED)


if __name__ == "__main__":
    sys.exit(main())
