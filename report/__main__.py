"""MicroNet's report: `python -m report`. See papertally/pages/command.py."""

from papertally.output import run
from papertally.pages.command import main

if __name__ == "__main__":
    raise SystemExit(run(main))
