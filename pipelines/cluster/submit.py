"""Send tasks: decide which need it, write down what is about to be sent, hand it to an executor."""

from __future__ import annotations

import argparse
import os
import sys
from typing import Any, TextIO

from pipelines.cluster import local, slurm, status
from pipelines.cluster.plan import all_tasks, choose, faults, prepare, take_kept
from pipelines.cluster.state import Limits, Send, Store, Submission, Task, default_name, flock, now
from pipelines.common import PipelineError, load_params


def submit(args: argparse.Namespace) -> int:
    """Send the chosen tasks that are neither finished nor on their way; locally, run them."""
    if args.recipe != "paper" and args.profile != "paper":
        raise PipelineError(f"--recipe {args.recipe}: profile {args.profile} has one recipe only")
    if args.amp and args.profile != "paper":
        raise PipelineError(f"--amp: profile {args.profile} has no mixed precision")
    params = load_params(args.root)
    tasks = all_tasks(args.root, params, args.profile, args.recipe)
    chosen = choose(tasks, args.table, args.row, args.seeds, args.profile)
    store = Store(args.root, args.name or default_name(args.profile, args.recipe))
    gpus = args.gpus_per_task if args.gpus_per_task is not None else int(args.profile == "paper")
    options = {
        "jobs": args.jobs,
        "gpus_per_task": gpus,
        "amp": args.amp,
        "minutes": args.time,
        "cpus_per_task": args.cpus_per_task or (8 * gpus or 2),
        "partition": args.partition,
        "account": args.account,
        "qos": args.qos,
        "array_parallelism": args.array_parallelism,
        "signal_delay": args.signal_delay,
    }
    limits = Limits(attempts=args.attempts, requeues=args.requeues)
    if args.dry_run:
        return dry_run(args, store, params, list(chosen.values()), options)
    if args.executor == "slurm":
        slurm.need("sbatch")
    else:
        local.gpu_slots(gpus, args.jobs, os.environ)  # too few: say so before anything runs
    prepare(args.root, params, args.profile, chosen.values())
    with store.held():
        submission = store.load() or Submission(name=store.name, profile=args.profile, recipe=args.recipe)
        if (submission.profile, submission.recipe) != (args.profile, args.recipe):
            raise PipelineError(
                f"--name {store.name}: is of profile {submission.profile}, recipe {submission.recipe}; "
                "choose another name"
            )
        submission.tasks |= chosen
        finished, active = sort_out(store, submission, list(chosen.values()))
        submission.current = sorted((set(submission.current) - set(chosen)) | finished)
        todo = [task for name, task in chosen.items() if name not in finished and name not in active]
        print(
            f"{store.name}: {len(chosen)} tasks, {len(finished)} finished, {len(active)} on their way, "
            f"{len(todo)} to send",
            flush=True,
        )
        send = record_send(store, submission, todo, args.executor, options, limits)
    return finish_send(store, send, todo)


def sort_out(store: Store, submission: Submission, tasks: list[Task]) -> tuple[set[str], set[str]]:
    """Return the tasks that are finished (the report would count them) and those on their way."""
    drop_cut_off(submission)
    views, fault = status.look(store, submission)
    if fault:
        raise PipelineError(fault)
    active = {v.task for v in views if v.state in status.ACTIVE} & {t.id for t in tasks}
    idle = [task for task in tasks if task.id not in active]
    take_kept(store.root, idle)
    return {t.id for t in idle} - faults(store.root, idle).keys(), active


def drop_cut_off(submission: Submission) -> None:
    """Forget sends whose submitter died before the jobs were written down, and end what it may have sent."""
    for send in [s for s in submission.sends if s.executor == "slurm" and not s.jobs]:
        slurm.cancel(name=slurm.job_name(submission.name, send.nonce))
        submission.sends.remove(send)


def record_send(
    store: Store, submission: Submission, todo: list[Task], executor: str, options: dict[str, Any], limits: Limits
) -> Send | None:
    """Write down what is about to be sent, then send it to Slurm. Nothing to do: None."""
    if not todo:
        store.save(submission)
        return None
    before = {task.id: len(store.record(task.id).attempts) for task in todo}
    send = Send(
        nonce=slurm.new_nonce(),
        executor=executor,
        sent=now(),
        tasks=[t.id for t in todo],
        before=before,
        limits=limits,
        options=options,
    )
    for task in todo:
        store.path(task.id, "cancel").unlink(missing_ok=True)
    if executor == "slurm":
        submission.sends.append(send)
        store.save(submission)  # before sbatch: a submitter that dies in between is made up for
        try:
            send.jobs = slurm.send(store, todo, before, limits, send.nonce, options)
        except PipelineError:
            submission.sends.remove(send)
            store.save(submission)
            raise
    else:
        submission.sends.append(send)
    store.save(submission)
    return send


def finish_send(store: Store, send: Send | None, todo: list[Task], out: TextIO | None = None) -> int:
    """Say on `out` (standard output) what was sent; run it where it is local. Returns the exit code."""
    if send is None:
        return 0
    if send.executor == "slurm":
        jobs = sorted({job.split("_")[0] for job in send.jobs.values()})
        print(
            f"sent {len(todo)} tasks as job {', '.join(jobs)}; `python -m pipelines cluster status --name "
            f"{store.name} --watch` follows them",
            file=out,
        )
        return 0
    slots = local.gpu_slots(send.options["gpus_per_task"], send.options["jobs"], os.environ)
    with flock(store.folder / "local.lock") as got:
        if not got:
            raise PipelineError(f"{store.folder / 'local.lock'}: another local run goes on; wait for its end")
        endings = local.run(store, todo, send.before, send.limits, send.options, slots)
    bad = {task: ending for task, ending in endings.items() if ending != "done"}
    for task, ending in sorted(bad.items()):
        attempts = store.record(task).attempts
        told = attempts[-1].error if attempts else ""
        print(f"{task}: {ending}{': ' + told if told else ''} ({store.log(task)})", file=sys.stderr)
    print(f"{len(todo) - len(bad)} of {len(todo)} tasks done", file=out)
    return 1 if bad else 0


def requeue(store: Store) -> int:
    """Send a submission's lost tasks again, as the newest send was; returns how many."""
    with store.held():
        if (submission := store.load()) is None:
            return 0
        options = next(((s.executor, s.options, s.limits) for s in reversed(submission.sends)), None)
        drop_cut_off(submission)
        views, fault = status.look(store, submission)
        lost = [submission.tasks[v.task] for v in views if v.state == "lost"] if not fault else []
        if not lost:
            return 0
        if options is None:
            raise PipelineError(f"--requeue: {store.name} was never sent; use submit")
        send = record_send(store, submission, lost, *options)
    finish_send(store, send, lost, sys.stderr)
    return len(lost)


def dry_run(
    args: argparse.Namespace, store: Store, params: dict[str, Any], tasks: list[Task], options: dict[str, Any]
) -> int:
    """Print what `submit` would send: the tasks with their commands, and the job's parameters."""
    for task in tasks:
        print(f"{task.id}: python {' '.join(task.command(options['amp']))}")
    if args.executor == "slurm":
        for key, value in slurm.parameters(store.name, "NONCE", args.root, options).items():
            if key != "teardown":
                print(f"sbatch {key}: {value}")
    else:
        print(f"local: {options['jobs']} at a time, {options['gpus_per_task']} GPUs each")
    try:
        if args.profile != "mini":  # there the data would be made
            prepare(args.root, params, args.profile, tasks)
    except PipelineError as error:
        print(f"before that: {error}")
    print(f"{len(tasks)} tasks; those that are finished or on their way would be left out")
    return 0
