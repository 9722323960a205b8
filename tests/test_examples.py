"""Every example runs, for a few steps."""

from __future__ import annotations

import importlib.util
import re
from pathlib import Path

import pytest

from polar_monitor import Label

EXAMPLES = sorted((Path(__file__).parents[1] / "examples").glob("*.py"))


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.stem)
def test_the_example_runs(
    path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    spec = importlib.util.spec_from_file_location(path.stem, path)
    assert spec is not None
    assert spec.loader is not None
    example = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(example)
    monitor = example.main(steps=120)
    out = capsys.readouterr().out
    regime = monitor.regime()
    monitor.detach()
    assert regime is not None
    assert re.search(r"^step [1-9]\d+( \(training is at step 120\))?: ", out, re.MULTILINE)
    if path.stem == "autoencoder":
        assert "no variance representation" in out
        assert Label.MIXED not in regime.labels


def test_the_page_on_collapse_prints_what_it_shows(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    page = (Path(__file__).parents[1] / "docs" / "is-my-vae-collapsing.md").read_text(encoding="utf-8")
    code, shown = re.findall(r"```(?:python|text)\n(.*?)```", page, re.DOTALL)[:2]
    exec(code, {})
    assert capsys.readouterr().out == shown


def test_there_are_four_at_least() -> None:
    assert {"plain_loop", "autoencoder", "mixed_dimension", "conditional_prior"} <= {path.stem for path in EXAMPLES}
