"""Build the report from the ledger and the evidence.

python -m report                                   write report/out/, with the paper's other versions beside it
python -m report --fail-on differs not-reproduced  and gate: exit 3 "not reproduced", exit 4 "could not check"
python -m report --accept                          make today's verdicts the baseline that changes are shown against
python -m report diff OLD.json NEW.json            compare two reports' verdicts; exit 3 where one became worse
python -m report --ledger NAME                     of another paper's ledger: paper/NAME, to report/out/NAME/
python -m report --path FOLDER                     of a ledger anywhere, with its own evidence and margins
python -m report versions NAME                     the two side by side
python -m report metadata                          write model-index.yml and the metafiles
papertally enter --path FOLDER ...           file what a run reached, as reported
python -m report export FOLDER                     an RO-Crate of report and evidence, results for a model hub
"""

from __future__ import annotations

import argparse
import sys
from importlib import import_module
from pathlib import Path

from papertally import enter as entered
from papertally.evidence.forensics import read_forensics
from papertally.evidence.io import EvidenceError, write_json_atomic, write_text_atomic
from papertally.evidence.paths import Places, up
from papertally.evidence.read import Problem
from papertally.evidence.registration import PROFILE
from papertally.evidence.settings import Settings, SettingsError
from papertally.ledger.load import LedgerError, add_ledger_arguments
from papertally.ledger.supplements import load_supplements
from papertally.output import run
from papertally.pages import diff
from papertally.pages.render import files
from papertally.pages.sources import Sources, read_sources
from papertally.pages.stamp import STAMP
from papertally.verdicts import verdicts
from papertally.verdicts.gather import Runs, gather, place
from papertally.verdicts.model import Report, build, changes, read_baseline
from papertally.verdicts.other_sets import read_other_sets
from papertally.verdicts.plan import read_benches
from papertally.verdicts.registered import read_registered

ROOT = Path(__file__).resolve().parents[2]
OK, BROKEN, NOT_REPRODUCED, NOT_CHECKED = 0, 1, 3, 4


def gate(report: Report, names: list[str]) -> int:
    """Return the exit code for the verdicts that gate: 3 if any says not reproduced or changed, 4 if unchecked."""
    given = {v for counts in report.summary().values() for v in counts}
    if report.registered is not None and (report.registered.absent or report.registered.fault):
        given.add("invalid-evidence")
    if any(problem.path.startswith(f"results/{PROFILE}/") for problem in report.problems):
        given.add("invalid-evidence")
    if "changed" in names and report.changed:
        return NOT_REPRODUCED
    hit = given & set(names)
    if hit & set(verdicts.FAILED) or hit & set(verdicts.PASSED):
        return NOT_REPRODUCED
    return NOT_CHECKED if hit else OK


def judged(places: Places, settings: Settings, runs: Runs) -> Report:
    """Return one paper's report."""
    ledger, settings, evidence = gather(places, settings, runs)
    report = build(ledger, evidence, settings, [] if ledger.name else read_benches(places.root))
    report.supplements = load_supplements(ledger, places.ledger)
    report.forensics = read_forensics(places.root, places.results)
    if not places.own:
        report.registered = read_registered(places.root, places.results, ledger, evidence)
        if report.registered is not None:
            folder = places.results / PROFILE
            report.problems.extend(
                Problem(places.shown(folder / f"{name}.json"), name.partition(".")[0], "is registered and absent")
                for name in report.registered.absent
            )
        report.other_sets = read_other_sets(places.root, places.results, runs, ledger, evidence)
        report.problems.extend(problem for other in report.other_sets for problem in other.problems)
    return report


def write(places: Places, settings: Settings, runs: Runs, out: Path, accept: bool = False) -> tuple[Report, Sources]:
    """Judge one paper and write its report to a folder; accept: make its verdicts the baseline first."""
    root, report = places.root, judged(places, settings, runs)
    if accept:
        write_json_atomic(places.baseline, report.verdict_map())
    if places.baseline.exists():
        report.changed = changes(report, read_baseline(places.baseline))
    sources = read_sources(places, report.ledger)
    written = files(report, up(root, out), sources)
    (out / STAMP).unlink(missing_ok=True)
    for name, text in written.items():
        write_text_atomic(out / name, text)
    if out == places.out:  # committed, so that `dvc metrics diff` compares revisions
        write_text_atomic(places.metrics, written["metrics.json"])
    return report, sources


