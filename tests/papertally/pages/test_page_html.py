"""The pages as text: whole without a script, closed to the network, escaped, legible, small, the same every time."""

from __future__ import annotations

import base64
import csv
import functools
import hashlib
import io
import re
import tempfile
import xml.etree.ElementTree as ET
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote

import pytest
import synthetic
from helpers import ROOT
from hypothesis import example, given, settings
from hypothesis import strategies as st

from papertally.pages.render import TEMPLATES, files, markdown_escape
from report import screenshot as shot
from report.__main__ import main

VOID = {"meta", "br", "link", "img", "input", "hr"}
PAGES = ("index.html", "claims.html", "summary.html")
#: The one place outside that a reader may go to: the paper itself.
PAPER = "https://arxiv.org/"
LIMIT = 3_000_000


class Read(HTMLParser):
    """Collect elements with their attributes, text, and whether all close in order."""

    def __init__(self, text):
        super().__init__()
        self.stack, self.elements, self.text, self.headings = [], [], [], []
        self.feed(text)
        assert self.stack == []

    def handle_starttag(self, tag, attrs):
        self.elements.append((tag, dict(attrs)))
        if re.fullmatch("h[1-6]", tag):
            self.headings.append(int(tag[1]))
        if tag not in VOID:
            self.stack.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.elements.append((tag, dict(attrs)))

    def handle_endtag(self, tag):
        assert self.stack.pop() == tag

    def handle_data(self, data):
        if self.stack and self.stack[-1] not in ("script", "style"):
            self.text.append(data)

    @property
    def shape(self):
        return [(tag, sorted(attrs)) for tag, attrs in self.elements]

    def all(self, tag):
        return [attrs for name, attrs in self.elements if name == tag]


@pytest.fixture(scope="module")
def out(tmp_path_factory):
    """Return a folder with the committed evidence's pages."""
    folder = tmp_path_factory.mktemp("real")
    assert main(["--out", str(folder)], root=ROOT) == 0
    return folder


@pytest.fixture(scope="module")
def real(out):
    return {path.name: path.read_text("utf-8") for path in out.iterdir() if path.is_file()}


@pytest.fixture(scope="module")
def toy(tmp_path_factory):
    report, sources = synthetic.report_of(synthetic.write(tmp_path_factory.mktemp("toy")))
    return files(report, "../../", sources)


@pytest.fixture(params=["real", "toy"])
def pages(request):
    found = request.getfixturevalue(request.param)
    return {name: Read(found[name]) for name in PAGES}


@pytest.mark.slow
def test_together_they_stay_below_three_megabytes(real):
    assert sum(len(real[name].encode()) for name in PAGES) < LIMIT
    assert len(real["report.md"].encode()) < 64_000


@pytest.mark.slow
def test_two_renders_are_the_same(out, real):
    other = out.parent / "again"
    assert main(["--out", str(other)], root=ROOT) == 0
    assert {path.name: path.read_text("utf-8") for path in other.iterdir() if path.is_file()} == real


@pytest.mark.slow
def test_every_number_and_statement_is_there_without_a_script(pages):
    index, claims = pages["index.html"], pages["claims.html"]
    ids = {attrs["id"] for _, attrs in index.elements if "id" in attrs}
    cells = [attrs for attrs in index.all("td") if "data-verdict" in attrs]
    assert cells
    for attrs in cells:  # a cell's link leads to its evidence, which stands in the page
        assert f"e-{attrs['id']}" in ids
    assert {f"#e-{attrs['id']}" for attrs in cells} == {
        a["href"] for a in index.all("a") if a.get("class") == "open"
    }  # fmt: skip
    statements = [attrs["id"] for attrs in claims.all("tbody")]
    assert statements == [attrs["id"] for attrs in index.all("li") if attrs.get("id", "").startswith("claim-")]
    assert "hidden" not in dict(index.all("details")[0])


