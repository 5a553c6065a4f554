"""Send the rows of the tables to Slurm or to this machine, watch them, gather their results.

python -m pipelines cluster submit --table 5 --profile paper --seeds 3 [--gpus-per-task 8] [--partition P] [--time 3-00]
python -m pipelines cluster submit --profile mini --executor local --jobs 2
python -m pipelines cluster status [--name paper] [--watch] [--json]
python -m pipelines cluster collect [--name paper | --profile paper] [--requeue] [--push REMOTE]
python -m pipelines cluster cancel [--name paper] [--row ROW]

Results travel by DVC, once a remote is named: `dvc remote add -d store /a/shared/folder`, or
`dvc remote add -d store s3://BUCKET/PATH` (`dvc remote modify store endpointurl URL` for another S3 than AWS's; keys in
AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, never in .dvc/config). Then `collect --push` here, and elsewhere, with the
same commit, `dvc pull --allow-missing full/dvc.yaml` and `collect --profile paper`. A packed data set goes by
`dvc push STAGE` and `dvc pull STAGE`.

A submission is named after profile and recipe unless --name says otherwise, and lives in work_dirs/cluster/NAME.
`submit` again adds tasks and sends only those that are neither finished nor on their way.
"""

from __future__ import annotations

import argparse
import json
import re
import shutil
import sys
import time
from pathlib import Path

from pipelines.cluster import collect, slurm, status
from pipelines.cluster.plan import RECIPES, all_tasks, choose
from pipelines.cluster.state import FOLDER, Store, Submission, default_name, need_flock
from pipelines.cluster.submit import requeue, submit
from pipelines.common import ROOT, PipelineError, guard, load_params


def minutes(text: str) -> int:
    """Return a time limit in minutes from Slurm's forms: minutes, H:M:S, D-H, D-H:M, D-H:M:S."""
    match = re.fullmatch(r"(?:(\d+)-)?(\d+)(?::(\d+))?(?::(\d+))?", text)
    if not match:
        raise argparse.ArgumentTypeError(f"{text!r}: write minutes, H:M:S or D-H:M:S")
    days, first, second, third = (None if g is None else int(g) for g in match.groups())
    if days is not None:
        whole = days * 1440 + first * 60 + (second or 0) + (1 if third else 0)
    elif second is None:
        whole = first
    elif third is None:  # M:S
        whole = first + (1 if second else 0)
    else:
        whole = first * 60 + second + (1 if third else 0)
    if whole < 1:
        raise argparse.ArgumentTypeError(f"{text!r}: allow at least a minute")
    return whole


def count(text: str, least: int = 1) -> int:
    """Return a whole number of at least `least`."""
    if not text.isdigit() or int(text) < least:
        raise argparse.ArgumentTypeError(f"{text!r}: a whole number of at least {least}")
    return int(text)


def natural(text: str) -> int:
    """Return a whole number, 0 or more."""
    return count(text, 0)


def parser() -> argparse.ArgumentParser:
    """Return the command line's parser."""
    common = argparse.ArgumentParser(add_help=False)
    common.add_argument("--name", help="the submission (default: PROFILE, or PROFILE-official)")
    common.add_argument("--root", type=Path, default=ROOT, help="the checkout (default: this one)")
    which = argparse.ArgumentParser(add_help=False)
    which.add_argument("--table", nargs="+", default=[], help="these tables (4 means 4a, 4b, 4c)")
    which.add_argument("--row", nargs="+", default=[], help="these rows")
    out = argparse.ArgumentParser(prog="micronet cluster", description=(__doc__ or "").splitlines()[0])
    commands = out.add_subparsers(dest="command", required=True)

    add = commands.add_parser("submit", parents=[common, which], help="send what is neither finished nor on its way")
    add.add_argument("--profile", choices=("mini", "proxy", "paper"), default="mini")
    add.add_argument("--seeds", type=count, help="the first N seeds (default: all of params.yaml)")
    add.add_argument("--recipe", choices=RECIPES, default="paper", help="profile paper's (docs/recipes.md)")
    add.add_argument("--executor", choices=("slurm", "local"), default="slurm")
    add.add_argument("--jobs", type=count, default=2, help="local: tasks at a time (default 2)")
    add.add_argument("--gpus-per-task", type=natural, metavar="N", help="default 1 for profile paper, else 0")
    add.add_argument("--cpus-per-task", type=count, metavar="N", help="Slurm: default 8 a GPU, or 2 without one")
    add.add_argument("--amp", action="store_true", help="mixed precision (profile paper)")
    add.add_argument("--partition", help="Slurm's partition")
    add.add_argument("--account", help="Slurm's account")
    add.add_argument("--qos", help="Slurm's quality of service")
    add.add_argument("--time", type=minutes, default=1440, help="an attempt's limit, as sbatch takes it (default 1-0)")
    add.add_argument("--array-parallelism", type=count, default=64, metavar="N", help="Slurm: tasks at a time")
    add.add_argument("--signal-delay", type=count, default=90, metavar="SECONDS", help="warning before the time limit")
    add.add_argument("--attempts", type=count, default=3, help="failing attempts a task (default 3)")
    add.add_argument("--requeues", type=natural, default=20, help="restarts after kills a task (default 20)")
    add.add_argument("--dry-run", action="store_true", help="print what would be sent")

    show = commands.add_parser("status", parents=[common], help="show what each task does")
    show.add_argument("--watch", action="store_true", help="until nothing is on its way")
    show.add_argument("--interval", type=float, default=5.0, help="seconds between two looks (default 5)")
    show.add_argument("--requeue", action="store_true", help="send lost tasks again")
    show.add_argument("--json", action="store_true")

    get = commands.add_parser(
        "collect", parents=[common, which], help="check and record results; 0 only if all are there"
    )
    get.add_argument("--profile", choices=("mini", "proxy", "paper"), help="all of its tasks, submitted here or not")
    get.add_argument("--recipe", choices=RECIPES, default="paper")
    get.add_argument("--seeds", type=count, help="with --profile: the first N seeds")
    get.add_argument("--requeue", action="store_true", help="send lost tasks again")
    get.add_argument("--push", nargs="?", const="", metavar="REMOTE", help="then `dvc push` them (default remote)")

    commands.add_parser("cancel", parents=[common, which], help="end tasks; `submit` sends them again")
    return out


