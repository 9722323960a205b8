"""The blocks of the pages on frameworks run, and their table names what exists."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import pytest
from frameworks import is_installed

ROOT = Path(__file__).resolve().parents[2]
FOLDER = ROOT / "docs" / "frameworks"
INDEX = (FOLDER / "index.md").read_text(encoding="utf-8")
BEGINNING, *_ = re.findall(r"```python\n(.*?)```", INDEX, re.DOTALL)
CODE = re.compile(r"(?:<!-- needs: (\w+) -->\n)?```python\n(.*?)```", re.DOTALL)


def blocks() -> dict[str, str]:
    """Return the code of each page by the package that it needs; what PyTorch suffices for runs in tests/docs."""
    found = {}
    for page in sorted(FOLDER.glob("*.md")):
        parts = CODE.findall(page.read_text(encoding="utf-8"))
        if parts and parts[0][0]:
            package = parts[0][0]
            found[package] = "".join(code for needs, code in parts if needs or package != "torch")
    return found


BLOCKS = blocks()


@pytest.mark.integrations
@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")
@pytest.mark.filterwarnings("error::polar_monitor.PolarMonitorWarning")
@pytest.mark.parametrize("package", BLOCKS)
def test_the_block_runs(package: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    if not is_installed(package):
        pytest.skip(f"{package} is not installed")
    monkeypatch.chdir(tmp_path)
    names: dict[str, object] = {}
    exec(BEGINNING, names)
    exec(BLOCKS[package], names)
    watched = names.get("monitor") or getattr(names.get("callback") or names.get("handler"), "monitor", None)
    if package != "torchmetrics":
        assert watched.regime() is not None
        assert watched.health().errors == 0
        watched.detach()


def test_each_framework_has_a_block() -> None:
    assert len(BLOCKS) == 12


def test_every_extra_exists() -> None:
    extras = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["optional-dependencies"]
    table = INDEX.split("| framework |")[1].split("\n\n")[0]
    named = {name for row in table.splitlines()[2:] for name in re.findall(r"`([\w-]+)`", row.rsplit("|", 2)[1])}
    assert len(named) == 14
    assert named <= extras.keys()
    assert all(re.fullmatch("[a-z0-9-]+", name) for name in extras), "older pip finds no extra with an underscore"
    installed = re.search(r"\.\[([\w,-]+)\]", (ROOT / "Makefile").read_text())
    assert installed is not None
    assert named - set(installed[1].split(",")) == {"accelerate", "aim"}, "Trainer's extra has the first, aim is apart"


def test_every_page_of_the_table_exists() -> None:
    table = INDEX.split("| framework |")[1].split("\n\n")[0]
    pages = re.findall(r"^\| \[[^]]+\]\(([\w-]+\.md)\)", table, re.MULTILINE)
    assert len(pages) == 12
    assert all((FOLDER / page).exists() for page in pages)