def _export(argv: list[str], root: Path) -> int:
    """Pack a report so that it travels; see papertally/pages/export/command.py."""
    from papertally.pages.export import command as travel  # what a report alone does not need

    parser = argparse.ArgumentParser(prog="python -m report export", description="Pack a report so that it travels.")
    travel.add_arguments(parser)
    args = parser.parse_args(argv)
    try:
        if why := travel.fault(args.folder):
            raise ValueError(why)
        places, settings, runs = place(args.path, args.ledger, root)
        report = judged(places, settings, runs)
        travel.export(places, report, read_sources(places, report.ledger), args.folder)
    except (LedgerError, EvidenceError, SettingsError, ValueError, OSError) as error:
        for fault in getattr(error, "faults", (error,)):
            print(f"error: {fault}", file=sys.stderr)
        return BROKEN
    return OK


def main(argv: list[str] | None = None, root: Path = ROOT) -> int:
    """Write the report; returns 0, 1 (malformed input), 3 (gated: not reproduced) or 4 (gated: could not check)."""
    argv = sys.argv[1:] if argv is None else argv
    if argv[:1] == ["diff"]:
        return diff.main(argv[1:])
    if argv[:1] == ["enter"]:
        return entered.main(argv[1:])
    if argv[:1] == ["export"]:
        return _export(argv[1:], root)
    if argv[:1] in (["versions"], ["metadata"]):  # what a report alone does not need
        return int(
            import_module({"versions": "papertally.pages.versions", "metadata": "report.metadata"}[argv[0]]).main(
                argv[1:], root
            )
        )
    parser = argparse.ArgumentParser(prog="python -m report", description="Build the report from ledger and evidence.")
    parser.add_argument("--out", type=Path, default=None, help="folder to write (default report/out)")
    add_ledger_arguments(parser)
    parser.add_argument("--profile", choices=("mini", "proxy", "paper"), help="instead of params.yaml's")
    parser.add_argument(
        "--fail-on", nargs="+", default=[], metavar="VERDICT", choices=(*verdicts.VERDICTS, "changed"),
        help="exit 3 or 4 where a cell or a claim has one of these: " + ", ".join((*verdicts.VERDICTS, "changed")),
    )  # fmt: skip
    parser.add_argument("--accept", action="store_true", help="write report/baseline.json from today's verdicts")
    args = parser.parse_args(argv)
    try:
        places, settings, runs = place(args.path, args.ledger, root)
        if args.profile:
            settings = settings.model_copy(update={"profile": args.profile})
        out = places.out if args.out is None else args.out.resolve()
        report, sources = write(places, settings, runs, out, args.accept)
        for name in [] if args.path else sources.config.versions:
            from papertally.pages import versions

            later, _ = write(Places(root, name), settings, runs, out / name)
            versions.write(report, later, root, out, name)
    except (LedgerError, EvidenceError, SettingsError, ValueError) as error:
        for fault in getattr(error, "faults", (error,)):
            print(f"error: {fault}", file=sys.stderr)
        return BROKEN
    for kind, counts in report.summary().items():
        print(f"{kind}: " + (", ".join(f"{n} {name}" for name, n in counts.items()) or "none"))
    for other in report.other_sets:
        print(f"{other.title}, apart: {other.told()}")
    for problem in (*report.problems, *sources.problems):
        print(f"warning: {problem.path}: {problem.fault}", file=sys.stderr)
    if report.changed:
        first = " ".join(report.changed[0])
        print(f"{len(report.changed)} verdicts changed against {places.shown(places.baseline)}; first: {first}")
    print(f"report: {out / 'index.html'}")
    return gate(report, args.fail_on)


if __name__ == "__main__":
    raise SystemExit(run(main))
