"""What every stage shares: the repository's root, params.yaml, row configs and one-line errors."""

from __future__ import annotations

import hashlib
import os
import platform
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from paper.files import committed_bytes
from paper.output import run

if TYPE_CHECKING:
    from paper.ledger import Ledger

ROOT = Path(__file__).resolve().parent.parent
CONFIGS = Path("configs")
#: Where a table's rows have their configs; all other tables' rows are classification.
TASK_OF_TABLE = {"t8": "pose", "t9": "segmentation"}
TASKS = ("classification", "pose", "segmentation")
PROFILES = ("mini", "proxy", "paper")


class PipelineError(Exception):
    """Say what stops a stage, in one line that names the file and the mend."""

    def __init__(self, message: object = "") -> None:
        text = str(message)
        if text.startswith("Caught "):  # torch's loader makes a worker's traceback the message: keep the line
            text = text.rsplit("PipelineError: ", 1)[-1].rstrip()
        super().__init__(text)


def guard(main: Callable[[], int | None]) -> int:
    """Run a stage's main and turn the errors a user can mend into one line and exit code 1."""
    from evidence.io import EvidenceError
    from paper import LedgerError

    def told() -> int | None:
        try:
            return main()
        except (PipelineError, EvidenceError, LedgerError) as error:
            _end_bars()
            print(f"error: {error}", file=sys.stderr)
        except _data_errors() as error:
            _end_bars()
            print(error, file=sys.stderr)
        return 1

    return run(told)


def _end_bars() -> None:
    """End the lines of progress bars, so that an error has a line of its own."""
    module = sys.modules.get("tqdm")
    for bar in list(getattr(module.tqdm, "_instances", ())) if module else ():
        bar.close()


def _data_errors() -> type[Exception] | tuple[()]:
    """Return registry's DataError where it was imported; to import it here would import torch for every command."""
    module = sys.modules.get("registry.inputs.errors")
    return module.DataError if module else ()


def load_params(root: Path = ROOT) -> dict[str, Any]:
    """Return params.yaml as a mapping, every value checked. Raises PipelineError naming the file and the line."""
    from evidence.params import read_params

    return read_params(root, PipelineError)


def section(params: Mapping[str, Any], *keys: str) -> Any:
    """Return params[key][key]...; raises PipelineError naming the missing key."""
    value: Any = params
    for i, key in enumerate(keys):
        if not isinstance(value, Mapping) or key not in value:
            raise PipelineError(f"params.yaml: no key {'.'.join(keys[: i + 1])!r}; add it or restore the file")
        value = value[key]
    return value


def config_path(row_id: str) -> Path:
    """Return a row's config, relative to the root."""
    return CONFIGS / (ledger_of(row_id) or task_of(row_id)) / f"{row_id}.py"


def ledger_of(row_id: str) -> str:
    """Return the name of the ledger that a row stands in, "" for the first paper's: the others' rows begin with it."""
    name = row_id.partition("_")[0]
    return name if (ROOT / "paper" / name / "paper.yaml").is_file() else ""


@lru_cache(maxsize=4)
def _ledger(name: str) -> Ledger:
    from paper import load_ledger

    return load_ledger(ROOT / "paper" / name)


def table_of(row_id: str) -> str:
    """Return the table that a row stands in. Raises LedgerError for an unknown row."""
    return _ledger(ledger_of(row_id)).row(row_id).table


def task_of(row_id: str) -> str:
    """Return the task of a row: classification, pose or segmentation."""
    return TASK_OF_TABLE.get(row_id.partition("_")[0], "classification")


def load_config(row_id: str, root: Path = ROOT, plugins: bool = True) -> Any:
    """Return a row's mmengine Config; `plugins` imports what it names, such as mmpose.

    Raises PipelineError naming the file that is missing or malformed.
    """
    from mmengine.config import Config

    path = root / config_path(row_id)
    if not path.is_file():
        raise PipelineError(f"{config_path(row_id)}: no such config; row {row_id!r} has no experiment of its own")
    try:
        return Config.fromfile(str(path), import_custom_modules=plugins, lazy_import=False)
    except Exception as error:  # mmengine raises many kinds for a malformed file
        raise PipelineError(f"{config_path(row_id)}: malformed config: {error}") from None


def configured_rows(root: Path = ROOT, tasks: Iterable[str] = TASKS, ledger: str = "") -> list[str]:
    """Return the row ids of the first paper, or of a named ledger, that have a config, sorted."""
    if ledger:
        return sorted(p.stem for p in (root / CONFIGS / ledger).glob(f"{ledger}_*.py"))
    return sorted(p.stem for task in tasks for p in (root / CONFIGS / task).glob("t*.py"))


def last_error(text: str) -> str:
    """Return the line of a log that says why it ended: a stage's own error line, else what stands before DVC's."""
    lines = [line.strip() for part in text.split("\n") if (line := part.split("\r")[-1]).strip()]
    own = [line.removeprefix("error: ") for line in lines if line.startswith("error: ")]
    if own:
        return own[-1]
    others = [line for line in lines if not line.startswith(("ERROR: failed to reproduce", "WARNING:", "+"))]
    return (others or lines or ["no message"])[-1]


def told(new: Sequence[str], gone: Sequence[str] = ()) -> str:
    """Return in words what a computation changed: nothing, or which results."""
    parts = [f"{word}: {', '.join(names)}" for word, names in (("new or changed", new), ("gone", gone)) if names]
    return "; ".join(parts) or "nothing changed"


def hash_files(paths: Iterable[Path], root: Path = ROOT) -> str:
    """Return the sha256 over names and text, as committed, of files and of the Python files of folders below."""
    digest = hashlib.sha256()
    for path in paths:
        for file in sorted(path.rglob("*.py")) if path.is_dir() else [path]:
            digest.update(file.relative_to(root).as_posix().encode() + b"\0")
            digest.update(hashlib.sha256(committed_bytes(file)).digest())
    return digest.hexdigest()


def cores() -> int:
    """Return how many of the machine's cores this process may use."""
    allowed = getattr(os, "sched_getaffinity", None)  # Linux only
    return len(allowed(0)) if allowed else os.cpu_count() or 1


def environment() -> dict[str, str]:
    """Return what ran: Python, torch, device and threads."""
    import torch

    cuda = torch.cuda.is_available()
    return {
        "python": platform.python_version(),
        "torch": torch.__version__,
        "device": torch.cuda.get_device_name(0) if cuda else f"cpu ({platform.machine()})",
        "threads": str(torch.get_num_threads()),
    }