def test_links_lead_somewhere(out, real):
    pages = {name: Read(real[name]) for name in PAGES}
    ids = {name: [a["id"] for _, a in page.elements if "id" in a] for name, page in pages.items()}
    for name, page in pages.items():
        assert len(ids[name]) == len(set(ids[name])), name
        for attrs in page.all("a"):
            if attrs["href"].startswith(PAPER):
                continue
            file, _, fragment = attrs["href"].partition("#")
            file = file.partition("?")[0] or name
            assert (out / unquote(file)).exists(), file
            assert not fragment or fragment in ids[file], attrs["href"]


def test_headings_run_in_order_and_landmarks_are_named(pages):
    for page in pages.values():
        assert page.headings[0] == 1
        assert page.headings.count(1) == 1
        assert all(b - a <= 1 for a, b in zip(page.headings, page.headings[1:], strict=False))
        assert len(page.all("main")) == 1
        assert page.all("html")[0]["lang"] == "en"
        assert any(a.get("class") == "skip" for a in page.all("a"))
        assert all("scope" in attrs for attrs in page.all("th"))
        for tag, attrs in page.elements:
            if attrs.get("role") in ("region", "search") or tag in ("nav", "dialog"):
                assert "aria-label" in attrs or "aria-labelledby" in attrs
        for attrs in page.all("img"):
            assert len(attrs["alt"]) > 20


def test_drawings_are_named_for_who_cannot_see_them(pages):
    page = pages["index.html"]
    ids = {a["id"] for _, a in page.elements if "id" in a}
    drawings = page.all("svg")
    assert len(drawings) > 5
    for attrs in drawings:
        if attrs.get("aria-hidden") == "true":
            continue
        assert attrs["role"] == "img"
        assert attrs.get("aria-label") or set(attrs["aria-labelledby"].split()) <= ids


def test_nothing_is_fetched_and_the_policy_allows_just_what_is_inline(real, toy):
    for text in (real["index.html"], real["claims.html"], toy["index.html"]):
        page = Read(text)
        policy = next(a["content"] for a in page.all("meta") if a.get("http-equiv") == "Content-Security-Policy")
        assert policy.startswith("default-src 'none'; ")
        assert "unsafe" not in policy
        assert "http" not in policy
        inline = re.findall(r"<(script|style)>(.*?)</\1>", text, re.DOTALL)
        assert len(inline) == 3
        for _, body in inline:
            digest = base64.b64encode(hashlib.sha256(body.encode()).digest()).decode()
            assert f"'sha256-{digest}'" in policy
        for tag, attrs in page.elements:
            assert "style" not in attrs
            assert not any(name.startswith("on") for name in attrs)
            assert tag not in ("iframe", "object", "embed", "base")
            for name in ("src", "srcset", "data", "action", "poster"):
                assert attrs.get(name, "data:").startswith("data:")
            if tag == "link":
                assert attrs["href"] == "data:,"
            if tag == "a":
                assert attrs["href"].startswith(PAPER) or not re.match(r"(?i)[a-z]+:|//", attrs["href"])
        assert "@import" not in text
        assert not re.search(r"url\(", text.partition("</style>")[0])


# escaping

HOSTILE = st.text(alphabet="<>&\"'`|*_[](){}%$#!~\\/=-:;@ ax\n\r\t\u2028é", min_size=1, max_size=12)
NASTY = "</script></style></title><img src=x onerror=alert(1)>{{7*7}}{% raw %}|`x` ](javascript:alert(1))\"'&lt;"


def rendered(prefix):
    with tempfile.TemporaryDirectory() as folder:
        report, sources = synthetic.report_of(synthetic.write(Path(folder), lambda text: prefix + text))
        return files(report, "../../", sources)


@functools.cache
def harmless():
    return rendered("x")


