"""Photograph the page's first screen for the README: report/out/index.html to docs/report.png.

python -m report.screenshot        needs Chromium (on the path, or named in CHROMIUM)
"""

from __future__ import annotations

import io
import os
import shutil
import sys

from papertally.evidence.io import EvidenceError, write_bytes_atomic
from papertally.output import run
from report.rows import ROOT

PICTURE = "docs/report.png"
WIDTH, HEIGHT, COLOURS = 1280, 900, 128


def main() -> int:
    """Write the picture, light, in few colours; returns 0, or 1 where the page or the browser is missing."""
    page = ROOT / "report/out/index.html"
    chromium = os.environ.get("CHROMIUM") or shutil.which("chromium") or shutil.which("chromium-browser")
    if not page.is_file() or chromium is None:
        mend = "install Chromium or name it in CHROMIUM" if page.is_file() else "run `python -m report`"
        print(f"error: {page if not page.is_file() else 'chromium'}: not found; {mend}", file=sys.stderr)
        return 1
    from PIL import Image
    from playwright.sync_api import Error, sync_playwright

    try:
        with sync_playwright() as driver:
            browser = driver.chromium.launch(executable_path=chromium, args=["--no-sandbox", "--disable-gpu"])
            view = browser.new_page(viewport={"width": WIDTH, "height": HEIGHT}, color_scheme="light")
            view.goto(page.as_uri())
            shot = view.screenshot()
            browser.close()
        out = io.BytesIO()
        Image.open(io.BytesIO(shot)).convert("RGB").quantize(COLOURS, dither=Image.Dither.NONE).save(
            out, "PNG", optimize=True
        )
        write_bytes_atomic(ROOT / PICTURE, out.getvalue())
    except (Error, EvidenceError) as error:
        print(f"error: {str(error).splitlines()[0]}", file=sys.stderr)
        return 1
    print(f"{PICTURE}: {len(out.getvalue()) // 1024} KiB")
    return 0


if __name__ == "__main__":
    raise SystemExit(run(main))
