"""The pages in headless Chromium: sorting, filtering, evidence, addresses; no error, nothing fetched."""

from __future__ import annotations

import os
import shutil

import pytest
from helpers import MICRONET, ROOT

from papertally.ledger.load import load_ledger
from report.__main__ import main

pytestmark = [pytest.mark.slow, pytest.mark.long]

BROWSER = os.environ.get("CHROMIUM") or next(filter(None, map(shutil.which, ("chromium", "chromium-browser"))), None)
FLAGS = [
    "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
    "--disable-component-update", "--disable-sync",
]  # fmt: skip


@pytest.fixture(scope="module")
def out(tmp_path_factory):
    folder = tmp_path_factory.mktemp("page")
    assert main(["--out", str(folder)], root=ROOT) == 0
    return folder


@pytest.fixture(scope="module")
def browser():
    """Return one Chromium for all of this module; skip without one."""
    playwright = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
    if BROWSER is None:
        pytest.skip("no Chromium: install it or name it in CHROMIUM")
    with playwright.sync_playwright() as driver:
        chromium = driver.chromium.launch(executable_path=BROWSER, args=FLAGS)
        yield chromium
        chromium.close()


@pytest.fixture
def visit(browser, out):
    """Return a function that opens an address; afterwards nothing may have erred or been fetched."""
    faults, contexts = [], []

    def opened(address, width=1280, height=900, script=True, scheme="light"):
        context = browser.new_context(
            viewport={"width": width, "height": height}, java_script_enabled=script, color_scheme=scheme
        )
        contexts.append(context)
        page = context.new_page()
        page.set_default_timeout(30_000)
        page.on("console", lambda m: faults.append(f"console {m.type}: {m.text}"))
        page.on("pageerror", lambda e: faults.append(f"error: {e}"))
        page.on("requestfailed", lambda r: faults.append(f"failed: {r.url}"))
        page.on("request", lambda r: r.url.startswith(("file:", "data:")) or faults.append(f"fetched: {r.url}"))
        name, _, rest = address.partition("?") if "?" in address else address.partition("#")
        mark = "?" if "?" in address else "#" if "#" in address else ""
        page.goto((out / name).as_uri() + mark + rest)
        return page

    yield opened
    for context in contexts:
        context.close()
    assert faults == []


def column(page, table, index):
    script = f"""() => [...document.querySelectorAll('table[data-table="{table}"] > tbody')]
        .filter(b => !b.hidden).map(b => b.rows[0].cells[{index}])
        .map(c => (c.querySelector('b') || c.firstChild).textContent.trim())"""
    return page.evaluate(script)


def shown(page):
    return page.evaluate(
        """() => [...document.querySelectorAll('td[data-verdict]')].filter(c => c.offsetParent && (
            !document.querySelector('[name=verdict]:checked') || c.classList.contains('hit')))
            .map(c => [c.id, c.dataset.verdict])"""
    )


@pytest.mark.slow
def test_columns_sort_up_down_and_back_by_mouse_and_keyboard(visit):
    page = visit("index.html")
    printed = column(page, 2, 3)
    head = page.locator('table[data-table="2"] th[data-col=top1]')
    assert head.get_attribute("aria-sort") == "none"
    head.get_by_role("button").click()
    up = [float(v) for v in column(page, 2, 3)]
    assert up == sorted(up)
    assert head.get_attribute("aria-sort") == "ascending"
    head.get_by_role("button").press("Enter")
    down = [float(v) for v in column(page, 2, 3)]
    assert down == up[::-1]
    assert head.get_attribute("aria-sort") == "descending"
    assert "sort=2.top1.desc" in page.url
    head.get_by_role("button").press("Space")
    assert column(page, 2, 3) == printed
    assert head.get_attribute("aria-sort") == "none"
    assert "sort" not in page.url
    # Rows that the paper gives no number come last both ways; ties stay in printed order.
    params = page.locator('table[data-table="2"] th[data-col=params]').get_by_role("button")
    for _ in range(2):
        params.click()
        values = column(page, 2, 1)
        assert values[-3:] == ["–"] * 3
    names = column(page, 2, 0)
    assert names.index("MicroNet-M3") < names.index("MicroNet-M3", names.index("MicroNet-M3") + 1)
    page.locator('table[data-table="2"] th[data-col=label0]').get_by_role("button").click()
    names = column(page, 2, 0)
    scales = [n.split()[1] for n in names if n.startswith("MobileNetV3 ")]
    assert scales == ["0.2×", "0.25×", "0.35×", "0.5×", "0.75×"]
    assert names[0] == "GhostNet 0.5×"
    assert names[-1] == "WeightNet 8×"


