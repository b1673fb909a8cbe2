"""The page in a browser: it makes no requests, its controls need no other files, and it is complete without scripts.

Playwright drives a Chromium that is on the machine already: `WINIT_CHROMIUM`, or `chromium` on the path. In continuous
integration it takes its own if there is none, and fails without one.
"""

from __future__ import annotations

import io
import os
import shutil
import time
import xml.etree.ElementTree as ET
from contextlib import contextmanager

import numpy as np
import pandas as pd
import pytest

from winit.report import explorer
from winit.report.figures.style import MUTED
from winit.report.svg import THEME

CHROMIUM = os.environ.get("WINIT_CHROMIUM") or shutil.which("chromium") or shutil.which("chromium-browser")
if not CHROMIUM and "CI" not in os.environ:
    pytest.skip("no Chromium on this machine; name one in WINIT_CHROMIUM", allow_module_level=True)
playwright = pytest.importorskip("playwright.sync_api", reason="Playwright is not installed: pip install -e '.[test]'")
if explorer.bundle() is None:
    pytest.skip("Altair and vl-convert are not installed: pip install -e '.[interactive]'", allow_module_level=True)


@pytest.fixture(scope="module")
def page_file(made):
    """The page of the shared study, whose question is hostile to a careless page."""
    return made[2]


@pytest.fixture(scope="module")
def browser():
    """One Chromium for all tests; it ends with them."""
    arguments = ["--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-component-update"]
    with playwright.sync_playwright() as driver:
        running = driver.chromium.launch(executable_path=CHROMIUM, args=arguments)
        yield running
        running.close()


@contextmanager
def opened(browser, file, **options):
    """Open a page offline, yield it, and fail if anything it did was asked of a network or ended in an error."""
    with browser.new_context(offline=True, viewport={"width": 1300, "height": 900}, **options) as context:
        page = context.new_page()
        wrong: list[str] = []
        page.on(
            "request", lambda r: r.url.startswith(("file:", "data:", "blob:")) or wrong.append(f"request of {r.url}")
        )
        page.on("console", lambda m: m.type in ("error", "warning") and wrong.append(f"console: {m.text}"))
        page.on("pageerror", lambda e: wrong.append(f"error: {e}"))
        page.goto(file.as_uri())
        yield page
        assert not wrong, wrong


def shown(page, selector: str) -> list:
    return [e for e in page.locator(selector).all() if e.is_visible()]


def until(page, expression: str, seconds: float = 20) -> None:
    """Wait until an expression holds. Playwright's own waiting evaluates text in the page, which the page's policy forbids."""
    end = time.monotonic() + seconds
    while not page.evaluate(expression):
        assert time.monotonic() < end, f"after {seconds} s still not: {expression}"
        page.wait_for_timeout(50)


def drawn(page, name: str, times: int = 1) -> None:
    """Scroll a chart into view and wait until it has been drawn so often."""
    page.locator(f"#explore-{name}").scroll_into_view_if_needed()
    until(page, f"Number(document.querySelector('#explore-{name} .plot').dataset.drawn) >= {times}")


def times_drawn(page, name: str) -> int:
    return int(page.locator(f"#explore-{name} .plot").get_attribute("data-drawn"))


def lines(page, name: str) -> int:
    """Count the lines of initializers in a chart; those of the theory, where it has some, are grey."""
    return page.locator(f"#explore-{name} .mark-line path").count()


def test_the_page_asks_for_nothing_and_makes_no_errors(browser, page_file):
    with opened(browser, page_file) as page:
        for name in ("curves", "h_variance", "delta_variance"):
            drawn(page, name)
        page.locator("#reproduce").scroll_into_view_if_needed()
        until(page, "document.querySelector('nav a[aria-current]')?.hash === '#reproduce'")
        assert page.title() == "winit: smoke"


def test_the_table_of_runs_filters(browser, page_file):
    with opened(browser, page_file) as page:
        rows = page.locator("#arms tbody tr")
        everything = rows.count()
        assert page.locator(".filters output").text_content() == f"{everything} of {everything} rows"
        page.locator(".filters input").fill("he NORMAL tanh")
        rows = shown(page, "#arms tbody tr")
        assert 0 < len(rows) < everything
        assert all("He normal" in r.text_content() and "tanh" in r.text_content() for r in rows)
        page.locator('select[data-column="depth"]').select_option("3")
        assert len(shown(page, "#arms tbody tr")) == len(rows) // 2
        page.locator(".filters input").fill("no such words")
        assert shown(page, "#arms tbody tr") == []
        assert page.locator(".filters output").text_content() == f"0 of {everything} rows"


