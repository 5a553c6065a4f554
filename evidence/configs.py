"""What a result depends on of its config."""

from __future__ import annotations

import ast
import hashlib
import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from evidence.io import EvidenceError
from evidence.revision import code_revision  # noqa: F401  for those who write evidence
from paper.faults import one_line
from paper.files import committed_bytes


def config_inputs(root: Path, config: Path) -> dict[str, str]:
    """Return the sha256 of a config and of every `_base_` that it builds on, as committed, by path relative to `root`.

    Reads the files' text only. Raises EvidenceError naming a missing or malformed one.
    """
    inputs: dict[str, str] = {}
    todo = [Path(config)]
    while todo:
        path = todo.pop()
        try:
            text = committed_bytes(root / path)
            tree = ast.parse(text)
        except OSError as error:
            raise EvidenceError(f"{path}: {error.strerror}; restore the config") from None
        except SyntaxError as error:
            raise EvidenceError(f"{path}:{error.lineno}: no Python ({error.msg}); mend the config") from None
        except (ValueError, RecursionError, MemoryError) as error:  # a null byte, deep nesting
            raise EvidenceError(one_line(f"{path}: no Python ({error}); mend the config")) from None
        inputs[path.as_posix()] = hashlib.sha256(text).hexdigest()
        for node in tree.body:
            if isinstance(node, ast.Assign) and any(isinstance(t, ast.Name) and t.id == "_base_" for t in node.targets):
                for base in _bases(node, path):
                    found = Path(os.path.normpath(path.parent / base))
                    if found.as_posix() not in inputs:
                        todo.append(found)
    return inputs


def _bases(node: ast.Assign, path: Path) -> list[str]:
    """Return what a config's `_base_ = ...` names. Raises EvidenceError naming the line."""
    try:
        named = ast.literal_eval(node.value)
    except (ValueError, TypeError, RecursionError):
        named = None
    found = [named] if isinstance(named, str) else named
    if not isinstance(found, list | tuple) or not all(isinstance(base, str) for base in found):
        raise EvidenceError(f"{path}:{node.lineno}: _base_ is no path or list of paths; mend the config")
    return list(found)


def config_hash(inputs: Mapping[str, str], params: Mapping[str, Any]) -> str:
    """Return the sha256 over a config's files and the parameters of its run."""
    text = json.dumps({"inputs": dict(inputs), "params": dict(params)}, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()
