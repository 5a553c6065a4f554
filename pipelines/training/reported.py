"""Bring in a run that was made elsewhere, as its own log says it: shown beside the cells, never judged.

python -m pipelines file --row t8_micronet_m3 --log work_dirs/x/20260101_000000/vis_data/scalars.json --checkpoint x.pth
python -m pipelines file --row t2_micronet_m1 --log log.txt            # the released scripts' own
python -m pipelines file --row t2_micronet_m1 --log summary.csv        # timm's
python -m pipelines file --row t2_micronet_m1 --log metrics.csv --column top1='val_acc*100'   # a share of 1

Of a log the last epoch counts, or with --epoch best the best one by the first metric; the evidence says which. A
checkpoint is held to the row's network, and its sha256 is stated. Only a stage of this project makes evidence that is
judged.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from papertally.evidence.checksum import digest
from papertally.evidence.import_logs import number, read_log
from papertally.evidence.io import EvidenceError, as_utf8, write_json_atomic
from papertally.evidence.provenance import snapshot
from papertally.ledger.load import load_tables
from papertally.ledger.schema import COST_COLUMNS
from papertally.ledger.validation_messages import one_line, whole_number
from pipelines.common import PipelineError, guard
from pipelines.data.verify import file_hash
from pipelines.tasks import TASKS
from pipelines.training.filing import training_evidence
from report.rows import MICRONET, ROOT, Row, find_row

#: Columns that are shares of a hundred.
PERCENT = frozenset(c for task in TASKS.values() for c in task.metrics.values())


def trained_columns(row: Row, root: Path = ROOT) -> list[str]:
    """Return the columns of a row's table that training decides."""
    papers = root / "papers" if (root / MICRONET / "paper.yaml").is_file() else ROOT / "papers"
    folder = papers / (row.ledger or MICRONET.name)
    return [c for c in load_tables(folder / "tables")[row.table].columns if c not in COST_COLUMNS]


def metric_faults(metrics: Sequence[str], columns: Sequence[str]) -> tuple[dict[str, float], list[str]]:
    """Return (value by column, every fault) of texts NAME=VALUE."""
    values: dict[str, float] = {}
    faults = []
    for text in metrics:
        name, equals, said = text.partition("=")
        if not equals:
            faults.append(f"--metric {text}: write NAME=VALUE")
        elif name in COST_COLUMNS:
            faults.append(f"--metric {name}: is counted, not reported; `python -m pipelines cost`")
        elif name not in columns:
            faults.append(f"--metric {name}: no such column of the row's table; it has {', '.join(columns)}")
        elif name in values:
            faults.append(f"--metric {name}: stands twice; keep one")
        else:
            try:
                values[name] = number(said, f"--metric {text}")
            except EvidenceError as error:
                faults.append(str(error).partition(";")[0])
                continue
            if name in PERCENT and (not 0 <= values[name] <= 100 or 0 < values[name] <= 1):
                faults.append(f"--metric {text}: is no percentage of a result; write 71.9 for 71.9 %")
    if not faults and values.get("top1", 0) > values.get("top5", 100):
        faults.append(f"--metric top5={values['top5']:g}: is below top1, {values['top1']:g}; mend one of them")
    return values, faults


def check_checkpoint(path: Path, row: Row) -> str:
    """Return a checkpoint's sha256 where its weights fit a row's network. Raises PipelineError where they do not."""
    from mmengine.registry import MODELS

    import registry  # noqa: F401  registers the models
    from pipelines.analysis.structure import deployed, scope
    from pipelines.tasks import row_config
    from pipelines.training.released import ROWS
    from registry import official
    from registry.checkpoints import CheckpointError, fill_model, read_file, sound_tensors, unwrap

    try:
        found = read_file(path)
        state = sound_tensors(unwrap(found)[0], strip=False)
        config = row_config(row, ROOT)
        with scope(config):
            model = MODELS.build(deployed(config.model))
        try:
            fill_model(model, state)
        except CheckpointError as error:
            sizes = [size for size, name in ROWS.get(row.ledger, {}).items() if name == row.id]
            if not sizes:
                raise
            try:  # as the released code names its weights
                official.build(found, sizes[0])
            except CheckpointError:
                raise error from None
    except CheckpointError as error:
        fault = f"{path}: is no checkpoint of {row.id}: {one_line(str(error).removeprefix(f'{path}: '))}"
        raise PipelineError(fault) from None
    return file_hash(path)


