"""Read text files: YAML, or one line that says what is wrong with it, and bytes as they were committed."""

from __future__ import annotations

import codecs
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


def committed_bytes(path: Path) -> bytes:
    """Return a text file's bytes as committed: without a byte order mark, every line ended by LF.

    A checkout by git for Windows, an editor or an archive tool may add the one and change the other; neither changes
    what the file says, so neither may change a hash. Raises OSError.
    """
    text = path.read_bytes().removeprefix(codecs.BOM_UTF8)
    return text.replace(b"\r\n", b"\n").replace(b"\r", b"\n")