@pytest.mark.slow
def test_columns_sort_by_what_was_achieved_deviates_or_was_judged(visit):
    page = visit("index.html?table=5&by=deviation&sort=5.params.desc")
    deltas = page.evaluate(
        """() => [...document.querySelectorAll('table[data-table="5"] > tbody > tr > td:nth-child(2)')]
            .map(c => Number(c.dataset.deviation))"""
    )
    assert deltas == sorted(deltas, reverse=True)
    assert deltas[0] > 4
    page.locator("select[name=by]").select_option("verdict")
    verdicts = page.evaluate(
        """() => [...document.querySelectorAll('table[data-table="5"] > tbody > tr > td:nth-child(2)')]
            .map(c => Number(c.dataset.order))"""
    )
    assert verdicts == sorted(verdicts, reverse=True)


@pytest.mark.slow
def test_filters_combine_count_and_stay_in_the_address(visit):
    page = visit("index.html")
    total = page.locator("#shown").inner_text()
    assert total.startswith("292 of 292 numbers")
    page.locator("label.chip.depends").click()
    found = shown(page)
    assert found
    assert {v for _, v in found} == {"depends"}
    assert page.locator("#shown").inner_text().startswith(f"{len(found)} of 292")
    page.locator("label.chip.differs").click()
    both = shown(page)
    assert {v for _, v in both} == {"depends", "differs"}
    page.locator("select[name=table]").select_option("2")
    assert page.locator("section.table:visible").count() == 1
    page.locator("input[name=q]").fill("weightnet  2")
    narrowed = shown(page)
    assert 0 < len(narrowed) < len(both)
    assert all("weightnet" in key for key, _ in narrowed)
    again = visit(page.url.rpartition("/")[2])
    assert shown(again) == narrowed
    assert again.locator("input[name=q]").input_value() == "weightnet  2"
    again.locator("input[name=q]").fill("no such model")
    assert again.locator("#nothing").is_visible()
    assert again.locator("section.table:visible").count() == 0
    again.locator("#nothing button").click()
    assert again.locator("#shown").inner_text() == total
    assert "?" not in again.url
    page.locator("#controls [data-reset]").click()
    assert page.locator("#shown").inner_text() == total


@pytest.mark.slow
def test_first_screen_leads_to_the_filtered_tables(visit):
    page = visit("index.html")
    page.locator(".shares a[data-filter=differs]").click()
    assert {v for _, v in shown(page)} == {"differs"}
    assert page.locator("input[value=differs]").is_checked()
    assert "verdict=differs" in page.url


@pytest.mark.slow
def test_evidence_opens_steps_closes_and_returns(visit):
    page = visit("index.html")
    cell = page.locator('[id="t5_se_relu.madds"] a.open')
    cell.click()
    dialog = page.locator("dialog#evidence")
    assert dialog.is_visible()
    text = dialog.inner_text()
    for part in ("SE+ReLU: MAdds", "10.9M", "11.574M", "+6.2 %", "results/cost/t5_se_relu.json", "dvc repro cost"):
        assert part in text
    assert page.url.endswith("#t5_se_relu.madds")
    page.keyboard.press("ArrowRight")
    assert "SE+ReLU: Top-1" in dialog.inner_text()
    assert "Cost to settle" in dialog.inner_text()
    page.keyboard.press("ArrowLeft")
    page.keyboard.press("ArrowLeft")
    assert "SE+ReLU: Params" in dialog.inner_text()
    page.keyboard.press("Escape")
    assert not dialog.is_visible()
    assert page.evaluate("document.activeElement.parentElement.id") == "t5_se_relu.params"
    assert "#" not in page.url
    page.keyboard.press("Enter")
    assert dialog.is_visible()
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.closest('dialog') !== null")
    dialog.get_by_role("button", name="Close").click()
    assert not dialog.is_visible()


