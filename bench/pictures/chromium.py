"""Chromium without a window, and pictures of parts of a page."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

ARGUMENTS = (
    "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
    "--disable-component-update", "--disable-sync", "--hide-scrollbars",
)  # fmt: skip


@contextmanager
def chromium() -> Iterator[Any]:
    """Start the Chromium of the machine; `pip install playwright` controls it and downloads nothing."""
    from playwright.sync_api import sync_playwright

    path = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    if path is None:
        raise SystemExit("the pictures need Chromium: apt-get install chromium")
    with sync_playwright() as control:
        browser = control.chromium.launch(executable_path=path, args=list(ARGUMENTS))
        yield browser
        browser.close()


def open_page(browser: Any, url: str, width: int, dark: bool = False, script: str = "") -> Any:
    """Open a page of this width; a script runs before its own."""
    page = browser.new_page(viewport={"width": width, "height": 900}, color_scheme="dark" if dark else "light")
    if script:
        page.add_init_script(script)
    page.goto(url)
    return page


def save(page: Any, path: Path, first: str | None = None, last: str | None = None) -> None:
    """Save the page, or what lies between two elements of it, as PNG."""
    path.parent.mkdir(parents=True, exist_ok=True)
    for view in page.locator("div.distribution").all():
        view.scroll_into_view_if_needed()
        view.locator("svg, p").first.wait_for()
        page.evaluate("scrollTo(0, 0)")
    if first is None or last is None:
        page.screenshot(path=path, full_page=True)
        return
    top, end = page.locator(first).first.bounding_box(), page.locator(last).first.bounding_box()
    y = max(top["y"] - 12, 0)
    clip = {"x": 0, "y": y, "width": page.viewport_size["width"], "height": end["y"] + end["height"] + 4 - y}
    page.screenshot(path=path, full_page=True, clip=clip)
