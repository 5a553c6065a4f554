"""Write what a run achieved as evidence: one form for every task, profile and recipe."""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from papertally.evidence.checksum import file_computed
from papertally.evidence.examples import example_file, write_examples
from papertally.evidence.io import as_utf8, write_bytes_atomic, write_text_atomic
from papertally.evidence.provenance import differences, snapshot
from papertally.evidence.schema import DataPin, TrainingEvidence, formed
from pipelines.training.job import Job
from registry.ops import native
from report.rows import Row


def training_evidence(
    *,
    row: Row,
    profile: str,
    seed: int | None,
    values: Mapping[str, float],
    params: Mapping[str, Any],
    fingerprint: Mapping[str, Any],
    data: tuple[str, str],
    epochs: int | None,
    seconds: float,
    command: str,
    best_epoch: int | None = None,
    started: Mapping[str, Any],
    now: Mapping[str, Any],
    examples: Mapping[str, Any] | None = None,
    origin: str = "trainer",
    differs: Sequence[str] = (),
    extra: Sequence[str] = (),
    cpu_seconds: float | None = None,
) -> dict[str, Any]:
    """Return a run's sealed evidence.

    best_epoch: of a recipe that keeps the best epoch.
    values: metrics in percent. params: what decides the result. data: the set's name and pin. seconds: what training
    took. seed, epochs: None where nobody tells (a released checkpoint). started, now: provenance at the run's start
    and as it is filed; what differs is stated, and `extra`. examples: the files of per-example correctness, by column.
    cpu_seconds: the processor's, where they were taken.
    origin, differs: who ran it, and what is not as in the row's recipe (evidence.forms.TrainingEvidence).
    """
    return formed(
        TrainingEvidence,
        {
            "schema": 2,
            "kind": "training",
            "profile": profile,
            "row": row.id,
            "seed": seed,
            "values": dict(values),
            "config": row.config.as_posix(),
            "fingerprint": dict(fingerprint),
            "params": dict(params),
            "data": {"name": data[0], "pin": data[1]},
            "code_revision": started["code_revision"],
            "environment": dict(started["environment"]),
            "epochs": epochs,
            **({"best_epoch": best_epoch} if best_epoch else {}),
            "duration_s": float(seconds),
            "command": as_utf8(command),
            "changed": [*differences(started, now), *extra],
            **({"examples": dict(examples)} if examples else {}),
            **({"cpu_s": cpu_seconds} if cpu_seconds is not None else {}),
            **({"origin": origin, "differs": list(differs)} if origin != "trainer" else {}),
        },
    )


def compiled_operators() -> dict[str, str]:
    """Return what provenance says where operators are compiled: their sums are rounded in another order."""
    return dict.fromkeys(("shift_max", "factorized", "batch_norm"), "compiled") if native.library() is not None else {}


def file_examples(
    results: Path,
    correct: Mapping[str, Any],
    *,
    profile: str,
    row: str,
    seed: int | None,
    data: tuple[str, str],
    recipe: str,
) -> dict[str, dict[str, str]]:
    """File which images a run got right, a file a column, and return how its evidence names them.

    correct: by column the test set's images in their order, as truth values or as "0" and "1". Raises EvidenceError.
    """
    pin = DataPin(name=data[0], pin=data[1])
    return {
        column: write_examples(
            results,
            (flag in (True, "1") for flag in flags),
            profile=profile,
            row=row,
            seed=seed,
            column=column,
            data=pin,
            recipe=recipe,
        ).model_dump()
        for column, flags in correct.items()
    }


def file_run(job: Job, found: Mapping[str, Any]) -> dict[str, Any]:
    """Write a finished run's curve, bits and evidence under job.out, atomically, and return the evidence.

    found: values, curve, seconds, correct images and the provenance at the start (`started`). A tracked file that says
    the same but for provenance and duration stays as it is. Raises EvidenceError.
    """
    stated = ("processes", "batchnorm", "precision")
    more = {key: value for key, value in found["started"]["environment"].items() if key in stated}
    now = snapshot(job.root)
    now["environment"] |= more | compiled_operators()
    recipe = str(job.settings.get("recipe", ""))
    results = job.out / job.results
    examples = file_examples(
        results,
        found.get("correct", {}),
        profile=job.profile,
        row=job.row.id,
        seed=job.seed,
        data=(job.name, job.pin),
        recipe=recipe,
    )
    evidence = training_evidence(
        row=job.row,
        profile=job.profile,
        seed=job.seed,
        values=found["values"],
        params=job.params,
        best_epoch=found.get("best_epoch"),
        fingerprint=job.fingerprint,
        data=(job.name, job.pin),
        epochs=job.settings["epochs"],
        seconds=found["seconds"],
        command=job.command,
        started=found["started"],
        now=now,
        examples=examples,
        cpu_seconds=found.get("cpu_seconds"),
    )
    write_text_atomic(job.out / job.curve, curve_csv(found["curve"]))
    file_computed(job.out / job.evidence, evidence)
    if job.profile == "paper":
        kept = (job.out / job.weights).with_suffix("")  # for `dvc push`: the others are in git
        write_bytes_atomic(kept.with_name(f"{kept.name}.json"), (job.out / job.evidence).read_bytes())
        for column in examples:
            bits = example_file(results, job.profile, job.row.id, job.seed, column, recipe)
            write_bytes_atomic(kept.with_name(f"{kept.name}.{column}.json"), bits.read_bytes())
    return evidence


def curve_csv(rows: list[dict[str, float]]) -> str:
    """Return the training curve as CSV for `dvc plots`."""
    fields = list(dict.fromkeys(key for row in rows for key in row))
    out = io.StringIO()
    writer = csv.DictWriter(out, fields, lineterminator="\n")
    writer.writeheader()
    writer.writerows({k: round(v, 6) for k, v in row.items()} for row in rows)
    return out.getvalue()
