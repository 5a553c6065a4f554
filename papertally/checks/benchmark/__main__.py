"""Print the checks' grades, or write them into docs/checks.md (--write)."""

from __future__ import annotations

import argparse
from pathlib import Path

from papertally.checks.benchmark.grade import grade, table
from papertally.output import run

BEGIN, END = "<!-- grades: python -m papertally.checks.benchmark --write -->", "<!-- end of grades -->"
DOCS = Path(__file__).resolve().parents[3] / "docs/checks.md"


def with_grades(text: str, grades: str) -> str:
    """Return the page with its table of grades replaced. Raises ValueError where the marks are missing."""
    if BEGIN not in text or END not in text:
        raise ValueError(f"no lines {BEGIN!r} and {END!r}; restore them")
    head, rest = text.split(BEGIN, 1)
    return f"{head}{BEGIN}\n{grades}\n{END}{rest.split(END, 1)[1]}"


def main(argv: list[str] | None = None) -> int:
    """Grade the checks; returns 0."""
    parser = argparse.ArgumentParser(prog="python -m papertally.checks.benchmark", description=__doc__)
    parser.add_argument("--write", action="store_true", help="write the table into docs/checks.md")
    args = parser.parse_args(argv)
    grades = table(grade())
    if args.write:
        DOCS.write_text(with_grades(DOCS.read_text("utf-8"), grades), "utf-8")
    else:
        print(grades)
    return 0


if __name__ == "__main__":
    raise SystemExit(run(main))