def write_reported(
    row: Row,
    values: Mapping[str, float],
    *,
    seed: int | None,
    epochs: int | None,
    source: Mapping[str, Any],
    command: str,
    out: Path = ROOT,
    root: Path = ROOT,
) -> Path:
    """File a run that was made elsewhere, and return the file. Raises EvidenceError where that cannot be."""
    now = snapshot(root)
    source = {key: as_utf8(value) if isinstance(value, str) else value for key, value in source.items()}
    evidence = training_evidence(
        row=row,
        profile="paper",
        seed=seed,
        values=values,
        params={"reported": dict(source)},
        fingerprint={},
        data=(TASKS[row.task].data if row.task in TASKS else "unknown", "not seen"),
        epochs=epochs,
        seconds=0.0,
        command=command,
        started={"code_revision": "unknown (made elsewhere)", "environment": {}},
        now={"code_revision": "unknown (made elsewhere)", "environment": {}},
        origin="reported",
        extra=[f"entered at code revision {now['code_revision']}"],
    )
    name = digest({"values": dict(values), "seed": seed, "source": dict(source)})[:8]
    path = row.results / "paper" / f"{row.id}.reported.{name}.json"
    write_json_atomic(out / path, evidence)
    return path


def said(row: Row, values: Mapping[str, float], path: Path) -> int:
    """Print what was filed and return the exit code."""
    found = ", ".join(f"{column} {value:g}" for column, value in values.items())
    print(f"{row.id}: {found}; reported, shown beside the cells and never judged: {path.as_posix()}")
    return 0


def main(argv: list[str] | None = None) -> int:
    """Bring in the run of a log."""
    parser = argparse.ArgumentParser(
        prog="micronet file",
        description="Bring in a run that was made elsewhere, by its log.",
        epilog=(__doc__ or "").partition("\n\n")[2],
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--row", required=True, help="row id, as in the ledger")
    parser.add_argument("--log", type=Path, required=True, help="scalars.json, log.txt or summary.csv")
    parser.add_argument("--checkpoint", type=Path, help="its weights, held to the row's network; their hash is stated")
    parser.add_argument("--epoch", choices=("last", "best"), default="last", help="which evaluation counts")
    parser.add_argument(
        "--column", action="append", default=[], metavar="COLUMN=NAME", help="what the log calls a column"
    )
    parser.add_argument("--seed", help="where it is known")
    parser.add_argument("--source", default="", help="who made it, or an address")
    args = parser.parse_args(argv)
    row = find_row(args.row)
    columns = trained_columns(row)
    pairs = [text.partition("=") for text in args.column]
    for column, _, name in pairs:
        if column not in columns or not name:
            raise PipelineError(f"--column {column}: write COLUMN=NAME, of the columns {', '.join(columns)}")
    log = read_log(args.log, columns, {column: name for column, _, name in pairs})
    for note in log.notes:
        print(f"warning: {one_line(note)}", file=sys.stderr)
    _, values, about = log.taken(args.log, args.epoch, columns[0])
    values, faults = metric_faults([f"{c}={v!r}" for c, v in values.items()], columns)
    wrong: list[str] = []
    seed = whole_number("seed", args.seed, 0, wrong)
    if wrong:
        raise PipelineError(wrong[0])
    if faults:
        raise PipelineError(f"{args.log}: {about['epoch']}: {faults[0].removeprefix('--metric ')}")
    source = {
        **about,
        **({"checkpoint_sha256": check_checkpoint(args.checkpoint, row)} if args.checkpoint else {}),
        **({"source": args.source} if args.source else {}),
    }
    command = f"python -m pipelines file --row {row.id} --log {args.log.name} --epoch {args.epoch}"
    epochs = log.trained
    path = write_reported(row, values, seed=seed, epochs=epochs, source=source, command=command)
    return said(row, values, path)


if __name__ == "__main__":
    raise SystemExit(guard(main))
