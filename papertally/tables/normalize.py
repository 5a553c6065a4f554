"""Labels, ids and the shape of a grid: marks behind names, models side by side, two numbers in one cell."""

from __future__ import annotations

import json
import re
import unicodedata
from dataclasses import replace

from papertally.quantities.printed import is_absent
from papertally.tables.grid import Grid, Piece, numeric
from papertally.tables.heads import measures, read_head

_MARK = re.compile(
    r"(?:\s*(\[\d+(?:\s*[,–-]\s*\d+)*\]|[†‡§¶]+|(?<=[\w+)])\*+|(?<!⁻)(?<!\b10)[¹²³⁴⁵⁶⁷⁸⁹ᵃᵇᶜᵈᵉᶠᵍʰ]+(?![²³\w])))$"
)


_LINKS = (
    "model",
    "models",
    "link",
    "links",
    "download",
    "downloads",
    "weights?",
    "checkpoints?",
    "ckpt",
    "config",
    "cfg",
    "logs?",
    "json",
    "github",
    "git",
    "baidu",
    "onedrive",
    "google",
    "drive",
    "gdrive",
    "hugging ?face",
    "hf",
    "url",
    "here",
    "code",
    "paper",
    "pdf",
    "arxiv",
    "release",
    "repo",
    "official",
    "timm",
    "script",
    "yaml",
    "onnx",
    "pth",
)
_LINK = re.compile(rf"(?:{'|'.join(_LINKS)})(?:[\s/|,;&+·-]+(?:{'|'.join(_LINKS)}))*", re.I)


def is_link(text: str) -> bool:
    """Tell whether a cell only names what lies behind its links: "model", "github/baidu", "config | log"."""
    return bool(_LINK.fullmatch(text.strip(" []()")))


def slug(text: str, width: int = 40) -> str:
    """Return a text as part of an id: lower-case letters, digits and single underscores."""
    text = text.replace("±", "pm").replace("+", " plus ").replace("×", "x").replace("%", "")
    text = re.sub(r"(?<![\w.])[-−](?=\d)", " m", text)
    plain = unicodedata.normalize("NFKD", text).encode("ascii", "ignore").decode("ascii").lower()
    return re.sub(r"[^a-z0-9]+", "_", plain).strip("_")[:width].strip("_")


def quoted(text: str) -> str:
    """Return a text as YAML and JSON write it in quotes."""
    clean = "".join(c if c.isprintable() or c in "\u2009\u202f" else " " for c in text)
    return json.dumps(clean, ensure_ascii=False).replace("\u2009", "\\u2009").replace("\u202f", "\\u202f")


def marks_of(label: str) -> tuple[str, list[str]]:
    """Return a label without the footnotes and citations at its end, and these."""
    marks: list[str] = []
    while (found := _MARK.search(label)) and found.start() > 0:
        marks.insert(0, found[1])
        label = label[: found.start()].rstrip()
    return label, marks


def transposed(grid: Grid) -> Grid:
    """Return a table of models side by side with its models below each other."""
    heads = grid.heads or 1
    if heads != 1 or len(grid.rows) < 3:
        return grid
    if any(read_head([p.text]).measures for p in grid.rows[0][1:]):
        return grid
    first = [row[0].text for row in grid.rows[1:]]
    known = sum(bool(measures(read_head([t]).title) or read_head([t]).measures) for t in first)
    if known < 2 or 2 * known < len(first):
        return grid
    return replace(grid, rows=tuple(zip(*grid.rows, strict=True)), heads=1)


def split_slashes(grid: Grid) -> Grid:
    """Return a table whose columns of two numbers ("75.2 / 92.5" under "Top-1 / Top-5") are two."""
    heads = grid.heads or 1
    out: list[list[Piece]] = [[] for _ in grid.rows]
    for c in range(grid.width):
        texts = [row[c] for row in grid.rows]
        names = re.split(r"\s*[/|]\s*", texts[heads - 1].text)
        body = [p.text for p in texts[heads:] if p.text and not is_absent(p.text)]
        pairs = [re.split(r"\s*[/|]\s*", t) for t in body]
        fits = sum(len(p) == len(names) and all(numeric(x) or is_absent(x) for x in p) for p in pairs)
        if len(names) < 2 or not pairs or 2 * fits <= len(pairs) or len(names) > 4:
            for line, piece in zip(out, texts, strict=True):
                line.append(piece)
            continue
        for i, piece in enumerate(texts):
            parts = names if i == heads - 1 else re.split(r"\s*[/|]\s*", piece.text) if i >= heads else []
            parts = parts if len(parts) == len(names) else [piece.text] * len(names)
            out[i] += [replace(piece, text=text, part=piece.part or n > 0) for n, text in enumerate(parts)]
    return replace(grid, rows=tuple(map(tuple, out)))
