"""MicroNet's report, with the paper's other versions beside it.

python -m report                                   write report/out/
python -m report --fail-on differs not-reproduced  and gate: exit 3 "not reproduced", exit 4 "could not check"
python -m report --accept                          make today's verdicts the baseline that changes are shown against
python -m report --path papers/NAME                the report of another paper of this checkout, or of any folder
python -m report versions NAME                     papers/micronet and papers/NAME side by side
python -m report metadata                          write model-index.yml and the metafiles
python -m report diff|enter|export ...             as `papertally diff`, `enter` and `export`
"""

from __future__ import annotations

import sys
from pathlib import Path

from papertally.output import run
from papertally.pages import command
from papertally.shadowing import check_own
from papertally.verdicts.views import Report
from report.project import OUT, projects_of
from report.rows import MICRONET, ROOT


def main(argv: list[str] | None = None, root: Path = ROOT) -> int:
    """Write the report, or run the named part; returns its exit code."""
    check_own(ROOT, "pipelines")  # here: what a task of pipelines reads of this package is not the command
    argv = sys.argv[1:] if argv is None else argv
    name, rest, projects = "".join(argv[:1]), argv[1:], projects_of(root)
    if name == "diff":
        from papertally.pages import diff

        return diff.main(rest)
    if name == "enter":
        from papertally import enter

        return enter.main(rest)
    if name == "export":
        return command.export_main(rest, projects)
    if name == "metadata":
        from report import metadata

        return metadata.main(rest, root)
    if name == "versions":
        from papertally.pages import versions

        def report_of(folder: str) -> Report:
            return command.judged(projects(root / "papers" / folder))

        return versions.main(rest, lambda: report_of(MICRONET.name), report_of, root, root / OUT)
    return command.main(argv, projects)


if __name__ == "__main__":
    raise SystemExit(run(main))