def test_the_table_of_runs_sorts_by_key_and_pointer(browser, page_file):
    with opened(browser, page_file) as page:
        heads = page.locator("#arms thead th")
        names = [h.text_content().strip() for h in heads.all()]
        column = names.index("test accuracy, %")

        def values() -> list[float]:
            cells = page.locator(f"#arms tbody tr :nth-child({column + 1})").all_text_contents()
            return [float(cell) for cell in cells]

        before = values()
        button = heads.nth(column).locator("button")
        button.click()
        assert heads.nth(column).get_attribute("aria-sort") == "ascending" and values() == sorted(before)
        button.focus()
        page.keyboard.press("Enter")
        assert heads.nth(column).get_attribute("aria-sort") == "descending" and values() == sorted(before)[::-1]
        page.keyboard.press("Enter")
        assert heads.nth(column).get_attribute("aria-sort") is None and values() == before


def saved(page, button) -> bytes:
    with page.expect_download() as waiting:
        button.click()
    return waiting.value.path().read_bytes()


def test_files_are_made_from_the_page_alone(browser, page_file, tmp_path):
    alone = tmp_path / "sent.html"
    alone.write_bytes(page_file.read_bytes())
    with opened(browser, alone, accept_downloads=True, color_scheme="dark") as page:
        name = "signals-digits"
        figure = page.locator(f"#fig-{name}")
        csv = saved(page, figure.locator('[data-save="csv"]'))
        assert csv == (page_file.parent / "figures" / f"{name}.csv").read_bytes()
        svg = saved(page, figure.locator('[data-save="svg"]')).decode()
        root = ET.fromstring(svg)
        assert root.tag.endswith("svg") and "var(" not in svg and "#fff" in root.attrib["style"]
        assert all(colour in svg for colour in THEME), "ink for paper, whatever the theme of the page"
        assert saved(page, figure.locator('[data-save="png"]'))[:8] == b"\x89PNG\r\n\x1a\n"
        page.locator(".filters input").fill("zeros")
        table = pd.read_csv(io.BytesIO(saved(page, page.locator('.filters [data-table="csv"]'))))
        assert set(table["initializer"]) == {"zeros"} and "success, %" in table.columns
        drawn(page, "h_variance")
        chart = page.locator("#explore-h_variance")
        rows = pd.read_csv(io.BytesIO(saved(page, chart.locator('[data-chart="csv"]'))))
        assert list(rows.columns) == ["initializer", "layer", "value", "theory"] and rows["initializer"].nunique() == 5
        ET.fromstring(saved(page, chart.locator('[data-chart="svg"]')))
        assert saved(page, chart.locator('[data-chart="png"]')).startswith(b"\x89PNG")


def test_charts_show_what_is_chosen(browser, page_file):
    with opened(browser, page_file) as page:
        drawn(page, "curves")
        assert lines(page, "curves") == 5

        def after(change) -> None:
            turns = times_drawn(page, "curves")
            change()
            until(page, f"Number(document.querySelector('#explore-curves .plot').dataset.drawn) > {turns}")

        after(lambda: page.get_by_role("checkbox", name="He normal").uncheck())
        assert lines(page, "curves") == 4
        assert "He normal" not in page.locator("#explore-status").text_content()
        after(lambda: page.get_by_role("button", name="none", exact=True).click())
        assert lines(page, "curves") == 0 and "choose another" in page.locator("#explore-status").text_content()
        after(lambda: page.get_by_role("button", name="all", exact=True).click())
        before = page.locator("#explore-curves .plot").inner_html()
        after(lambda: page.locator("#explore-metric").select_option("train_loss"))
        assert page.locator("#explore-curves .plot").inner_html() != before
        assert "training loss" in page.locator("#explore-curves svg").first.text_content()
        for name in ("setting", "activation"):
            before = page.locator("#explore-curves .plot").inner_html()
            after(lambda name=name: page.locator(f"#explore-{name}").select_option("1"))
            assert page.locator("#explore-curves .plot").inner_html() != before, name


