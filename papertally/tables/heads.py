"""What the heads of printed columns say: what is measured, in which unit, which way is better. Nothing is guessed."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from papertally.quantities.columns import SHARES, usual_better, usual_kind
from papertally.quantities.printed import BYTES, MAGNITUDES, OTHERS, SECONDS
from papertally.tables.vocabulary import AVERAGE, COMPILED, DATASETS, POWERS, SETTING


@dataclass(frozen=True)
class Head:
    """Hold what a head says. measures: "" for nothing known; setting: it names what was chosen, not measured.

    input: (height, width) that a cost was counted at, where the head says it.
    """

    title: str
    measures: str = ""
    unit: str = ""
    better: str = ""
    dataset: str = ""
    device: str = ""
    suffix: str = ""
    average: bool = False
    setting: bool = False
    input: tuple[int, int] | None = None

    @property
    def kind(self) -> str:
        """Return what decides the column: cost, trained or measured."""
        return usual_kind(self.measures) if self.measures else "trained"


def unit_of(text: str) -> str:
    """Return the unit that a word in a head is, as cells may have it, or ""."""
    bare = text.strip().strip("()[]{}.").removeprefix("in ").strip()
    bare = re.sub(r"^[×x*]\s*", "", bare)
    if bare.lower() in POWERS:
        return POWERS[bare.lower()]
    if found := re.fullmatch(
        r"([KkMmGgTBbP])(?:illion)?(?:\s?(?:FLOPs?|flops?|MACs?|macs?|MAdds?|params?|parameters|ops)s?)?", bare
    ):
        if bare == "m":
            return ""  # metres? milli?
        return {"k": "K", "m": "M", "g": "G", "b": "B"}.get(found[1], found[1])
    if bare in ("%", "percent", "pct", "pct."):
        return "%"
    for known in (*SECONDS, *BYTES, *OTHERS):
        if bare == known or (len(known) > 2 and bare.lower() == known.lower()):
            return known
    return {
        "msec": "ms",
        "milliseconds": "ms",
        "seconds": "s",
        "secs": "s",
        "mb": "MB",
        "gb": "GB",
        "kb": "KB",
        "hours": "hours",
        "hrs": "h",
        "minutes": "min",
        "frames/s": "fps",
    }.get(bare.lower(), "")


def _parts(text: str) -> tuple[str, str, list[str]]:
    """Return a head's words without unit and arrow, its unit, and what else stands in brackets or behind commas."""
    unit, rest = "", []
    for found in re.findall(r"[(\[{]([^()\[\]{}]*)[)\]}]", text):
        for part in re.split(r"[,;/](?!s\b)", found):
            known = unit_of(part)
            unit = unit or known
            if not known and part.strip(" ↑↓"):
                rest.append(part.strip())
    bare = re.sub(r"[(\[{][^()\[\]{}]*[)\]}]", " ", text)
    words = re.split(r",\s*|\s/\s|\s+in\s+(?=\S+$)", bare)
    if len(words) > 1 and (known := unit_of(words[-1])):
        unit, words = unit or known, words[:-1]
    bare = " ".join(words)
    if found := re.search(r"(?<=\s)(%|[MGKB]|ms)\s*$", bare):
        unit, bare = unit or found[1], bare[: found.start()]
    if found := re.match(r"\s*(%)\s*(?=\w)", bare):
        unit, bare = unit or "%", bare[found.end() :]
    if found := re.search(r"[A-Za-z](%)\s*$", bare):
        unit, bare = unit or "%", bare[: found.start(1)]
    return re.sub(r"[↑↓⇑⇓*†‡§¹²³⁴ᵃᵇ]", " ", bare), unit, rest


_PX = r"(\d{2,4})(?:\s?[x×]\s?(\d{2,4}))?\s?(?:px|pixels)?"
#: An input behind @ or "at", two sides, or one in brackets.
_SIZES = (
    re.compile(rf"(?:@|\bat\b)\s?{_PX}(?![\d.])", re.I),
    re.compile(r"[(\[]?(?<!\d)(\d{2,4})\s?[x×]\s?(\d{2,4})(?![\d.])[)\]]?"),
    re.compile(rf"[(\[]\s*{_PX}\s*[)\]]"),
)


def measures(text: str) -> str:
    """Return what a head's words measure, or ""."""
    bare = " ".join(re.sub(r"[#_]+", lambda m: m[0] if m[0] == "#" else " ", text.lower()).split()).strip(" .:")
    squeezed = bare.replace(" ", "")
    for form in (bare, bare.replace("#", "").strip(" ."), squeezed):
        for pattern, name in COMPILED:
            if form and pattern.fullmatch(form):
                return name
    return ""


