"""Build the report of a paper from its ledger and its evidence.

papertally report FOLDER                                   write FOLDER/report/
papertally report FOLDER --fail-on differs not-reproduced  and gate: exit 3 "not reproduced", exit 4 "could not check"
papertally report FOLDER --accept                          make today's verdicts the baseline
papertally diff OLD.json NEW.json                          compare two reports' verdicts; exit 3 where one became worse
papertally export OUT --path FOLDER                        an RO-Crate of report and evidence, results for a model hub
papertally enter --path FOLDER ...                         file what a run reached, as reported
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path

from papertally.evidence.forensics import read_forensics
from papertally.evidence.io import EvidenceError, write_json_atomic, write_text_atomic
from papertally.evidence.settings import SettingsError
from papertally.ledger.load import LedgerError, add_ledger_arguments
from papertally.ledger.paper import Paper, up
from papertally.ledger.supplements import load_supplements
from papertally.pages.render import files
from papertally.pages.sources import Sources, read_sources
from papertally.pages.stamp import STAMP
from papertally.verdicts import verdicts
from papertally.verdicts.gather import Held, gather
from papertally.verdicts.model import Report, build, changes, read_baseline
from papertally.verdicts.plan import read_benches

OK, BROKEN, NOT_REPRODUCED, NOT_CHECKED = 0, 1, 3, 4


def _nothing_more(paper: Paper, report: Report) -> None:
    """Add nothing to a report."""


@dataclass(frozen=True, kw_only=True)
class Project:
    """Hold a paper with what its project knows of it.

    Args:
        paper: The paper.
        held: What the project's own runs are held to.
        extend: Adds sections that only this paper has to its report.
    """

    paper: Paper
    held: Held = field(default_factory=Held)
    extend: Callable[[Paper, Report], None] = _nothing_more


#: Returns the project of a paper's folder; None: of the folder that a command is about where it names none.
Projects = Callable[[Path | None], Project]


def of_folder(path: Path | None) -> Project:
    """Return a paper that no project knows more of. Raises LedgerError."""
    return Project(paper=Paper.at(path or Path()))


def gate(report: Report, names: list[str]) -> int:
    """Return the exit code for the verdicts that gate: 3 if any says not reproduced or changed, 4 if unchecked."""
    given = {v for counts in report.summary().values() for v in counts}
    if "changed" in names and report.changed:
        return NOT_REPRODUCED
    hit = given & set(names)
    if hit & set(verdicts.FAILED) or hit & set(verdicts.PASSED):
        return NOT_REPRODUCED
    return NOT_CHECKED if hit else OK


def judged(project: Project) -> Report:
    """Return one paper's report."""
    paper = project.paper
    ledger, settings, evidence = gather(paper, project.held)
    report = build(ledger, evidence, settings, read_benches(paper.root, paper.results))
    report.supplements = load_supplements(ledger, paper.folder)
    report.forensics = read_forensics(paper.root, paper.results)
    project.extend(paper, report)
    return report


def write(project: Project, out: Path, accept: bool = False) -> tuple[Report, Sources]:
    """Judge one paper and write its report to a folder; accept: make its verdicts the baseline first."""
    paper, report = project.paper, judged(project)
    if accept:
        write_json_atomic(paper.baseline, report.verdict_map())
    if paper.baseline.exists():
        report.changed = changes(report, read_baseline(paper.baseline))
    sources = read_sources(paper, report.ledger)
    written = files(report, up(paper.root, out), sources)
    (out / STAMP).unlink(missing_ok=True)
    for name, text in written.items():
        write_text_atomic(out / name, text)
    if out == paper.out:  # committed, so that `dvc metrics diff` compares revisions
        write_text_atomic(paper.metrics, written["metrics.json"])
    return report, sources


def _print_errors(error: Exception) -> int:
    """Print an error, one line for each of its faults; returns the exit code."""
    for fault in getattr(error, "faults", (error,)):
        print(f"error: {fault}", file=sys.stderr)
    return BROKEN


ERRORS = (LedgerError, EvidenceError, SettingsError, ValueError)


def export_main(argv: list[str], projects: Projects = of_folder) -> int:
    """Pack a report so that it travels; see papertally/pages/export/command.py."""
    from papertally.pages.export import command as travel  # what a report alone does not need

    parser = argparse.ArgumentParser(prog="papertally export", description="Pack a report so that it travels.")
    travel.add_arguments(parser)
    args = parser.parse_args(argv)
    try:
        if why := travel.fault(args.folder):
            raise ValueError(why)
        project = projects(args.path)
        report = judged(project)
        travel.export(project.paper, report, read_sources(project.paper, report.ledger), args.folder)
    except (*ERRORS, OSError) as error:
        return _print_errors(error)
    return OK


def main(argv: list[str] | None = None, projects: Projects = of_folder) -> int:
    """Write the report; returns 0, 1 (malformed input), 3 (gated: not reproduced) or 4 (gated: could not check)."""
    argv = sys.argv[1:] if argv is None else argv
    parser = argparse.ArgumentParser(prog="papertally report", description="Build the report from ledger and evidence.")
    parser.add_argument("--out", type=Path, default=None, help="folder to write (default: report/ beside the ledger)")
    add_ledger_arguments(parser)
    parser.add_argument("--profile", help="whose small-scale results are shown, instead of the project's")
    parser.add_argument(
        "--fail-on",
        nargs="+",
        default=[],
        metavar="VERDICT",
        choices=(*verdicts.VERDICTS, "changed"),
        help="exit 3 or 4 where a cell or a claim has one of these: " + ", ".join((*verdicts.VERDICTS, "changed")),
    )
    parser.add_argument("--accept", action="store_true", help="make today's verdicts the baseline")
    args = parser.parse_args(argv)
    try:
        project = projects(args.path)
        paper = project.paper
        if args.profile:
            project = replace(project, held=replace(project.held, profile=args.profile))
        out = paper.out if args.out is None else args.out.resolve()
        report, sources = write(project, out, args.accept)
        for name in sources.config.versions:
            from papertally.pages import versions

            later, _ = write(projects(paper.folder.parent / name), out / name)
            versions.write(report, later, paper.root, out, name)
    except ERRORS as error:
        return _print_errors(error)
    for kind, counts in report.summary().items():
        print(f"{kind}: " + (", ".join(f"{n} {name}" for name, n in counts.items()) or "none"))
    for other in report.other_sets:
        print(f"{other.title}, apart: {other.told()}")
    for problem in (*report.problems, *sources.problems):
        print(f"warning: {problem.path}: {problem.fault}", file=sys.stderr)
    if report.changed:
        first = " ".join(report.changed[0])
        print(f"{len(report.changed)} verdicts changed against {paper.baseline.name}; first: {first}")
    print(f"report: {out / 'index.html'}")
    return gate(report, args.fail_on)


if __name__ == "__main__":
    from papertally.output import run

    raise SystemExit(run(main))
