"""How large a study's page is, and how soon it is there in headless Chromium.

    python -m benchmarks.page reports/default/index.html

Opens the page offline several times, each in a new context, and prints the medians of when its document was parsed and when
it was first painted, in milliseconds after navigation began.
"""

from __future__ import annotations

import argparse
import os
import shutil
import statistics
from pathlib import Path

OPENINGS = 7


def main() -> None:
    """Measure and print."""
    from playwright.sync_api import sync_playwright

    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("page", type=Path)
    given = parser.parse_args()
    chromium = os.environ.get("WINIT_CHROMIUM") or shutil.which("chromium") or shutil.which("chromium-browser")
    if not chromium:
        raise SystemExit("no Chromium on this machine; name one in WINIT_CHROMIUM")
    parsed, painted = [], []
    with sync_playwright() as driver:
        browser = driver.chromium.launch(
            executable_path=chromium, args=["--no-sandbox", "--disable-gpu", "--disable-background-networking"]
        )
        for _ in range(OPENINGS):
            with browser.new_context(offline=True) as context:
                page = context.new_page()
                page.goto(given.page.resolve().as_uri())
                page.wait_for_function("performance.getEntriesByName('first-contentful-paint').length > 0")
                parsed.append(page.evaluate("performance.getEntriesByType('navigation')[0].domContentLoadedEventEnd"))
                painted.append(page.evaluate("performance.getEntriesByName('first-contentful-paint')[0].startTime"))
        browser.close()
    size = given.page.stat().st_size / 1e6
    after = [f"{statistics.median(times):.0f} ms" for times in (parsed, painted)]
    print(f"{size:.2f} MB; parsed after {after[0]}, painted after {after[1]} (medians of {OPENINGS})")


if __name__ == "__main__":
    main()
