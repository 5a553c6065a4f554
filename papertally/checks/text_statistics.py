"""Statistics of the prose: p against t, F, chi², r, z and their degrees of freedom, and counts as percentages."""

from __future__ import annotations

import re
from collections.abc import Iterator

from papertally.checks.findings import IMPOSSIBLE, PASSED, SUSPICIOUS, Finding
from papertally.checks.text import Document
from papertally.checks.transcription import TEXT
from papertally.ledger.load import Ledger

_N = r"\d*\.?\d+"
_TEST = re.compile(
    rf"(?<![\w.])(?P<kind>t|F|r|z|Z|χ2|χ²|χ\^2|\\chi\^2|chi2|chi-squared?)\s?"
    rf"(?:\(\s?(?P<df1>{_N})\s?(?:,\s?(?:N\s?=\s?)?(?P<df2>{_N}))?\s?\))?\s?=\s?(?P<sign>[-−–]?)\s?(?P<value>{_N})"
    rf"\s?[,;]\s?(?:[^.;()]{{0,40}}?[,;]\s?)?(?P<p>p)\s?(?P<rel>[=<>])\s?(?P<pvalue>\d?\.\d+)"
)
_SHARE = re.compile(
    r"(?<![\w.,/])(?P<n>\d{1,3}(?:,\d{3})+|\d+)\s?(?:/|of(?: the)?|out of)\s?(?P<of>\d{1,3}(?:,\d{3})+|\d+)(?![\d.])"
    r"(?:\s[a-z]+){0,2}\s?\(\s?(?P<share>\d+(?:\.\d+)?)\s?%\s?\)"
)


def _half(text: str) -> float:
    return 0.5 * 10.0 ** -len(text.partition(".")[2])


def p_bounds(kind: str, low: float, high: float, df1: float | None, df2: float | None) -> tuple[float, float] | None:
    """Return the two-sided p-values of a test statistic between two absolute values, or None without its freedom.

    Args:
        kind: t, F, r, z or chi2.
        low: The least absolute value that prints as it does.
        high: The greatest.
        df1: The first degrees of freedom.
        df2: The second, of F.
    """
    from scipy import special  # imported where a text prints a test; scipy.stats takes seconds to

    def tail(x: float) -> float | None:
        if kind == "z":
            return float(2 * special.ndtr(-x))
        if df1 is None or df1 <= 0:
            return None
        if kind == "t":
            return float(2 * special.stdtr(df1, -x))
        if kind == "r":
            return 0.0 if x >= 1 else float(2 * special.stdtr(df1, -x * (df1 / (1 - x * x)) ** 0.5))
        if kind == "F":
            return None if df2 is None else float(special.fdtrc(df1, df2, x))
        return float(special.chdtrc(df1, x))

    ends = tail(high), tail(max(low, 0.0))
    return None if ends[0] is None or ends[1] is None else (ends[0], ends[1])


@TEXT.register("text statistics", "p-values against their test statistics, and counts against their percentages")
def text_statistics(ledger: Ledger, document: Document) -> Iterator[Finding]:
    """Judge every reported test and every share of a count over what rounding allows."""
    for sentence in document.prose:
        for match in _TEST.finditer(sentence.text):
            yield from _test(match, sentence.text, sentence.line)
        for match in _SHARE.finditer(sentence.text):
            n, of = (int(match[k].replace(",", "")) for k in ("n", "of"))
            if not of or n > of:
                continue
            share, step = float(match["share"]), 2 * _half(match["share"])
            exact = 100 * n / of
            right = abs(exact - share) < step + 1e-9
            text = f"{n} of {of} is {exact:.4g} %; the text says {match['share']} % (“{sentence.text[:90]}”)"
            text += "" if right else "; harmless if the percentage is of another group"
            yield Finding("text statistics", PASSED if right else IMPOSSIBLE, f"line {sentence.line}, share", (), text)


def _test(match: re.Match[str], text: str, line: int) -> Iterator[Finding]:
    kind = {"Z": "z"}.get(match["kind"], match["kind"] if match["kind"] in "tFrz" else "chi2")
    step = 2 * _half(match["value"])
    df1, df2 = (float(match[k]) if match[k] else None for k in ("df1", "df2"))
    if kind == "z":
        df1 = df2 = None
    found = p_bounds(kind, float(match["value"]) - step, float(match["value"]) + step, df1, df2)
    if found is None:
        return
    low, high = found
    p, p_step = float(match["pvalue"]), 2 * _half(match["pvalue"])

    def fits(low: float, high: float) -> bool:
        if match["rel"] == "<":
            return low < p
        if match["rel"] == ">":
            return high > p
        return low <= p + p_step and high >= p - p_step

    said = match.group(0)
    subject = f"line {line}, {kind} test"
    told = f"{said}: p is {(low + high) / 2:.3g} by its statistic (“{text[:90]}”)"
    if fits(low, high):
        yield Finding("text statistics", PASSED, subject, (), told)
    elif kind in "trz" and fits(low / 2, high / 2):
        one_sided = re.search(r"one-?\s?(?:sided|tailed)", text, re.I)
        said = f"{told}, {(low + high) / 4:.3g} one-sided; harmless if the test is one-sided"
        yield Finding("text statistics", PASSED if one_sided else SUSPICIOUS, subject, (), said)
    else:
        said = f"{told}; harmless if p was corrected for several tests"
        corrected = re.search(r"bonferroni|holm|correct|adjust|fdr|greenhouse|welch", text, re.I)
        yield Finding("text statistics", SUSPICIOUS if corrected and p > low else IMPOSSIBLE, subject, (), said)
