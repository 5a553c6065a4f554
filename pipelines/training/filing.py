"""Write what a run achieved as evidence: one form for every task, profile and recipe."""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping
from typing import Any

from evidence.io import write_bytes_atomic, write_text_atomic
from evidence.provenance import differences, snapshot
from evidence.rows import Row
from evidence.seal import file_computed, seal
from pipelines.training.job import Job
from registry.ops import native


def training_evidence(
    *, row: Row, profile: str, seed: int | None, values: Mapping[str, float], params: Mapping[str, Any],
    fingerprint: Mapping[str, Any], data: tuple[str, str], epochs: int | None, seconds: float, command: str,
    started: Mapping[str, Any], now: Mapping[str, Any],
) -> dict[str, Any]:  # fmt: skip
    """Return a run's sealed evidence.

    values: metrics in percent. params: what decides the result. data: the set's name and pin. seconds: what training
    took. seed, epochs: None where nobody tells (a released checkpoint). started, now: provenance at the run's start
    and as it is filed; what differs is stated.
    """
    return seal({
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
        "duration_s": float(seconds),
        "command": command,
        "changed": differences(started, now),
    })  # fmt: skip


def shift_max_form() -> dict[str, str]:
    """Return what provenance says where Shift-Max is compiled: its gradients are rounded in another order."""
    return {"shift_max": "compiled"} if native.library() is not None else {}


def file_run(job: Job, found: Mapping[str, Any]) -> dict[str, Any]:
    """Write a finished run's curve and evidence under job.out, atomically, and return the evidence.

    found: values, curve, seconds and the provenance at the start (`started`). A tracked file that says the same but for
    provenance and duration stays as it is. Raises EvidenceError.
    """
    more = {key: value for key, value in found["started"]["environment"].items() if key in ("processes", "precision")}
    now = snapshot(job.root)
    now["environment"] |= more | shift_max_form()
    evidence = training_evidence(
        row=job.row, profile=job.profile, seed=job.seed, values=found["values"], params=job.params,
        fingerprint=job.fingerprint, data=(job.name, job.pin), epochs=job.settings["epochs"], seconds=found["seconds"],
        command=job.command, started=found["started"], now=now,
    )  # fmt: skip
    write_text_atomic(job.out / job.curve, curve_csv(found["curve"]))
    file_computed(job.out / job.evidence, evidence)
    if job.profile == "paper":
        kept = (job.out / job.weights).with_suffix(".json")  # for `dvc push`: the other is in git
        write_bytes_atomic(kept, (job.out / job.evidence).read_bytes())
    return evidence


def curve_csv(rows: list[dict[str, float]]) -> str:
    """Return the training curve as CSV for `dvc plots`."""
    fields = list(dict.fromkeys(key for row in rows for key in row))
    out = io.StringIO()
    writer = csv.DictWriter(out, fields, lineterminator="\n")
    writer.writeheader()
    writer.writerows({k: round(v, 6) for k, v in row.items()} for row in rows)
    return out.getvalue()
