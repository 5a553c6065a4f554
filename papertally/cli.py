"""The command `papertally`: one table of subcommands; a subcommand's module is imported once it is named."""

from __future__ import annotations

import sys
from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from typing import NamedTuple


class Command(NamedTuple):
    """Name the module and function of a subcommand, the extra whose packages it needs, and what it does."""

    module: str
    function: str
    extra: str
    text: str


COMMANDS = {
    "new": Command("papertally.tables.command", "main", "", "write a ledger from the tables of a document"),
    "ledger": Command("papertally.listing", "main", "", "validate a ledger; list its rows or statements"),
    "check": Command("papertally.checks.command", "main", "", "check the printed numbers against each other"),
    "count": Command("papertally.counting.cost", "main", "count", "count the networks that a ledger's rows name"),
    "conventions": Command("papertally.counting.conventions", "main", "count", "say how printed costs were counted"),
    "claims": Command("papertally.counting.claims", "main", "count", "compute what a ledger states of its networks"),
    "report": Command("papertally.pages.command", "main", "", "write the report of a ledger and its evidence"),
    "enter": Command("papertally.enter", "main", "", "enter what a run reached as evidence"),
    "plan": Command("papertally.plan", "main", "", "list what is open, and what settling it costs"),
    "diff": Command("papertally.pages.diff", "main", "", "compare the verdicts of two reports"),
    "export": Command("papertally.pages.command", "export_main", "", "pack report and evidence so that they travel"),
}
#: Subcommands that are about a ledger, and the options that name one: without them it is the working folder's.
OF_LEDGER = ("ledger", "check", "count", "conventions", "claims", "report", "enter", "plan", "export")
NAMING = ("--path", "--ledger", "--module", "--network", "--list", "-h", "--help")


def usage() -> str:
    """Return the subcommands, a line each."""
    width = max(map(len, COMMANDS))
    lines = [f"  {name:<{width}}  {command.text}" for name, command in COMMANDS.items()]
    return "\n".join(["usage: papertally COMMAND [...]; papertally COMMAND --help says more", "", *lines])


def with_ledger(name: str, argv: list[str]) -> list[str] | None:
    """Return arguments that name a ledger: FOLDER as the first, or the working folder's; None where there is none."""
    if name in OF_LEDGER and argv and not argv[0].startswith("-") and (Path(argv[0]) / "paper.yaml").is_file():
        return [*argv[1:], "--path", argv[0]]
    if name == "check" and argv and not argv[0].startswith("-"):
        return argv  # a document, in place of a ledger
    if name not in OF_LEDGER or any(word.partition("=")[0] in NAMING for word in argv):
        return argv
    return [*argv, "--path", "."] if Path("paper.yaml").is_file() else None


def main(argv: list[str] | None = None) -> int:
    """Run the subcommand that the command line names."""
    name, *rest = (sys.argv[1:] if argv is None else argv) or ["--help"]
    if name in ("-h", "--help"):
        print(usage())
        return 0
    if name not in COMMANDS:
        print(f"error: no command {name!r}; commands: {', '.join(COMMANDS)}", file=sys.stderr)
        return 2
    found = with_ledger(name, rest)
    if found is None:
        print(
            f"error: no ledger is named, and here lies none; papertally {name} FOLDER, the folder of a paper.yaml",
            file=sys.stderr,
        )
        return 2
    command = COMMANDS[name]
    if command.extra:  # before what takes seconds to import
        import_module("papertally.counting.arguments").PARSERS[name]().parse_args(found)
    try:
        function: Callable[[list[str]], int | None] = getattr(import_module(command.module), command.function)
        guard = import_module("papertally.command").guard
    except ModuleNotFoundError as error:
        package = f"papertally[{command.extra}]" if command.extra else "papertally"
        print(f"error: needs {error.name}; pip install '{package}'", file=sys.stderr)
        return 2
    arguments = found
    code: int = guard(lambda: function(arguments))
    return code
