"""The picture that moves: what it says is in the log, and it can be read where nothing moves."""

from __future__ import annotations

import re
from pathlib import Path
from xml.etree import ElementTree

import pytest
from pages.logs import fading_alert, falling_run, write_log
from records import make_alert

from bench.pictures.moving import moving
from polar_monitor.alerts.alert import AlertKind

ROOT = Path(__file__).resolve().parents[3]
MOTION = re.compile(r"@media \(prefers-reduced-motion:no-preference\)\{(.*)\}</style>", re.DOTALL)


@pytest.fixture
def drawn(tmp_path: Path) -> str:
    alerts = {500: (fading_alert(500, [0]),), 700: (make_alert(700, 0, AlertKind.LOST),)}
    write_log(tmp_path, falling_run(alerts))
    return moving(tmp_path, lambda step: 1.0 + step)


def texts(svg: str, kind: str) -> list[str]:
    spaces = "{http://www.w3.org/2000/svg}text"
    return [str(one.text) for one in ElementTree.fromstring(svg).iter(spaces) if kind in one.get("class", "").split()]


def test_it_says_what_became_of_each_dimension(drawn: str) -> None:
    assert texts(drawn, "end")[:2] == ["active, 2.40 nats", "lost; warned 200 steps before"]
    assert texts(drawn, "end")[-1] == (
        "end, step 700: 1 lost, each after a warning; 0 fading, 2 at the prior without an alert"
    )
    assert any("loss expected at about step 700" in text for text in texts(drawn, "now"))


def test_nothing_is_hidden_where_nothing_moves(drawn: str) -> None:
    motion = MOTION.search(drawn)
    assert motion is not None
    still = drawn.replace(motion[1], "")
    assert "animation" not in still
    assert ".now,.veil{opacity:0}" in still
    assert len(texts(drawn, "end")) == 7
    assert all(f"#t{i}{{animation" in motion[1] for i in range(len(texts(drawn, "now"))))


def test_the_stored_one_is_small_and_of_a_run_that_warned() -> None:
    path = ROOT / "docs" / "images" / "polarising.svg"
    svg = path.read_text(encoding="utf-8")
    assert path.stat().st_size < 60_000
    assert any("polarised" in text for text in texts(svg, "now"))
    assert any("fading" in text for text in texts(svg, "now"))
