"""Every example runs, for a few steps; what some of them claim is run in full, and slow."""

from __future__ import annotations

import importlib.util
import json
import re
from pathlib import Path
from typing import Any

import pytest
from frameworks import OF_PACKAGES, is_installed

from polar_monitor import Label

pytestmark = pytest.mark.usefixtures("no_monitor_goes_on")

ROOT = Path(__file__).parents[1]
EXAMPLES = sorted((ROOT / "examples").glob("*.py"))
CELLS = [path for path in EXAMPLES if "# %%" in path.read_text(encoding="utf-8")]
SHORT = {
    r"^STEPS = \d+$": "STEPS = 120",
    r"^STEPS, SETTLE = .*$": "STEPS, SETTLE = 120, 40",
    r"^EPOCHS = \d+$": "EPOCHS = 3",
}
SUMMARY = re.compile(r"^step [1-9]\d*( \(training is at step \d+\))?: ", re.MULTILINE)


def run_cells(path: Path, short: bool = True) -> dict[str, Any]:
    """Run a script that has cells, by default for a few steps, and return its names.

    In full it evaluates whenever it asks to: how often a budget of time lets it depends on the machine.
    """
    source = path.read_text(encoding="utf-8")
    for long, few in (SHORT if short else {r"max_overhead=[\d.]+": "max_overhead=1.0"}).items():
        source = re.sub(long, few, source, flags=re.MULTILINE)
    names: dict[str, Any] = {"__name__": "__main__"}
    exec(compile(source, path.name, "exec"), names)
    return names


@pytest.mark.parametrize("path", [path for path in EXAMPLES if path not in CELLS], ids=lambda path: path.stem)
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
    assert SUMMARY.search(out)


@pytest.mark.parametrize("path", [one for one in CELLS if one.stem not in OF_PACKAGES], ids=lambda path: path.stem)
def test_the_cells_run(
    path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    names = run_cells(path)
    out = capsys.readouterr().out
    if path.stem == "beta_sweep":
        assert all(f"beta={beta:g}" in out for beta in names["BETAS"])
        assert names["exit_code"] == 0
        return
    if path.stem == "latents_from_files":
        assert [str(label) for label in names["regime"].labels] == ["active", "active", "passive", "mixed"]
        return
    assert SUMMARY.search(out)
    assert names["monitor"].health().errors == 0
    if path.stem == "autoencoder":
        assert "no variance representation" in out
        assert Label.MIXED not in names["monitor"].regime().labels


@pytest.mark.slow
def test_the_rescue_brings_back_what_was_lost(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "100")
    monkeypatch.setenv("LINES", "60")  # a summary shows as many alerts as fit the terminal
    run_cells(ROOT / "examples" / "ramp_and_rescue.py", short=False)
    check_rescue(capsys.readouterr().out)


def check_rescue(out: str) -> None:
    """Check what the example printed: a warning, a loss, the way back, and what the checkpoint made of the loss."""
    assert out.index(" FADING: ") < out.index(" LOST: ") < out.index("\nback to healthy-")
    nats = {
        name: [float(number) for number in numbers.split()]
        for name, numbers in re.findall(r"^(rescued|damaged): \[(.*?)\]", out, re.MULTILINE | re.DOTALL)
    }
    lost = {
        int(j) for j in re.findall(r"^ +(\d+) +passive .* lost at step", out.split("back to healthy")[0], re.MULTILINE)
    }
    assert lost
    for j in lost:
        assert nats["damaged"][j] < 0.05
        assert nats["rescued"][j] > 0.15


def test_the_stored_notebook_shows_a_rescue() -> None:
    stored = json.loads((ROOT / "examples" / "notebooks" / "ramp_and_rescue.ipynb").read_text(encoding="utf-8"))
    outputs = [
        line for cell in stored["cells"] for output in cell.get("outputs", ()) for line in output.get("text", ())
    ]
    check_rescue("".join(outputs))


@pytest.mark.slow
def test_three_causes_of_variation_are_three_dimensions(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    labels = run_cells(ROOT / "examples" / "own_loop.py", short=False)["monitor"].regime().labels
    assert labels.count(Label.ACTIVE) == labels.count(Label.PASSIVE) == 3


@pytest.mark.integrations
@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("stem", OF_PACKAGES)
def test_the_cells_with_a_framework_run(
    stem: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    if not is_installed(OF_PACKAGES[stem]):
        pytest.skip(f"{OF_PACKAGES[stem]} is not installed")
    monkeypatch.chdir(tmp_path)
    run_cells(ROOT / "examples" / f"{stem}.py")
    assert SUMMARY.search(capsys.readouterr().out)


def test_the_page_on_collapse_prints_what_it_shows(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    page = (Path(__file__).parents[1] / "docs" / "is-my-vae-collapsing.md").read_text(encoding="utf-8")
    code, shown = re.findall(r"```(?:python|text)\n(.*?)```", page, re.DOTALL)[:2]
    exec(code, {})
    assert capsys.readouterr().out == shown


def test_there_are_four_at_least() -> None:
    assert {"quick_start", "autoencoder", "mixed_dimension", "conditional_prior"} <= {path.stem for path in EXAMPLES}
