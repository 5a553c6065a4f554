"""MathML as plain text: raised and lowered digits are kept apart from the number that they stand at."""

from __future__ import annotations

from dataclasses import dataclass, field

from papertally.tables.tex import SUPER, lowered


@dataclass
class Node:
    """Hold an element with its own text and its children."""

    tag: str
    attributes: dict[str, str] = field(default_factory=dict)
    text: str = ""
    children: list[Node] = field(default_factory=list)

    def annotation(self) -> str:
        """Return the LaTeX that a formula was made of, where it says it, or ""."""
        for child in self.children:
            if child.tag == "annotation" and "tex" in child.attributes.get("encoding", "").lower():
                return child.text.strip()
            if found := child.annotation():
                return found
        return ""

    def bold(self) -> bool:
        """Tell whether the first letter or digit is bold."""
        if any(c.isalnum() for c in self.text):
            variant = self.attributes.get("mathvariant", "")
            return "bold" in variant or "bold" in self.attributes.get("style", "")
        return next((c.bold() or "bold" in self.attributes.get("mathvariant", "") for c in self.children), False)


def _script(text: str, kind: str, before: str) -> str:
    text = text.strip()
    if "±" in text:
        return " " + text.strip("()")
    return text.translate(SUPER) if kind == "sup" else lowered(text, before)


def mathml_text(node: Node, before: str = "") -> str:
    """Return what a formula prints. before: the character that it stands behind."""
    tag, parts = node.tag.removeprefix("m:"), node.children
    if tag in ("annotation", "annotation-xml", "mphantom"):
        return ""
    if tag == "mspace":
        return " "
    if tag in ("mi", "mn", "mo", "mtext", "ms"):
        return node.text.strip() if tag != "mtext" else node.text
    if tag in ("msup", "msub", "msubsup") and parts:
        if len(parts) == 1 and len(parts[0].children) > 1:  # a converter that closes too few elements
            parts = parts[0].children
        base = mathml_text(parts[0], before)
        last = (base.rstrip() or before)[-1:]
        kinds = ("sub", "sup") if tag == "msubsup" else (tag[1:],)
        return base + "".join(_script(mathml_text(p), kind, last) for p, kind in zip(parts[1:], kinds, strict=False))
    if tag == "mfrac" and len(parts) == 2:
        return f"{mathml_text(parts[0])}/{mathml_text(parts[1])}"
    if tag in ("mover", "munder", "munderover") and parts:
        return mathml_text(parts[0], before)
    out = node.text.strip()
    for part in parts:
        out += mathml_text(part, (out.rstrip() or before)[-1:])
    return out
