"""Documents as people have them: a file of any known form, a folder, or an arXiv source archive, as tables and text."""

from __future__ import annotations

import gzip
import io
import json
import tarfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path, PurePosixPath

from papertally.ledger.load import LedgerError
from papertally.tables.csvs import read_csv
from papertally.tables.grid import Grid
from papertally.tables.html import read_html
from papertally.tables.infer_columns import Unread
from papertally.tables.latex import read_latex
from papertally.tables.markdown import read_markdown
from papertally.tables.office import read_docx, read_xlsx
from papertally.tables.tex_files import Flat, flatten, main_files

#: What reads a text, by its file's ending.
READERS: dict[str, Callable[[str, list[Unread]], list[Grid]]] = {
    **dict.fromkeys((".md", ".markdown", ".mmd", ".txt", ".rst"), read_markdown),
    **dict.fromkeys((".tex", ".latex", ".ltx"), read_latex),
    **dict.fromkeys((".html", ".htm", ".xhtml"), read_html),
    **dict.fromkeys((".csv", ".tsv"), lambda text, unread: read_csv(text)),
}
TEX = (".tex", ".latex", ".ltx")
OFFICE: dict[str, Callable[[Path], list[Grid]]] = {".docx": read_docx, ".xlsx": read_xlsx}
ARCHIVES = (".gz", ".tgz", ".tar")
KNOWN = (*READERS, *OFFICE, ".ipynb", *ARCHIVES)
#: An archive may hold no more than this, so that a small file cannot fill the memory.
MOST_BYTES, MOST_FILES = 200_000_000, 5_000


@dataclass
class Source:
    """Hold a document: its tables in order, its text for the prose, and what was seen and not read."""

    grids: list[Grid]
    text: str
    latex: bool
    unread: list[Unread] = field(default_factory=list)
    html: bool = False


def decoded(data: bytes, name: str) -> str:
    """Return a file's text. Raises LedgerError naming it where it is not UTF-8."""
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise LedgerError(f"{name}: not UTF-8 ({error.reason}); save it as UTF-8") from None
    return text.replace("\r\n", "\n").replace("\r", "\n")


