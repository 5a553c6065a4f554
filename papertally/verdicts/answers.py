"""The one vocabulary of the report: four answers about the paper's number, and what is about something else apart."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass

#: The answers about a paper's number or statement, as bars and legends run.
ANSWERS = ("holds", "contradicted", "undetermined", "untested")
#: What is not about the paper: this project's networks, configs and files; other works' numbers that the paper copies.
APART = ("project", "quoted")
MEANINGS = {
    "holds": "recomputed, derived or retrained, the number or statement comes out as printed",
    "contradicted": "it comes out otherwise under every admissible reading, or the paper's own numbers exclude it",
    "undetermined": "the text leaves open what decides, rounding does, or there are too few runs",
    "untested": "nobody ran what would tell",
    "project": "about this project: what it built, configured or reconstructed; neither for nor against the paper",
    "quoted": "another work's number, which the paper copies; neither for nor against the paper",
}
SIGNS = {"holds": "✓", "contradicted": "✕", "undetermined": "?", "untested": "○", "project": "▣", "quoted": "”"}
HEADS = {"project": "about this project", "quoted": "of other works"}

#: Each verdict's answer and basis where it is about the paper.
_PAPER = {
    "reproduced": ("holds", "recomputed"),
    "derivation-holds": ("holds", "derivation"),
    "agrees-with-itself": ("holds", "own numbers"),
    "differs": ("contradicted", "recomputed"),
    "not-reproduced": ("contradicted", "retrained"),
    "derivation-fails": ("contradicted", "derivation"),
    "paper-inconsistent": ("contradicted", "own numbers"),
    "depends": ("undetermined", "open in the text"),
    "undecided": ("undetermined", "within rounding"),
    "underpowered": ("undetermined", "too few runs"),
    "consistent (n = 1)": ("undetermined", "one run, near"),
    "inconsistent (n = 1)": ("undetermined", "one run, off"),
    "reported": ("undetermined", "agrees as reported"),
    "reported-otherwise": ("undetermined", "differs as reported"),
    "blocked": ("untested", "not described"),
    "not-run": ("untested", "not run"),
}
#: Verdicts that are about this project whatever they judge.
_PROJECT = {
    "built-as-stated": "built as printed",
    "built-otherwise": "built otherwise",
    "run-as-stated": "configured as printed",
    "run-otherwise": "configured otherwise",
    "predicted": "reconstruction agrees",
    "not-predicted": "reconstruction does not agree",
    "invalid-evidence": "evidence invalid",
}
#: What a verdict says of a network that this project reconstructed.
_RECONSTRUCTED = {
    "blocked": "reconstruction fitted to this number",
    "not-run": "reconstruction not run",
    "reproduced": "reconstruction agrees",
    "differs": "reconstruction does not agree",
}
#: What a verdict says of another work's number.
_QUOTED = {
    "reproduced": "our reading agrees",
    "differs": "our reading does not agree",
    "depends": "open in the text",
    "blocked": "reconstruction fitted to this number",
    "predicted": "reconstruction agrees",
    "not-predicted": "reconstruction does not agree",
    "not-run": "not run",
}


@dataclass(frozen=True, kw_only=True)
class Answer:
    """Hold an answer (of ANSWERS, or of APART where it is not about the paper) and its basis, the second word."""

    name: str
    basis: str

    @property
    def about_paper(self) -> bool:
        """Tell whether the answer is about the paper."""
        return self.name in ANSWERS

    @property
    def sign(self) -> str:
        """Return the sign that stands before the answer, so that colour never stands alone."""
        return SIGNS[self.name]

    @property
    def words(self) -> str:
        """Return the answer for a reader: "holds: recomputed"; what is apart by its basis alone."""
        return f"{self.name}: {self.basis}" if self.about_paper else self.basis


def answer(verdict: str, ground: str = "printed", trained: bool = False) -> Answer:
    """Return the answer that a verdict stands for.

    Args:
        verdict: One of papertally.verdicts.verdicts.VERDICTS.
        ground: What the judged cell rests on; a constructed or quoted one gives no answer about the paper.
        trained: Whether the number was reached by training, which changes the basis of one that holds.

    Raises:
        KeyError: For a verdict that does not exist.
    """
    if verdict == "invalid-evidence":
        return Answer(name="project", basis=_PROJECT[verdict])
    if verdict == "paper-inconsistent":
        return Answer(name="contradicted", basis="own numbers")
    if ground == "constructed":
        return Answer(name="project", basis=_RECONSTRUCTED.get(verdict) or _PROJECT.get(verdict) or _PAPER[verdict][1])
    if ground == "quoted":
        return Answer(name="quoted", basis=_QUOTED.get(verdict) or _PROJECT.get(verdict) or _PAPER[verdict][1])
    if verdict in _PROJECT:
        return Answer(name="project", basis=_PROJECT[verdict])
    name, basis = _PAPER[verdict]
    return Answer(name=name, basis="retrained" if trained and verdict == "reproduced" else basis)


def order_of(found: Answer) -> int:
    """Return where an answer stands when a column is sorted by answers: contradicted ones after those that hold."""
    return (*ANSWERS, *APART).index(found.name)


def counted(answers: Iterable[Answer]) -> dict[str, int]:
    """Return how often each answer about the paper was given, zeros included, then what is apart where any is."""
    counts = Counter(found.name for found in answers)
    return {name: counts[name] for name in (*ANSWERS, *APART) if name in ANSWERS or counts[name]}


def bases(answers: Iterable[Answer], name: str) -> dict[str, int]:
    """Return the bases of one answer, the most frequent first."""
    return dict(Counter(found.basis for found in answers if found.name == name).most_common())