def opened(args: argparse.Namespace) -> tuple[Store, Submission]:
    """Return the named submission, or the only one there is. Raises PipelineError listing those to choose from."""
    known = sorted(p.parent.name for p in (args.root / FOLDER).glob("*/submission.json"))
    if args.name is None and len(known) != 1:
        raise PipelineError(f"--name: {'which of ' + ', '.join(known) + '?' if known else 'nothing was submitted yet'}")
    store = Store(args.root, args.name or known[0])
    submission = store.load()
    if submission is None:
        raise PipelineError(f"--name {store.name}: no such submission; there is {', '.join(known) or 'none yet'}")
    return store, submission


def show(args: argparse.Namespace) -> int:
    """Print the status table, again and again with --watch; 1 where watching ends with failed or lost tasks."""
    store, _ = opened(args)
    drawn = ""
    while True:
        if args.requeue:
            requeue(store)
        submission = store.load()
        assert submission is not None
        views, fault = status.look(store, submission)
        if args.json:
            text = json.dumps(status.as_json(submission, views, fault), indent=1)
        else:
            text = status.table(store.name, views, shutil.get_terminal_size((120, 40)).columns)
            text += f"\nSlurm does not answer: {fault}" if fault else ""
        if args.watch and sys.stdout.isatty():
            print("\x1b[H\x1b[2J" + text, flush=True)
        elif not args.watch or status.summary(views) != drawn:  # into a file: a table a change
            print(text, flush=True)
            drawn = status.summary(views)
        if not args.watch:
            return 0
        if not any(v.state in status.ACTIVE for v in views):
            return int(any(v.state != "done" for v in views))
        time.sleep(max(0.1, args.interval))


def gather(args: argparse.Namespace) -> int:
    """Check and gather the results; 0 only where all are there and sound."""
    if args.profile:
        store = Store(args.root, args.name or default_name(args.profile, args.recipe))
        submission = store.load() or Submission(name=store.name, profile=args.profile, recipe=args.recipe)
        known = all_tasks(args.root, load_params(args.root), args.profile, args.recipe)
    else:
        store, submission = opened(args)
        known = submission.tasks
    if args.requeue and (number := requeue(store)):
        print(f"{number} lost tasks sent again")
        submission = store.load() or submission
    tasks = list(choose(known, args.table, args.row, args.seeds, submission.profile).values())
    gathered = collect.gather(store, submission, tasks)
    print(collect.report(store, gathered, tasks), flush=True)
    sound = [t for t in tasks if t.id in gathered.values]
    if number := collect.record(store, sound):
        print(f"recorded {number} of them in DVC's lock files")
    if args.push is not None:
        collect.push(store, sound, args.push or None)
        print(f"pushed {len(gathered.values)} results")
    return 1 if gathered.faults else 0


def stop(args: argparse.Namespace) -> int:
    """Cancel the chosen tasks that are not finished."""
    store, submission = opened(args)
    chosen = choose(submission.tasks, args.table, args.row, profile=submission.profile)
    with store.held():
        submission = store.load() or submission
        views, _ = status.look(store, submission)
        ending = [v for v in views if v.task in chosen and v.state not in ("done", "cancelled", "failed")]
        for view in ending:
            path = store.path(view.task, "cancel")
            path.parent.mkdir(parents=True, exist_ok=True)
            path.touch()
        sends = {view.task: submission.last_send(view.task) for view in ending}
        jobs = [s.jobs[task] for task, s in sends.items() if s and s.executor == "slurm" and task in s.jobs]
        if jobs:
            slurm.cancel(jobs)
    print(f"{len(ending)} tasks cancelled; `submit` sends them again, from their last checkpoints")
    return 0


def main(argv: list[str] | None = None) -> int:
    """Run one command."""
    args = parser().parse_args(argv)
    args.root = args.root.resolve()
    need_flock()
    try:
        return {"submit": submit, "status": show, "collect": gather, "cancel": stop}[args.command](args)
    except KeyboardInterrupt:  # the way out of --watch
        return 130


if __name__ == "__main__":
    raise SystemExit(guard(main))
