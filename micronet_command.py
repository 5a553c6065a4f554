"""The command `micronet`: MicroNet's experiments (`python -m pipelines`) in a checkout; in a wheel, where they are."""

import sys
from pathlib import Path

#: What the checker's package has: the command that runs it now, by the verb that ran it here.
MOVED = {"cost": "count", "claims": "claims", "conventions": "conventions", "plan": "plan", "report": "report"}


def main() -> int:
    """Run a verb of a checkout; in a wheel, say which package has it."""
    verb = sys.argv[1] if len(sys.argv) > 1 else "--help"
    if not (Path(__file__).resolve().parent / "pipelines/__init__.py").is_file():
        moved = "papertally " + (sys.argv[2] if verb == "paper" and len(sys.argv) > 2 else MOVED.get(verb, "--help"))
        print(
            f"error: this wheel is the plugin (import micronet_repro). Checking papers is `{moved}` (pip install "
            "papertally); MicroNet's experiments run from a checkout of the repository",
            file=sys.stderr,
        )
        return 2
    from pipelines.__main__ import main as run

    return run()
