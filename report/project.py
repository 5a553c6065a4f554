"""MicroNet as a project: what its papers are held to, and the sections that only its report has."""

from __future__ import annotations

from pathlib import Path

from papertally.evidence.read import Problem
from papertally.evidence.registration import PROFILE
from papertally.ledger.paper import Paper
from papertally.pages.command import Project, Projects
from papertally.verdicts.gather import Held
from papertally.verdicts.other_sets import read_other_sets
from papertally.verdicts.registered import read_registered
from papertally.verdicts.views import Report
from report.rows import MICRONET
from report.settings import data_pins, load_settings

#: Where the report is written and the accepted verdicts lie, from the root on.
OUT, BASELINE = Path("report/out"), Path("report/baseline.json")


#: What is said of a registered run that is not filed.
ABSENT = "is registered and absent"


def held_to(root: Path) -> Held:
    """Return what this project's runs are held to. Raises SettingsError, LedgerError."""
    settings, runs = load_settings(root)
    return Held(profile=settings.profile, runs=runs, pins=data_pins(root))


def paper_of(root: Path) -> Paper:
    """Return MicroNet's paper in a checkout. Raises LedgerError."""
    return Paper.at(root / MICRONET, root / OUT, root / BASELINE)


def projects_of(root: Path) -> Projects:
    """Return what gives the project of a paper's folder; without one MicroNet's."""

    def project(path: Path | None) -> Project:
        folder = (path or root / MICRONET).resolve()
        papers = (root / "papers").resolve()
        if folder.parent != papers:
            return Project(paper=Paper.at(folder))
        held = held_to(root)
        if folder.name != MICRONET.name:
            return Project(paper=Paper.at(folder), held=held)

        def extend(paper: Paper, report: Report) -> None:
            report.registered = read_registered(root, paper.results, report.ledger, report.evidence)
            report.problems.extend(
                Problem(paper.shown(paper.results / PROFILE / f"{name}.json"), name.partition(".")[0], ABSENT)
                for name in (report.registered.absent if report.registered else ())
            )
            report.other_sets = read_other_sets(root, paper.results, held, report.ledger, report.evidence)
            report.problems.extend(problem for other in report.other_sets for problem in other.problems)

        return Project(paper=paper_of(root), held=held, extend=extend)

    return project
