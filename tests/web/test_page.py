"""The page in a real browser: every view is drawn, and mouse, keyboard and slider move all of them."""

from __future__ import annotations

import itertools
import json
import math
import re
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pages.browser import browser, opened
from pages.logs import fading_alert, falling_run, never_finite, write_log
from records import make_alert, make_evaluation, make_run

from polar_monitor.alerts.alert import AlertKind
from polar_monitor.context import Context
from polar_monitor.sinks.jsonl_record import to_line
from polar_monitor.web.report import write_report

pytestmark = pytest.mark.browser
ALERTS = {500: (fading_alert(500, [0]),), 600: (replace(make_alert(600, None, AlertKind.DRAIN), dimensions=()),)}


@pytest.fixture(scope="module")
def chromium() -> Iterator[Any]:
    with browser() as started:
        yield started


@pytest.fixture(scope="module")
def reports(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    folder = tmp_path_factory.mktemp("reports")
    runs = {
        "falling": falling_run(ALERTS),
        "one": make_run(12, 1, bins=8),
        "ten": make_run(40, 10, bins=8),
        "wide": make_run(30, 512, bins=8),
        "nan": never_finite(),
        "single": falling_run()[:1],
    }
    urls = {}
    for name, run in runs.items():
        write_log(folder / name, run)
        write_report([folder / name], folder / f"{name}.html")
        urls[name] = (folder / f"{name}.html").as_uri()
    write_report([folder / name for name in ("falling", "ten", "nan")], folder / "several.html")
    (folder / "empty.jsonl").touch()
    write_report([folder / "empty.jsonl"], folder / "empty.html")
    return urls | {name: (folder / f"{name}.html").as_uri() for name in ("several", "empty")}


def overflow(page: Any) -> int:
    return int(page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth"))


@pytest.mark.parametrize(("width", "dark"), [(1280, False), (800, True), (400, False)])
@pytest.mark.parametrize("name", ["falling", "one", "ten", "wide", "nan", "single", "several"])
def test_every_view_is_drawn_and_nothing_overflows(
    chromium: Any, reports: dict[str, str], name: str, width: int, dark: bool
) -> None:
    with opened(chromium, reports[name], width=width, dark=dark) as page:
        assert page.locator("header .sentence").inner_text().strip()
        assert page.locator("div.lifelines .row").count() >= 1
        assert page.locator("svg .dot").count() >= 1
        assert "NaN" not in page.content().split("polar-monitor-data")[0]
        assert overflow(page) <= 0
        background = page.evaluate("getComputedStyle(document.body).backgroundColor")
        assert (background == "rgb(13, 17, 23)") is dark


def test_the_age_of_the_numbers_is_in_seconds_and_steps(chromium: Any, tmp_path: Path) -> None:
    run = falling_run()
    newest = run[-1].snapshot
    for name, seconds, expected in (("s", 30.0, r"(29|3\d) s old"), ("h", 7300.0, "2 h old"), ("d", 4e5, "5 days old")):
        last = replace(run[-1], time=time.time() - seconds, snapshot=replace(newest, rows_from=500, rows_to=660))
        write_log(tmp_path / name, [*run[:-1], last])
        write_report([tmp_path / name], tmp_path / f"{name}.html")
        with opened(chromium, (tmp_path / f"{name}.html").as_uri()) as page:
            text = page.locator(".age").inner_text()
            assert re.search(f"numbers of step 700, of rows up to step 660, {expected} when this report was made", text)
            assert "40 steps before" in page.locator(".facts").inner_text()


def test_a_page_without_numbers_says_why(chromium: Any, reports: dict[str, str]) -> None:
    with opened(chromium, reports["empty"]) as page:
        assert "the log is empty" in page.locator(".problem").inner_text()


LINES = [to_line(one) for one in falling_run()]
BAD_LOGS = {
    "foreign": (b"step,loss\n1,2\n", "not a log of Polar Monitor"),
    "picture": (b"\x89PNG\r\n\x1a\n\x00\x00", "not a log of Polar Monitor"),
    "first line": (LINES[0][:300], "being written"),
    "no row": (to_line(make_evaluation(bins=8, empty=True)), "no row of a latent was recorded"),
    "truncated": (b"".join(LINES[:3]) + LINES[3][:300], "the last line is not complete yet"),
    "two runs": (b"".join(LINES + LINES[:2]), "2 runs were written to this file"),
    "broken": (
        LINES[0] + b"[1]\n" + LINES[1].replace(b'"version":2', b'"version":9') + LINES[2],
        "2 lines are left out",
    ),
}


@pytest.mark.parametrize("name", BAD_LOGS)
def test_a_bad_log_is_a_sentence_and_never_a_blank_page(chromium: Any, tmp_path: Path, name: str) -> None:
    content, expected = BAD_LOGS[name]
    (tmp_path / "polar.jsonl").write_bytes(content)
    write_report([tmp_path], tmp_path / "x.html")
    with opened(chromium, (tmp_path / "x.html").as_uri()) as page:
        text = page.locator("main").inner_text()
        assert expected in text
        assert page.locator(".problem").count() + page.locator("div.lifelines").count() == 1


def test_lines_of_both_versions_are_one_run(chromium: Any, tmp_path: Path) -> None:
    first = json.dumps(falling_run()[0].to_dict()).encode() + b"\n"
    (tmp_path / "polar.jsonl").write_bytes(first + b"".join(LINES[1:]))
    write_report([tmp_path], tmp_path / "x.html")
    with opened(chromium, (tmp_path / "x.html").as_uri()) as page:
        assert page.locator(".note").count() == 0
        assert "now: step 700" in page.locator("div.lifelines").text_content()


def test_a_click_chooses_a_dimension_in_all_views(chromium: Any, reports: dict[str, str]) -> None:
    with opened(chromium, reports["falling"], bypass_csp=True) as page:
        page.locator(".row[data-dimension='0'] .name").click()
        page.wait_for_selector(".dot.selected")
        assert "dim 0: 0.50 ± 0.010 nats at step 700; fading since step 100" in page.locator(".status").inner_text()
        assert page.locator(".symbol.selected").count() == 1
        page.locator(".dot.selected").click()
        page.wait_for_function("!document.querySelector('.row.selected')")


def test_the_cursor_is_one_over_all_views(chromium: Any, reports: dict[str, str]) -> None:
    with opened(chromium, reports["falling"], bypass_csp=True) as page:
        box = page.locator("div.lifelines svg").bounding_box()
        page.mouse.move(box["x"] + 80, box["y"] + 70)
        page.wait_for_function("document.querySelector('.slider output').textContent === 'step 100'")
        assert "at step 100" in page.locator("div.lifelines svg").inner_html()
        page.mouse.move(5, 5)
        page.wait_for_function("document.querySelector('.slider output').textContent === 'step 700'")
        page.locator(".slider input").fill("2")
        page.wait_for_function("document.querySelector('div.lifelines svg').innerHTML.includes('at step 300')")
        page.locator("ol.alerts button").first.click()
        page.wait_for_function("document.querySelector('.slider output').textContent === 'step 600'")


def test_the_keyboard_moves_cursor_and_choice(chromium: Any, reports: dict[str, str]) -> None:
    with opened(chromium, reports["falling"], bypass_csp=True) as page:
        page.locator("div.lifelines").focus()
        page.keyboard.press("ArrowLeft")
        page.wait_for_function("document.querySelector('.slider output').textContent === 'step 600'")
        page.keyboard.press("ArrowDown")
        page.wait_for_selector(".row.selected[data-dimension='1']")
        assert page.locator(".slider input").get_attribute("aria-valuetext") == "step 600"
        page.keyboard.press("Enter")
        assert "dim 3" in page.locator(".fold").text_content()
        page.keyboard.press("Enter")
        assert "▸ 2 more" in page.locator(".fold").text_content()
        page.keyboard.press("Escape")
        page.wait_for_function("!document.querySelector('.row.selected')")
        assert page.locator(".spoken tr").count() == 4
        assert "dim 0" in page.locator(".spoken").text_content()


def test_the_distribution_follows_the_choice_and_the_cursor(chromium: Any, reports: dict[str, str]) -> None:
    with opened(chromium, reports["falling"], bypass_csp=True) as page:
        page.set_viewport_size({"width": 1280, "height": 300})
        page.reload()
        page.wait_for_selector("div.lifelines .row")
        page.wait_for_timeout(100)
        assert page.locator(".distributionname").count() == 0
        page.locator("div.distribution").scroll_into_view_if_needed()
        name = page.locator(".distributionname")
        assert name.text_content() == "dim 0, fading · step 700 · outline: step 100, before the fall"
        assert page.locator(".distribution .bars").count() == 2
        assert page.locator(".distribution .then").count() == 2
        page.locator(".row[data-dimension='1'] .name").click()
        page.wait_for_function("document.querySelector('.distributionname').textContent.startsWith('dim 1, in use')")
        page.mouse.move(5, 5)
        page.locator(".slider input").fill("3")
        page.wait_for_function("document.querySelector('.distributionname').textContent.includes('step 400')")
        page.locator(".card.distribution .exports button").last.wait_for()
        with page.expect_download() as waiting:
            page.locator(".card.distribution .exports button", has_text="CSV").click()
        lines = Path(waiting.value.path()).read_text().splitlines()
        assert lines[0] == "step,dimension,of,from,to,inputs"
        inputs = [int(line.split(",")[-1]) for line in lines[1:] if line.startswith("700,0,mean,")]
        assert sum(inputs) == 1000


def test_worth_and_drift_stand_beside_the_information(chromium: Any, tmp_path: Path) -> None:
    run = falling_run(ALERTS)
    worth = {"step": 650, "unit": "nats", "how": "marginal", "worth": [0.4, 3.1, 0.0, 0.0, 0.1], "worth_se": [0.02] * 5}
    snapshot = replace(run[-1].snapshot, drift=np.array([0.25, 0.031, 0.0, 0.0, math.nan]))
    write_log(tmp_path, [*run[:-1], replace(run[-1], worth=worth, snapshot=snapshot)])
    write_report([tmp_path], tmp_path / "x.html")
    with opened(chromium, (tmp_path / "x.html").as_uri(), bypass_csp=True) as page:
        lifelines = page.locator("div.lifelines svg").text_content()
        assert "worth" in lifelines and "drift" in lifelines
        assert "probe at step 650" in page.locator(".legend").inner_text()
        assert "3.1" in page.locator(".row[data-dimension='1']").text_content()
        page.locator(".row[data-dimension='0'] .name").click()
        words = "worth 0.4 ± 0.02 nats, drift 0.25"
        page.wait_for_function(f"document.querySelector('.status').textContent.includes('{words}')")
        assert "worth 3.1" in page.locator(".spoken").text_content()
        assert overflow(page) <= 0


@pytest.mark.parametrize("width", [1280, 800])
def test_the_columns_and_the_names_of_a_row_are_not_cut(chromium: Any, tmp_path: Path, width: int) -> None:
    run, unit = make_run(4, 1100, bins=8), "squared units"
    worth = {"step": 650, "unit": unit, "how": "marginal", "worth": [130.5] * 1100, "worth_se": [90.0] * 1100}
    snapshot = replace(run[-1].snapshot, drift=np.full(1100, 0.02), drift_se=np.full(1100, 0.01))
    write_log(tmp_path, [*run[:-1], replace(run[-1], worth=worth, snapshot=snapshot)])
    write_report([tmp_path], tmp_path / "x.html")
    with opened(chromium, (tmp_path / "x.html").as_uri(), width=width) as page:
        lifelines = page.locator("div.lifelines svg")
        words = {text.text_content() for text in lifelines.locator("text").all()}
        assert {"now", "nats", "worth", "of loss", "drift", "of μ", "since", "step", "what comes next"} <= words
        assert lifelines.locator(".row").first.locator("text.number.quiet").text_content() == "130"
        assert "squared units" in page.locator(".legend").inner_text()
        assert page.evaluate("""() => {
          const picture = document.querySelector("div.lifelines svg"), box = picture.getBoundingClientRect();
          return [...picture.querySelectorAll("text")].map((text) => [text.textContent, text.getBoundingClientRect()])
            .filter(([, one]) => one.left < box.left || one.right > box.right + 1).map(([words]) => words);
        }""") == []  # fmt: skip


def test_alerts_are_in_the_order_of_their_steps(chromium: Any, tmp_path: Path) -> None:
    first, drain = fading_alert(400, [0]), replace(make_alert(500, None, AlertKind.DRAIN), dimensions=())
    amended = replace(fading_alert(600, [0, 4]), amends=400)
    write_log(tmp_path, falling_run({400: (first,), 500: (drain,), 600: (amended,)}))
    write_report([tmp_path], tmp_path / "x.html")
    with opened(chromium, (tmp_path / "x.html").as_uri()) as page:
        assert page.locator("ol.alerts button").all_inner_texts() == ["step 600", "step 500"]


def test_the_distribution_has_the_colour_of_the_lifeline_at_its_step(chromium: Any, reports: dict[str, str]) -> None:
    with opened(chromium, reports["falling"], bypass_csp=True) as page:
        page.locator("div.distribution").scroll_into_view_if_needed()
        page.wait_for_selector(".distribution .bars.fall")
        page.locator(".slider input").fill("0")
        page.wait_for_selector(".distribution .bars.used")
        page.locator(".slider input").fill("6")
        page.locator(".row[data-dimension='1'] .name").click()
        page.wait_for_function("document.querySelector('.distributionname').textContent.startsWith('dim 1')")
        assert page.locator(".distribution .bars.used").count() == 2


def test_the_folded_group_opens(chromium: Any, reports: dict[str, str]) -> None:
    with opened(chromium, reports["falling"], bypass_csp=True) as page:
        assert "2 more" in page.locator(".fold").text_content()
        page.locator(".fold .quiet").first.click()
        page.wait_for_function("document.querySelector('.fold').textContent.includes('dim 3')")


def test_the_criteria_open_and_mark_what_differs(chromium: Any, reports: dict[str, str]) -> None:
    with opened(chromium, reports["ten"]) as page:
        page.locator(".card.criteria summary").click()
        assert page.locator("table.criteria tbody tr").count() == 7
        assert "active units" in page.locator("table.criteria thead").inner_text()
        assert overflow(page) <= 0


def test_another_run_is_shown_by_a_click_and_runs_are_sorted(chromium: Any, reports: dict[str, str]) -> None:
    with opened(chromium, reports["several"]) as page:
        first = page.locator("table.runs tbody tr").first
        assert "falling" in first.inner_text()
        page.locator("table.runs th button", has_text="nats").first.click()
        assert "nan" in first.inner_text()
        page.locator("table.runs .link", has_text="ten").click()
        assert page.locator("h2.which").inner_text().startswith("ten · numbers of step 4,000, ")


def test_one_sentence_stands_over_several_runs(chromium: Any, tmp_path: Path) -> None:
    def sentence(*betas: float | None) -> str:
        paths = []
        for k, beta in enumerate(betas):
            run = falling_run(fall=(2.0, 2.0 / (k + 1)))
            context = Context() if beta is None else Context(beta=beta)
            write_log(tmp_path / f"run{k}", [replace(one, context=context) for one in run])
            paths.append(tmp_path / f"run{k}")
        write_report(paths, tmp_path / "x.html")
        with opened(chromium, (tmp_path / "x.html").as_uri()) as page:
            assert page.locator("table.runs thead").inner_text().count("β") == (None not in betas)
            return page.locator("main > .sentence").first.inner_text()

    begin, end = "From β = 1 to 16 the code", "nats; 2 dimensions are in use at both ends."
    assert sentence(1.0, 4.0, 16.0) == f"{begin} falls from 4.5 to 3.2 {end}"
    assert sentence(16.0, 1.0) == f"{begin} rises from 3.5 to 4.5 {end}"
    assert sentence(None, None) == "The codes carry 3.5 (run1) to 4.5 nats (run0), in 2 dimensions."


def test_views_are_saved_as_pictures_and_tables(chromium: Any, reports: dict[str, str]) -> None:
    with opened(chromium, reports["falling"]) as page:
        for kind, view in (("SVG", "lifelines"), ("SVG", "timeline"), ("CSV", "plane"), ("PNG", "spectrum")):
            with page.expect_download() as waiting:
                page.locator(f".card.{view} .exports button", has_text=kind).click()
            saved = Path(waiting.value.path()).read_bytes()
            starts = {"SVG": b"<svg ", "CSV": b"step,dimension,log10 Var", "PNG": b"\x89PNG"}
            assert saved.startswith(starts[kind])
            if kind == "SVG":
                assert b"fill: rgb(" in saved
                assert b'viewBox="-14 -14 ' in saved
                assert b"background: rgb(255, 255, 255)" in saved


def test_without_uplot_the_picture_is_drawn_all_the_same(
    chromium: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("polar_monitor.web.report.uplot", lambda name: "")
    write_log(tmp_path, falling_run(ALERTS))
    write_report([tmp_path], tmp_path / "x.html")
    with opened(chromium, (tmp_path / "x.html").as_uri()) as page:
        assert page.locator(".timeline svg .line").count() == 3
        assert page.locator(".timeline svg .own.band").count() == 3
        assert page.locator(".timeline svg .flag").count() == 2
        names = page.locator(".timeline svg .seriesname")
        places = {name.text_content(): float(name.get_attribute("y")) for name in names.all()}
        assert sorted(places, key=lambda name: places[name]) == ["dim 1", "dim 0", "dim 4"]
        heights = sorted(places.values())
        assert min(b - a for a, b in itertools.pairwise(heights)) >= 12
