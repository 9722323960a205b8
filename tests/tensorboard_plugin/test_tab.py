"""The tab in TensorBoard itself, in a real browser, while a run is written."""

from __future__ import annotations

import logging
import re
from pathlib import Path
from typing import Any

import pytest
from pages.browser import browser, opened
from pages.logs import falling_run, write_log

from polar_monitor.sinks.jsonl_record import to_line
from polar_monitor.tensorboard_plugin import Loader
from polar_monitor.web.report import write_report

pytestmark = [pytest.mark.browser, pytest.mark.filterwarnings("default")]


@pytest.fixture
def board(tmp_path: Path) -> str:
    """Return the address of a TensorBoard of the runs in `tmp_path`, with its own tabs and ours."""
    program, default = pytest.importorskip("tensorboard.program"), pytest.importorskip("tensorboard.default")
    logging.getLogger("werkzeug").setLevel(logging.ERROR)
    tensorboard = program.TensorBoard(plugins=[*default.get_static_plugins(), Loader()])
    tensorboard.configure(argv=[None, "--logdir", str(tmp_path), "--port", "0", "--load_fast", "false"])
    return str(tensorboard.launch())


def drawing(page: Any) -> str:
    """Return the views that are drawn as SVG as text."""
    parts = [
        page.locator(f".card.{view} svg").first.inner_html()
        for view in ("lifelines", "plane", "distribution", "spectrum")
    ]
    return re.sub(r"\s+", " ", "".join(parts))


def test_the_tab_draws_what_the_report_draws_and_follows_the_run(board: str, tmp_path: Path) -> None:
    run = falling_run()
    path = write_log(tmp_path / "a", run[:5])
    write_report([tmp_path], tmp_path / "x.html")
    with browser() as chromium:
        with opened(chromium, (tmp_path / "x.html").as_uri()) as page:
            of_report = drawing(page)
        page = chromium.new_page(viewport={"width": 1280, "height": 900})
        refused: list[str] = []
        page.on("console", lambda entry: refused.append(entry.text) if "Content Security" in entry.text else None)
        page.goto(f"{board}#polarisation")
        page.wait_for_selector("iframe")
        (tab,) = [frame for frame in page.frames if frame is not page.main_frame]
        tab.wait_for_selector(".sentence", timeout=20_000)
        assert drawing(tab) == of_report
        age = tab.locator(".age").inner_text()
        assert re.search(r"numbers of step 500, [\d,]+ (s|min|h|days) old$", age)
        with open(path, "ab") as file:
            file.write(to_line(run[5]))
        tab.wait_for_selector("text=now: step 600", timeout=20_000)
        assert refused == []