def read_head(levels: Sequence[str]) -> Head:
    """Return what a column's head says; levels: its texts from the top row to the lowest."""
    levels = [t.replace("\u2010", "-").replace("\u2011", "-") for t in levels]
    texts = [t for i, t in enumerate(levels) if t and t not in levels[:i]]
    title = " / ".join(texts)
    arrows = "higher" if "↑" in title or "⇑" in title else "lower" if "↓" in title or "⇓" in title else ""
    found, unit, apart = "", "", []
    size: tuple[int, int] | None = None
    for text in reversed(texts):
        if size is None and (at := _size(text)) is not None:
            text, size = at
            apart.append("x".join(map(str, size if size[0] != size[1] else size[:1])))
        bare, own, rest = _parts(re.sub(r"_\{?(\d+|[SMLsml])\}?(?![A-Za-z])", r"\1", text))
        unit = unit or own
        # "Quality: Accuracy, %": what stands before a colon only introduces
        words = [bare, *(bare.split(":")[-1:] if ":" in bare else [])]
        if not found and (name := next(filter(None, map(measures, words)), "")):
            found = name
            prefix = re.match(r"\s*([MGTK])\s?(?:FLOPs?|MACs?|M-?Adds?|ops|Params?)s?\b", bare.strip(), re.I)
            if (
                name in ("madds", "params")
                and prefix
                and not unit
                and not re.match(r"\s*(macs?|m-?adds?|mult)", bare, re.I)
            ):
                unit = prefix[1].upper()
        elif not found and (inside := _inside(bare)):
            found, rest_of = inside
            apart.append(rest_of)
        elif found and any(map(measures, words)):
            pass  # a word for the whole group
        elif not re.fullmatch(r"\s*(quality|performance|results?|metrics?|costs?)?\s*:?\s*", bare, re.I):
            apart.append(bare.strip())
        apart += rest
    dataset = DATASETS.search(title)
    last, _, _ = _parts(texts[-1]) if texts else ("", "", [])
    average = bool(AVERAGE.fullmatch(" ".join(last.lower().split()).strip(" .")))
    setting = not found and not average and bool(SETTING.fullmatch(" ".join(last.lower().split()).strip(" .:")))
    if unit in MAGNITUDES and found in SHARES:
        unit = ""  # a share is in no thousands or millions: the letter is a name
    if found == "size" and unit not in BYTES:
        setting, found = True, ""  # of an image, a batch, a model in words
    if found == "latency" and unit in ("fps", "FPS", "img/s", "imgs/s", "images/s", "im/s"):
        found = "throughput"
    if found == "latency" and unit and unit not in SECONDS:
        found, setting = "", True
    if found == "params" and unit in BYTES:
        found = "size"
    device = ", ".join(dict.fromkeys(reversed(apart))) if found and usual_kind(found) == "measured" else ""
    suffix = " ".join(dict.fromkeys(reversed(apart)))
    better = arrows if arrows and arrows != (usual_better(found) or "") else ""
    if found == "madds" and size is None:  # a head over several columns may be an input
        sides = next(filter(None, (re.fullmatch(rf"@?\s?{_PX}", text.strip("()[] ")) for text in apart)), None)
        size = (int(sides[1]), int(sides[2] or sides[1])) if sides and sides[1] else None
    dataset_name = dataset[0] if dataset else ""
    return Head(title, found, unit, better, dataset_name, device, suffix, average, setting, size)


def _size(text: str) -> tuple[str, tuple[int, int]] | None:
    """Return (a cost's head without the input that it was counted at, that input): "FLOPs @384", "MACs (224x224)"."""
    for pattern in _SIZES:
        if (found := pattern.search(text)) and found[1]:
            rest = f"{text[: found.start()]} {text[found.end() :]}"
            if measures(_parts(rest)[0]) in ("madds", "params") and 16 <= int(found[1]) <= 8192:
                return rest, (int(found[1]), int(found[2] or found[1]))
    return None


def _inside(bare: str) -> tuple[str, str] | None:
    """Return what one end of a head measures, and the name at its other end: "Cityscapes mIoU", "Latency CPU"."""
    words = bare.split()
    for count in (2, 1):
        if len(words) > count and (name := measures(" ".join(words[-count:]))) and name not in ("is", "r2", "size"):
            return name, " ".join(words[:-count])
    if len(words) > 1 and (name := measures(words[0])):
        rest = " ".join(words[1:])
        if DATASETS.search(rest) or usual_kind(name) == "measured":
            return name, rest
    return None
