"""The accepted verdicts, and what changed against them."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from papertally.evidence.io import read_json
from papertally.verdicts import verdicts
from papertally.verdicts.views import Report

#: What a baseline says of an order on small data, and of a registered table.
SMALL_SCALE = ("holds", "fails", "undecided", "complete", "incomplete")


def changes(report: Report, baseline: Mapping[str, str]) -> list[tuple[str, str, str]]:
    """Return (name, verdict before, verdict now) for every verdict that changed against a baseline."""
    now = report.verdict_map()
    names = [*now, *sorted(set(baseline) - set(now))]
    out = [(name, baseline.get(name, "absent"), now.get(name, "absent")) for name in names]
    return [(name, before, after) for name, before, after in out if before != after]


def read_baseline(path: Path) -> dict[str, str]:
    """Return an accepted verdict map. Raises ValueError naming the file."""
    try:
        data = read_json(path)
    except OSError as error:
        raise ValueError(f"{path}: {error.strerror}; restore it or run `python -m report --accept`") from None
    except ValueError as error:
        raise ValueError(f"{path}: corrupt JSON ({error}); restore it or run `python -m report --accept`") from None
    known = {*verdicts.VERDICTS, *SMALL_SCALE, "close"}  # which costs had in reports of schema 1
    if not isinstance(data, dict) or not all(isinstance(v, str) and v in known for v in data.values()):
        raise ValueError(f"{path}: no map of verdicts; restore it or run `python -m report --accept`")
    return data
