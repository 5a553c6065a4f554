"""A LaTeX document of many files as one text whose every line knows its file."""

from __future__ import annotations

import posixpath
import re
from bisect import bisect_right
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from papertally.tables.latex import printed_part

_INPUT = re.compile(
    r"\\(?:(?P<kind>input|include|subfile|subfileinclude|usepackage|RequirePackage)\s*(?:\[[^\[\]{}]*\]\s*)?"
    r"\{(?P<name>[^{}\\]+)\}"
    r"|(?:sub)?(?:import|includefrom)\*?\s*\{(?P<folder>[^{}\\]*)\}\s*\{(?P<file>[^{}\\]+)\}"
    r"|input\s+(?P<bare>[\w./-]+))"
)
#: A document of more files, or deeper, has a circle in it.
MOST_FILES, MOST_DEEP = 1000, 12


@dataclass
class Flat:
    """Hold the text, where each piece of it comes from, and which files were named and are not there."""

    text: str = ""
    starts: list[int] = field(default_factory=list)
    origins: list[tuple[str, int]] = field(default_factory=list)
    missing: list[tuple[str, str, int, str]] = field(default_factory=list)

    def at(self, line: int) -> tuple[str, int]:
        """Return (file, line) of a line of the whole text, from 1."""
        i = bisect_right(self.starts, line) - 1
        if i < 0:
            return "", line
        file, first = self.origins[i]
        return file, first + line - self.starts[i]


class _Flattener:
    def __init__(self, load: Callable[[str], str | None], root: str) -> None:
        self.load, self.root, self.flat, self.parts = load, root, Flat(), list[str]()
        self.line, self.files = 1, 0

    def put(self, text: str, file: str, line: int) -> None:
        """Append a piece that begins on a line of its file."""
        self.flat.starts.append(self.line)
        self.flat.origins.append((file, line))
        self.parts.append(text)
        self.line += text.count("\n")

    def add(self, name: str, source: str, deep: int) -> None:
        """Append a file with those that it names put in."""
        self.files += 1
        body = printed_part(source, whole=deep == 0)
        at, line = 0, 1
        for found in _INPUT.finditer(body):
            piece = body[at : found.start()]
            self.put(piece, name, line)
            line += piece.count("\n")
            at = found.end()
            held = self.find(found, name)
            if held is not None and deep < MOST_DEEP and self.files < MOST_FILES:
                self.put("\n", name, line)  # a file begins on a line of its own
                self.add(held[0], held[1], deep + 1)
                self.put("\n", name, line)
            else:
                self.put(found[0], name, line)
                kind = found["kind"] or "input"
                if kind not in ("usepackage", "RequirePackage"):
                    said = (found["name"] or found["file"] or found["bare"] or "").strip()
                    self.flat.missing.append((said, name, line, f"\\{kind} of a file that is not there"))
            line += found[0].count("\n")
        self.put(body[at:], name, line)

    def find(self, found: re.Match[str], name: str) -> tuple[str, str] | None:
        """Return the name and the text of the file that a command names; None for one that is not there."""
        said = (found["name"] or found["bare"] or "").strip()
        if found["file"] is not None:
            said = posixpath.join(found["folder"].strip(), found["file"].strip())
        package = (found["kind"] or "") in ("usepackage", "RequirePackage")
        for folder in dict.fromkeys((self.root, posixpath.dirname(name))):
            for ending in (".sty",) if package else ("", ".tex", ".ltx"):
                place = posixpath.normpath(posixpath.join(folder, said + ending))
                if (text := self.load(place)) is not None:
                    return place, text
        return None


def flatten(name: str, load: Callable[[str], str | None]) -> Flat:
    """Return a document with \\input, \\include, \\subfile, \\import and its own packages put in.

    Args:
        name: The main file.
        load: Gives a file's text by its path, or None.
    """
    work = _Flattener(load, posixpath.dirname(name))
    work.add(name, load(name) or "", 0)
    work.flat.text = "".join(work.parts)
    return work.flat


def main_files(files: Mapping[str, str]) -> list[str]:
    """Return the files that are documents of their own; where none is, those that no other one names."""
    tex = {n: printed_part(t, whole=True) for n, t in files.items() if n.lower().endswith((".tex", ".ltx", ".latex"))}
    named = {
        posixpath.splitext(posixpath.basename((m["name"] or m["file"] or m["bare"] or "").strip()))[0]
        for text in tex.values()
        for m in _INPUT.finditer(text)
    }
    free = [n for n in tex if posixpath.splitext(posixpath.basename(n))[0] not in named]
    mains = [n for n in free if re.search(r"\\documentclass|\\documentstyle", tex[n])]
    return sorted(mains or free)