def test_charts_follow_the_theme(browser, page_file):
    with opened(browser, page_file, color_scheme="light") as page:
        drawn(page, "h_variance")
        light = page.locator("#explore-h_variance .plot").inner_html()
        assert MUTED in light, "the theory is grey"
        turns = times_drawn(page, "h_variance")
        page.emulate_media(color_scheme="dark")
        until(page, f"Number(document.querySelector('#explore-h_variance .plot').dataset.drawn) > {turns}")
        assert MUTED not in page.locator("#explore-h_variance .plot").inner_html()


def pixels(page) -> np.ndarray:
    import matplotlib.image

    return matplotlib.image.imread(io.BytesIO(page.screenshot()), format="png")[..., :3]


def test_light_and_dark_are_drawn_and_differ(browser, page_file):
    grounds = []
    for scheme in ("light", "dark"):
        with opened(browser, page_file, color_scheme=scheme) as page:
            page.locator("#fig-convergence-digits").scroll_into_view_if_needed()
            image = pixels(page)
            assert len(np.unique(image.reshape(-1, 3), axis=0)) > 50, "there is something to see"
            grounds.append(np.median(image.reshape(-1, 3), axis=0).mean())
    assert grounds[0] > 0.9 and grounds[1] < 0.2


def test_without_scripts_the_page_is_complete(browser, page_file):
    with opened(browser, page_file, java_script_enabled=False) as page:
        for section in ("findings", "trainability", "convergence", "runs", "failures", "methods"):
            assert page.locator(f"#{section}").is_visible(), section
        assert page.locator("figure svg[role=img]").first.is_visible()
        assert page.locator("#arms tbody tr").first.is_visible()
        controls = page.locator(":is(button, select, input):not([hidden], [hidden] *)")
        assert controls.count() == 0, "no control that does nothing"
        assert not page.locator("#explore").is_visible()
        page.locator("#fig-signals-digits").scroll_into_view_if_needed()
        links = page.locator("#fig-signals-digits [data-static] a")
        for link in links.all():
            assert link.is_visible() and (page_file.parent / link.get_attribute("href")).is_file()
        details = page.locator("#fig-signals-digits details").first
        details.locator("summary").click()
        assert details.locator("table").is_visible()


def test_the_page_fits_a_narrow_screen(browser, page_file):
    with opened(browser, page_file) as page:
        page.set_viewport_size({"width": 390, "height": 800})
        assert page.evaluate("document.documentElement.scrollWidth") <= 390


def test_the_page_prints_light_and_without_controls(browser, page_file):
    with opened(browser, page_file, color_scheme="dark") as page:
        assert page.pdf(format="A4").startswith(b"%PDF")
        page.emulate_media(media="print")
        assert page.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(255, 255, 255)"
        assert shown(page, "nav, button:not(thead *), select, input") == []


def test_hostile_words_stay_words(browser, page_file):
    with opened(browser, page_file) as page:
        assert page.title().startswith("winit:")
        assert page.locator("h1").text_content() == "</script><script>document.title=1</script> & why?"


def test_the_first_stop_of_the_keyboard_skips_the_contents(browser, page_file):
    with opened(browser, page_file) as page:
        page.keyboard.press("Tab")
        assert page.evaluate("document.activeElement.className") == "skip"
        box = page.locator(".skip").bounding_box()
        assert box["x"] >= 0
        page.keyboard.press("Enter")
        assert page.evaluate("location.hash") == "#findings"


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_finds_nothing_serious(browser, page_file, scheme):
    axe = pytest.importorskip("axe_playwright_python.sync_playwright", reason="axe-playwright-python is not installed")
    with opened(browser, page_file, color_scheme=scheme) as page:
        for name in ("curves", "h_variance", "delta_variance"):
            drawn(page, name)
        page.add_style_tag(content="figure { content-visibility: visible !important; }")
        page.evaluate("for (const d of document.querySelectorAll('#fig-signals-digits details')) d.open = true")
        violations = axe.Axe().run(page).response["violations"]
        grave = [
            f"{v['id']}: {v['help']} ({v['nodes'][0]['html'][:200]})"
            for v in violations
            if v["impact"] in ("serious", "critical")
        ]
        assert not grave, grave
