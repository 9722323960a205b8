"""Every picture of README and docs exists, is used, and is made by a command."""

from __future__ import annotations

import re
from pathlib import Path

from bench.alerts.lifelines import CAUSES
from bench.pictures.__main__ import PICTURES

ROOT = Path(__file__).resolve().parents[2]
IMAGES = ROOT / "docs" / "images"
OTHERS = {
    "autoencoder-ramp.svg": "bench/regimes/ramp.py",
    "estimators-growth.svg": "bench/sections/growth.py",
    "first-minute.svg": "bench/first_minute/__main__.py",
    "large-data.png": "bench/distributed/large_data.py",
    "three-kinds.svg": "bench/pictures/kinds.py",
}
"""Pictures that other benchmarks draw; those of the alarms are below."""


def test_every_picture_is_used_and_every_used_one_is_there() -> None:
    pages = [ROOT / "README.md", *(ROOT / "docs").rglob("*.md")]
    used = {
        (page.parent / link).resolve()
        for page in pages
        for link in re.findall(r"\(([\w./-]*images/[\w.-]+)\)", page.read_text(encoding="utf-8"))
    }
    assert {path.name for path in used if path.parent == IMAGES} == {path.name for path in IMAGES.iterdir()}
    assert all(path.exists() for path in used)


def test_every_picture_is_made_by_a_command() -> None:
    alarms = {path.name for path in IMAGES.glob("alarm-*.svg")} | {f"cause-{name}.svg" for name in CAUSES}
    assert {path.name for path in IMAGES.iterdir()} == {*PICTURES, *OTHERS, *alarms}
    for name, script in OTHERS.items():
        assert name in (ROOT / script).read_text(encoding="utf-8")
    assert "alarm-{name}.svg" in (ROOT / "bench/alerts/pictures.py").read_text(encoding="utf-8")


def test_the_page_on_collapse_has_eleven_causes_and_a_picture_of_each() -> None:
    page = (ROOT / "docs" / "is-my-vae-collapsing.md").read_text(encoding="utf-8")
    assert len(CAUSES) == page.split("## Eleven causes")[1].split("\n## ")[0].count("\n### ") == 11
    assert all(f"(images/cause-{name}.svg)" in page for name in CAUSES)
