"""The site has every page in its navigation, shows something early on each, and its tables are complete."""

from __future__ import annotations

import re
from dataclasses import fields
from pathlib import Path

import pytest

from polar_monitor.criteria import CRITERIA
from polar_monitor.regime.regime import Verdict
from polar_monitor.statistics.snapshot import Snapshot

ROOT = Path(__file__).resolve().parents[2]
DOCS = ROOT / "docs"
PAGES = sorted(path.relative_to(DOCS).as_posix() for path in DOCS.rglob("*.md"))
SETTINGS = (ROOT / "mkdocs.yml").read_text(encoding="utf-8")
MAX_BEFORE = 45
"""Lines of text, of 90 letters each, before the first picture, code or table: two screens."""
WITHOUT = {"bibliography.md"}
"""Pages that are lists."""


def lines_before_something_is_shown(page: str) -> int:
    """Count the lines that a reader has passed before a picture, a block of code or a table."""
    text = (DOCS / page).read_text(encoding="utf-8")
    first = re.search(r"^ *(!\[|```|\| )|^::: ", text, re.MULTILINE)
    assert first is not None, f"{page} shows nothing"
    return sum(1 + len(line) // 90 for line in text[: first.start()].splitlines())


def test_the_navigation_has_every_page() -> None:
    nav = SETTINGS.split("\nnav:\n")[1]
    listed = re.findall(r"([\w./-]+\.md)", nav)
    assert len(listed) == len(set(listed))
    assert set(listed) <= set(PAGES)
    rest = {page for page in PAGES if page not in listed}
    assert rest == {"index.md"} | {
        page for page in PAGES if page.startswith("examples/") and page != "examples/index.md"
    }


def test_nothing_is_fetched_to_build_or_read_the_site() -> None:
    assert "font: false" in SETTINGS
    assert "enable_inventory: false" in SETTINGS
    assert "social" not in SETTINGS
    assert "http" not in SETTINGS


@pytest.mark.parametrize("page", [page for page in PAGES if page not in WITHOUT])
def test_a_page_shows_something_on_its_first_two_screens(page: str) -> None:
    assert lines_before_something_is_shown(page) <= MAX_BEFORE


def test_words_are_defined_at_the_start() -> None:
    page = (DOCS / "start-here.md").read_text(encoding="utf-8")
    for word in ("Posterior collapse", "Polarised regime", "Nats", "Verdict"):
        assert f"* **{word}.**" in page.split("## One run")[0]
    assert all(f"`{verdict.value}`" in page for verdict in Verdict)
    assert all(
        f"`{verdict.value}`" in (DOCS / "labels" / "index.md").read_text(encoding="utf-8") for verdict in Verdict
    )


def test_every_statistic_has_its_line() -> None:
    page = (DOCS / "api" / "statistics.md").read_text(encoding="utf-8")
    rows = [
        [cell.strip() for cell in re.split(r"(?<!\\)\|", row)[1:-1]]
        for row in page.splitlines()
        if row.startswith("| `")
    ]
    names = {field.name for field in fields(Snapshot)}
    assert [row[0].strip("`") for row in rows] == [
        field.name for field in fields(Snapshot) if not field.name.endswith("_se")
    ]
    for row in rows:
        assert len(row) == 7
        assert all(row)
        error = f"{row[0].strip('`')}_se"
        assert (row[4] == f"`{error}`") == (error in names)


def test_the_bibliography_has_every_entry_and_criterion() -> None:
    page = (DOCS / "bibliography.md").read_text(encoding="utf-8")
    entries = re.findall(r"^@\w+\{([\w-]+),", (DOCS / "references.bib").read_text(encoding="utf-8"), re.MULTILINE)
    years = re.findall(r"(?:^\* |^\| `[\w`, ]+ \| ).*? (\d{4})\. ", page, re.MULTILINE)
    assert sorted(years) == sorted(re.findall(r"\d{4}", " ".join(entries)))
    table = page.split("## Every criterion's paper")[1].split("\n## ")[0]
    assert set(re.findall(r"`(\w+)`", table)) >= set(CRITERIA)
    assert "2605.15965" in page.split("## Every criterion's paper")[0]