@pytest.mark.slow
def test_addresses_lead_to_cells_tables_and_statements(visit):
    page = visit("index.html#t2_micronet_m0.top1")
    assert "MicroNet-M0: Top-1" in page.locator("dialog").inner_text()
    assert "python -m pipelines train --row t2_micronet_m0 --profile paper" in page.locator("dialog").inner_text()
    page = visit("index.html#table-5")
    assert not page.locator("dialog").is_visible()
    assert page.locator("#table-5").bounding_box()["y"] < 300
    page = visit("index.html#claim-fig2_block_rank")
    assert page.locator("#claim-fig2_block_rank").is_visible()
    page = visit("claims.html#claim-fig2_block_rank")
    assert page.locator("#claim-fig2_block_rank .detail").is_visible()
    assert "computed [1]; wanted [1]" in page.locator("#claim-fig2_block_rank").inner_text()


@pytest.mark.slow
def test_the_claims_page_filters_and_sorts(visit):
    page = visit("claims.html?verdict=differs")
    assert page.locator("#shown").inner_text() == f"1 of {len(load_ledger(MICRONET).claims)} statements"
    page.locator("#controls [data-reset]").click()
    verdict = page.locator("th[data-col=verdict] button")
    verdict.click()
    words = page.evaluate("[...document.querySelectorAll('td[data-verdict]')].map(c => Number(c.dataset.key))")
    assert words == sorted(words)
    page.locator("input[name=q]").fill("ghostnet")
    assert page.locator("table.claims > tbody:visible").count() == 1


@pytest.mark.slow
def test_without_a_script_all_is_readable(visit):
    page = visit("index.html", script=False)
    assert page.locator("section.table").count() == 12
    assert not page.locator("#controls").is_visible()
    assert not page.locator("dialog").is_visible()
    page.locator('[id="t5_se_relu.madds"] a.open').click()
    assert page.locator('[id="e-t5_se_relu.madds"]').is_visible()
    page.locator("#claims a", has_text="claims page").click()
    assert page.locator("#claim-eq2_example summary").is_visible()


@pytest.mark.slow
@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("name", ["index.html", "claims.html"])
def test_a_narrow_screen_scrolls_only_inside_tables(visit, name, scheme):
    page = visit(name, width=360, height=780, scheme=scheme)
    page.evaluate("document.querySelectorAll('details').forEach(d => { d.open = true; })")
    assert page.evaluate("document.documentElement.scrollWidth") <= 360
    background = page.evaluate("getComputedStyle(document.body).backgroundColor")
    assert (background == "rgb(255, 255, 255)") == (scheme == "light")


@pytest.mark.slow
def test_on_a_wide_screen_every_table_fits(visit):
    page = visit("index.html")
    wide = page.evaluate(
        """() => [...document.querySelectorAll('section.table .scroll')].filter(
            s => s.querySelector('table.cells') && s.scrollWidth > s.clientWidth).map(s => s.ariaLabel)"""
    )
    assert wide == []


@pytest.mark.slow
def test_on_paper_controls_go_and_details_open(visit):
    page = visit("index.html")
    page.evaluate("dispatchEvent(new Event('beforeprint'))")
    page.emulate_media(media="print")
    assert not page.locator("#controls").is_visible()
    assert not page.locator("nav").first.is_visible()
    assert not page.locator(".register").first.is_visible()
    assert page.evaluate("document.querySelectorAll('details:not([open]):not(.register)').length") == 0
    page.evaluate("dispatchEvent(new Event('afterprint'))")
    assert page.evaluate("document.querySelectorAll('details:not([open]):not(.register)').length") > 0
    assert page.pdf()[:5] == b"%PDF-"


@pytest.mark.slow
def test_the_keyboard_reaches_content_first(visit):
    page = visit("index.html")
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.className") == "skip"
    assert page.locator(".skip").bounding_box()["x"] >= 0
    outline = page.evaluate("getComputedStyle(document.activeElement).outlineStyle")
    assert outline != "none"