def _bytes(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise LedgerError(f"{path}: {error.strerror}; name a file with the paper's tables") from None


def read_source(path: Path) -> Source:
    """Return a document's tables and text: a file, a folder or an archive. Raises LedgerError naming the file."""
    if path.is_dir():
        return _folder(path)
    suffix = path.suffix.lower()
    if suffix not in KNOWN:
        raise LedgerError(f"{path}: is none of {', '.join(KNOWN)}; save it as one of them")
    if suffix in ARCHIVES:
        return _tex(_unpacked(path), path)
    if suffix in OFFICE:
        _bytes(path)
        return Source(OFFICE[suffix](path), "", False)
    text = decoded(_bytes(path), str(path))
    if suffix == ".ipynb":
        return _notebook(text, path)
    if suffix in TEX:
        return _flat(flatten(path.name, _loader(path.parent)), path.name)
    unread: list[Unread] = []
    grids = READERS[suffix](text, unread)
    return Source(grids, text, False, unread, suffix in (".html", ".htm", ".xhtml"))


def tables_of(paths: Path | Sequence[Path]) -> Source:
    """Return a document, or several as one, that has a table. Raises LedgerError naming the file where none has."""
    paths = [paths] if isinstance(paths, Path) else list(paths)
    parts = [read_source(path) for path in paths]
    source = parts[0] if len(parts) == 1 else joined([(p.name, part) for p, part in zip(paths, parts, strict=True)])
    if not source.grids:
        seen = "".join(f"; line {u.line}: {u.why}" for u in source.unread[:3])
        raise LedgerError(f"{paths[0]}: no table in it{seen}; name a file whose tables are text, or its other form")
    return source


def _loader(folder: Path) -> Callable[[str], str | None]:
    """Return what gives a file's text by its path within a folder; None for none, and for one outside it."""
    root = folder.resolve()

    def load(name: str) -> str | None:
        place = (root / name).resolve()
        if not place.is_relative_to(root) or not place.is_file():
            return None
        return place.read_bytes().decode("utf-8-sig", "replace").replace("\r\n", "\n").replace("\r", "\n")

    return load


def _folder(path: Path) -> Source:
    root = path.resolve()
    files = {
        str(PurePosixPath(*p.relative_to(root).parts)): decoded(p.read_bytes(), str(p))
        for p in sorted(root.rglob("*"))
        if p.suffix.lower() in TEX and p.is_file()
    }
    if files:
        return _tex(files, path, _loader(path))
    parts = [read_source(p) for p in sorted(path.iterdir()) if p.is_file() and p.suffix.lower() in KNOWN]
    names = [p.name for p in sorted(path.iterdir()) if p.is_file() and p.suffix.lower() in KNOWN]
    if not parts:
        raise LedgerError(f"{path}: a folder without {', '.join(KNOWN)}; name one with the paper's source")
    return joined([(name, part) for name, part in zip(names, parts, strict=True)])


def joined(parts: list[tuple[str, Source]]) -> Source:
    """Return several documents as one; every table keeps the name of its file."""
    grids = [g if g.file else replace(g, file=name) for name, part in parts for g in part.grids]
    unread = [u if u.file else replace(u, file=name) for name, part in parts for u in part.unread]
    return Source(grids, "\n".join(p.text for _, p in parts), any(p.latex for _, p in parts), unread)


def _tex(files: dict[str, str], path: Path, load: Callable[[str], str | None] | None = None) -> Source:
    mains = main_files(files)
    if not mains:
        raise LedgerError(f"{path}: no LaTeX source in it; name the archive that arXiv gives as “TeX source”")
    return joined([(name, _flat(flatten(name, load or files.get), name)) for name in mains])


def _flat(flat: Flat, name: str) -> Source:
    """Return a LaTeX document whose files were put together; its tables know their files."""
    unread = [Unread(text, line, why, file=file) for text, file, line, why in flat.missing]
    told: list[Unread] = []
    grids = [
        replace(
            grid,
            file=flat.at(grid.line)[0],
            line=flat.at(grid.line)[1],
            rows=tuple(tuple(replace(p, line=flat.at(p.line)[1]) for p in row) for row in grid.rows),
        )
        for grid in read_latex(flat.text, told)
    ]
    unread += [replace(u, file=flat.at(u.line)[0], line=flat.at(u.line)[1]) for u in told]
    return Source(grids, flat.text, True, unread)


def _unpacked(path: Path) -> dict[str, str]:
    """Return the LaTeX files of an archive, unpacked in memory within bounds. Raises LedgerError naming it."""
    data = _bytes(path)
    files: dict[str, str] = {}
    try:
        if path.suffix.lower() != ".tar":
            with gzip.open(io.BytesIO(data)) as opened:
                data = opened.read(MOST_BYTES + 1)
        if len(data) > MOST_BYTES:
            raise LedgerError(f"{path}: holds over {MOST_BYTES // 10**6} MB; unpack it and name its folder")
        if not tarfile.is_tarfile(io.BytesIO(data)):
            return {PurePosixPath(path.stem).stem + ".tex": data.decode("utf-8", "replace")}
        with tarfile.open(fileobj=io.BytesIO(data)) as archive:
            for count, member in enumerate(archive):
                if count > MOST_FILES:
                    raise LedgerError(f"{path}: holds over {MOST_FILES} files; unpack it and name its folder")
                name = str(PurePosixPath(member.name))
                if member.isfile() and PurePosixPath(name).suffix.lower() in (*TEX, ".sty", ".cls", ".bbl"):
                    held = archive.extractfile(member)
                    text = held.read() if held else b""
                    files[name] = text.decode("utf-8-sig", "replace").replace("\r\n", "\n").replace("\r", "\n")
    except (OSError, EOFError, tarfile.TarError) as error:
        raise LedgerError(f"{path}: no readable archive ({error}); load it again") from None
    return files


def _notebook(text: str, path: Path) -> Source:
    """Return a notebook's tables: of its Markdown, and of what its cells put out. Lines are those of the file."""
    try:
        cells = json.loads(text)["cells"]
    except (ValueError, KeyError, TypeError):
        raise LedgerError(f"{path}: no notebook of format 4; save it anew, or export it as HTML") from None
    grids: list[Grid] = []
    unread: list[Unread] = []
    prose: list[str] = []
    for cell in cells:
        if cell.get("cell_type") == "markdown":
            said = "".join(cell.get("source", []))
            prose.append(said)
            grids += read_markdown(said, unread)
        for output in cell.get("outputs", []):
            data = output.get("data", {})
            if "text/html" in data:
                grids += read_html("".join(data["text/html"]), unread)
            elif plain := "".join(data.get("text/plain", output.get("text", []))):
                grids += read_markdown(plain, unread)
    return Source(grids, "\n\n".join(prose), False, unread)
