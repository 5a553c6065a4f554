"""Read text files: YAML as DVC reads it (1.2), or one line, with file and line, that says what is wrong with it; and
bytes as they were committed."""

from __future__ import annotations

import codecs
import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError
from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError
from ruamel.yaml.events import (
    AliasEvent,
    DocumentStartEvent,
    MappingEndEvent,
    MappingStartEvent,
    ScalarEvent,
    SequenceEndEvent,
    SequenceStartEvent,
)
from ruamel.yaml.nodes import ScalarNode

from papertally.ledger.validation_messages import explain, one_line, shown_value

Model = TypeVar("Model", bound=BaseModel)
#: Far above any file of ours, far below what exhausts the stack or, through aliases of aliases, memory: how deep a file
#: is nested, and how many values its aliases stand for beyond those that it writes.
MAX_DEPTH, MAX_VALUES = 60, 100_000
_FORBIDDEN = re.compile("[^\t\n\r -~\x85\xa0-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
_SCALARS = YAML(typ="safe", pure=True)


@dataclass
class _Open:
    """Hold a mapping or list that is being read; merged: what `<<` brings, which the own keys override."""

    value: dict[Any, Any] | list[Any]
    path: tuple[Any, ...]
    line: int
    anchor: str | None
    size: int = 1
    key: str | None = None
    merging: bool = False
    merged: dict[Any, Any] = field(default_factory=dict)


class YamlFile:
    """Hold what a YAML file says (`data`) and the line of every key and entry (`lines`, by path)."""

    def __init__(self, path: Path, shown: str, error: type[Exception]) -> None:
        """Read a file. Raises `error` "shown:line: fault; mend" for whatever cannot be read in one way only."""
        self.shown, self.kind = shown, error
        self.lines: dict[tuple[Any, ...], int] = {}
        self._anchors: dict[str, tuple[Any, int] | None] = {}
        self._line, self._written = 1, 0
        text = self._text(path)
        try:
            self.data = self._compose(text)
        except error:
            raise
        except YAMLError as found:
            mark = getattr(found, "problem_mark", None) or getattr(found, "context_mark", None)
            reason = getattr(found, "problem", None) or getattr(found, "reason", None) or found
            last = text.rstrip().count("\n") + 1  # an error at the end may lie one line beyond it
            line = min(mark.line + 1, last) if mark else self._line
            raise self._at(line, f"not valid YAML ({reason}); mend the line") from None
        except Exception as found:  # the pure Python scanner raises many kinds, for an escape beyond Unicode for one
            raise self._at(self._line, f"not valid YAML ({found}); mend what follows this line") from None

    def _at(self, line: int, fault: str) -> Exception:
        return self.kind(one_line(f"{self.shown}:{line}: {fault}"))

    def error(self, path: tuple[Any, ...], fault: str) -> Exception:
        """Return the error with the line of the nearest known key."""
        while path not in self.lines and path:
            path = path[:-1]
        return self._at(self.lines.get(path, 1), fault)

    def validate(self, model: type[Model]) -> Model:
        """Return the content as `model`. Raises the file's error with file and line."""
        found, faults = self.check(model)
        if found is None:
            more = f" (and {len(faults) - 1} more)" if len(faults) > 1 else ""
            raise self.kind(f"{faults[0]}{more}")
        return found

    def check(self, model: type[Model]) -> tuple[Model | None, list[str]]:
        """Return the content as `model`, or None with every fault, file and line before it."""
        if self.data is None:
            return None, [str(self._at(1, "empty; write its content"))]
        try:
            return model.model_validate(self.data), []
        except ValidationError as error:
            # A misspelt key is both unknown and missing: the unknown one shows the mend.
            found = sorted(error.errors(), key=lambda e: e["type"] != "extra_forbidden")
            return None, [str(self.error(tuple(e["loc"]), explain(e))) for e in found]

    def _text(self, path: Path) -> str:
        content = b""
        try:
            if path.exists() and not path.is_file():
                raise self.kind(f"{self.shown}: is no file; write one")
            content = path.read_bytes()
            text = content.decode("utf-8-sig").replace("\r\n", "\n").replace("\r", "\n")
        except OSError as found:
            raise self.kind(f"{self.shown}: {found.strerror}; write it, or restore it from where it was") from None
        except UnicodeDecodeError as found:
            line = content[: found.start].count(b"\n") + 1
            raise self._at(line, f"not UTF-8 ({found.reason}); save it as UTF-8") from None
        if bad := _FORBIDDEN.search(text):
            line = text.count("\n", 0, bad.start()) + 1
            raise self._at(line, f"not valid YAML (it has the character U+{ord(bad.group()):04X}); delete it")
        return text

    def _compose(self, text: str) -> Any:
        """Return the one document's content; None for an empty one."""
        open_: list[_Open] = []
        root: Any = None
        documents = 0
        for event in YAML(typ="safe").parse(text):
            self._line, self._written = event.start_mark.line + 1, self._written + 1
            match event:
                case DocumentStartEvent():
                    documents += 1
                    if documents > 1:
                        raise self._at(self._line, "a second document starts here; keep one")
                    if event.version or event.tags:
                        raise self._at(self._line, "directives (lines that begin with %) are not read; delete them")
                    continue
                case MappingStartEvent() | SequenceStartEvent():
                    self._start(event, open_)
                    continue
                case MappingEndEvent() | SequenceEndEvent():
                    done = open_.pop()
                    value, size, self._line = done.value, done.size, done.line
                    if done.merged and isinstance(done.value, dict):
                        value = {**done.merged, **done.value}
                    if done.anchor:
                        self._anchors[done.anchor] = value, size
                case ScalarEvent():
                    value, size = self._scalar(event, open_), 1
                    if event.anchor:
                        self._anchors[event.anchor] = value, 1
                case AliasEvent():
                    known = self._anchors.get(event.anchor)
                    if known is None:
                        fault = "stands within itself" if event.anchor in self._anchors else "is not defined above"
                        raise self._at(self._line, f"alias {event.anchor!r} {fault}; write the value out")
                    value, size = known
                case _:
                    continue
            if open_:
                self._place(open_[-1], value, size)
            else:
                root = value
        return root

    def _start(self, event: Any, open_: list[_Open]) -> None:
        """Begin a mapping or a list."""
        if event.ctag is not None:
            raise self._at(self._line, f"has the tag {str(event.ctag)!r}; tags are not read, remove it")
        if len(open_) >= MAX_DEPTH:
            raise self._at(self._line, f"nested more than {MAX_DEPTH} deep; mend the brackets or the indentation")
        path: tuple[Any, ...] = ()
        if open_:
            above = open_[-1]
            if isinstance(above.value, list):
                path = (*above.path, len(above.value))
            elif above.key is None and not above.merging:
                raise self._at(self._line, "a key is a mapping or a list; write a name")
            else:
                path = (*above.path, "<<" if above.merging else above.key)
        self.lines.setdefault(path, self._line)
        if event.anchor:
            self._anchors[event.anchor] = None  # known, but not whole yet
        mapping = isinstance(event, MappingStartEvent)
        open_.append(_Open({} if mapping else [], path, self._line, event.anchor))

    def _scalar(self, event: Any, open_: list[_Open]) -> Any:
        """Return a scalar's value by YAML 1.2's core types, `<<` where it merges."""
        text = event.value
        if event.ctag is not None:
            raise self._at(self._line, f"has the tag {str(event.ctag)!r}; tags are not read, remove it")
        if any("\ud800" <= c <= "\udfff" for c in text):
            raise self._at(self._line, "has half a surrogate pair; write the character itself")
        if not event.implicit[0]:
            return text
        tag = _SCALARS.resolver.resolve(ScalarNode, text, (True, False))
        kind = str(tag).rpartition(":")[2]
        if kind == "str":
            return text
        if kind in ("int", "float", "bool", "null"):
            try:
                return _SCALARS.constructor.construct_object(ScalarNode(tag, text))
            except ValueError:  # of more digits than Python reads
                raise self._at(self._line, f"{shown_value(text)} is too long a number; mend it") from None
        if kind == "merge" and open_ and isinstance(open_[-1].value, dict) and open_[-1].key is None:
            open_[-1].merging = True
            return text
        what = "a date" if kind == "timestamp" else "a word of its own"
        raise self._at(self._line, f"{text!r} is {what} to YAML; put it in quotes")

    def _place(self, above: _Open, value: Any, size: int) -> None:
        """Put a value into the mapping or list that it stands in."""
        above.size += size
        if above.size > MAX_VALUES + self._written:
            raise self._at(self._line, f"aliases unfold to more than {MAX_VALUES:,} values; write them out")
        if isinstance(above.value, list):
            self.lines.setdefault((*above.path, len(above.value)), self._line)
            above.value.append(value)
        elif above.merging:
            if value == "<<" and isinstance(value, str):  # the key itself; its value comes next
                return
            parts = value if isinstance(value, list) else [value]
            if not all(isinstance(part, dict) for part in parts):
                raise self._at(self._line, "<< merges mappings only; name one, or a list of them")
            for part in parts:  # the first that has a key gives it
                above.merged = {**part, **above.merged}
            above.merging = False
        elif above.key is None:
            if not isinstance(value, str):
                what = "empty" if value is None else f"{shown_value(value)}, which is no text"
                raise self._at(self._line, f"a key is {what}; put it in quotes")
            if value in above.value:
                raise self._at(self._line, f"key {value!r} stands twice; keep one")
            self.lines[(*above.path, value)] = self._line
            above.value[value], above.key = None, value
        else:
            above.value[above.key], above.key = value, None


def committed_bytes(path: Path) -> bytes:
    """Return a text file's bytes as committed: without a byte order mark, every line ended by LF.

    A checkout by git for Windows, an editor or an archive tool may add the one and change the other; neither changes
    what the file says, so neither may change a hash. Raises OSError.
    """
    text = path.read_bytes().removeprefix(codecs.BOM_UTF8)
    return text.replace(b"\r\n", b"\n").replace(b"\r", b"\n")
