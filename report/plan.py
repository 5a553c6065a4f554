"""What it would cost to find out what MicroNet's report leaves open: `papertally plan`, held to this project's runs."""

from __future__ import annotations

from papertally.command import guard
from papertally.plan import main as plan
from report.project import held_to
from report.rows import MICRONET, ROOT


def main(argv: list[str] | None = None) -> int:
    """Print the plan of MicroNet's paper, or of the one that --path names."""
    return plan(argv, (ROOT / MICRONET).resolve(), held_to(ROOT))


if __name__ == "__main__":
    raise SystemExit(guard(main))