@settings(max_examples=10)
@example(NASTY)
@example("<!--")
@example("]]><b>*")
@example("a|b\n\n# c\r\rd")
@given(HOSTILE)
@pytest.mark.slow
def test_no_text_changes_the_structure_of_any_output(prefix):
    outputs, expected = rendered(prefix), harmless()
    for name in PAGES:
        page, sound = Read(outputs[name]), Read(expected[name])
        assert page.shape == sound.shape
        assert _squeeze(prefix) in _squeeze("".join(page.text))
    assert shape_of_markdown(outputs["report.md"]) == shape_of_markdown(expected["report.md"])
    ET.fromstring(outputs["junit.xml"])
    assert len(list(csv.reader(io.StringIO(outputs["cells.csv"])))) == 18


def _squeeze(text):
    return "".join(text.split())


def shape_of_markdown(text):
    """Return the block and inline elements without their texts."""
    library = pytest.importorskip("markdown_it", reason="markdown-it-py is not installed")
    out = []
    for token in library.MarkdownIt("commonmark").enable("table").enable("strikethrough").parse(text):
        # Escapes and entities make several texts of one: only markup counts.
        inner = [t.type for t in token.children or [] if t.type not in ("text", "text_special", "softbreak")]
        if token.type == "html_block":
            inner = re.findall(r"</?[a-z]+>", token.content)
        out.append((token.type, inner))
    return out


@given(st.text())
def test_escaped_markdown_is_one_line(text):
    assert len(markdown_escape(text).splitlines()) <= 1


# colours

STYLE = (TEMPLATES / "style.css").read_text("utf-8")


def schemes():
    blocks = re.findall(r":root \{(.*?)\}", STYLE, re.DOTALL)
    light, dark, paper = (dict(re.findall(r"--([a-z]+): (#[0-9a-f]{3,6})", block)) for block in blocks)
    return {"light": light, "dark": {**light, **dark}, "print": {**light, **paper}}


def luminance(colour):
    digits = colour[1:] if len(colour) == 7 else "".join(2 * c for c in colour[1:])
    parts = [int(digits[i : i + 2], 16) / 255 for i in (0, 2, 4)]
    r, g, b = (p / 12.92 if p <= 0.04045 else ((p + 0.055) / 1.055) ** 2.4 for p in parts)
    return 0.2126 * r + 0.7152 * g + 0.0722 * b


def contrast(a, b):
    low, high = sorted((luminance(a), luminance(b)))
    return (high + 0.05) / (low + 0.05)


@pytest.mark.parametrize("scheme", ["light", "dark", "print"])
def test_text_has_contrast_on_every_ground(scheme):
    colours = schemes()[scheme]
    text = ("fg", "dim", "accent", "second", "good", "near", "bad", "odd", "warn", "wait")
    assert set(text) < set(colours)
    for name in text:
        for ground in ("bg", "soft", "tint"):
            assert contrast(colours[name], colours[ground]) >= 4.5, (name, ground)
    for name in ("pos", "neg"):  # of drawings
        assert contrast(colours[name], colours["bg"]) >= 3


def test_every_colour_of_text_is_one_of_those():
    rules = STYLE.partition("@media print")[0]
    for value in re.findall(r"(?<![-\w])(?:color|fill): ([^;}]+)", rules):
        value = value.strip()
        assert value in ("inherit", "none", "currentColor") or re.fullmatch(r"var\(--[a-z]+\)", value), value
    assert not re.findall(r"(?<![-\w])color: (?:#|rgb)", rules)
    own = re.findall(r"--[cs]: ([^;}]+)", rules)
    assert own
    assert {v.strip() for v in own} <= {
        f"var(--{n})" for n in ("good", "near", "bad", "odd", "warn", "wait", "accent", "second")
    }


def test_the_readmes_picture_needs_a_page(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(shot, "ROOT", tmp_path)
    assert shot.main() == 1
    assert "run `python -m report`" in capsys.readouterr().err
    assert (ROOT / shot.PICTURE).stat().st_size < 300_000


def test_nothing_moves():
    assert not re.search(r"animation|transition|scroll-behavior", STYLE)
