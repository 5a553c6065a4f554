"""Read a YAML file, or say in one line what is wrong with it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import yaml


def read_yaml(path: Path, shown: str, error: type[Exception], parse: Callable[[str], Any] = yaml.safe_load) -> Any:
    """Return what a YAML file holds. Raises `error` naming the file as `shown`, the line and the mend."""
    try:
        return parse(path.read_text("utf-8"))
    except OSError as found:
        raise error(f"{shown}: {found.strerror}; restore it from the repository") from None
    except UnicodeDecodeError as found:
        raise error(f"{shown}: not UTF-8 ({found.reason}); save it as UTF-8") from None
    except yaml.YAMLError as found:
        mark = getattr(found, "problem_mark", None)
        line = mark.line + 1 if mark else 1
        raise error(f"{shown}:{line}: not valid YAML ({getattr(found, 'problem', found)}); mend the line") from None
