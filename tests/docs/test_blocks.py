"""Every block of code on a page runs; the blocks of a page share their names, and print what stands below them."""

from __future__ import annotations

import re
import textwrap
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from pages import names_in_docs as page_names

import polar_monitor

pytestmark = pytest.mark.usefixtures("no_monitor_goes_on")

ROOT = Path(__file__).resolve().parents[2]
ELSEWHERE = {
    "README.md": "tests/test_readme.py",
    "docs/contributing.md": "tests/test_contributing.py",
    "docs/examples": "tests/bench/pages/test_notebooks.py",
    "docs/frameworks": "tests/integrations/test_page.py",
}
"""Pages and folders whose blocks run in another test; of docs/frameworks those with a mark of what they need."""
BLOCK = re.compile(r"^( *)```python\n(.*?)^\1```(?:\n+\1```text\n(.*?)^\1```)?", re.DOTALL | re.MULTILINE)


def names_of_arrays() -> dict[str, Any]:
    rng = np.random.default_rng(0)
    mean, logvar = rng.normal(size=(60_000, 2)).astype(np.float32), np.full((60_000, 2), -3.0, np.float32)
    return {"mean": mean, "logvar": logvar}


def names_of_rows() -> dict[str, Any]:
    from polar_monitor import entropy

    rng = np.random.default_rng(0)
    other = entropy.OnlineHistogram(dimensions=32)
    return {"x": rng.normal(size=5000), "rows": rng.normal(size=(800, 32)), "other": other}


def names_of_code() -> dict[str, Any]:
    autoencoder = page_names.Autoencoder(16)
    code = autoencoder.encoder(torch.randn(1024, 16)).detach()
    return {"autoencoder": autoencoder, "code": code}


def names_of_modules() -> dict[str, Any]:
    model = page_names.EveryName(16)
    return {"model": model, "batch": torch.randn(64, 16), "loader": torch.randn(512, 16).split(128)} | names_of_code()


def names_of_outputs() -> dict[str, Any]:
    names = names_of_modules()
    monitor = polar_monitor.attach(names["model"], mean="encoder.fc_mu", logvar="encoder.fc_var", sinks=())
    return names | {"monitor": monitor, "validation_images": torch.randn(600, 16)}


def names_of_ranks() -> dict[str, Any]:
    def train_step(model: Any, batch: Any) -> None:
        model(batch)[0].square().mean().backward()

    every_name = names_of_modules()
    return every_name | {"Vae": lambda: page_names.EveryName(16), "DistributedDataParallel": lambda model: model,
                         "train_step": train_step}  # fmt: skip


OWN: dict[str, Callable[[], dict[str, Any]]] = {
    "docs/large-data.md": names_of_arrays,
    "docs/estimators.md": names_of_rows,
    "docs/api/entropy.md": names_of_rows,
    "docs/autoencoders.md": names_of_code,
    "docs/frameworks/own-loop.md": names_of_modules,
    "docs/frameworks/offline.md": names_of_outputs,
    "docs/spatial-video-sequence.md": names_of_modules,
    "docs/many-devices.md": names_of_ranks,
}
"""Pages with names of their own beside those of a training."""


def blocks(page: Path) -> list[tuple[str, str]]:
    """Return the code of a page, and what it prints where that stands below."""
    text = page.read_text(encoding="utf-8")
    return [
        (textwrap.dedent(match[2]), match[3] or "")
        for match in BLOCK.finditer(text)
        if "<!-- needs: " not in text[: match.start()].splitlines()[-1]
    ]


def pages() -> list[str]:
    """Return the pages with code that runs here."""
    every = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").rglob("*.md"))]
    names = [page.relative_to(ROOT).as_posix() for page in every if blocks(page)]
    skipped = [place for place in ELSEWHERE if place != "docs/frameworks"]
    return [name for name in names if not name.startswith(tuple(skipped)) and name != "docs/frameworks/accelerate.md"]


SLOW = {"docs/labels/downstream.md"}
"""Pages that fit models for more than some seconds."""


@pytest.mark.parametrize(
    "page", [pytest.param(name, marks=pytest.mark.slow if name in SLOW else ()) for name in pages()]
)
def test_the_blocks_of_a_page_run(
    page: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "80")
    if page == "docs/reading-the-pictures.md":
        pytest.importorskip("matplotlib")
        pytest.importorskip("pandas")
    names = page_names.of_training(tmp_path)
    if page in OWN:
        names |= OWN[page]()
    capsys.readouterr()
    for code, shown in blocks(ROOT / page):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            warnings.simplefilter("error", polar_monitor.PolarMonitorWarning)
            exec(compile(code, page, "exec"), names)
        printed = capsys.readouterr().out
        if shown:
            assert printed == shown


def test_blocks_that_do_not_run_here_run_elsewhere() -> None:
    assert len(pages()) > 20
    for place, test in ELSEWHERE.items():
        assert Path(place).name in (ROOT / test).read_text(encoding="utf-8")
