"""A run in a notebook: a fragment without scripts, in which words of the run stay words."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from xml.etree import ElementTree

import pytest
from pages.logs import fading_alert, falling_run, never_finite, write_log
from records import make_run

from polar_monitor.views.document import documents
from polar_monitor.views.html import run_html
from polar_monitor.views.log import RunLog


def html_of(path: Path) -> str:
    log = RunLog(path)
    log.refresh()
    return "".join(map(run_html, documents(log, "run")))


def test_the_fragment_has_the_sentence_and_a_row_for_each_dimension(tmp_path: Path) -> None:
    text = html_of(write_log(tmp_path, falling_run({500: (fading_alert(500, [0]),)})))
    tree = ElementTree.fromstring(text)
    assert "2 of 5 dimensions are in use and carry 2.9 nats" in "".join(tree.itertext())
    assert [row[0].text for row in tree.findall(".//tbody/tr")] == ["1", "0", "4"]
    falling = tree.findall(".//tbody/tr")[1].findall(".//path")
    assert [path.get("fill") for path in falling] == ["#0072b2", "#d55e00"]
    assert "<script" not in text
    words = "".join(tree.itertext())
    assert "FADING, step 500 dimension" in words
    assert "Last healthy step 300" in words


@pytest.mark.parametrize("run", [never_finite(), make_run(4, 1, bins=8), make_run(4, 512, bins=8)])
def test_any_run_is_small(tmp_path: Path, run: list[object]) -> None:
    text = html_of(write_log(tmp_path, run))
    assert "nan" not in text
    assert len(text) < 30_000


def test_words_are_escaped(tmp_path: Path) -> None:
    run = [replace(one, name="<b>z") for one in falling_run()]
    assert "<b>z" not in html_of(write_log(tmp_path, run))
